"""Keep the page fresh: one refresh at a time, shared by all scrapes that wait for it.

A scrape never waits for a pause, and never longer than Prometheus would. The page counts as fresh as soon as today and
yesterday were fetched: a scrape does not wait for the older days of a first fill. It does not wait either where a
refresh needs so many requests that they are spread over minutes.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from functools import partial

import structlog

from exporter.clock import Clock
from exporter.days.ledger import Ledger, Published
from exporter.exposition.page import Page
from exporter.model import DAY
from exporter.refresh import plan
from exporter.refresh.fetcher import Api, Fetcher
from exporter.refresh.pace import NEVER, Pace
from exporter.refresh.plan import Fetch
from exporter.refresh.publisher import Publisher
from exporter.telemetry import Telemetry

log = structlog.get_logger()


class Refresher:
    """Publishes pages. Call `start` before anything else, and `stop` at the end."""

    def __init__(
        self,
        api: Api,
        ledger: Ledger,
        telemetry: Telemetry,
        clock: Clock,
        *,
        window_days: int,
        pace: Pace,
        max_series_warn: int,
    ) -> None:
        self.ledger = ledger
        self._api = api
        self._telemetry = telemetry
        self._clock = clock
        self._pace = pace
        self._fetcher = Fetcher(api, ledger, telemetry, clock)
        self.health = self._fetcher.health
        self.in_worker = self._fetcher.in_worker
        self._publisher = Publisher(
            ledger, self._fetcher, telemetry, clock, window_days=window_days, max_series_warn=max_series_warn
        )
        self.loaded = self._publisher.loaded
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def published(self) -> Published:
        """The current page, with its window and the health of each report."""
        return self._publisher.current

    @property
    def page(self) -> Page:
        """The current page."""
        return self.published.page

    @property
    def ready(self) -> bool:
        """Whether any day of any report can be shown."""
        return any(health.coverage for health in self.published.health.values())

    @property
    def interval(self) -> float:
        """The age in seconds at which the page is refreshed."""
        return self._pace.interval

    async def start(self) -> None:
        """Publish what the store holds, without a request."""
        self._telemetry.spaced(self._pace.interval)
        self._pace.fresh_at = self._clock.monotonic() - self._age_of_recent_days()
        await self._publisher.start()

    def release_scrapes(self) -> None:
        """Release scrapes waiting for a refresh, because the server is shutting down."""
        self._stopping = True
        self._publisher.notify()

    async def stop(self) -> None:
        """Cancel a running refresh and end the worker thread."""
        self.release_scrapes()
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._publisher.stop()
        self._fetcher.close()

    async def scrape(self, patience: float) -> Page:
        """Return the page, refreshed first when it is older than its time to live.

        Waits at most `patience` seconds for the refresh, which then continues, and not at all while all reports are
        paused or where a refresh takes minutes. As long for the stored days, where the page has none.
        """
        self._pace.scraped(self._clock.monotonic())
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                if not self.ready:
                    await self.loaded()
                while not self._is_fresh() and not self._stopping:
                    self._start_refresh(recent=True)
                    if not self._pace.is_quick:
                        break
                    await self._publisher.changed()
        return self.page

    async def tick(self) -> None:
        """Fetch what is due without a scrape: the first fill, settled days, and what a scrape did not wait for.

        Does nothing while a refresh is running, which uses the ledger in the worker thread.
        """
        await self.loaded()
        if self._is_running() or self._stopping:
            return
        recent = self._pace.fresh_at == NEVER or self._is_overdue()
        if any(self._fetcher.may_fetch(fetch.report) for fetch in self._planned(recent=recent)):
            self._start_refresh(recent=recent)

    async def settle(self) -> None:
        """Wait until the stored days are added up and no refresh is running."""
        await self.loaded()
        while self._is_running() and self._task:
            await asyncio.wait({self._task})

    def _is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    def _start_refresh(self, *, recent: bool) -> None:
        if self._is_running():
            return
        self._fetcher.refresh_started(recent=recent)
        if recent:
            self._pace.started(self._clock.monotonic())
        self._task = asyncio.create_task(self._run(recent=recent), name="refresh")

    def _is_fresh(self) -> bool:
        """Return whether a scrape is served at once."""
        if not any(self._fetcher.may_fetch(report) for report in self.ledger.reports):
            return True
        monotonic = self._clock.monotonic()
        retry = any(self.health[report].wants_retry(monotonic) for report in self.ledger.reports)
        return not retry and self._pace.is_fresh(monotonic)

    def _is_overdue(self) -> bool:
        """Return whether a scrape wants a refresh, and the interval has passed."""
        return self._pace.wanted and not self._pace.is_fresh(self._clock.monotonic())

    def _recent_days(self) -> list[date]:
        window = self._publisher.window()
        return [window.last - DAY * age for age in range(min(plan.RECENT_DAYS, window.days))]

    def _age_of_recent_days(self) -> float:
        """Return how many seconds ago today and yesterday were read, or infinity if one of them was not."""
        now = self._clock.now()
        ages = [
            (now - read_at[day]).total_seconds() if day in read_at else float("inf")
            for read_at in self.ledger.read_at().values()
            for day in self._recent_days()
        ]
        return max(ages) if min(ages) >= 0 else float("inf")

    def _planned(self, *, recent: bool) -> list[Fetch]:
        """Return what to fetch; with `recent` also one failed day of each report, so that `anthropic_up` covers it.

        Settled days wait while a scrape wants a refresh, which takes one of them along.
        """
        planned = plan.fetches(
            self._publisher.window(),
            {name: report.source.days_per_request for name, report in self.ledger.reports.items()},
            self.ledger.read_at(),
            self._clock.now(),
            recent=recent,
            settled=plan.SETTLED_PER_REFRESH if recent or not self._pace.wanted else 0,
            failures=self._failures,
        )
        for report in self.ledger.reports if recent else ():
            covered = {day for fetch in planned if fetch.report == report for day in fetch.dates()}
            if left := [day for day in self.health[report].failed_days() if day not in covered]:
                planned.append(Fetch(report, left[0], left[0]))
        return planned

    def _failures(self, report: str, day: date) -> int:
        return self.health[report].failures(day)

    async def _run(self, *, recent: bool) -> None:
        started = self._clock.monotonic()
        try:
            await self._refresh(recent=recent)
        except Exception:
            log.exception("refresh failed unexpectedly: this is a defect of the exporter, please report it")
        finally:
            if recent:
                self._pace.shown(self._clock.monotonic())
            self._telemetry.refreshed(self._clock.monotonic() - started)
            self._publisher.notify()

    async def _refresh(self, *, recent: bool) -> None:
        """Fetch what is planned, and publish now and then."""
        await self.loaded()
        for health in self.health.values():
            health.forget_before(self._publisher.window().first)
        started, planned, newest = self._clock.monotonic(), self._planned(recent=recent), self._recent_days()
        left = {fetch for fetch in planned if fetch.last in newest and not self._failures(fetch.report, fetch.last)}
        fill = plan.first_reads(planned, self._publisher.window(), self.ledger.read_at(), self._failures)
        self._api.steady = not fill
        for listing in self.ledger.listed.listings.values():
            with self._counted(counts=recent):
                await self._fetcher.fetch_listing(listing)
        for fetch in planned:
            if not left and self._is_overdue():
                break  # the page comes before the rest of a fill, which the next refresh continues
            left.discard(fetch)
            if not self._fetcher.may_fetch(fetch.report):
                continue
            with self._counted(counts=recent and fetch not in fill):
                await self._fetcher.fetch_days(fetch)
            if self._publisher.is_due(started):
                await self._publish()
                if recent and not left:
                    self._pace.shown(self._publisher.published_at)
                await self._fetcher.write(self.ledger.keep_page)
        if recent:
            self._pace.ended()
        self._fetcher.refresh_ended(recent=recent)
        await self._publish()
        await self._fetcher.write(self.ledger.keep_page)
        if self.ledger.holds(self._publisher.window().last):
            await self._fetcher.write(partial(self.ledger.prune, self._publisher.window()))

    @contextmanager
    def _counted(self, *, counts: bool) -> Iterator[None]:
        """Count the requests that are sent meanwhile as those of a refresh of the page."""
        before = self._api.sent
        yield
        if counts:
            self._pace.sent(self._api.sent - before)

    async def _publish(self) -> None:
        await self._publisher.publish()
        self._telemetry.spaced(self._pace.interval)
