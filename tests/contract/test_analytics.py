"""`/analytics/*` from the sample payloads: rows, days that the data has not reached, the default workspace."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from exporter.api.paging import Request
from exporter.errors import ApiError, ApiForbidden, ApiNotFound, ApiShapeChanged, ApiUnavailable
from exporter.model import Window
from exporter.reports import Sources, claude_code_cost, cost, messages, reports
from exporter.reports.cost import ByAnalytics
from exporter.reports.names import Names
from exporter.reports.report import Report
from exporter.reports.usage_rows import Actor
from exporter.reports.workspaces import MOST_ASKED, Workspaces
from tests.contract.samples import body

DAY = date(2026, 11, 22)
DEFAULT = "wrkspc_01SIMdefault"
ANALYTICS = Sources("analytics", "analytics")


def report(name: str, names: Names = Names()) -> Report[Any]:  # noqa: B008 - immutable
    """Return a report that is read from `/analytics/*`."""
    return next(one for one in reports(names, sources=ANALYTICS) if one.name == name)


def read(name: str, *bodies: bytes, default: Sequence[str] = (DEFAULT,), first: date = DAY) -> Any:  # noqa: ANN401 - rows
    """Return what a report reads in pages, given the ids of the default workspace."""
    tail = [] if name == claude_code_cost.NAME else [json.dumps(default).encode()]
    return report(name).source.read([*bodies, *tail], first, DAY)


def page(*rows: Any, refreshed: str | None = "2026-11-23T02:10:00Z") -> bytes:  # noqa: ANN401 - JSON
    """Return the body of a page."""
    return json.dumps({"data": rows, "has_more": False, "next_page": None, "data_refreshed_at": refreshed}).encode()


def row(of: date = DAY, amount: str = "100", **group: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a row of `/analytics/cost`; the dimensions that are not given are null."""
    keys = ("workspace_id", "model", "cost_type", "token_type", "api_key_id", "product", "actor")
    return {
        "starting_at": f"{of}T00:00:00Z",
        "ending_at": f"{of + timedelta(days=1)}T00:00:00Z",
        "group": {**dict.fromkeys(keys), **group},
        "cost": {"amount": amount, "list_amount": "200", "currency": "USD", "requests": None},
    }


def test_a_sample_of_the_bill() -> None:
    """Every digit of both amounts; the default workspace by its name; what has no model or token type is `none`."""
    none = ByAnalytics("none", "none", Decimal("230.000000"))
    assert read("cost", body("analytics_cost_by_model_token_type")) == {
        DAY: [
            cost.Row("default", "claude-opus-5-5", "tokens", "output_tokens", *amounts("4120.512500", "4577.900000")),
            cost.Row("default", "none", "session_usage", "none", *amounts("19.750000", "19.750000")),
            cost.Row("default", "none", "web_search", "none", Decimal("230.000000"), none),
        ]
    }


def amounts(cents: str, list_cents: str) -> tuple[Decimal, ByAnalytics]:
    """Return an amount, and its list price without a key or a product."""
    return Decimal(cents), ByAnalytics("none", "none", Decimal(list_cents))


def test_a_sample_of_the_tokens() -> None:
    """With requests; the row of code execution, which has no product and no tokens, is no use of the API."""
    assert read("messages", body("analytics_usage_by_api_key")) == {
        DAY: [
            messages.Row(
                *("apikey_01SIMbot", "wrkspc_01SIMprod", "claude-sonnet-5-5", "batch"),
                *((91020, 7040, 410000, 9000, 12000), 4, 99),
            ),
            messages.Row("none", "default", "claude-opus-5-5", "standard", (500, 60, 0, 0, 0), 0, 1),
        ]
    }
    day = date(2026, 11, 20)
    found: Any = report("messages").source.read([body("analytics_usage_new_beta"), b"[]"], day, day)[day]
    assert [(one.model, one.requests) for one in found] == [("claude-opus-5", 412), ("claude-sonnet-5", 990)]


