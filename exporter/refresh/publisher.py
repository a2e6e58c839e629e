"""The page that is served: from what the store holds at a start, and again whenever days were read."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import structlog

from exporter.clock import Clock
from exporter.days.ledger import Ledger, Published
from exporter.model import Window
from exporter.refresh.fetcher import Fetcher
from exporter.refresh.progress import FillProgress
from exporter.refresh.series_warning import SeriesWarning
from exporter.telemetry import Telemetry

PUBLISH_EVERY = 1.0
"""Shortest time between two pages while a refresh runs, in seconds."""
PUBLISH_SHARE = 0.1
"""Largest share of a refresh that goes into pages before its last one: rendering thousands of users takes a while."""
START_PATIENCE = 5.0
"""How many seconds a start waits for the stored days to be added up, without a page that was kept."""
log = structlog.get_logger()


class Publisher:
    """Has pages made and holds the current one. Call `start` before anything else, and `stop` at the end."""

    def __init__(
        self,
        ledger: Ledger,
        fetcher: Fetcher,
        telemetry: Telemetry,
        clock: Clock,
        *,
        window_days: int,
        max_series_warn: int,
    ) -> None:
        self._ledger = ledger
        self._fetcher = fetcher
        self._telemetry = telemetry
        self._clock = clock
        self._window_days = window_days
        self._progress = FillProgress(clock)
        self._series_warning = SeriesWarning(max_series_warn)
        self.current: Published
        self.published_at: float
        """When the current page was published, in seconds of the monotonic clock."""
        self._publish_every = PUBLISH_EVERY
        self._loading: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def window(self) -> Window:
        """Return the days that a page of now shows."""
        return Window(self._clock.now().date(), self._window_days)

    async def start(self) -> None:
        """Publish what the store holds.

        Its days are added up in the background: what needs their sums runs after that, in the worker thread. Until then
        the page is the last one if it was kept; else it has no numbers, should this take long.
        """
        window, up = self.window(), self._up()
        kept = await self._fetcher.in_worker(partial(self._ledger.kept_page, window, up))
        self._show(kept or self._ledger.page_without_days(window, up))
        self._loading = asyncio.create_task(self._load(), name="load")
        if not kept:
            await asyncio.wait({self._loading}, timeout=START_PATIENCE)
            if not self._loading.done():
                log.info("adding up the stored days: the page has no numbers until this is done")

    async def _load(self) -> None:
        """Add up the stored days, and publish them. The page is the one that was kept, unless a day is damaged."""
        try:
            await self.publish()
        except Exception:
            log.exception("stored days cannot be added up: this is a defect of the exporter, please report it")
            return
        for report, health in self.current.health.items():
            if at := health.last_success:
                days = f"{health.days_read}/{health.days}"
                last_read = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
                log.info("loaded from the store", report=report, days=days, last_read=last_read)

    async def loaded(self) -> None:
        """Wait until the stored days are added up."""
        if self._loading and not self._loading.done():
            await asyncio.wait({self._loading})

    async def stop(self) -> None:
        """Stop adding up the stored days."""
        self._ledger.interrupt()
        if self._loading:
            self._loading.cancel()
            with suppress(asyncio.CancelledError):
                await self._loading

    async def publish(self) -> None:
        """Publish what was read."""
        window, started = self.window(), self._clock.monotonic()
        published = await self._fetcher.in_worker(partial(self._ledger.publish, window, self._up()))
        self._show(published)
        self._publish_every = max(PUBLISH_EVERY, (self.published_at - started) / PUBLISH_SHARE)
        self._progress.published(published.health.values())
        self._series_warning.published(published.page.series, self._ledger.pieces.series)

    def is_due(self, started: float) -> bool:
        """Return whether a refresh that started then shall publish what it has read so far."""
        return self._clock.monotonic() - max(started, self.published_at) >= self._publish_every

    def _up(self) -> dict[str, bool | None]:
        """Return whether each report works that the key may read."""
        health = self._fetcher.health
        return {report: health[report].up for report in self._ledger.reports if not health[report].not_for_key}

    def _show(self, published: Published) -> None:
        """Serve a page from now on."""
        self.current, self.published_at = published, self._clock.monotonic()
        page = published.page
        self._telemetry.published(series=page.series, size=len(page.body), at=self._clock.now().timestamp())
        self.notify()

    async def changed(self) -> None:
        """Wait until another page is served, or `notify` is called."""
        await self._changed.wait()

    def notify(self) -> None:
        """Wake up whatever waits for a change."""
        self._changed.set()
        self._changed = asyncio.Event()
