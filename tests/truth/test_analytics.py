"""The second sources: the same families from `/analytics/*`, series by series, and what only these know."""

from collections.abc import Collection
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.api.refusals import REFUSED_PAUSE
from exporter.demo.organization import Organization
from exporter.reports import Sources, reports
from tests.simulator.faults import KINDS, Kind
from tests.support import DAY, TODAY, VERSIONS, MovableTime, api_of, dates_of, matching
from tests.truth.test_failures import REASON_OF, SLOW, fail, impatient
from tests.truth.test_privacy import HASH_KEY, digest

pytestmark = pytest.mark.anyio
BOTH = {"exporter_cost_source": "analytics", "exporter_usage_source": "analytics"}
DEFAULTS = {"exporter_cost_source": "cost_report", "exporter_usage_source": "usage_report"}
YESTERDAY = TODAY - DAY
REPORTS = reports(sources=Sources("analytics", "analytics"))
PATHS = {report.name: report.source.request(TODAY, TODAY).path for report in REPORTS}


def families_of(names: Collection[str]) -> set[str]:
    """Return the families of some reports."""
    return {family.name for report in REPORTS if report.name in names for family in report.families}


@pytest.mark.parametrize("version", VERSIONS)
async def test_fill_refresh_restatement_and_restart(
    few: Organization, time: MovableTime, tmp_path: Path, version: str
) -> None:
    """A fill of 90 days is at most 110 requests, a warm refresh at most 7, also the first one after a restart."""
    async with api_of(few, time, anthropic_version=version, **BOTH) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            assert api.wrong(exporter) == []
            assert len(api.log) <= 110
            assert exporter.up() == {1}
            for day in (TODAY, YESTERDAY):
                few.restate(day, "1.5")
            api.log.clear()
            await exporter.scrape_later()
            assert api.wrong(exporter) == []
            assert len(api.log) <= 7
        api.log.clear()
        async with api.exporter(tmp_path) as exporter:
            assert api.wrong(exporter) == []
            few.restate(YESTERDAY, 0)
            await exporter.scrape_later()
            assert api.wrong(exporter) == []
            assert len(api.log) <= 7