def test_a_sample_of_the_bill_by_actor() -> None:
    """Addresses, and ids of keys and service accounts; a deleted account and a null actor are `none`."""
    found = read("claude_code_cost", body("analytics_cost_by_actor_claude_code"))[DAY]
    assert [(tuple(one.actor), one.cents) for one in found] == [
        (("api_key", "apikey_01SIMbot"), Decimal("75.250000")),
        (("none", "none"), Decimal("1.000000")),
        (("service_account_actor", "svac_01SIMci"), Decimal("402.500000")),
        (("user", "ana@example.test"), Decimal("1830.125000")),
        (("user", "none"), Decimal("12.000000")),
    ]
    gone = {"type": "user_actor", "email_address": "ana@example.test", "deleted": True}
    (deleted,) = read("claude_code_cost", page(row(actor=gone)))[DAY]
    assert deleted.actor == ("user", "none")
    day = date(2026, 11, 20)
    beta: Any = report("claude_code_cost").source.read([body("analytics_cost_new_beta")], day, day)[day]
    assert [tuple(one.actor) for one in beta] == [
        ("federated_actor", "arn:aws:iam::000000000000:role/sim"),
        ("none", "none"),
        ("user", "ana@example.test"),
    ]


@pytest.mark.parametrize("name", ["cost", "messages", "claude_code_cost"])
def test_a_request_is_ordered_by_time(name: str) -> None:
    """By amount, rows would move between pages; with the beta header; both types of cost, or some would be left out."""
    request = report(name).source.request(date(2026, 10, 23), DAY)
    assert request.headers == {"anthropic-beta": "analytics-usage-cost-2026-08-24"}
    wanted = {
        "starting_at": "2026-10-23T00:00:00Z",
        "ending_at": "2026-11-23T00:00:00Z",
        "time_bucket_width": "1d",
        "order_by": "time",
        "order": "asc",
        "limit": "1000",
    }
    assert {key: request.query[key] for key in wanted} == wanted
    groups = {*request.query["group_by[]"]}
    assert len(groups - {"cost_type", "token_type"}) <= 5
    assert ("cost_type" in groups) == ("token_type" in groups) == (name == "cost")


@pytest.mark.parametrize(
    ("refreshed", "known"),
    [
        ("2026-11-23T00:00:00Z", {20, 21, 22}),
        ("2026-11-22T00:00:01Z", {20, 21, 22}),
        ("2026-11-22T00:00:00Z", {20, 21}),
        ("2026-11-21T23:59:59Z", {20}),
        (None, {20, 21, 22}),
    ],
)
def test_a_day_without_rows_is_empty_when_the_data_reaches_beyond_it(refreshed: str | None, known: set[int]) -> None:
    """Of the last day it must have reached the beginning; before that nothing is known, and nothing is zero."""
    found = read("cost", page(refreshed=refreshed), first=date(2026, 11, 20))
    assert {day.day for day, rows in found.items() if rows == []} == known
    assert {day.day for day, rows in found.items() if rows is None} == {20, 21, 22} - known


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("cost", {"cost": {"amount": "NaN", "list_amount": "1", "currency": "USD"}}, "data[1].cost: not an amount"),
        ("cost", {"cost": {"amount": "1", "list_amount": "1e99", "currency": "USD"}}, "data[1].cost: not an amount"),
        ("cost", {"cost": {"amount": "1", "list_amount": "1", "currency": "EUR"}}, "data[1].cost.currency: Invalid"),
        ("cost", {"cost": {"amount": None, "list_amount": None}}, "data[1].cost.amount: Expected `decimal`, got"),
        ("cost", {"group": None}, "data[1].group: Expected `object`, got `null`"),
        ("cost", {"cost": None}, "data[1].cost: Expected `object`, got `null`"),
        ("claude_code_cost", {"group": {"actor": {"type": "user_actor"}, "model": None}}, "group.actor.email_address"),
        ("claude_code_cost", {"group": {"actor": {"type": "api_actor"}, "model": None}}, "group.actor.api_key_id"),
    ],
)
def test_a_row_that_cannot_be_read_spoils_its_day(name: str, wrong: dict[str, Any], message: str) -> None:
    """And no other; the message names the place."""
    yesterday = DAY - timedelta(days=1)
    found = read(name, page(row(yesterday), {**row(), **wrong}), first=yesterday)
    assert len(found[yesterday]) == 1
    assert str(found[DAY]).startswith(message)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"starting_at": "2026-11-24T00:00:00Z"}, "data[0] is for 2026-11-24, which was not requested"),
        ({"starting_at": "2026-11-22T01:00:00Z"}, "data[0].starting_at is neither a date nor midnight UTC"),
        ({"ending_at": "2026-11-24T00:00:00Z"}, "data[0] is not one UTC day"),
    ],
)
def test_a_row_whose_day_is_unknown_spoils_the_answer(wrong: dict[str, str], message: str) -> None:
    """It could belong to any day."""
    with pytest.raises(ApiShapeChanged) as caught:
        read("cost", page({**row(), **wrong}))
    assert str(caught.value) == message


