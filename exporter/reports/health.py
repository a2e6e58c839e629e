"""The families that say how far the numbers of each report can be trusted. Pure."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import NamedTuple, Protocol

from exporter.model import Family, Samples, Window, timestamp

DATES = Family(
    "anthropic_date_timestamp_seconds",
    "00:00 UTC of each date of the window: choose dates by age with it.",
    ("date",),
)
FAMILIES = (
    Family(
        "anthropic_up",
        "1 when the last refresh of this report worked, else 0; absent before the first attempt.",
        ("report",),
    ),
    Family(
        "anthropic_report_last_success_timestamp_seconds",
        "When a day of this report was last read without error.",
        ("report",),
    ),
    Family(
        "anthropic_report_newest_date_timestamp_seconds",
        "00:00 UTC of the newest date for which this report has data: it stands still when upstream stalls.",
        ("report",),
    ),
    Family(
        "anthropic_report_coverage_ratio",
        "Days of the window that were read, divided by the days of the window.",
        ("report",),
    ),
    Family(
        "anthropic_report_source_info",
        "Always 1; which source the days on the page were read from.",
        ("report", "source"),
    ),
    Family(
        "anthropic_report_data_refreshed_timestamp_seconds",
        "Until when the API's own data reaches, where it says so: data_refreshed_at.",
        ("report",),
    ),
)


class StoredDay(Protocol):
    """What is known of a day without reading its rows."""

    @property
    def read_at(self) -> datetime:
        """When the day was last read (UTC)."""

    @property
    def empty(self) -> bool:
        """Whether the day has no rows."""


class ReportHealth(NamedTuple):
    """Health of a report: `up` is None before the first attempt, the others are None before the first success.

    `source` names where the days were read that are shown, and `refreshed_at` is until when its data reaches.
    """

    up: bool | None
    last_success: float | None
    newest_date: date | None
    days_read: int
    days: int
    source: str
    refreshed_at: datetime | None = None

    @property
    def coverage(self) -> float:
        """Days of the window that were read, divided by the days of the window."""
        return self.days_read / self.days


def health(
    stored: Mapping[date, StoredDay],
    window: Window,
    *,
    up: bool | None,
    source: str,
    refreshed_at: datetime | None = None,
) -> ReportHealth:
    """Return the health of a report, given its stored days."""
    shown = {day: entry for day, entry in stored.items() if day in window}
    last_success = max((entry.read_at.timestamp() for entry in shown.values()), default=None)
    newest = max((day for day, entry in shown.items() if not entry.empty), default=None)
    return ReportHealth(up, last_success, newest, len(shown), window.days, source, refreshed_at)


def dates(window: Window) -> Samples:
    """Return the samples of the dates of the window."""
    return {DATES.name: [((day.isoformat(),), timestamp(day)) for day in window.dates()]}


def samples(reports: Mapping[str, ReportHealth], left_out: Collection[str] = ()) -> Samples:
    """Return the samples of all reports.

    Optional reports that are not for this key are `left_out`: they do not work, and nothing else is known of them.
    """
    rows = [((report,), state) for report, state in reports.items()]
    up, success, newest, coverage, source, refreshed = (family.name for family in FAMILIES)
    return {
        up: [
            *((label, int(state.up)) for label, state in rows if state.up is not None),
            *(((report,), 0) for report in left_out),
        ],
        success: [(label, state.last_success) for label, state in rows if state.last_success is not None],
        newest: [(label, timestamp(state.newest_date)) for label, state in rows if state.newest_date is not None],
        coverage: [(label, state.coverage) for label, state in rows],
        source: [((*label, state.source), 1) for label, state in rows],
        refreshed: [(label, state.refreshed_at.timestamp()) for label, state in rows if state.refreshed_at],
    }
