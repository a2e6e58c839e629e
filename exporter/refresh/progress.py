"""Log the first fill: how many days of the window every report has, and how long it took."""

from collections.abc import Collection

import structlog

from exporter.clock import Clock
from exporter.reports.health import ReportHealth

LOG_EVERY = 5.0
"""Seconds between two lines."""
log = structlog.get_logger()


class FillProgress:
    """Logs lines such as `fill 45/90` until every report has been read once; silent where the store is complete."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began: float | None = None
        self._logged_at = 0.0
        self._logged = 0
        self._complete = False

    def published(self, reports: Collection[ReportHealth]) -> None:
        """Note what is on a page; the first one holds what was stored."""
        if self._complete:
            return
        now = self._clock.monotonic()
        read, days = min(((health.days_read, health.days) for health in reports), default=(0, 0))
        self._complete = read == days
        if self._began is None:
            self._began = self._logged_at = now
            self._logged = read
        elif self._complete:
            log.info("fill complete in %.0f s", now - self._began)
        elif read != self._logged and now - self._logged_at >= LOG_EVERY:
            self._logged_at, self._logged = now, read
            log.info("fill %d/%d", read, days)
