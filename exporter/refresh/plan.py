"""Which days a refresh fetches. Pure: what is stored and the time come in.

The API restates days: today grows, yesterday is complete an hour after midnight at the earliest, and older days may
still change (guides of the Claude Code Analytics API and of the Usage and Cost API). So every refresh fetches the last
two days; days 2 to 6 are fetched hourly and the others daily. A day that was last read before it could be complete
counts as one that was never read.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from exporter.model import DAY, Window, midnight

RECENT_DAYS = 2
HOURLY_DAYS = 7
DATA_LAG = timedelta(hours=1)
"""usage_report/claude_code leaves out what is younger than this (guide of the Claude Code Analytics API)."""
SETTLED_PER_REFRESH = 1
"""Requests for settled days in one refresh, so that the daily sweep is spread over the day."""
ReadAt = Mapping[date, datetime]
"""When each stored day was last read (UTC)."""
Failures = Callable[[str, date], int]
"""How many times a day of a report has failed since it last worked."""
Range = tuple[date, date]
"""The first and the last of some days, both included."""


class Fetch(NamedTuple):
    """One request: the days from `first` to `last`, both included, of one report."""

    report: str
    first: date
    last: date

    def dates(self) -> list[date]:
        """Return the days that the answer must hold, newest first."""
        return [self.last - DAY * back for back in range((self.last - self.first).days + 1)]

    def __str__(self) -> str:
        until = f" to {self.last}" if self.last != self.first else ""
        return f"{self.report} report for {self.first}{until}"


def due(window: Window, read_at: ReadAt, now: datetime, *, recent: bool) -> tuple[list[date], list[date]]:
    """Return the days that must be fetched now, newest first, and settled days that are due, longest unread first.

    Days that must be fetched are those never read, or not read since they were complete, and with `recent` also today
    and yesterday. Days outside the window are never returned.
    """
    urgent, settled = [], []
    for age in range(window.days):
        day = window.last - DAY * age
        last_read = read_at.get(day)
        if last_read is None:
            urgent.append(day)
        elif age < RECENT_DAYS:
            urgent.extend([day] * recent)
        elif last_read < midnight(day) + DAY + DATA_LAG:
            urgent.append(day)
        elif not timedelta() <= now - last_read < _interval(age):
            settled.append(day)
    return urgent, sorted(settled, key=lambda day: (read_at[day], day))


def fetches(
    window: Window,
    days_per_request: Mapping[str, int],
    read_at: Mapping[str, ReadAt],
    now: datetime,
    *,
    recent: bool,
    settled: int = SETTLED_PER_REFRESH,
    failures: Failures = lambda _report, _day: 0,
) -> list[Fetch]:
    """Return the requests of a refresh, in order.

    Reports that need the fewest requests come first, each with its newest days first. Everything urgent is requested.
    Settled days are added where a request is made anyway, and by `settled` requests of their own. Days that failed
    come last, so that one bad day does not delay the others.
    """
    planned: list[Fetch] = []
    extra: list[Fetch] = []
    for report in sorted(days_per_request, key=days_per_request.__getitem__, reverse=True):
        longest = days_per_request[report]
        urgent, old = due(window, read_at[report], now, recent=recent)
        ranges = _stretched(_ranges(urgent, longest), old, longest)
        left = [day for day in old if not any(first <= day <= last for first, last in ranges)]
        planned += [Fetch(report, *days) for days in ranges]
        extra += [Fetch(report, *days) for days in (_ranges(left, longest, ranges) if longest > 1 else zip(left, left))]  # noqa: B905 - one list

    def failed(fetch: Fetch) -> int:
        return failures(fetch.report, fetch.last)

    return sorted([*planned, *sorted(extra, key=failed)[:settled]], key=failed)


def first_reads(
    planned: Iterable[Fetch], window: Window, read_at: Mapping[str, ReadAt], failures: Failures
) -> set[Fetch]:
    """Return the requests of a fill: for days before the recent ones that were never read. A retry is none."""
    oldest = window.last - DAY * (RECENT_DAYS - 1)
    return {
        fetch
        for fetch in planned
        if fetch.last < oldest and fetch.last not in read_at[fetch.report] and not failures(fetch.report, fetch.last)
    }


def _stretched(ranges: list[Range], settled: Iterable[date], longest: int) -> list[Range]:
    """Return the ranges, the newest one extended back to the settled days that fit into its request."""
    if not ranges:
        return []
    (first, last), *others = ranges
    return [(min([first, *(day for day in settled if (last - day).days < longest)]), last), *others]


def _interval(age: int) -> timedelta:
    return timedelta(hours=1) if age < HOURLY_DAYS else timedelta(days=1)


def _ranges(days: Iterable[date], longest: int, others: Iterable[Range] = ()) -> list[Range]:
    """Return ranges of at most `longest` days that cover all days, newest first; each begins and ends with one.

    They hold no day of `others`, which hold none of the days.
    """
    ranges: list[Range] = []
    for day in sorted(days, reverse=True):
        apart = ranges and any(day < first < ranges[-1][0] for first, _ in others)
        if ranges and not apart and (ranges[-1][1] - day).days < longest:
            ranges[-1] = (day, ranges[-1][1])
        else:
            ranges.append((day, day))
    return ranges
