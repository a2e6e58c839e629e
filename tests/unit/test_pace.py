"""How often the page is refreshed, by the requests that a refresh needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.refresh.pace import Pace

START = 1000.0


def after(requests: int, *, ttl: float = 60, budget: int = 60, takes: float = 2) -> Pace:
    """Return the pace after a refresh of so many requests that began at START."""
    pace = Pace(ttl=ttl, requests_per_minute=budget)
    pace.started(START)
    pace.sent(requests)
    pace.ended()
    pace.fresh_at = START + takes
    return pace


@pytest.mark.parametrize(
    ("requests", "budget", "ttl", "interval", "is_quick"),
    [
        (0, 60, 60, 60, True),
        (5, 60, 60, 60, True),
        (15, 60, 60, 60, True),
        (16, 60, 60, 64, False),
        (74, 60, 60, 296, False),
        (74, 60, 600, 600, False),
        (5, 60, 1, 20, True),
        (5, 10, 60, 120, False),
        (1, 1, 60, 240, True),
        (5, 1, 60, 1200, False),
        (300, 100_000, 60, 60, True),
    ],
)
def test_the_interval(requests: int, budget: int, ttl: float, interval: float, is_quick: bool) -> None:  # noqa: FBT001 - a table
    """So many minutes as the requests need at a quarter of the budget, and never less than the time to live."""
    pace = after(requests, budget=budget, ttl=ttl)
    assert (pace.interval, pace.is_quick) == (interval, is_quick)


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=20), st.integers(1, 1000), st.floats(1, 3600))
def test_refreshes_at_their_interval_use_a_quarter(costs: list[int], budget: int, ttl: float) -> None:
    """Over all of them, whatever each one needed."""
    pace, now = Pace(ttl=ttl, requests_per_minute=budget), START
    for cost in costs:
        pace.started(now)
        pace.sent(cost)
        pace.ended()
        now += pace.interval
    assert sum(costs) <= budget / 4 * (now - START) / 60 + 1e-6


def test_a_cheaper_refresh_shortens_the_interval_when_it_has_ended() -> None:
    """Until then the last one counts; a dearer one counts as soon as it is."""
    pace = after(74)
    pace.started(START + 296)
    pace.sent(30)
    assert pace.interval == 296
    pace.ended()
    assert pace.interval == 120
    pace.started(START + 416)
    pace.sent(20)
    pace.sent(20)
    assert pace.interval == 160


def test_a_page_is_fresh_for_the_interval() -> None:
    """Since a usual refresh ended; since a large one began, because its requests are spread over the interval."""
    usual, large = after(5, takes=2), after(74, takes=290)
    assert [usual.is_fresh(START + age) for age in (2, 61.9, 62)] == [True, True, False]
    assert [large.is_fresh(START + age) for age in (2, 295.9, 296)] == [True, True, False]
    assert not Pace(ttl=60, requests_per_minute=60).is_fresh(START)


@pytest.mark.parametrize(
    ("requests", "age", "wanted"), [(5, 61.9, False), (5, 62, True), (74, 59, False), (74, 60, True)]
)
def test_a_scrape_of_an_old_page_wants_a_refresh(requests: int, age: float, wanted: bool) -> None:  # noqa: FBT001 - a table
    """However long the interval is; the refresh ends that."""
    pace = after(requests)
    pace.scraped(START + age)
    assert pace.wanted is wanted
    pace.started(START + 300)
    assert not pace.wanted


def test_scrapes_that_share_a_refresh_want_no_other() -> None:
    """Before the first page too."""
    pace = Pace(ttl=60, requests_per_minute=60)
    pace.started(START)
    pace.scraped(START + 1)
    assert not pace.wanted
