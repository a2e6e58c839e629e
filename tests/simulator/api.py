"""The API of the demo with what tests need besides: a log of its requests, and failures on demand."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.demo import api, server
from exporter.demo.organization import Organization
from tests.simulator.faults import Faults
from tests.simulator.injector import FaultInjector


@dataclass
class LoggedRequest:
    """One request that arrived."""

    path: str
    query: str


class RequestLog(list[LoggedRequest]):
    """All requests in the order of arrival, and how many of them were in flight at once."""

    in_flight = 0
    peak_in_flight = 0

    def to(self, end_of_path: str) -> list[LoggedRequest]:
        """Return the requests whose path ends with this."""
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
    """Writes each request to the log, and gives each response a request id."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        self._log.append(LoggedRequest(request.url.path, request.url.query))
        request_id = f"req_011SIM{len(self._log):06d}"
        scope.setdefault("state", {})["request_id"] = request_id

        async def recorded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["request-id"] = request_id
            await send(message)

        with self._log.under_way():
            await self._app(scope, receive, recorded)


def create_api(
    organization: Organization, *, now: Callable[[], datetime], key: str, faults: Faults | None = None
) -> Starlette:
    """Return the API of the demo with `state.log` (a RequestLog) and `state.faults`."""
    app = api.create_api(organization, now=now, key=key)
    app.state.log, app.state.faults = RequestLog(), faults or Faults()
    app.add_middleware(FaultInjector, faults=app.state.faults, now=now)
    app.add_middleware(Recorder, log=app.state.log)
    return app


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[str]:
    """Serve an application of `create_api` in this event loop, and yield its base URL. Releases what hangs."""
    with server.listening() as (listener, url):
        served = server.make_server(app)
        task = asyncio.create_task(served.serve(sockets=[listener]))
        try:
            yield url
        finally:
            app.state.faults.clear()
            served.should_exit = True
            await task


@contextmanager
def serve_in_thread(app: Starlette) -> Iterator[str]:
    """Serve an application of `create_api` in a thread, and yield its base URL. Releases what hangs."""
    with server.serve_in_thread(app) as url:
        try:
            yield url
        finally:
            app.state.faults.clear()
