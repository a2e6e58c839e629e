"""The simulated Admin API keeps the documented contract, over real HTTP."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from exporter.demo.api import create_api
from exporter.demo.organization import Organization
from exporter.demo.records import Record
from exporter.demo.server import running, serve_in_thread
from exporter.demo.story import View

ANCHOR = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = "sk-ant-admin01-simulated"
HEADERS = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
ME, WORKSPACES = "/v1/organizations/me", "/v1/organizations/workspaces"
CLAUDE_CODE, COST = "/v1/organizations/usage_report/claude_code", "/v1/organizations/cost_report"
BOTH = ["description", "workspace_id"]


class Story:
    """A simulated API that is served, its clock, and a client with the right key."""

    def __init__(self, *, requests_per_minute: int | None = None) -> None:
        self.now = NOON
        self.organization = Organization(ANCHOR)
        self.app = create_api(self.organization, now=lambda: self.now, key=KEY, requests_per_minute=requests_per_minute)

    def connect(self) -> Iterator["Story"]:
        """Serve the API and yield this story once."""
        with serve_in_thread(self.app) as url, httpx.Client(base_url=url, headers=HEADERS) as self.client:
            yield self

    def ask(self, path: str, **query: Any) -> Any:  # noqa: ANN401 - any query, any JSON
        """Return the JSON of a good answer."""
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refusal(self, path: str, query: dict[str, Any], **headers: str) -> tuple[int, str]:
        """Return the status and the error type of a refusal, whose form is checked."""
        answer = self.client.get(path, params=query, headers=headers)
        body = answer.json()
        assert body.keys() == {"type", "error", "request_id"}
        assert body["type"] == "error"
        assert body["error"].keys() == {"type", "message"}
        assert body["request_id"] == answer.headers["request-id"]
        return answer.status_code, body["error"]["type"]

    def all_pages(self, path: str, **query: Any) -> list[list[Any]]:  # noqa: ANN401 - any query
        """Return the data of each page."""
        pages, more = [], True
        while more:
            page = self.ask(path, **query)
            pages.append(page["data"])
            more, query["page"] = page["has_more"], page["next_page"]
        assert query["page"] is None
        return pages


@pytest.fixture(scope="module")
def served() -> Iterator[Story]:
    """Serve one API for the tests of this module."""
    yield from Story().connect()


@pytest.fixture
def api(served: Story) -> Story:
    """Return the API with its clock and log as at the beginning."""
    served.now = NOON
    served.app.state.log.clear()
    served.client.headers.update(HEADERS)
    return served


def midnight(day: date) -> str:
    """Return a bound of cost_report."""
    return f"{day}T00:00:00Z"


def bounds(first: date, after: date) -> dict[str, str]:
    """Return both bounds of cost_report."""
    return {"starting_at": midnight(first), "ending_at": midnight(after)}


def test_me_names_the_organisation(api: Story) -> None:
    """/me is as in the sample."""
    answer = api.ask(ME)
    assert answer == api.organization.me()
    assert answer.keys() == {"id", "type", "name"}


def test_a_day_has_the_organisations_records_in_pages(api: Story) -> None:
    """Pages of 20 by default, together the day's records, the cursor null on the last page."""
    day = ANCHOR - timedelta(days=1)
    pages = api.all_pages(CLAUDE_CODE, starting_at=str(day))
    assert {len(page) for page in pages[:-1]} == {20}
    assert [record for page in pages for record in page] == api.organization.claude_code_records(day, NOON)
    assert api.all_pages(CLAUDE_CODE, starting_at=str(day), limit=1000) == [[one for page in pages for one in page]]


@pytest.mark.parametrize("day", [ANCHOR + timedelta(days=1), date(2026, 9, 13)], ids=["future", "holiday"])
def test_an_empty_day_is_an_empty_page(api: Story, day: date) -> None:
    """A future day and the empty holiday have no records, and that is no error."""
    day = api.organization.story.empty_holiday if day < ANCHOR else day
    assert api.ask(CLAUDE_CODE, starting_at=str(day)) == {"data": [], "has_more": False, "next_page": None}


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (CLAUDE_CODE, {}),
        (CLAUDE_CODE, {"starting_at": "2026-11-19T00:00:00Z"}),
        (CLAUDE_CODE, {"starting_at": "2026-02-30"}),
        (CLAUDE_CODE, {"starting_at": "2026-11-19", "ending_at": "2026-11-20"}),
        (CLAUDE_CODE, {"starting_at": "2026-11-19", "limit": "0"}),
        (CLAUDE_CODE, {"starting_at": "2026-11-19", "limit": "1001"}),
        (CLAUDE_CODE, {"starting_at": "2026-11-19", "limit": "many"}),
        (CLAUDE_CODE, {"starting_at": "2026-11-19", "page": "page_nonsense"}),
        (COST, {}),
        (COST, bounds(ANCHOR, ANCHOR)),
        (COST, bounds(ANCHOR, ANCHOR - timedelta(days=1))),
        (COST, {"starting_at": "2026-11-19T00:00:00Z", "ending_at": "2026-11-19T23:59:59Z"}),
        (COST, {"starting_at": "2026-11-19T12:00:00Z"}),
        (COST, {"starting_at": "2026-11-19T00:00:00"}),
        (COST, {"starting_at": "yesterday"}),
        (COST, {**bounds(ANCHOR, ANCHOR + timedelta(days=1)), "limit": "32"}),
        (COST, {**bounds(ANCHOR, ANCHOR + timedelta(days=1)), "bucket_width": "1h"}),
        (COST, {**bounds(ANCHOR, ANCHOR + timedelta(days=1)), "group_by[]": "model"}),
        (COST, {**bounds(ANCHOR, ANCHOR + timedelta(days=1)), "group_by": "description"}),
        (WORKSPACES, {"limit": "0"}),
        (WORKSPACES, {"limit": "1001"}),
        (WORKSPACES, {"after_id": "wrkspc_unknown"}),
        (WORKSPACES, {"include_archived": "yes"}),
        (ME, {"limit": "1"}),
    ],
)
def test_a_bad_query_is_refused(api: Story, path: str, query: dict[str, str]) -> None:
    """Wrong dates, bounds, limits, cursors, groups and unknown parameters give 400."""
    assert api.refusal(path, query) == (400, "invalid_request_error")