@pytest.mark.anyio
async def test_days_before_the_api_s_first_are_unknown() -> None:
    """They are not asked for, which would be refused, and not empty; with a window of a year there are some."""
    requested: list[Any] = []

    class Api(Directory):
        async def get(self, request: Request, _report: str, _cursor: str | None = None) -> bytes:
            requested.append(request.query["starting_at"])
            return page()

    source = report("cost").source
    for first, last in ((date(2025, 12, 1), date(2025, 12, 31)), (date(2025, 12, 31), date(2026, 1, 1))):
        answer = await source.fetch(Api({}, ApiNotFound("")), first, last)
        found = source.read(answer.bodies, first, last)
        assert {day: rows for day, rows in found.items() if rows is not None} == (
            {last: []} if last.year == 2026 else {}
        )
    assert requested == ["2026-01-01T00:00:00Z"]


def test_requests_that_are_unknown_are_not_shown() -> None:
    """One null of a model hides the sum of its day: part of it would be too few."""
    usage = json.loads(body("analytics_usage_by_api_key"))["data"]
    usage[0]["usage"]["requests"] = None
    view = report("messages").view()
    view.replace(DAY, (), read("messages", page(*usage))[DAY])
    (samples,) = [of for of in view.changes(Window(DAY, 1), {DAY}).values() if of and "anthropic_requests" in of]
    assert samples["anthropic_requests"] == [((str(DAY), "claude-opus-5-5"), 1)]


def test_a_thousand_keys_make_a_bounded_page() -> None:
    """One sample for each key over all days and workspaces; what is by day has no key; a removed day leaves nothing."""
    view = report("cost").view()
    rows = [row(workspace_id=f"w{of % 2}", api_key_id=f"k{of // 2}", model="opus") for of in range(2000)]
    found = read("cost", page(*rows))[DAY]
    for of in (DAY, DAY - timedelta(days=1)):
        view.replace(of, (), found)
    samples = [one for piece in view.changes(Window(DAY, 2), {DAY}).values() for one in (piece or {}).items()]
    sizes = {name: sum(len(of) for known, of in samples if known == name) for name, _ in samples}
    assert sizes == {
        "anthropic_cost_usd": 2,
        "anthropic_workspace_cost_usd": 4,
        "anthropic_product_cost_usd": 2,
        "anthropic_list_cost_usd": 2,
        "anthropic_api_key_cost_usd": 1000,
    }
    assert dict(samples)["anthropic_api_key_cost_usd"][0] == (("k0",), 4.0)
    view.replace(DAY, found, None)
    view.replace(DAY - timedelta(days=1), found, [])
    assert view.changes(Window(DAY, 2), {DAY})["keys"] == {"anthropic_api_key_cost_usd": []}


class TestUsers:
    """The bill of Claude Code by user."""

    def shown(self, max_users: int, *rows: claude_code_cost.Row, names: dict[str, str] | None = None) -> list[Any]:
        """Return the samples of rows."""
        view = claude_code_cost.report(Names(), max_users, lambda: names or {}).view()
        view.replace(DAY, (), rows)
        return [*(view.changes(Window(DAY, 1), {DAY})["users"] or {})["anthropic_claude_code_user_cost_usd"]]

    def row(self, name: str, cents: int, kind: str = "user") -> claude_code_cost.Row:
        """Return a row of one model."""
        return claude_code_cost.Row(Actor(kind, name), "opus", Decimal(cents))

    def test_all_but_the_most_expensive_are_other(self) -> None:
        """By actor type; nothing is lost; a user who is called so is one of them."""
        rows = [self.row("a", 500), self.row("b", 300), self.row("c", 100), self.row("ci", 100, "api_key")]
        assert self.shown(2, *rows) == [
            (("a", "user", "opus"), 5.0),
            (("b", "user", "opus"), 3.0),
            (("other", "api_key", "opus"), 1.0),
            (("other", "user", "opus"), 1.0),
        ]
        assert self.shown(1, self.row("other", 500), self.row("b", 300)) == [(("other", "user", "opus"), 8.0)]

    def test_keys_have_their_names(self) -> None:
        """Two keys of one name are one user; a key without a known name has its id; a new name is shown at once."""
        names = {"k1": "ci", "k2": "ci", "k3": "none"}
        keys = [self.row(key, 100, "api_key") for key in ("k1", "k2", "k3", "k4")]
        assert self.shown(9, *keys, names=names) == [
            (("ci", "api_key", "opus"), 2.0),
            (("k3", "api_key", "opus"), 1.0),
            (("k4", "api_key", "opus"), 1.0),
        ]
        view = claude_code_cost.report(Names(), 9, lambda: names).view()
        view.replace(DAY, (), keys)
        view.changes(Window(DAY, 1), {DAY})
        assert view.changes(Window(DAY, 1), {DAY}) == {}
        names = {"k4": "new"}
        assert [labels[0] for labels, _ in self.shown_again(view)] == ["k1", "k2", "k3", "new"]

    def shown_again(self, view: Any) -> list[Any]:  # noqa: ANN401 - a view
        """Return the samples of the next call."""
        return [*view.changes(Window(DAY, 1), {DAY})["users"]["anthropic_claude_code_user_cost_usd"]]

    def test_names_obey_the_user_label(self) -> None:
        """As in the families of Claude Code, so that both can be joined."""
        names = Names(b"key")
        source = report("claude_code_cost", names).source
        found = source.read([body("analytics_cost_by_actor_claude_code")], DAY, DAY)[DAY]
        assert isinstance(found, list)
        assert names.of("user", "ana@example.test") in [one.actor.name for one in found]
        assert "ana@example.test" not in str(found)


