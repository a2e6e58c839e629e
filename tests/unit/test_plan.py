"""Which days are fetched when."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import pytest

from exporter.model import Window
from exporter.refresh.plan import Fetch, due, fetches, first_reads
from tests.bodies import NOW, TODAY, day

HOUR = timedelta(hours=1)
WEEK = Window(TODAY, 7)
DAYS_PER_REQUEST = {"usage": 1, "bills": 31}
"""Two reports, as in the API: one day per request, and a range per request."""


def read_at(ages: Iterable[int], at: datetime = NOW) -> dict[date, datetime]:
    """Return days of these ages as read at a moment."""
    return {day(age): at for age in ages}


def usage(*ages: int) -> list[Fetch]:
    """Return fetches of single days of usage."""
    return [Fetch("usage", day(age), day(age)) for age in ages]


def bills(oldest: int, newest: int) -> Fetch:
    """Return the fetch of a range of bills, by age."""
    return Fetch("bills", day(oldest), day(newest))


def both(ages: Iterable[int]) -> dict[str, dict[date, datetime]]:
    """Return both reports with days of these ages as read now."""
    return {report: read_at(ages) for report in DAYS_PER_REQUEST}


def test_an_empty_store_needs_every_day_newest_first() -> None:
    """No day outside the window, and today first."""
    assert due(WEEK, {}, NOW, recent=False) == ([day(age) for age in range(7)], [])


def test_today_and_yesterday_are_fetched_by_each_refresh_and_not_between() -> None:
    """They grow; a tick leaves them to the next scrape."""
    stored = read_at(range(7))
    assert due(WEEK, stored, NOW, recent=True) == ([day(0), day(1)], [])
    assert due(WEEK, stored, NOW, recent=False) == ([], [])


@pytest.mark.parametrize(
    ("age", "since", "is_due"),
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
def test_days_2_to_6_are_fetched_hourly_and_the_others_daily(age: int, since: timedelta, is_due: bool) -> None:  # noqa: FBT001 - a table
    """Such a day is settled: due, and not urgent."""
    stored = read_at(range(30)) | read_at([age], NOW - since)
    assert due(Window(TODAY, 30), stored, NOW, recent=False) == ([], [day(age)] if is_due else [])


def test_a_day_read_before_it_could_be_complete_is_urgent() -> None:
    """Data appear up to an hour late: what was read before 01:00 of the next day may lack the evening."""
    early, late = datetime(2026, 11, 20, 0, 59, tzinfo=UTC), datetime(2026, 11, 20, 1, tzinfo=UTC)
    stored = read_at(range(7))
    assert due(WEEK, stored | {day(3): early}, NOW, recent=False) == ([day(3)], [])
    assert due(WEEK, stored | {day(3): late}, NOW, recent=False) == ([], [day(3)])


def test_a_day_read_in_the_future_is_fetched_again() -> None:
    """The clock was set back, so when the day was read is unknown."""
    assert due(WEEK, read_at(range(7)) | read_at([4], NOW + HOUR), NOW, recent=False) == ([], [day(4)])


def test_settled_days_come_longest_unread_first() -> None:
    """So the daily sweep reaches every day."""
    stored = read_at(range(7)) | read_at([3], NOW - 2 * HOUR) | read_at([5], NOW - 3 * HOUR)
    assert due(WEEK, stored, NOW, recent=False)[1] == [day(5), day(3)]


def test_a_cold_fill_of_90_days_is_90_requests_and_three_ranges() -> None:
    """Bills first, since they are few; both newest first."""
    planned = fetches(Window(TODAY, 90), DAYS_PER_REQUEST, both([]), NOW, recent=True)
    assert planned == [bills(30, 0), bills(61, 31), bills(89, 62), *usage(*range(90))]


def test_a_warm_refresh_is_four_requests_with_the_oldest_settled_days() -> None:
    """The newest range extends over the settled days that fit; one more request is for other settled days."""
    stored = {report: read_at(range(90), NOW - timedelta(days=2)) | read_at([0, 1, 2]) for report in DAYS_PER_REQUEST}
    stored["usage"][day(9)] = NOW - timedelta(days=3)
    planned = fetches(Window(TODAY, 90), DAYS_PER_REQUEST, stored, NOW, recent=True)
    assert planned == [bills(30, 0), *usage(0, 1), bills(61, 31)]
    stored["bills"] = read_at(range(90))
    assert fetches(Window(TODAY, 90), DAYS_PER_REQUEST, stored, NOW, recent=True) == [bills(1, 0), *usage(0, 1, 9)]


def test_no_day_is_requested_twice() -> None:
    """Settled days on both sides of days that were never read are two requests, of which the first is made now."""
    stored = {"usage": read_at(range(71)), "bills": read_at([61, 70], NOW - timedelta(days=2))}
    planned = fetches(Window(TODAY, 71), DAYS_PER_REQUEST, stored, NOW, recent=False)
    assert planned == [bills(30, 0), bills(60, 31), bills(69, 62), bills(61, 61)]


def test_nothing_is_fetched_between_scrapes_when_nothing_is_due() -> None:
    """A tick then makes no request."""
    assert fetches(Window(TODAY, 90), DAYS_PER_REQUEST, both(range(90)), NOW, recent=False) == []


def test_what_failed_is_fetched_last() -> None:
    """One bad day does not delay the others, nor does one bad report; settled days that failed wait longest."""
    failed = {("usage", day(0)): 2, ("bills", day(0)): 1, ("usage", day(5)): 1}

    def failures(report: str, of: date) -> int:
        return failed.get((report, of), 0)

    planned = fetches(Window(TODAY, 3), DAYS_PER_REQUEST, both([]), NOW, recent=True, failures=failures)
    assert planned == [*usage(1, 2), bills(2, 0), *usage(0)]
    stored = both(range(7)) | {"usage": read_at(range(7)) | read_at([5], NOW - 3 * HOUR) | read_at([4], NOW - 2 * HOUR)}
    assert fetches(WEEK, DAYS_PER_REQUEST, stored, NOW, recent=False, failures=failures) == usage(4)


def test_a_fetch_lists_its_days_newest_first_and_says_what_it_is() -> None:
    """Both ends are included."""
    assert bills(2, 0).dates() == [day(0), day(1), day(2)]
    assert str(bills(2, 0)) == "bills report for 2026-11-20 to 2026-11-22"
    assert str(*usage(1)) == "usage report for 2026-11-21"


def test_a_fill_is_what_was_never_read_before_yesterday() -> None:
    """Not today and yesterday, which midnight brings, not a settled day, and not the retry of a day that failed."""
    stored = {"usage": read_at([3]), "bills": read_at([])}
    planned = [*usage(0, 1, 2, 3, 4, 5), bills(30, 0), bills(61, 31)]

    def failures(report: str, of: date) -> int:
        return int((report, of) == ("usage", day(5)))

    assert first_reads(planned, Window(TODAY, 90), stored, failures) == {*usage(2, 4), bills(61, 31)}


def test_settled_days_can_be_left_out() -> None:
    """Those that need a request of their own."""
    stored = both(range(7))
    planned = fetches(WEEK, DAYS_PER_REQUEST, stored, NOW + HOUR, recent=False, settled=0)
    assert planned == []
    assert len(fetches(WEEK, DAYS_PER_REQUEST, stored, NOW + HOUR, recent=False)) == 1