def test_wrong_bounds_are_refused_as_was_observed(api: Story) -> None:
    """The message and `x-should-retry` are those of the sample."""
    answer = api.client.get(COST, params=bounds(ANCHOR, ANCHOR))
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json()["error"]["message"] == "Invalid date range: ending date must be after starting date"


def test_without_the_key_nothing_is_told(api: Story) -> None:
    """A wrong key and a missing one give 401, whatever the path."""
    assert api.refusal(ME, {}, **{"x-api-key": "sk-ant-admin01-other"}) == (401, "authentication_error")
    del api.client.headers["x-api-key"]
    assert api.refusal(CLAUDE_CODE, {}) == (401, "authentication_error")


def test_the_version_is_required_and_known(api: Story) -> None:
    """A missing or unknown anthropic-version gives 400; the current and the older ones work."""
    for version, status in (("2023-06-01", 200), ("2026-10-21", 200), ("2019-01-01", 400)):
        assert api.client.get(ME, headers={"anthropic-version": version}).status_code == status
    del api.client.headers["anthropic-version"]
    assert api.refusal(ME, {}) == (400, "invalid_request_error")


def test_other_paths_and_methods_do_not_exist(api: Story) -> None:
    """404 elsewhere, also with a slash at the end; 405 for all but GET."""
    for path in ("/v1/organizations/users", "/", ME + "/"):
        assert api.refusal(path, {}) == (404, "not_found_error")
    for method in ("POST", "PUT", "DELETE", "HEAD"):
        assert api.client.request(method, ME).status_code == 405


def test_a_cursor_belongs_to_its_query(api: Story) -> None:
    """With another day or limit a cursor is refused."""
    cursor = api.ask(CLAUDE_CODE, starting_at="2026-11-19")["next_page"]
    for query in ({"starting_at": "2026-11-18"}, {"starting_at": "2026-11-19", "limit": "30"}):
        assert api.refusal(CLAUDE_CODE, {**query, "page": cursor}) == (400, "invalid_request_error")
    assert api.ask(CLAUDE_CODE, starting_at="2026-11-19", page=cursor)["data"]


def test_a_pagination_shows_the_data_of_its_beginning(api: Story) -> None:
    """While today grows and is restated, the pages after the first one belong to the first one."""
    expected = api.organization.claude_code_records(ANCHOR, NOON)
    first = api.ask(CLAUDE_CODE, starting_at=str(ANCHOR), limit=30)
    api.now = NOON + timedelta(hours=5)
    api.organization.restate(ANCHOR, 3)
    rest = api.all_pages(CLAUDE_CODE, starting_at=str(ANCHOR), limit=30, page=first["next_page"])
    assert first["data"] + [record for page in rest for record in page] == expected
    assert api.ask(CLAUDE_CODE, starting_at=str(ANCHOR), limit=1000)["data"] != expected
    api.organization.restate(ANCHOR, 1)


def test_costs_come_oldest_first_with_every_day(api: Story) -> None:
    """31 days a page at most, 7 by default; the empty holiday is an entry without results, tomorrow is none."""
    first, after = ANCHOR - timedelta(days=89), ANCHOR + timedelta(days=1)
    pages = api.all_pages(COST, **bounds(first, after), limit=31, **{"group_by[]": BOTH})
    assert [len(page) for page in pages] == [31, 31, 28]
    entries = [entry for page in pages for entry in page]
    for number, entry in enumerate(entries):
        day = first + timedelta(days=number)
        assert (entry["starting_at"], entry["ending_at"]) == (midnight(day), midnight(day + timedelta(days=1)))
        assert entry["results"] == api.organization.cost_results(day, NOON)
    assert [] in [entry["results"] for entry in entries]
    assert len(api.ask(COST, **bounds(first, after))["data"]) == 7
    assert api.ask(COST, **bounds(after, after + timedelta(days=3)))["data"] == []


