"""The simulated Admin API is as strict as the documented one, and its failures equal the recorded ones."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from exporter.demo.organization import Organization
from tests.contract.samples import body
from tests.simulator.api import create_api, serve_in_thread
from tests.simulator.faults import Faults, Kind

ANCHOR = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = "sk-ant-admin01-simulated"
HEADERS = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
ME, WORKSPACES = "/v1/organizations/me", "/v1/organizations/workspaces"
CLAUDE_CODE, COST = "/v1/organizations/usage_report/claude_code", "/v1/organizations/cost_report"
BOTH = ["description", "workspace_id"]


class Served:
    """A simulated API that is served, its clock, and a client with the right key."""

    def __init__(self) -> None:
        self.now = NOON
        self.organization, self.faults = Organization(ANCHOR, people=50), Faults()
        self.app = create_api(self.organization, now=lambda: self.now, key=KEY, faults=self.faults)
        self.client: httpx.Client

    def get(self, path: str, **query: Any) -> Any:  # noqa: ANN401 - any query, any JSON
        """Return the JSON of a 200."""
        response = self.client.get(path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def status(self, path: str, query: dict[str, Any], **headers: str) -> int:
        """Return the status of a refusal, whose form is checked."""
        response = self.client.get(path, params=query, headers=headers)
        refusal = response.json()
        assert refusal.keys() == {"type", "error", "request_id"}
        assert refusal["request_id"] == response.headers["request-id"]
        return response.status_code

    def pages(self, path: str, **query: Any) -> list[list[Any]]:  # noqa: ANN401 - any query
        """Return the data of each page."""
        pages, more = [], True
        while more:
            page = self.get(path, **query)
            pages.append(page["data"])
            more, query["page"] = page["has_more"], page["next_page"]
        assert query["page"] is None
        return pages


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Serve one API for the tests of this module."""
    made = Served()
    with serve_in_thread(made.app) as url, httpx.Client(base_url=url, headers=HEADERS) as made.client:
        yield made


@pytest.fixture
def api(served: Served) -> Iterator[Served]:
    """Return the API as at the beginning."""
    served.now = NOON
    yield served
    served.faults.clear()


def bounds(first: date, after: date, **more: object) -> dict[str, Any]:
    """Return a query of cost_report."""
    return {"starting_at": f"{first}T00:00:00Z", "ending_at": f"{after}T00:00:00Z", "group_by[]": BOTH, **more}


def test_a_pagination_shows_the_data_of_its_first_page(api: Served) -> None:
    """While today grows and is restated, later pages belong to the first one."""
    expected = api.organization.claude_code_records(ANCHOR, NOON)
    first = api.get(CLAUDE_CODE, starting_at=str(ANCHOR))
    assert len(first["data"]) == 20
    api.now = NOON + timedelta(hours=5)
    api.organization.restate(ANCHOR, 3)
    rest = api.pages(CLAUDE_CODE, starting_at=str(ANCHOR), page=first["next_page"])
    assert [*first["data"], *(record for page in rest for record in page)] == expected
    assert api.get(CLAUDE_CODE, starting_at=str(ANCHOR), limit=1000)["data"] != expected
    api.organization.restate(ANCHOR, 1)


def test_a_cursor_is_refused_with_another_query(api: Served) -> None:
    """Another day, or another limit."""
    cursor = api.get(CLAUDE_CODE, starting_at="2026-11-19")["next_page"]
    for query in ({"starting_at": "2026-11-18"}, {"starting_at": "2026-11-19", "limit": "30"}):
        assert api.status(CLAUDE_CODE, {**query, "page": cursor}) == 400


def test_costs_come_oldest_first_with_every_day(api: Served) -> None:
    """31 days a page; a day without cost is an entry without results, and a future day is left out."""
    first, after = ANCHOR - 89 * DAY, ANCHOR + 3 * DAY
    pages = api.pages(COST, **bounds(first, after, limit=31))
    assert [len(page) for page in pages] == [31, 31, 28]
    for number, entry in enumerate(entry for page in pages for entry in page):
        assert entry["starting_at"] == f"{first + number * DAY}T00:00:00Z"
        assert entry["results"] == api.organization.cost_results(first + number * DAY, NOON)


