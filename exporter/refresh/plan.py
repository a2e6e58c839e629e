"""Which days to read now, and how long to leave a failed report alone. Pure: what is stored and the time come in.

The API restates days: today grows, yesterday is complete an hour after midnight at the earliest, older days may shift
(guides of the Claude Code Analytics API and of the Usage and Cost API). So the last two days are read at every
refresh, days 2 to 6 hourly, the rest once a day. A day that was last read before it could be complete counts as one
that was never read.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from exporter.model import DAY, Report, Window, midnight

RECENT_DAYS = 2
HOURLY_DAYS = 7
DATA_LAG = timedelta(hours=1)
"""usage_report/claude_code leaves out what is younger than this (guide of the Claude Code Analytics API)."""
COST_DAYS_PER_REQUEST = 31
DIRECTORY_AGE = timedelta(days=1)
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
REFUSED_PAUSE = 300.0
SPREAD = 1
"""Requests of one refresh for settled days."""


class Read(NamedTuple):
    """One thing to ask for: the days from `first` to `last`, both included, of one report."""

    report: Report
    first: date
    last: date

    def dates(self) -> list[date]:
        """Return the days that the answer must hold, newest first."""
        return [self.last - DAY * back for back in range((self.last - self.first).days + 1)]


Stored = Mapping[date, datetime]
"""When each stored day was last read (UTC)."""


def due(window: Window, stored: Stored, now: datetime, *, recent: bool) -> tuple[list[date], list[date]]:
    """Return (urgent, settled) days to read: newest first, and longest unread first.

    Urgent are days never read or not read since they were complete, and with `recent` today and yesterday. Settled are
    days whose hour or day of rest is over. Days outside the window, so beyond today, are never asked for.
    """
    urgent, settled = [], []
    for age in range(window.days):
        day = window.last - DAY * age
        read_at = stored.get(day)
        if read_at is None:
            urgent.append(day)
        elif age < RECENT_DAYS:
            urgent.extend([day] * recent)
        elif read_at < midnight(day) + DAY + DATA_LAG:
            urgent.append(day)
        elif not timedelta() <= now - read_at < _rest(age):
            settled.append(day)
    return urgent, sorted(settled, key=lambda day: (stored[day], day))


def reads(
    window: Window,
    stored: Mapping[Report, Stored],
    now: datetime,
    *,
    recent: bool,
    failures: Callable[[Report, date], int] = lambda _report, _day: 0,
) -> list[Read]:
    """Return what a refresh asks for, in order: bills in ranges of days, then Claude Code day by day, newest first.

    All that is urgent is asked for. Of what is settled, a refresh takes the bills that fit into a request that is made
    anyway, and one request more, which spreads the daily sweep over the day: a warm refresh is at most 4 requests.
    What failed comes last, so that one bad day does not hold up the others.
    """
    urgent, settled = due(window, stored[Report.COST], now, recent=recent)
    bills = _ranges(urgent)
    if bills:
        bills[0] = (min([bills[0][0], *(day for day in settled if _fits(day, bills[0][1]))]), bills[0][1])
    left = [day for day in settled if not any(first <= day <= last for first, last in bills)]
    extra = [Read(Report.COST, *span) for span in _ranges(left)]
    urgent, settled = due(window, stored[Report.CLAUDE_CODE], now, recent=recent)
    extra += [Read(Report.CLAUDE_CODE, day, day) for day in settled]
    usage = [Read(Report.CLAUDE_CODE, day, day) for day in urgent]
    planned = [*(Read(Report.COST, *span) for span in bills), *usage]

    def failed(read: Read) -> int:
        return failures(read.report, read.last)

    return sorted([*planned, *sorted(extra, key=failed)[:SPREAD]], key=failed)


def pause_after(failures: int, asked: float | None, *, refused: bool, jitter: float) -> float:
    """Return for how many seconds a report that failed is left alone.

    What the API asked for counts. Else 5 minutes for a refused key, and else 1 s doubling with each failure in a row
    to 60 s. `jitter` from 0 to 1 adds up to a quarter, so that several exporters do not return together.
    """
    if asked is not None:
        return asked
    if refused:
        return REFUSED_PAUSE
    return min(LONGEST_PAUSE, SHORTEST_PAUSE * 2.0 ** min(failures - 1, 10)) * (1 + jitter / 4)


def coverage(window: Window, read: Collection[date]) -> float:
    """Return the share of the window's days that were read."""
    return sum(day in read for day in window.dates()) / window.days


def _rest(age: int) -> timedelta:
    return timedelta(hours=1) if age < HOURLY_DAYS else timedelta(days=1)


def _ranges(days: Iterable[date]) -> list[tuple[date, date]]:
    """Return ranges of at most 31 days that hold all the days, newest first, with no due day at a range's inner end."""
    ranges: list[tuple[date, date]] = []
    for day in sorted(days, reverse=True):
        if ranges and _fits(day, ranges[-1][1]):
            ranges[-1] = (day, ranges[-1][1])
        else:
            ranges.append((day, day))
    return ranges


def _fits(day: date, last: date) -> bool:
    return 0 <= (last - day).days < COST_DAYS_PER_REQUEST
