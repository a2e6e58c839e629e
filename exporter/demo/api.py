"""The Admin API of the simulated organisation over HTTP: paging, limits and refusals.

Where the documentation leaves a reaction open, this API is strict: unknown parameters and bounds that are not at
00:00 UTC are refused with 400, so that a client's mistake is noticed.
"""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exporter.demo import cursors
from exporter.demo.access import Guard
from exporter.demo.bodies import AnalyticsRows, Bodies
from exporter.demo.cursors import Cursor
from exporter.demo.listings import scoped
from exporter.demo.organization import COST_DELAY, FINAL_AFTER, USAGE_DELAY, Organization
from exporter.demo.records import Record
from exporter.demo.refusals import DATE_RANGE, FINAL_ANSWER, Query, Refusal, analytics_query, refuse
from exporter.demo.story import View

COST_GROUPS = frozenset({"description", "workspace_id"})
MESSAGES_GROUPS = frozenset({"api_key_id", "workspace_id", "model", "service_tier"})
MOST_DAYS = 31
"""The longest range of `/analytics/*`."""
FIRST_DAY = date(2026, 1, 1)
"""The first day of `/analytics/*`."""
SCOPES_SINCE = "2026-10-21"
"""The version that lists API keys with a scope."""
_DAY = timedelta(days=1)
_CACHE_BYTES = 256 << 20


def create_api(organization: Organization, *, now: Callable[[], datetime], key: str) -> Starlette:
    """Return the API as an ASGI application. `now` returns the time of the story, aware and UTC."""
    endpoints = _Endpoints(organization, now)
    app = Starlette(
        routes=[
            Route("/v1/organizations/me", endpoints.me),
            Route("/v1/organizations/workspaces", endpoints.workspaces),
            Route("/v1/organizations/workspaces/{workspace_id}", endpoints.workspace),
            Route("/v1/organizations/api_keys", endpoints.api_keys),
            Route("/v1/organizations/users", endpoints.users),
            Route("/v1/organizations/usage_report/claude_code", endpoints.claude_code),
            Route("/v1/organizations/usage_report/messages", endpoints.messages),
            Route("/v1/organizations/cost_report", endpoints.cost_report),
            Route("/v1/organizations/analytics/cost", endpoints.analytics_cost),
            Route("/v1/organizations/analytics/usage", endpoints.analytics_usage),
        ],
        middleware=[Middleware(Guard, key=key)],
        exception_handlers={HTTPException: refuse},
    )
    app.router.redirect_slashes = False
    return app


