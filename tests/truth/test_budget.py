"""A day of a large organisation beside another client of the same budget: requests a minute, and how fresh the page is.

The API is the simulated one, with pages of few records: as many pages a day as 30,000 users have. Time is virtual.
"""

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
import respx
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter import service
from exporter.clock import Clock
from exporter.days.store import Store
from exporter.demo.api import create_api
from exporter.demo.organization import Organization
from exporter.model import midnight
from exporter.refresh.refresher import Refresher
from exporter.reports import NAMES
from exporter.settings import Settings
from exporter.telemetry import Telemetry
from tests.support import AFTERNOON, DAY, KEY, TODAY
from tests.virtual_time import VirtualTime, on_virtual_time

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
HOST = "https://api.example.test"
BUDGET = 60
"""Requests a minute of the organisation, and of the exporter's setting."""
LARGE = 60
"""People with as many pages of two records a day."""
MINUTE = 60.0
OURS, OTHERS = "ours", "others"


class SharedLimit:
    """The API's limit of the organisation: at most BUDGET requests in any 60 seconds, of all clients together."""

    def __init__(self) -> None:
        self._admitted: deque[float] = deque()
        self.sent: dict[str, list[float]] = {OURS: [], OTHERS: []}
        self.refused: dict[str, int] = {OURS: 0, OTHERS: 0}

    def admits(self, client: str, now: float) -> bool:
        """Return whether a request is let through, and count it."""
        self.sent[client].append(now)
        while self._admitted and now - self._admitted[0] >= MINUTE:
            self._admitted.popleft()
        admitted = len(self._admitted) < BUDGET
        if admitted:
            self._admitted.append(now)
        else:
            self.refused[client] += 1
        return admitted

    def forget(self) -> None:
        """Begin to count again."""
        self.sent, self.refused = {OURS: [], OTHERS: []}, {OURS: 0, OTHERS: 0}


class Limited:
    """The API behind its limit, with small pages."""

    def __init__(self, app: ASGIApp, limit: SharedLimit, now: Callable[[], float], records_per_page: int) -> None:
        self._app, self._limit, self._now, self._records_per_page = app, limit, now, records_per_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not self._limit.admits(OURS, self._now()):
            error = {"type": "error", "error": {"type": "rate_limit_error", "message": "Too many requests"}}
            await JSONResponse(error, 429)(scope, receive, send)
            return
        query = scope["query_string"].replace(b"limit=1000", b"limit=%d" % self._records_per_page)
        await self._app({**scope, "query_string": query}, receive, send)


class Story:
    """An exporter that ticks and is scraped, and another client of its budget, for some virtual time."""

    def __init__(self, limit: SharedLimit, refresher: Refresher, own: Telemetry, clock: Clock, app: Starlette) -> None:
        self._loop, self._own, self._clock, self._app = asyncio.get_running_loop(), own, clock, app
        self.limit, self.refresher = limit, refresher
        self.ages: list[float] = []
        self.waits: list[float] = []
        self._tasks = [self._each(service.TICK_SECONDS, refresher.tick)]

    def scraped_each(self, *seconds: float) -> None:
        """Let Prometheus servers scrape from now on."""
        self._tasks += [self._each(one, self._scrape) for one in seconds]

    def another_client(self, requests_per_minute: float) -> None:
        """Let another client send requests at an even rate from now on."""

        async def send() -> None:
            self.limit.admits(OTHERS, self._loop.time())

        self._tasks.append(self._each(MINUTE / requests_per_minute, send))

    async def fill(self) -> float:
        """Wait until all days were read; return how many minutes that took."""
        begun = self._loop.time()
        while min(health.coverage for health in self.refresher.published.health.values()) < 1:  # noqa: ASYNC110 - virtual
            await asyncio.sleep(1)
        return (self._loop.time() - begun) / MINUTE

    async def live(self, hours: float) -> None:
        """Let time pass, after a quarter of an hour that is not looked at."""
        await asyncio.sleep(15 * MINUTE)
        self.limit.forget()
        self.ages, self.waits = [], []
        await asyncio.sleep(hours * 60 * MINUTE)

    def own(self, name: str) -> float:
        """Return one of the exporter's own metrics."""
        value = self._own.registry.get_sample_value(f"anthropic_exporter_{name}")
        assert value is not None
        return value

    def longest_unread(self) -> timedelta:
        """Return how long ago the stored day was read that waits for the longest time."""
        return max(self._clock.now() - at for read in self.refresher.ledger.read_at().values() for at in read.values())

    async def page(self) -> str:
        """Return the page for people."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://localhost") as client:
            return (await client.get("/")).text

    async def end(self) -> None:
        """Stop everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _each(self, seconds: float, what: Callable[[], Awaitable[object]]) -> asyncio.Task[None]:
        async def again_and_again() -> None:
            while True:
                await asyncio.sleep(seconds)
                await what()

        return asyncio.create_task(again_and_again())

    async def _scrape(self) -> None:
        """Scrape as Prometheus does; note how long it took, and the age of the oldest numbers of the last two days."""
        begun = self._loop.time()
        await self.refresher.scrape(9.5)
        self.waits.append(self._loop.time() - begun)
        respx.calls.reset()
        now, today = self._clock.now(), self._clock.now().date()
        reads = self.refresher.ledger.read_at().values()
        oldest = min(read_at.get(day, midnight(day)) for read_at in reads for day in (today, today - DAY))
        self.ages.append((now - oldest).total_seconds())


