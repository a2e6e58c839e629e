"""Who may ask the simulated API, how often, and what was asked: the log of requests, the key, the budget."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hmac import compare_digest

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.demo.refusals import FINAL_ANSWER, Refusal, refuse

VERSIONS = frozenset({"2023-01-01", "2023-06-01", "2026-10-21"})
_BUDGET_SPAN = timedelta(seconds=60)


@dataclass
class LoggedRequest:
    """One request that arrived. `status` is 0 until the answer begins. The key is not kept."""

    path: str
    query: str
    user_agent: str
    version: str | None
    at: datetime
    status: int = 0


class RequestLog(list[LoggedRequest]):
    """All requests in the order of arrival, and how many of them were under way at once."""

    in_flight = 0
    peak_in_flight = 0

    def to(self, end_of_path: str) -> list[LoggedRequest]:
        """Return the requests whose path ends so."""
        return [request for request in self if request.path.endswith(end_of_path)]

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count a request while it is answered."""
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1


class Recorder:
    """Writes each request to the log and puts the API's own headers on each answer."""

    def __init__(self, app: ASGIApp, log: RequestLog, now: Callable[[], datetime], organization_id: str) -> None:
        self._app = app
        self._log = log
        self._now = now
        self._organization_id = organization_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        entry = self._entry(Request(scope))
        self._log.append(entry)
        request_id = f"req_011SIM{len(self._log):06d}"
        scope.setdefault("state", {})["request_id"] = request_id

        async def recorded(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.setdefault("request-id", request_id)
                headers.setdefault("anthropic-organization-id", self._organization_id)
            await send(message)

        with self._log.under_way():
            await self._app(scope, receive, recorded)

    def _entry(self, request: Request) -> LoggedRequest:
        return LoggedRequest(
            path=request.url.path,
            query=request.url.query,
            user_agent=request.headers.get("user-agent", ""),
            version=request.headers.get("anthropic-version"),
            at=self._now(),
        )


class Guard:
    """Lets a request through that has the key, a known version and room in the budget, and is a GET.

    The budget counts accepted requests of any 60 seconds; None is no budget. Its 429 has no `retry-after`, but
    `anthropic-ratelimit-requests-reset`, as was observed on the classic reports.
    """

    def __init__(self, app: ASGIApp, now: Callable[[], datetime], key: str, budget: int | None) -> None:
        self._app = app
        self._now = now
        self._key = key
        self._budget = budget
        self._accepted: deque[datetime] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        if scope["type"] == "http":
            request = Request(scope)
            try:
                self._check(request)
            except Refusal as refusal:
                await (await refuse(request, refusal))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, request: Request) -> None:
        if not compare_digest(request.headers.get("x-api-key", "").encode(), self._key.encode()):
            raise Refusal(401, "invalid x-api-key", FINAL_ANSWER)
        version = request.headers.get("anthropic-version")
        if version not in VERSIONS:
            raise Refusal(400, "anthropic-version: header is required" if version is None else "unknown version")
        if request.method != "GET":
            raise Refusal(405, "Method not allowed")
        if self._budget is not None:
            self._spend(self._budget)

    def _spend(self, budget: int) -> None:
        now = self._now()
        while self._accepted and self._accepted[0] <= now - _BUDGET_SPAN:
            self._accepted.popleft()
        if len(self._accepted) >= budget:
            raise Refusal(429, "Too many requests", budget_headers(budget, self._accepted[0] + _BUDGET_SPAN))
        self._accepted.append(now)


def budget_headers(budget: int, reset: datetime) -> dict[str, str]:
    """Return the headers of a spent budget; the reset is given in whole seconds, never too early."""
    whole = reset.astimezone(UTC) + timedelta(microseconds=-reset.microsecond % 1_000_000)
    return {
        "anthropic-ratelimit-requests-limit": str(budget),
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": whole.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