@pytest.mark.parametrize("path", ["/analytics/cost", "/analytics/usage"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_source_fails(
    few: Organization, time: MovableTime, monkeypatch: pytest.MonkeyPatch, kind: Kind, path: str
) -> None:
    """The numbers of its reports stay, the others continue, nothing is asked in the pause, and all recovers."""
    failing, version = [name for name, of in PATHS.items() if of == path], VERSIONS[KINDS.index(kind) % 2]
    given = {"exporter_window_days": 3, "anthropic_version": version, **BOTH}
    async with api_of(few, time, **given) as api, api.exporter(None) as exporter:
        await exporter.fill()
        before = {key: value for key, value in exporter.shown().items() if key[0] in families_of(failing)}
        for day in (TODAY, YESTERDAY):
            few.restate(day, 2)
        with capture_logs() as lines, impatient(exporter, monkeypatch) if kind in SLOW else nullcontext():
            fail(api, kind, path)
            await exporter.scrape_later()
            requests = len(api.log.to(path))
            await exporter.scrape(3600)
            assert len(api.log.to(path)) == requests
            shown = exporter.shown()
            assert {key: value for key, value in shown.items() if key[0] in families_of(failing)} == before
            assert {name: exporter.health("up", name) for name in PATHS} == {
                name: name not in failing for name in PATHS
            }
            assert {line.partition("{")[0] for line in api.wrong(exporter)} <= families_of(failing)
            warnings = matching(lines, log_level="warning")
            assert [(line["report"], line["reason"]) for line in warnings] == [(of, REASON_OF[kind]) for of in failing]
            asked = [("set EXPORTER_" in line["error"]) for line in warnings]
            assert set(asked) == {kind in ("403", "404")}
            api.faults.clear()
        await exporter.scrape_later(REFUSED_PAUSE + 1)
        assert api.wrong(exporter) == []


@pytest.mark.parametrize("label", ["email", "hash", "none"])
async def test_users_and_several_pages(time: MovableTime, tmp_path: Path, label: str) -> None:
    """Users obey EXPORTER_USER_LABEL and EXPORTER_MAX_USERS here too; an answer of several pages is whole."""
    given = {"exporter_user_label": label, "exporter_user_hash_key": HASH_KEY, "exporter_max_users": 9}
    organization = Organization(TODAY, people=80)
    async with api_of(organization, time, exporter_window_days=31, **given, **BOTH) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            shown = digest(HASH_KEY.encode()) if label == "hash" else label
            assert api.wrong(exporter, user_label=shown, max_users=9) == []
        queries = [entry.query for entry in api.log.to("/analytics/cost")]
        assert any("page=" in query for query in queries) == (label != "none")


async def test_a_change_of_source_and_back(few: Organization, time: MovableTime, tmp_path: Path) -> None:
    """The old days stay until the new source answers; from then on there are only its own; nothing is called damaged.

    The days of Claude Code are not read again.
    """
    async with api_of(few, time, exporter_window_days=40) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            assert exporter.shown_value('anthropic_report_source_info{report="cost",source="cost_report"}') == 1
        for given in (BOTH, dict.fromkeys(BOTH, "")):
            api.given |= {name: value or DEFAULTS[name] for name, value in given.items()}
            few.restate(TODAY - 20 * DAY, "1.25" if given is BOTH else "1.75")
            api.log.clear()
            with capture_logs() as lines:
                async with api.exporter(tmp_path) as exporter:
                    before = set(exporter.shown())
                    assert {family for family, _ in before} >= families_of(["cost"]) & {"anthropic_cost_usd"}
                    assert exporter.health("report_coverage_ratio", "cost") == 1
                    fault = api.faults.add(kind="404", path="/cost" if given is BOTH else "/cost_report")
                    await exporter.fill()
                    assert set(exporter.shown()) >= {key for key in before if key[0] == "anthropic_cost_usd"}
                    assert exporter.health("up", "cost") == 0
                    api.faults.clear()
                    await exporter.scrape_later(REFUSED_PAUSE)
                    assert api.wrong(exporter) == []
                    assert fault.hits
            assert not [line for line in lines if "damaged" in line["event"]]
            assert len(api.log.to("claude_code")) <= 4
        async with api.exporter(tmp_path) as exporter:
            assert api.wrong(exporter) == []


async def test_half_a_change_of_source_mixes_nothing(few: Organization, time: MovableTime, tmp_path: Path) -> None:
    """Of a window of three ranges one could be read before the process ended: only its days are there afterwards."""
    async with api_of(few, time, exporter_window_days=90) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
        api.given |= BOTH
        old = [TODAY - age * DAY for age in range(31, 90)]
        api.faults.add(kind="500", path="/cost", dates=old)
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            half = dates_of(exporter.shown(), "anthropic_cost_usd")
            assert min(half) == TODAY - 30 * DAY
            assert exporter.health("report_coverage_ratio", "cost") == 31 / 90
        async with api.exporter(tmp_path) as exporter:
            assert dates_of(exporter.shown(), "anthropic_cost_usd") == half
            assert dates_of(exporter.shown(), "anthropic_workspace_cost_usd") == half
            api.faults.clear()
            await exporter.scrape_later()
            assert api.wrong(exporter) == []


@pytest.mark.parametrize(("path", "setting"), [("/cost_report", "COST"), ("usage_report/messages", "USAGE")])
async def test_a_classic_report_that_is_retired(few: Organization, time: MovableTime, path: str, setting: str) -> None:
    """The log names the setting to change after a day, once; nothing is switched silently, and the numbers stay."""
    async with api_of(few, time, exporter_window_days=3) as api, api.exporter(None) as exporter:
        await exporter.fill()
        api.faults.add(kind="404", path=path)
        with capture_logs() as lines:
            for _ in range(23):
                await exporter.scrape_later(3600)
            assert "EXPORTER_" not in str(lines)
            for _ in range(30):
                await exporter.scrape_later(3600)
        said = [line for line in lines if f"set EXPORTER_{setting}_SOURCE=analytics" in line.get("error", "")]
        assert [line["event"] for line in said] == ["report failed"]
        assert api.log.to("/analytics/cost") == []
        assert {family for family, _ in exporter.shown()} >= {"anthropic_cost_usd", "anthropic_tokens"}


async def test_a_day_of_scrapes(few: Organization, tmp_path: Path) -> None:
    """From noon to noon: at midnight nothing is known of the new day, nothing is zero, and nobody asks in vain."""
    time = MovableTime(datetime(2026, 11, 19, 12, tzinfo=UTC))
    async with api_of(few, time, exporter_window_days=10, **BOTH) as api, api.exporter(tmp_path) as exporter:
        await exporter.fill()
        for hour in range(13, 37):
            api.log.clear()
            await exporter.scrape_later(3600)
            assert len(api.log) <= (6 if hour < 36 else 10)  # one is for a settled day; at last the listings are due
            if hour == 24:
                families = {name for name, labels in exporter.shown() if ("date", str(TODAY)) in labels}
                assert not families & families_of(["cost", "messages"])
                assert exporter.up() == {1}
                await exporter.refresher.tick()
                await exporter.refresher.settle()
                assert len(api.log) <= 7
            else:
                assert api.wrong(exporter) == []