def told(
    tmp_path: Path,
    people: int,
    story: Callable[[Story], Awaitable[None]],
    *,
    records_per_page: int = 1000,
    exporter_requests_per_minute: int = BUDGET,
) -> None:
    """Tell a story of an organisation, from an empty store."""

    async def main(loop: VirtualTime) -> None:
        begun = loop.now
        clock = Clock(lambda: AFTERNOON + timedelta(seconds=loop.now - begun), loop.time)
        api, limit = create_api(Organization(TODAY, people=people), now=clock.now, key=KEY), SharedLimit()
        settings = Settings(
            _env_file=None,
            anthropic_admin_key=KEY,
            anthropic_base_url=HOST,
            exporter_requests_per_minute=exporter_requests_per_minute,
        )
        telemetry, store = Telemetry(NAMES), Store(tmp_path)
        with respx.mock(base_url=HOST) as router:
            router.route().mock(side_effect=respx.ASGIHandler(Limited(api, limit, loop.time, records_per_page)))
            async with service.refreshing(settings, store, telemetry, clock) as refresher:
                app = service.make_app(refresher, settings, store, telemetry)
                one = Story(limit, refresher, telemetry, clock, app)
                try:
                    await story(one)
                finally:
                    await one.end()
                    store.close()

    on_virtual_time(main)


def most_in_a_minute(sent: list[float]) -> int:
    """Return the most requests in any 60 seconds."""
    return max(bisect_left(sent, moment + MINUTE) - number for number, moment in enumerate(sent))


def test_a_day_of_30000_users(tmp_path: Path) -> None:
    """A refresh needs about 80 requests, and two Prometheus servers scrape.

    The exporter sends at most 15 requests in any minute, and uses them: the page shows numbers of the last 12 minutes,
    each settled day is read daily, and no scrape waits. A client that uses the other three quarters gets no 429.
    """

    async def story(one: Story) -> None:
        assert 35 < await one.fill() < 50
        one.scraped_each(60, 15)
        one.another_client(44.9)
        await one.live(24)
        ours, others = one.limit.sent[OURS], one.limit.sent[OTHERS]
        assert most_in_a_minute(ours) == BUDGET / 4
        assert len(ours) / 1440 > 0.9 * BUDGET / 4
        assert most_in_a_minute(others) == BUDGET * 3 / 4
        assert one.limit.refused == {OURS: 0, OTHERS: 0}
        assert max(one.ages) < 12 * MINUTE
        assert sum(one.ages) / len(one.ages) < 8 * MINUTE
        assert max(one.waits) < 0.001
        assert one.longest_unread() < timedelta(hours=26)
        text = f"refreshed when they are {round(one.refresher.interval / 60)} minutes old"
        assert text in await one.page()
        assert one.own("refresh_interval_seconds") == one.refresher.interval > 2 * MINUTE
        assert one.own("rate_limit_requests_per_minute") == BUDGET

    told(tmp_path, LARGE, story, records_per_page=2)


def test_a_small_organisation(tmp_path: Path) -> None:
    """Five requests fit into a scrape each minute: the numbers are those of the scrape."""

    async def story(one: Story) -> None:
        assert await one.fill() < 3
        one.scraped_each(61)
        one.another_client(44.9)
        await one.live(2)
        ours = one.limit.sent[OURS]
        assert most_in_a_minute(ours) <= BUDGET / 4
        assert one.limit.refused == {OURS: 0, OTHERS: 0}
        assert "refreshed when they are 60 seconds old" in await one.page()
        assert (one.refresher.interval, max(one.ages) < 1, max(one.waits) < 1) == (60, True, True)

    told(tmp_path, 1, story)


def test_one_request_a_minute(tmp_path: Path) -> None:
    """Today and yesterday are read again while the first fill runs; then one request in four minutes is left."""

    async def story(one: Story) -> None:
        one.scraped_each(60)
        assert await one.fill() < 240
        assert max(one.ages[12:]) < 60 * MINUTE
        await one.live(12)
        sent = one.limit.sent[OURS]
        assert min(later - earlier for earlier, later in pairwise(sent)) > 4 * MINUTE - 1
        assert max(one.ages) < 60 * MINUTE
        assert max(one.waits) < 0.001

    told(tmp_path, 1, story, exporter_requests_per_minute=1)


def test_a_fill_beside_another_client(tmp_path: Path) -> None:
    """It takes what the other one leaves: its rate is halved by a 429, and has recovered soon after the fill."""

    async def story(one: Story) -> None:
        one.scraped_each(60)
        one.another_client(BUDGET / 2)
        assert await one.fill() < 180
        assert 0 < one.limit.refused[OTHERS] < len(one.limit.sent[OTHERS]) / 200
        assert one.limit.refused[OURS] < len(one.limit.sent[OURS]) / 50
        await one.live(0)
        assert one.own("rate_limit_requests_per_minute") == BUDGET

    told(tmp_path, LARGE, story, records_per_page=2)
