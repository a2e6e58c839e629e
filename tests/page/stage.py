"""The exporter of a simulated organisation behind its web server, in a thread, on a clock that the test moves."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import date
from typing import Any, TypeVar

from exporter import service
from exporter.demo.organization import Organization
from exporter.web.toolkit.limits import SecurityHeaders
from tests.simulator.api import running
from tests.support import Api, Exporter, MovableTime, api_of

_T = TypeVar("_T")


class Stage:
    """An exporter that serves its page at `url`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stack = AsyncExitStack()
        self.time = MovableTime()
        self.api: Api
        self.exporter: Exporter
        self.url: str

    @property
    def organization(self) -> Organization:
        """The organisation that the page is about."""
        return self.api.organization

    @property
    def today(self) -> date:
        """The day it is."""
        return self.time.now().date()

    async def open(self, organization: Organization, *, simulated: bool, given: dict[str, Any]) -> None:
        """Start the API, the exporter and its web server."""
        self.api = await self._stack.enter_async_context(api_of(organization, self.time, **given))
        self.exporter = await self._stack.enter_async_context(self.api.exporter(None))
        app = service.make_app(
            self.exporter.refresher,
            self.api.settings(None),
            self.exporter.store,
            self.exporter.telemetry,
            simulated=simulated,
        )
        app.state.faults = self.api.faults  # `running` lets go of them at its end
        app.add_middleware(SecurityHeaders)
        self.url = await self._stack.enter_async_context(running(app))

    async def close(self) -> None:
        """Stop all of them."""
        self.api.faults.clear()
        await self._stack.aclose()

    def do(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run something in the exporter's event loop, and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def fill(self) -> None:
        """Read every day."""
        self.do(self.exporter.fill())

    def tick(self) -> None:
        """Let the schedule tick, without waiting for the refresh that it starts."""
        self.do(self.exporter.refresher.tick())


@contextmanager
def stage(organization: Organization, *, simulated: bool = False, **given: Any) -> Iterator[Stage]:  # noqa: ANN401
    """Yield the page of an organisation that was not read yet; `given` are settings by field name."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="stage")
    thread.start()
    made = Stage(loop)
    try:
        made.do(made.open(organization, simulated=simulated, given=given))
        yield made
    finally:
        made.do(made.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
