"""What all reports have in common: families by Prometheus's conventions, stored rows, and health."""

import json
import re
import zlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from exporter import reports, telemetry
from exporter.api.paging import Request
from exporter.model import Family, Samples, Window
from exporter.reports import Sources, claude_code, claude_code_cost, health
from exporter.reports.api_keys import Key
from exporter.reports.cost import ByAnalytics
from exporter.reports.directory import Directory
from exporter.reports.health import ReportHealth
from exporter.reports.members import Members
from exporter.reports.names import Names
from exporter.reports.report import Report
from exporter.reports.users import DISTINCT, USERS
from exporter.web.backfill import daily_name
from tests.bodies import ANA, NOW, TODAY, cost_rows, day, message, message_rows, model, record, result, usage_rows

REPORTS, LISTINGS = reports.reports(), reports.listings()
ANALYTICS = reports.reports(sources=Sources("analytics", "analytics"))
EVERY = pytest.mark.parametrize("family", [*reports.FAMILIES, *telemetry.FAMILIES], ids=lambda family: family.name)


class TestFamilies:
    """The families of the page and of the exporter itself."""

    def test_names_are_unique(self) -> None:
        """No family is declared twice."""
        names = [family.name for family in (*reports.FAMILIES, *telemetry.FAMILIES)]
        assert len(names) == len(set(names))

    def test_daily_names_are_unique(self) -> None:
        """The names of imported series too: two families of one name would be added up."""
        dated = [daily_name(family.name) for family in reports.FAMILIES if family.labels[:1] == ("date",)]
        assert len(dated) == len(set(dated))

    @EVERY
    def test_names_labels_and_help(self, family: Family) -> None:
        """Labels are no reserved words; a help text needs no escaping; money is in dollars and says so."""
        assert re.fullmatch(r"anthropic_[a-z_]*[a-z]", family.name)
        assert all(re.fullmatch(r"[a-z][a-z_]*", label) for label in family.labels)
        assert not {"le", "quantile", "job", "instance"} & set(family.labels)
        assert len(family.labels) == len(set(family.labels))
        assert not set(family.help) & set('"\\\n\r')
        assert family.help.endswith(".")
        assert ("cost" in family.name) == family.name.endswith("_usd")

    @EVERY
    def test_data_are_gauges_and_counters_end_in_total(self, family: Family) -> None:
        """A day is restated downwards too, so no number of a report is a counter."""
        assert (family.kind == "counter") == family.name.endswith("_total")
        assert not family.name.endswith(("_count", "_sum", "_bucket"))
        assert family.kind == "gauge" or family.name.startswith("anthropic_exporter_")

    def test_what_may_not_be_summed_has_no_date_and_no_user(self) -> None:
        """The distinct-user families are one number per actor type; the families per user have no date."""
        assert {family.labels for family in DISTINCT} == {("actor_type",)}
        assert all(family.labels[:2] == ("user", "actor_type") and "date" not in family.labels for family in USERS)

    def test_every_family_is_filled_and_every_sample_has_a_family(self) -> None:
        """Reports, then listings, then health; each report fills its own families and no others."""
        rows: dict[str, Any] = {
            "claude_code": usage_rows(record()),
            "cost": [replace(row, more=ByAnalytics("k", "p", Decimal(1))) for row in cost_rows(result())],
            "claude_code_cost": [claude_code_cost.Row(ANA, "opus", Decimal(1))],
            "messages": [replace(row, requests=1) for row in message_rows(message(1))],
        }
        for report in ANALYTICS:
            view = report.view()
            view.replace(TODAY, (), rows[report.name])
            changed = view.changes(Window(TODAY, 1), {TODAY}).values()
            filled = {name for samples in changed for name in samples or {}}
            assert filled == {family.name for family in report.families}
        directory, api_keys, members = LISTINGS
        keys = {"k2": Key("Two", "default", "active", 5.0), "k1": Key("One", "none", "expired", None)}
        listed = {
            **directory.samples(Directory(("o1", "Org"), {"w2": "Two", "default": "default"})),
            **api_keys.samples(keys),
            **members.samples(Members({"user": 2, "admin": 1}, [("ana@example.test", "user")])),
        }
        assert list(listed.items()) == [
            ("anthropic_organization_info", [(("o1", "Org"), 1)]),
            ("anthropic_workspace_info", [(("default", "default"), 1), (("w2", "Two"), 1)]),
            (
                "anthropic_api_key_info",
                [(("k1", "One", "none", "expired"), 1), (("k2", "Two", "default", "active"), 1)],
            ),
            ("anthropic_api_key_expiry_timestamp_seconds", [(("k2",), 5.0)]),
            ("anthropic_members", [(("admin",), 1), (("user",), 2)]),
            ("anthropic_member_info", [(("ana@example.test", "user"), 1)]),
        ]
        order = [*(name for report in ANALYTICS for name in names(report.families)), health.DATES.name, *listed]
        assert names(reports.FAMILIES) == [*order, *names(health.FAMILIES)]
        assert reports.NAMES == ("claude_code", "cost", "messages", "directory", "api_keys", "members")


def names(families: tuple[Family, ...]) -> list[str]:
    """Return the names of families."""
    return [family.name for family in families]