class Directory:
    """An API that knows these workspaces by id; another id is an error of this kind."""

    def __init__(self, names: dict[str, str], error: ApiError) -> None:
        self.names, self.error = names, error
        self.asked: list[str] = []

    async def get(self, request: Request, _report: str, _cursor: str | None = None) -> bytes:
        """Return one workspace."""
        workspace_id = request.path.removeprefix("/workspaces/")
        self.asked.append(workspace_id)
        if workspace_id not in self.names:
            raise self.error
        return json.dumps({"id": workspace_id, "name": self.names[workspace_id]}).encode()


@pytest.mark.anyio
class TestDefaultWorkspace:
    """Which id is that of the default workspace."""

    async def test_is_asked_for_once(self) -> None:
        """Only for ids that no list holds; a new workspace, which is not listed yet, is not the default one."""
        api, workspaces = Directory({"w1": "Default", "w2": "New"}, ApiNotFound("HTTP 404")), Workspaces(lambda: ["w3"])
        for _ in range(2):
            assert await workspaces.default_of(["w1", "w2", "w3", "w4", "../me"], api, "cost") == ["w1"]
        assert api.asked == ["w1", "w2", "w4"]

    async def test_may_be_hidden(self) -> None:
        """From a key that may not list workspaces: every id stays as it is."""
        api = Directory({}, ApiForbidden("HTTP 403"))
        assert await Workspaces(lambda: None).default_of(["w1"], api, "cost") == []

    async def test_must_be_known(self) -> None:
        """A failure is one of the report: half of its days would call the workspace by another name."""
        api = Directory({}, ApiUnavailable("HTTP 500"))
        with pytest.raises(ApiUnavailable):
            await Workspaces(lambda: None).default_of(["w1"], api, "cost")

    async def test_is_asked_for_in_moderation(self) -> None:
        """A thousand unknown workspaces are no thousand requests."""
        api = Directory({}, ApiNotFound("HTTP 404"))
        await Workspaces(lambda: None).default_of([f"w{number}" for number in range(1000)], api, "cost")
        assert len(api.asked) == MOST_ASKED


@pytest.mark.anyio
async def test_the_answer_holds_what_it_depends_on() -> None:
    """The ids of the default workspace are its last body, and part of the digest; the refresh time is its own."""

    class Api(Directory):
        async def get(self, request: Request, report: str, cursor: str | None = None) -> bytes:
            if request.path == "/analytics/cost":
                return page(row(workspace_id="w1"), {"group": 5}, row(workspace_id="w2"))
            return await super().get(request, report, cursor)

    answers = [
        await report("cost").source.fetch(Api({"w1": name}, ApiNotFound("HTTP 404")), DAY, DAY)
        for name in ("Default", "Another")
    ]
    assert [answer.bodies[-1] for answer in answers] == [b'["w1"]', b"[]"]
    assert answers[0].digest != answers[1].digest
    assert answers[0].refreshed_at == datetime(2026, 11, 23, 2, 10, tzinfo=UTC)
