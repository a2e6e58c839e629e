"""The plan asks for what is needed, and for nothing else."""

from datetime import date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.model import Report, Window, midnight
from exporter.refresh.plan import COST_DAYS_PER_REQUEST, DATA_LAG, Read, coverage, due, pause_after, reads
from tests.property.strategies import TODAY, day, moments

DAY = timedelta(days=1)
Stored = dict[Report, dict[date, datetime]]
windows = st.builds(Window, st.just(TODAY), st.integers(1, 120))
some_days = st.dictionaries(st.integers(-3, 130).map(day), moments, max_size=60)
stores = st.fixed_dictionaries(dict.fromkeys(Report, some_days))
now = st.datetimes(midnight(TODAY).replace(tzinfo=None), midnight(TODAY + DAY).replace(tzinfo=None)).map(
    lambda moment: moment.replace(tzinfo=midnight(TODAY).tzinfo)
)


def settled(window: Window, at: datetime, rested: int) -> Stored:
    """Return a store whose every day was read when it was complete, at most `rested` minutes ago or on that day."""
    stored: Stored = {report: {} for report in Report}
    for age, of in enumerate(reversed(list(window.dates()))):
        complete = midnight(of) + DAY + DATA_LAG
        for report in Report:
            stored[report][of] = at - timedelta(minutes=rested) if age < 2 else max(at - rested * DAY, complete)
    return stored


def asked(planned: list[Read]) -> dict[Report, list[date]]:
    """Return the days that are asked for, by report, with repetitions."""
    return {report: [of for read in planned if read.report == report for of in read.dates()] for report in Report}


@given(windows, stores, now, st.booleans())
def test_it_asks_for_days_of_the_window_alone_and_for_each_once(
    window: Window,
    stored: Stored,
    at: datetime,
    recent: bool,  # noqa: FBT001 - drawn
) -> None:
    """Nothing beyond today, nothing before the window, whatever the store holds."""
    for days in asked(reads(window, stored, at, recent=recent)).values():
        assert all(of in window for of in days)
        assert len(days) == len(set(days))


@given(windows, stores, now)
def test_a_refresh_asks_for_all_that_is_urgent(window: Window, stored: Stored, at: datetime) -> None:
    """Every day never read, and today and yesterday; bills in ranges of at most 31 days, usage day by day."""
    planned = reads(window, stored, at, recent=True)
    days = asked(planned)
    for report in Report:
        missing = [of for of in window.dates() if of not in stored[report]]
        newest = [of for of in (TODAY, TODAY - DAY) if of in window]
        assert set(days[report]) >= {*missing, *newest, *due(window, stored[report], at, recent=True)[0]}
    for read in planned:
        longest = COST_DAYS_PER_REQUEST if read.report == Report.COST else 1
        assert 0 <= (read.last - read.first).days < longest


@given(windows, now, st.integers(0, 40), st.booleans())
def test_a_warm_refresh_is_at_most_four_requests(window: Window, at: datetime, rested: int, recent: bool) -> None:  # noqa: FBT001 - drawn
    """However long the sweep of settled days is behind."""
    planned = reads(window, settled(window, at, rested), at, recent=recent)
    assert len(planned) <= (4 if recent else 1)


@given(now, st.integers(1, 365))
def test_a_cold_fill_is_a_request_a_day_and_one_for_31_days_of_bills(at: datetime, days: int) -> None:
    """90 days are 90 + 3."""
    planned = reads(Window(TODAY, days), {report: {} for report in Report}, at, recent=True)
    assert len(planned) == days + -(-days // COST_DAYS_PER_REQUEST)


@given(windows, stores, now)
def test_once_all_that_is_asked_was_read_nothing_urgent_is_left(window: Window, stored: Stored, at: datetime) -> None:
    """A plan that is carried out is done: the next tick has settled days at most."""
    for read in reads(window, stored, at, recent=True):
        stored[read.report] = stored[read.report] | dict.fromkeys(read.dates(), at)
    complete = [report for report in Report if due(window, stored[report], at, recent=False)[0]]
    young = at < midnight(TODAY) + DATA_LAG
    assert not complete or young
    assert all(coverage(window, stored[report]) == 1 for report in Report)


@given(st.builds(Window, st.just(TODAY), st.integers(1, 40)), now)
@settings(max_examples=15)
def test_a_sweep_reaches_every_day_of_the_window(window: Window, at: datetime) -> None:
    """Tick by tick, one request each, and then there is rest."""
    stored = settled(window, at, 3)
    for _ in range(2 * window.days + 1):
        planned = reads(window, stored, at, recent=False)
        if not planned:
            break
        for read in planned:
            stored[read.report] = stored[read.report] | dict.fromkeys(read.dates(), at)
    assert reads(window, stored, at, recent=False) == []
    young = {TODAY, TODAY - DAY}
    assert all(read_at >= at - DAY for days in stored.values() for of, read_at in days.items() if of not in young)


@given(windows, stores, now, st.integers(-3, 130).map(day))
def test_what_failed_is_asked_for_last(window: Window, stored: Stored, at: datetime, bad: date) -> None:
    """And is still asked for."""
    plain = reads(window, stored, at, recent=True)
    planned = reads(window, stored, at, recent=True, failures=lambda _, of: int(of == bad))
    failed = [read.last == bad for read in planned]
    assert failed == sorted(failed)
    assert len(planned) == len(plain)


@given(st.integers(1, 10**9), st.none() | st.floats(1, 3600), st.booleans(), st.floats(0, 1))
def test_a_pause_is_bounded(failures: int, requested: float | None, refused: bool, jitter: float) -> None:  # noqa: FBT001 - drawn
    """At least a second, at most an hour; without a word of the API at most 75 s, or 5 minutes for a key."""
    pause = pause_after(failures, requested, refused=refused, jitter=jitter)
    assert 1 <= pause <= 3600
    if requested is None:
        assert pause == 300 if refused else pause <= 75
        assert pause <= pause_after(failures + 1, None, refused=refused, jitter=jitter)
