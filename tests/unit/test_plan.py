"""Which days are read when, and how long a failed report is left alone."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import pytest

from exporter.model import Report, Window
from exporter.refresh.plan import Read, coverage, due, pause_after, reads
from tests.unit.rows import NOW, TODAY, day

HOUR = timedelta(hours=1)
WEEK = Window(TODAY, 7)


def read_at(ages: Iterable[int], at: datetime = NOW) -> dict[date, datetime]:
    """Return days of these ages as read at a moment."""
    return {day(age): at for age in ages}


def usage(*ages: int) -> list[Read]:
    """Return the reads of single days of usage."""
    return [Read(Report.CLAUDE_CODE, day(age), day(age)) for age in ages]


def bills(oldest: int, newest: int) -> Read:
    """Return the read of a range of bills, by age."""
    return Read(Report.COST, day(oldest), day(newest))


def test_an_empty_store_needs_every_day_newest_first() -> None:
    """No day outside the window, and today first."""
    assert due(WEEK, {}, NOW, recent=False) == ([day(age) for age in range(7)], [])


def test_today_and_yesterday_are_read_at_each_refresh_and_not_between() -> None:
    """They grow; a tick of the schedule leaves them to the next scrape."""
    stored = read_at(range(7))
    assert due(WEEK, stored, NOW, recent=True) == ([day(0), day(1)], [])
    assert due(WEEK, stored, NOW, recent=False) == ([], [])


@pytest.mark.parametrize(
    ("age", "rested", "settled"),
    [
        (2, timedelta(minutes=59), False),
        (2, HOUR, True),
        (6, HOUR, True),
        (7, HOUR, False),
        (7, timedelta(hours=23, minutes=59), False),
        (7, timedelta(days=1), True),
        (29, timedelta(days=1), True),
    ],
)
def test_days_2_to_6_rest_an_hour_and_the_others_a_day(age: int, rested: timedelta, settled: bool) -> None:  # noqa: FBT001 - a table
    """A day whose rest is over is settled work: wanted, and not urgent."""
    stored = read_at(range(30)) | read_at([age], NOW - rested)
    assert due(Window(TODAY, 30), stored, NOW, recent=False) == ([], [day(age)] if settled else [])


def test_a_day_read_before_it_could_be_complete_is_urgent() -> None:
    """Data show up an hour late: what was read before 01:00 of the next day may lack the evening."""
    early, late = datetime(2026, 11, 20, 0, 59, tzinfo=UTC), datetime(2026, 11, 20, 1, tzinfo=UTC)
    stored = read_at(range(7))
    assert due(WEEK, stored | {day(3): early}, NOW, recent=False) == ([day(3)], [])
    assert due(WEEK, stored | {day(3): late}, NOW, recent=False) == ([], [day(3)])


def test_a_day_read_in_the_future_is_read_again() -> None:
    """The clock was put back: nobody knows when that day was really read."""
    assert due(WEEK, read_at(range(7)) | read_at([4], NOW + HOUR), NOW, recent=False) == ([], [day(4)])


def test_what_was_unread_for_longest_comes_first() -> None:
    """So the daily sweep reaches every day."""
    stored = read_at(range(7)) | read_at([3], NOW - 2 * HOUR) | read_at([5], NOW - 3 * HOUR)
    assert due(WEEK, stored, NOW, recent=False)[1] == [day(5), day(3)]


def test_a_cold_fill_is_ninety_days_and_three_ranges() -> None:
    """Bills first, since they are few; both newest first."""
    empty: dict[Report, dict[date, datetime]] = {report: {} for report in Report}
    planned = reads(Window(TODAY, 90), empty, NOW, recent=True)
    assert planned == [bills(30, 0), bills(61, 31), bills(89, 62), *usage(*range(90))]


def test_a_warm_refresh_is_four_requests_with_the_oldest_work_of_the_sweep() -> None:
    """The range of bills stretches over the settled days that fit; one request more is for usage or older bills."""
    stored = {report: read_at(range(90), NOW - timedelta(days=2)) | read_at([0, 1, 2]) for report in Report}
    stored[Report.CLAUDE_CODE][day(9)] = NOW - timedelta(days=3)
    planned = reads(Window(TODAY, 90), stored, NOW, recent=True)
    assert planned == [bills(30, 0), *usage(0, 1), bills(61, 31)]
    stored[Report.COST] = read_at(range(90))
    assert reads(Window(TODAY, 90), stored, NOW, recent=True) == [bills(1, 0), *usage(0, 1, 9)]


def test_a_fresh_store_needs_nothing_between_scrapes() -> None:
    """A tick of the schedule then makes no request."""
    stored = {report: read_at(range(90)) for report in Report}
    assert reads(Window(TODAY, 90), stored, NOW, recent=False) == []


def test_what_failed_comes_last() -> None:
    """One bad day does not hold up the others, nor one bad report."""
    empty: dict[Report, dict[date, datetime]] = {report: {} for report in Report}
    failed = {(Report.CLAUDE_CODE, day(0)): 2, (Report.COST, day(0)): 1}
    planned = reads(Window(TODAY, 3), empty, NOW, recent=True, failures=lambda report, of: failed.get((report, of), 0))
    assert planned == [*usage(1, 2), bills(2, 0), *usage(0)]


def test_the_days_of_a_read_are_newest_first() -> None:
    """Both ends are included."""
    assert bills(2, 0).dates() == [day(0), day(1), day(2)]


@pytest.mark.parametrize(
    ("failures", "asked", "refused", "jitter", "pause"),
    [
        (1, None, False, 0.0, 1.0),
        (2, None, False, 0.0, 2.0),
        (6, None, False, 0.0, 32.0),
        (7, None, False, 0.0, 60.0),
        (10_000, None, False, 1.0, 75.0),
        (1, None, False, 1.0, 1.25),
        (1, None, True, 1.0, 300.0),
        (5, 17.0, False, 1.0, 17.0),
        (5, 17.0, True, 1.0, 17.0),
    ],
)
def test_the_pause_after_failures(
    failures: int,
    asked: float | None,
    refused: bool,  # noqa: FBT001 - a table
    jitter: float,
    pause: float,
) -> None:
    """What the API asked for; else 5 minutes for a refused key; else doubling to a minute, and a quarter of jitter."""
    assert pause_after(failures, asked, refused=refused, jitter=jitter) == pause


def test_coverage_counts_the_days_of_the_window_alone() -> None:
    """Days outside do not make up for days that are missing."""
    assert coverage(WEEK, []) == 0
    assert coverage(Window(TODAY, 4), [day(0), day(2), day(4), day(5)]) == 0.5
    assert coverage(WEEK, [day(age) for age in range(9)]) == 1