class _Endpoints:
    def __init__(self, organization: Organization, now: Callable[[], datetime]) -> None:
        self._organization = organization
        self._now = now
        self._bodies = Bodies(organization, _CACHE_BYTES)

    async def me(self, request: Request) -> Response:
        """Serve /me."""
        Query(request.query_params, set())
        return JSONResponse(self._organization.me())

    async def workspaces(self, request: Request) -> Response:
        """Serve /workspaces."""
        query = Query(request.query_params, {"limit", "after_id", "include_archived"})
        return _listed(query, self._organization.workspaces(include_archived=query.flag("include_archived")))

    async def workspace(self, request: Request) -> Response:
        """Serve /workspaces/{workspace_id}, which knows the default workspace too."""
        found = self._organization.workspace(request.path_params["workspace_id"])
        if found is None:
            raise Refusal(404, "Not found")
        return JSONResponse(found)

    async def api_keys(self, request: Request) -> Response:
        """Serve /api_keys, whose shape depends on the version."""
        keys = self._organization.api_keys()
        shaped = [scoped(key) for key in keys] if request.headers["anthropic-version"] == SCOPES_SINCE else keys
        return _listed(Query(request.query_params, {"limit", "after_id"}), shaped)

    async def users(self, request: Request) -> Response:
        """Serve /users."""
        return _listed(Query(request.query_params, {"limit", "after_id"}), self._organization.users())

    async def claude_code(self, request: Request) -> Response:
        """Serve /usage_report/claude_code: the records of one day."""
        query = Query(request.query_params, {"starting_at", "limit", "page"})
        day, limit = query.day("starting_at"), query.number("limit", 20, 1000)
        cursor = cursors.read(request) or self._first(day)
        view = self._organization.view(day, cursor.boundary - USAGE_DELAY, cursor.boundary, cursor.revision)
        data, pages = self._bodies.usage_page(view, limit, cursor.offset)
        return _page(request, data, cursor if cursor.offset + 1 < pages else None, 1)

    async def cost_report(self, request: Request) -> Response:
        """Serve /cost_report."""
        return self._buckets(request, COST_GROUPS, self._bodies.cost_results)

    async def messages(self, request: Request) -> Response:
        """Serve /usage_report/messages."""
        return self._buckets(request, MESSAGES_GROUPS, self._bodies.messages_results)

    async def analytics_cost(self, request: Request) -> Response:
        """Serve /analytics/cost."""
        return self._analytics(request, self._organization.analytics_cost_of)

    async def analytics_usage(self, request: Request) -> Response:
        """Serve /analytics/usage."""
        return self._analytics(request, self._organization.analytics_usage_of)

    def _analytics(self, request: Request, rows: AnalyticsRows) -> Response:
        """Return rows of whole days, oldest first. `limit` counts groups, not their rows by cost or token type."""
        query = analytics_query(request)
        first, after = self._bounds(query)
        if (after - first).days > MOST_DAYS or first < FIRST_DAY:
            raise Refusal(400, f"the range is longer than {MOST_DAYS} days, or begins before {FIRST_DAY}")
        cursor = cursors.read(request) or self._first(after - _DAY)
        limit, of = query.number("limit", 20, 1000), (query.many("group_by[]"), query.many("products[]"))
        groups = [
            group
            for number in range((after - first).days)
            for group in self._bodies.analytics_groups(rows, self._view(first + number * _DAY, cursor), *of)
        ]
        shown = [row for group in groups[cursor.offset : cursor.offset + limit] for row in group]
        data = json.dumps(shown, separators=(",", ":"))[1:-1].encode()
        more = cursor.offset + limit < len(groups)
        refreshed = f"{self._now() - COST_DELAY:%Y-%m-%dT%H:%M:%SZ}"
        return _page(request, data, cursor if more else None, limit, data_refreshed_at=refreshed)

    def _view(self, day: date, cursor: Cursor) -> View:
        return self._organization.view(day, cursor.boundary - COST_DELAY, cursor.boundary, cursor.revision)

    def _buckets(self, request: Request, groups: frozenset[str], results: Callable[[View], bytes]) -> Response:
        """Return one entry per day, oldest first, with days without results and without future days."""
        query = Query(request.query_params, {"starting_at", "ending_at", "bucket_width", "group_by[]", "limit", "page"})
        if query.text("bucket_width") not in {None, "1d"}:
            raise Refusal(400, "bucket_width: allowed is 1d")
        first, after = self._bounds(query)
        if query.many("group_by[]") != groups:
            raise Refusal(400, f"group_by[]: this simulation groups by {' and '.join(sorted(groups))}")
        limit = query.number("limit", 7, 31)
        cursor = cursors.read(request) or self._first(after - _DAY)
        after = min(after, cursor.boundary.date() + _DAY)
        days = [first + number * _DAY for number in range((after - first).days)]
        shown = days[cursor.offset : cursor.offset + limit]
        data = b",".join(self._entry(day, cursor, results) for day in shown)
        return _page(request, data, cursor if cursor.offset + limit < len(days) else None, limit)

    def _bounds(self, query: Query) -> tuple[date, date]:
        """Return the first day and the day after the last one."""
        first, after = query.midnight("starting_at"), query.midnight("ending_at")
        if first is None:
            raise Refusal(400, "starting_at: required")
        after = self._now().date() + _DAY if after is None else after
        if after <= first:
            raise Refusal(400, DATE_RANGE, FINAL_ANSWER)
        return first, after

    def _first(self, newest: date) -> Cursor:
        """Return the first cursor: data as of now, or as of when the newest day became final, so that bodies repeat."""
        settled = datetime.combine(newest, time(), UTC) + FINAL_AFTER
        return Cursor(0, min(self._now().replace(second=0, microsecond=0), settled), self._organization.revision)

    def _entry(self, day: date, cursor: Cursor, results: Callable[[View], bytes]) -> bytes:
        bounds = f'{{"starting_at":"{day}T00:00:00Z","ending_at":"{day + _DAY}T00:00:00Z","results":'
        return bounds.encode() + results(self._view(day, cursor)) + b"}"


def _page(request: Request, data: bytes, cursor: Cursor | None, step: int, **more: str) -> Response:
    """Return a page whose next one begins `step` after `cursor`, or a last page for None."""
    text = None if cursor is None else cursors.write(request, cursor._replace(offset=cursor.offset + step))
    tail = json.dumps({"has_more": text is not None, "next_page": text, **more})[1:]
    return Response(b'{"data":[' + data + b"]," + tail.encode(), media_type="application/json")


def _listed(query: Query, listed: list[Record]) -> Response:
    """Return a page of a list that is paged by id, with `last_id` on the last page too."""
    limit = query.number("limit", 20, 1000)
    after, ids = query.text("after_id"), [one["id"] for one in listed]
    if after is not None and after not in ids:
        raise Refusal(400, "nothing has this id")
    start = 0 if after is None else ids.index(after) + 1
    page, more = listed[start : start + limit], start + limit < len(listed)
    ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
    return JSONResponse({"data": page, **ends, "has_more": more})