def test_workspaces_are_paged_by_id(api: Served) -> None:
    """`last_id` is set on the last page too; archived ones only on request; the default one never."""
    seen: list[Any] = []
    more, after = True, dict[str, str]()
    while more:
        page = api.get(WORKSPACES, limit=2, include_archived="true", **after)
        seen += page["data"]
        more, after = page["has_more"], {"after_id": page["last_id"]}
    assert seen == api.organization.workspaces(include_archived=True)
    assert len(api.get(WORKSPACES)["data"]) == len(seen) - 1


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (CLAUDE_CODE, {}),
        (CLAUDE_CODE, {"starting_at": "2026-11-19T00:00:00Z"}),
        (CLAUDE_CODE, {"starting_at": "2026-11-19", "ending_at": "2026-11-20"}),
        (CLAUDE_CODE, {"starting_at": "2026-11-19", "limit": "1001"}),
        (CLAUDE_CODE, {"starting_at": "2026-11-19", "page": "page_nonsense"}),
        (COST, {}),
        (COST, bounds(ANCHOR, ANCHOR)),
        (COST, {**bounds(ANCHOR, ANCHOR + DAY), "ending_at": "2026-11-20T23:59:59Z"}),
        (COST, {**bounds(ANCHOR, ANCHOR + DAY), "starting_at": "2026-11-20T00:00:00"}),
        (COST, bounds(ANCHOR, ANCHOR + DAY, limit="32")),
        (COST, bounds(ANCHOR, ANCHOR + DAY, bucket_width="1h")),
        (COST, {**bounds(ANCHOR, ANCHOR + DAY), "group_by[]": "model"}),
        (WORKSPACES, {"after_id": "wrkspc_unknown"}),
        (WORKSPACES, {"include_archived": "yes"}),
        (ME, {"limit": "1"}),
    ],
)
def test_a_bad_query_is_refused(api: Served, path: str, query: dict[str, str]) -> None:
    """Wrong dates, bounds, limits, cursors, groups and unknown parameters, so that our own mistakes are noticed."""
    assert api.status(path, query) == 400


def test_the_key_the_version_and_the_path_are_checked(api: Served) -> None:
    """Current and older versions work."""
    assert api.status(ME, {}, **{"x-api-key": "sk-ant-admin01-other"}) == 401
    assert api.status(ME, {}, **{"anthropic-version": "2019-01-01"}) == 400
    assert api.client.get(ME, headers={"anthropic-version": "2026-10-21"}).status_code == 200
    assert api.status(ME + "/", {}) == 404
    assert api.client.post(ME).status_code == 405


SAMPLE_OF: dict[Kind, str] = {
    "401": "error_401",
    "403": "error_403_scope",
    "404": "error_404_beta_header_missing",
    "400_date_range": "error_400_date_range",
    "400_cursor_mismatch": "error_400_cursor_mismatch",
    "400_date_not_available": "error_400_date_not_available",
    "429_retry_after": "error_429_with_retry_after",
    "429_reset": "error_429_no_retry_after",
    "429_bare": "error_429_bare",
    "500": "error_500",
    "529": "error_529",
}


@pytest.mark.parametrize("kind", SAMPLE_OF)
def test_simulated_failures_equal_the_recorded_ones(api: Served, kind: Kind) -> None:
    """Status, error type, and the headers that a client obeys."""
    api.faults.add(kind=kind, path="claude_code", paged=None)
    response, sample = api.client.get(CLAUDE_CODE), json.loads(body(SAMPLE_OF[kind]))
    assert response.status_code == sample["status"]
    assert response.json()["error"]["type"] == sample["body"]["error"]["type"]
    headers = ("x-should-retry", "retry-after")
    assert [response.headers.get(name) for name in headers] == [sample["headers"].get(name) for name in headers]
    reset = "anthropic-ratelimit-requests-reset"
    assert (reset in response.headers) == (reset in sample["headers"])


def test_a_fault_is_for_a_path_a_number_of_times_and_dates(api: Served) -> None:
    """Other requests are answered truly; a range is hit by any of its dates, and its end is exclusive."""
    fault = api.faults.add(kind="500", path="cost_report", times=2, dates={ANCHOR - DAY})

    def status(first: date, after: date) -> int:
        return api.client.get(COST, params=bounds(first, after)).status_code

    assert api.client.get(CLAUDE_CODE, params={"starting_at": str(ANCHOR - DAY)}).status_code == 200
    assert status(ANCHOR - 9 * DAY, ANCHOR - DAY) == 200
    assert [status(ANCHOR - 9 * DAY, ANCHOR) for _ in range(3)] == [500, 500, 200]
    assert fault.hits == 2
