"""One refresh, one at a time, and the failure policy.

A report that fails keeps its last good numbers and is left alone for a pause; the other report goes on. So does each
day: one that can not be read goes to the end of the queue. A scrape never waits for a pause, and never longer than
Prometheus would. The ledger is used from one worker thread, so that the event loop is never held.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, datetime
from functools import partial
from typing import TypeVar

import structlog

from exporter.api.transport import CostDays
from exporter.days.ledger import Ledger, Published
from exporter.errors import ApiError, ApiShapeChanged, StoreError
from exporter.exposition.encoder import Page
from exporter.model import DAY, Report, Window
from exporter.ports import Clock, Source
from exporter.refresh import plan
from exporter.refresh.health import Standing
from exporter.refresh.plan import Read
from exporter.telemetry import DIRECTORY, Telemetry

_T = TypeVar("_T")
PUBLISH_EVERY = 1.0
"""Seconds between two pages while a refresh runs."""
log = structlog.get_logger()


class Refresher:
    """Keeps the page fresh. Start it before it is asked for a page; stop it to let go of the worker."""

    def __init__(
        self, source: Source, ledger: Ledger, telemetry: Telemetry, clock: Clock, *, window_days: int, ttl: float
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._telemetry = telemetry
        self._clock = clock
        self._window_days = window_days
        self._ttl = ttl
        self.standings: Mapping[str, Standing] = {name: Standing() for name in (*Report, DIRECTORY)}
        self.published: Published
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._fresh_at = -float("inf")
        self._published_at = 0.0
        self._store_failing = False
        self._stopping = False

    @property
    def page(self) -> Page:
        """The page as it is now."""
        return self.published.page

    @property
    def ready(self) -> bool:
        """Whether any day of any report can be shown."""
        return any(health.coverage for health in self.published.health.values())

    async def start(self) -> None:
        """Publish what the store holds; no request is made."""
        await self._publish()
        self._fresh_at = self._clock.monotonic() - self._age_of_recent_days()

    def let_go(self) -> None:
        """Let scrapes that wait for a refresh go: the end is near."""
        self._stopping = True
        self._tell()

    async def stop(self) -> None:
        """Break off a running refresh, and end the worker."""
        self.let_go()
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._worker.shutdown()

    async def scrape(self, patience: float) -> Page:
        """Return the page, refreshed first when it is older than its time to live.

        Waits at most `patience` seconds for the refresh, which goes on after that; and not at all in a pause.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(max(patience, 0)):
                while not self._fresh() and not self._stopping:
                    self._begin(recent=True)
                    await self._news.wait()
        return self.page

    async def tick(self) -> None:
        """Read what is due without a scrape: the first fill, and settled days whose turn it is."""
        if self._running() or self._stopping:
            return
        if self._published_at and any(self._may_ask(read.report) for read in self._planned(recent=False)):
            self._begin(recent=self._fresh_at == -float("inf"))

    async def settle(self) -> None:
        """Wait until no refresh is running."""
        while self._running() and self._task:
            await asyncio.wait({self._task})

    def _running(self) -> bool:
        return self._task is not None and not self._task.done()

    def _begin(self, *, recent: bool) -> None:
        if self._running():
            return
        for standing in self.standings.values():
            standing.begun(self._clock.monotonic(), recent=recent)
        self._task = asyncio.create_task(self._run(recent=recent), name="refresh")

    def _fresh(self) -> bool:
        """Return whether a scrape is served at once."""
        if not any(self._may_ask(report) for report in Report):
            return True
        monotonic = self._clock.monotonic()
        retry = any(self.standings[report].wants_retry(monotonic) for report in Report)
        return not retry and monotonic - self._fresh_at < self._ttl

    def _may_ask(self, report: str) -> bool:
        monotonic = self._clock.monotonic()
        refused = [one for one in self.standings.values() if one.refused and not one.may_ask(monotonic)]
        if refused and self._source.key_changed():  # all at once: when one has used the new key, it is no new one
            for standing in refused:
                standing.lift()
        return self.standings[report].may_ask(monotonic)

    def _window(self) -> Window:
        return Window(self._clock.now().date(), self._window_days)

    def _recent_days(self) -> list[date]:
        window = self._window()
        return [window.last - DAY * age for age in range(min(plan.RECENT_DAYS, window.days))]

    def _age_of_recent_days(self) -> float:
        """Return how long ago today and yesterday were read, in seconds; infinite where one of them was not."""
        now = self._clock.now()
        ages = [
            (now - days[day]).total_seconds() if day in days else float("inf")
            for days in self._ledger.read_at().values()
            for day in self._recent_days()
        ]
        return max(ages) if min(ages) >= 0 else float("inf")

    def _planned(self, *, recent: bool) -> list[Read]:
        """Return what to ask for; with `recent` also a day of each report that failed, so that `up` tells of it."""
        planned = plan.reads(
            self._window(),
            self._ledger.read_at(),
            self._clock.now(),
            recent=recent,
            failures=lambda report, day: self.standings[report].failures(day),
        )
        for report in Report if recent else ():
            asked = {day for read in planned if read.report == report for day in read.dates()}
            if left := [day for day in self.standings[report].failed_days() if day not in asked]:
                planned.append(Read(report, left[0], left[0]))
        return planned

    async def _run(self, *, recent: bool) -> None:
        begun = self._clock.monotonic()
        try:
            await self._refresh(recent=recent)
        except Exception:
            log.exception("the refresh broke off: this is a defect of the exporter, please report it")
        finally:
            if recent:
                self._fresh_at = self._clock.monotonic()
            self._telemetry.refreshed(self._clock.monotonic() - begun)
            self._tell()

    async def _refresh(self, *, recent: bool) -> None:
        """Read what is planned, and publish now and then.

        The page is fresh as soon as today and yesterday were asked for: a scrape gets those of both reports, and does
        not wait for the older days of a first fill.
        """
        begun, planned, newest = self._clock.monotonic(), self._planned(recent=recent), self._recent_days()
        left = sum(read.last in newest for read in planned)
        await self._read_directory()
        for read in planned:
            left -= read.last in newest
            if self._may_ask(read.report):
                await self._read(read)
                if self._clock.monotonic() - max(begun, self._published_at) >= PUBLISH_EVERY:
                    await self._publish()
                    if recent and left <= 0:
                        self._fresh_at = self._published_at
        self._ended(recent=recent)
        await self._publish()
        if self._ledger.holds_today(self._window()):
            await self._keep(partial(self._ledger.prune, self._window()))

    async def _read(self, read: Read) -> None:
        read_at = self._clock.now()
        try:
            if read.report == Report.CLAUDE_CODE:
                usage = await self._source.claude_code(read.first, self._ledger.marks(read.first))
                await self._keep(partial(self._ledger.put_usage, read.first, usage, read_at))
                self.standings[read.report].worked([read.first])
            else:
                await self._take_bills(read, await self._source.cost(read.first, read.last), read_at)
        except ApiError as error:
            self._failed(read.report, error, read.dates())

    async def _take_bills(self, read: Read, answer: CostDays, read_at: datetime) -> None:
        """Keep the days that can be read. A day that is left out is an error, unless it is today's and may come yet."""
        bad: dict[date, ApiError] = {}
        for day in read.dates():
            rows = answer.get(day, ApiShapeChanged("the answer leaves this day out"))
            if not isinstance(rows, ApiError):
                await self._keep(partial(self._ledger.put_cost, day, rows, read_at))
                self.standings[read.report].worked([day])
            elif day in answer or day < read_at.date():
                bad[day] = rows
        if bad:
            day, error = next(iter(bad.items()))
            self._failed(read.report, ApiShapeChanged(f"cost {day}: {error}"), bad)

    async def _read_directory(self) -> None:
        if not self._may_ask(DIRECTORY) or not self._ledger.directory_is_due(self._clock.now()):
            return
        try:
            directory = await self._source.directory()
            await self._keep(partial(self._ledger.put_directory, directory, self._clock.now()))
            self.standings[DIRECTORY].worked()
        except ApiError as error:
            self._failed(DIRECTORY, error, [])

    def _ended(self, *, recent: bool) -> None:
        for report, standing in self.standings.items():
            if standing.ended(recent=recent):
                log.info("the report can be read again", report=str(report))
            self._note(report)

    def _failed(self, report: str, error: ApiError, days: Mapping[date, ApiError] | list[date]) -> None:
        standing, monotonic = self.standings[report], self._clock.monotonic()
        jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
        if standing.failed(error, days, now=self._clock.now(), monotonic=monotonic, jitter=jitter):
            pause = round(standing.paused_until - monotonic, 1)
            log.warning(str(error), report=str(report), reason=error.reason, retry_in_seconds=pause)
        self._note(report)

    def _note(self, report: str) -> None:
        standing = self.standings[report]
        left = standing.paused_until - self._clock.monotonic()
        until = self._clock.now().timestamp() + left if standing.error and left > 0 else 0
        self._telemetry.reported(report, standing.error.reason if standing.error else None, until)

    async def _publish(self) -> None:
        window = self._window()
        for report in Report:
            self.standings[report].forget_before(window.first)
        up = {report: self.standings[report].up for report in Report}
        self.published = await self._in_worker(partial(self._ledger.publish, window, up))
        self._published_at = self._clock.monotonic()
        page = self.published.page
        self._telemetry.published(
            series=page.series, size=len(page.body), folded=self.published.folded, at=self._clock.now().timestamp()
        )
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _in_worker(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    async def _keep(self, work: Callable[[], None]) -> None:
        """Do work that writes to the store; a write that fails is kept in memory and tried again with the next one."""
        try:
            await self._in_worker(work)
            self._store_failing = False
        except StoreError as error:
            self._telemetry.store_failed()
            if not self._store_failing:
                log.warning("the store can not be written: days are kept in memory until it can", error=str(error))
            self._store_failing = True