@pytest.mark.parametrize("groups", [[], ["description"], ["workspace_id"]], ids=str)
def test_other_groupings_sum_the_same_money(api: Story, groups: list[str]) -> None:
    """Fields that are not grouped by are null, lines are summed, the day's money is the same."""
    day = ANCHOR - timedelta(days=1)
    query = bounds(day, ANCHOR)
    (whole,) = api.ask(COST, **query, **{"group_by[]": BOTH})["data"]
    (entry,) = api.ask(COST, **query, **({"group_by[]": groups} if groups else {}))["data"]
    assert entry["results"][0].keys() == whole["results"][0].keys()
    total, summed = (sum(Decimal(one["amount"]) for one in part["results"]) for part in (whole, entry))
    assert summed == total
    lines = [tuple(value for name, value in one.items() if name != "amount") for one in entry["results"]]
    assert len(set(lines)) == len(lines) < len(whole["results"])
    assert all((one["cost_type"] is not None) == ("description" in groups) for one in entry["results"])
    named = {one["workspace_id"] for one in entry["results"]}
    assert len(named) > 1 if "workspace_id" in groups else named == {None}


def test_workspaces_are_paged_by_id(api: Story) -> None:
    """`last_id` is filled on the last page too; archived ones only when asked for; the default one never."""
    seen: list[Any] = []
    after: dict[str, str] = {}
    for _ in range(3):
        page = api.ask(WORKSPACES, limit=2, include_archived="true", **after)
        seen += page["data"]
        assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
        after = {"after_id": page["last_id"]}
    assert not page["has_more"]
    assert seen == api.organization.workspaces(include_archived=True)
    assert len(api.ask(WORKSPACES)["data"]) == len(seen) - 1
    empty = api.ask(WORKSPACES, include_archived="true", **after)
    assert empty == {"data": [], "first_id": None, "last_id": None, "has_more": False}
    before = api.ask(WORKSPACES, limit=2, include_archived="true", before_id=seen[3]["id"])
    assert (before["data"], before["has_more"]) == (seen[1:3], True)


def test_requests_are_logged_without_the_key(api: Story) -> None:
    """Path, query, version, user agent, time and status of each request are kept, the key is not."""
    api.client.get(COST, params={"starting_at": "yesterday"}, headers={"user-agent": "test/1"})
    (entry,) = api.app.state.log
    assert (entry.path, entry.query, entry.status) == (COST, "starting_at=yesterday", 400)
    assert (entry.user_agent, entry.version, entry.at) == ("test/1", "2023-06-01", NOON)
    assert KEY not in repr(api.app.state.log)
    assert api.app.state.log.to("cost_report") == [entry]


def test_answers_carry_the_apis_headers(api: Story) -> None:
    """Every answer has a request id of its own and the organisation's id."""
    answers = [api.client.get(ME), api.client.get("/nowhere")]
    assert len({answer.headers["request-id"] for answer in answers}) == 2
    assert {answer.headers["anthropic-organization-id"] for answer in answers} == {api.organization.me()["id"]}


def test_the_budget_counts_the_accepted_requests_of_any_minute() -> None:
    """The third request in a minute of a budget of two is refused until the reset that it names."""
    for api in Story(requests_per_minute=2).connect():
        assert api.client.get(ME, headers={"x-api-key": "wrong"}).status_code == 401
        api.ask(ME)
        api.now = NOON + timedelta(seconds=20, milliseconds=500)
        api.ask(ME)
        assert api.refusal(ME, {}) == (429, "rate_limit_error")
        headers = api.client.get(ME).headers
        assert headers["anthropic-ratelimit-requests-remaining"] == "0"
        assert headers["anthropic-ratelimit-requests-reset"] == "2026-11-20T12:01:00Z"
        api.now = NOON + timedelta(seconds=60)
        api.ask(ME)
        assert api.client.get(ME).headers["anthropic-ratelimit-requests-reset"] == "2026-11-20T12:01:21Z"


def test_a_body_is_encoded_once_per_state_of_the_data(api: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking again, also in later minutes for a settled day, computes nothing; a restated day is computed again."""
    day, calls, usage_of = ANCHOR - timedelta(days=8), [], api.organization.usage_of

    def counted(view: View) -> list[Record]:
        calls.append(view)
        return usage_of(view)

    monkeypatch.setattr(api.organization, "usage_of", counted)
    for minute in range(3):
        api.now = NOON + timedelta(minutes=minute)
        api.all_pages(CLAUDE_CODE, starting_at=str(day))
    assert len(calls) == 1
    api.organization.restate(day, 2)
    api.all_pages(CLAUDE_CODE, starting_at=str(day))
    assert len(calls) == 2


@pytest.mark.anyio
async def test_the_api_runs_in_the_tests_own_event_loop() -> None:
    """`running` serves on a free loopback port, and the port is closed afterwards."""
    app = create_api(Organization(ANCHOR, people=3), now=lambda: NOON, key=KEY)
    async with running(app) as url, httpx.AsyncClient(base_url=url, headers=HEADERS) as client:
        assert (await client.get(ME)).json()["name"] == "Sim Org"
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url + ME)