class AdminApi:
    """The part of the Admin API that gives names to ids, with one workspace per page."""

    def __init__(self) -> None:
        self.requested: list[Request] = []

    async def get(self, request: Request, report: str, cursor: str | None = None) -> bytes:
        """Return a body."""
        assert (report, cursor) == ("directory", None)
        self.requested.append(request)
        if request.path == "/me":
            return b'{"id": "o", "name": "Org", "type": "organization"}'
        number = len(self.requested)
        listed = {"data": [{"id": f"w{number}", "name": f"W{number}"}], "has_more": number < 3, "last_id": f"w{number}"}
        return json.dumps(listed).encode()


@pytest.mark.anyio
async def test_the_directory_holds_every_workspace_and_default() -> None:
    """Archived ones too, since their past cost has a name; all pages of the list are read."""
    assert LISTINGS[0].every == timedelta(days=1)
    api = AdminApi()
    assert await LISTINGS[0].fetch(api) == Directory(("o", "Org"), {"default": "default", "w2": "W2", "w3": "W3"})
    query = {"limit": "1000", "include_archived": "true"}
    assert api.requested == [
        Request("/me"),
        Request("/workspaces", query),
        Request("/workspaces", {**query, "after_id": "w2"}),
    ]


class TestStoredRows:
    """Rows as bytes. That any rows come back is tested in `property/test_reading.py`."""

    REPORT: Report[Any] = claude_code.report()

    def test_format_and_revision_stay_as_they_are(self) -> None:
        """Any other value makes every installation fetch all its days again: change it on purpose only."""
        digests = claude_code.report(Names(b"key"))
        assert {(report.format, report.source.revision) for report in (*REPORTS, *ANALYTICS, digests)} == {
            ("2 usage_report plain", 1),
            ("2 usage_report digest 2c70e12b", 1),
            ("1 cost_report", 1),
            ("1 usage_report", 1),
            ("1 analytics", 1),
            ("1 analytics plain", 1),
        }

    def test_a_day_s_rows_are_small(self) -> None:
        """Compressed: the store holds 90 days of thousands of users."""
        rows = usage_rows(*(record({"type": "user_actor", "email_address": f"{n}@example.test"}) for n in range(100)))
        assert len(self.REPORT.pack(rows)) < 2000

    @pytest.mark.parametrize("damage", ["cut", "other", "shape", "deep", "text"])
    def test_what_is_no_such_rows_is_a_value_error(self, damage: str) -> None:
        """Half of them, rows of another report or release, and anything else: the day is then fetched again."""
        packed = self.REPORT.pack(usage_rows(record(models=[model("1.5")])))
        other = reports.cost.report().pack(cost_rows(result()))
        shape = self.REPORT.pack([["user"]])
        stored = {
            "cut": packed[:-5],
            "other": other,
            "shape": shape,
            "deep": zlib.compress(b"[" * 100_000),
            "text": b"text",
        }[damage]
        with pytest.raises(ValueError, match=r"."):
            self.REPORT.unpack(stored)


class Stored(NamedTuple):
    """A stored day."""

    read_at: datetime
    empty: bool


class TestHealth:
    """How far the numbers of a report can be trusted."""

    def samples(self, state: ReportHealth) -> dict[str, Any]:
        """Return the samples of a report with this health, without the dates."""
        found: Samples = health.samples({"cost": state})
        return {name: [value for _, value in of] for name, of in found.items() if name != health.DATES.name}

    def test_of_stored_days(self) -> None:
        """The last success is of any day of the window, the newest date is one with data."""
        stored = {
            TODAY: Stored(datetime(2026, 11, 22, 1, tzinfo=UTC), empty=True),
            day(1): Stored(datetime(2026, 11, 22, 3, tzinfo=UTC), empty=False),
            day(2): Stored(datetime(2026, 11, 22, 2, tzinfo=UTC), empty=False),
            day(4): Stored(datetime(2026, 11, 22, 9, tzinfo=UTC), empty=False),
        }
        state = health.health(stored, Window(TODAY, 4), up=True, source="analytics", refreshed_at=NOW)
        assert state == ReportHealth(True, 1795316400.0, day(1), 3, 4, "analytics", NOW)  # noqa: FBT003
        assert self.samples(state) == {
            "anthropic_up": [1],
            "anthropic_report_last_success_timestamp_seconds": [1795316400.0],
            "anthropic_report_newest_date_timestamp_seconds": [1795219200],
            "anthropic_report_coverage_ratio": [0.75],
            "anthropic_report_source_info": [1],
            "anthropic_report_data_refreshed_timestamp_seconds": [NOW.timestamp()],
        }

    @pytest.mark.parametrize(("up", "shown"), [(None, []), (True, [1]), (False, [0])])
    def test_of_nothing_stored(self, up: bool | None, shown: list[int]) -> None:  # noqa: FBT001 - a table
        """Before the first attempt nothing is said of `up`; without data there is no newest date; coverage always."""
        assert self.samples(health.health({}, Window(TODAY, 4), up=up, source="x")) == {
            "anthropic_up": shown,
            "anthropic_report_last_success_timestamp_seconds": [],
            "anthropic_report_newest_date_timestamp_seconds": [],
            "anthropic_report_coverage_ratio": [0],
            "anthropic_report_source_info": [1],
            "anthropic_report_data_refreshed_timestamp_seconds": [],
        }

    def test_the_dates_of_the_window(self) -> None:
        """Their midnights in UTC."""
        dates = health.dates(Window(TODAY, 2))[health.DATES.name]
        assert dates == [((str(day(1)),), 1795219200), ((str(TODAY),), 1795305600)]
