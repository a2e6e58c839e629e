"""The plan requests what is needed, and nothing else."""

from datetime import UTC, date, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.model import DAY, Window, midnight
from exporter.refresh.health import pause
from exporter.refresh.plan import DATA_LAG, Fetch, due, fetches
from tests.bodies import TODAY, day

Stored = dict[str, dict[date, datetime]]
DAYS_PER_REQUEST = {"usage": 1, "bills": 31}
START = midnight(TODAY).replace(tzinfo=None)
windows = st.builds(Window, st.just(TODAY), st.integers(1, 120))
moments = st.datetimes(START - 150 * DAY, START + 2 * DAY, timezones=st.just(UTC))
some_days = st.dictionaries(st.integers(-3, 130).map(day), moments, max_size=60)
stores = st.fixed_dictionaries(dict.fromkeys(DAYS_PER_REQUEST, some_days))
now = st.datetimes(START, START + DAY, timezones=st.just(UTC))


def settled(window: Window, at: datetime, days_ago: int) -> Stored:
    """Return a store whose recent days were read now, and the others when complete or `days_ago`, if that is later."""
    of_report = {
        of: at if window.last - of < 2 * DAY else max(at - days_ago * DAY, midnight(of) + DAY + DATA_LAG)
        for of in window.dates()
    }
    return {report: dict(of_report) for report in DAYS_PER_REQUEST}


def carried_out(stored: Stored, planned: list[Fetch], at: datetime) -> None:
    """Note that everything that was planned has been read."""
    for fetch in planned:
        stored[fetch.report] |= dict.fromkeys(fetch.dates(), at)


@given(windows, stores, now, st.booleans())
def test_a_plan_covers_what_is_urgent_once_and_stays_in_the_window(
    window: Window,
    stored: Stored,
    at: datetime,
    recent: bool,  # noqa: FBT001 - drawn
) -> None:
    """Every day never read; with `recent`, today and yesterday; in requests of as many days as the report allows."""
    planned = fetches(window, DAYS_PER_REQUEST, stored, at, recent=recent)
    for report, longest in DAYS_PER_REQUEST.items():
        of_report = [fetch.dates() for fetch in planned if fetch.report == report]
        days = [of for dates in of_report for of in dates]
        assert all(of in window for of in days)
        assert len(days) == len(set(days))
        assert all(1 <= len(dates) <= longest for dates in of_report)
        missing = {of for of in window.dates() if of not in stored[report]}
        newest = {TODAY, TODAY - DAY} if recent else set()
        urgent, _ = due(window, stored[report], at, recent=recent)
        assert set(days) >= {*missing, *(newest & set(window.dates())), *urgent}


@given(windows, now, st.integers(0, 40), st.booleans())
def test_a_warm_refresh_is_at_most_four_requests(window: Window, at: datetime, days_ago: int, recent: bool) -> None:  # noqa: FBT001 - drawn
    """However many settled days are due."""
    planned = fetches(window, DAYS_PER_REQUEST, settled(window, at, days_ago), at, recent=recent)
    assert len(planned) <= (4 if recent else 1)


@given(now, st.integers(1, 365))
def test_a_cold_fill_needs_the_fewest_requests(at: datetime, days: int) -> None:
    """One for as many days as the report allows."""
    planned = fetches(Window(TODAY, days), DAYS_PER_REQUEST, {"usage": {}, "bills": {}}, at, recent=True)
    assert len(planned) == sum(-(-days // longest) for longest in DAYS_PER_REQUEST.values())


@given(windows, stores, now)
def test_nothing_urgent_is_left_once_a_plan_is_carried_out(window: Window, stored: Stored, at: datetime) -> None:
    """But yesterday before 01:00, which is not complete before that."""
    carried_out(stored, fetches(window, DAYS_PER_REQUEST, stored, at, recent=True), at)
    left = {of for days in stored.values() for of in due(window, days, at, recent=False)[0]}
    assert left <= ({TODAY - DAY} if at < midnight(TODAY) + DATA_LAG else set())


@given(st.builds(Window, st.just(TODAY), st.integers(1, 40)), now)
@settings(max_examples=15)
def test_the_sweep_reaches_every_settled_day(window: Window, at: datetime) -> None:
    """One request per tick, until nothing is due."""
    stored = settled(window, at, 3)
    for _ in range(2 * window.days + 1):
        carried_out(stored, fetches(window, DAYS_PER_REQUEST, stored, at, recent=False), at)
    assert fetches(window, DAYS_PER_REQUEST, stored, at, recent=False) == []
    assert all(read_at > at - DAY for days in stored.values() for of, read_at in days.items() if TODAY - of > DAY)


@given(windows, stores, now, st.integers(-3, 130).map(day))
def test_what_failed_is_fetched_last(window: Window, stored: Stored, at: datetime, bad: date) -> None:
    """And is still fetched."""
    plain = fetches(window, DAYS_PER_REQUEST, stored, at, recent=True)
    planned = fetches(window, DAYS_PER_REQUEST, stored, at, recent=True, failures=lambda _, of: int(of == bad))
    failed = [fetch.last == bad for fetch in planned]
    assert failed == sorted(failed)
    assert len(planned) == len(plain)


@given(st.integers(1, 10**9), st.booleans(), st.floats(0, 1))
def test_a_pause_is_bounded_and_never_falls_with_more_failures(failures: int, key_refused: bool, jitter: float) -> None:  # noqa: FBT001 - drawn
    """At least a second, and at most 75 s, or 5 minutes for a refused key."""
    seconds = pause(failures, None, key_refused=key_refused, jitter=jitter)
    assert seconds == 300 if key_refused else 1 <= seconds <= 75
    assert seconds <= pause(failures + 1, None, key_refused=key_refused, jitter=jitter)
