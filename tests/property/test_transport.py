"""The limits of API requests per minute, on a clock that the test controls."""

from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.api.budget import AllowedRate, Budget, Quarter, new_limiter
from tests.virtual_time import VirtualTime, on_virtual_time


@given(st.integers(1, 130), st.lists(st.floats(0, 40), min_size=1, max_size=30))
@settings(max_examples=25)
def test_no_minute_exceeds_the_limit(budget: int, gaps: list[float]) -> None:
    """After bursts, idle times and steady load in any order, in every window of 60 seconds."""

    async def run(loop: VirtualTime) -> None:
        limiter, sent = new_limiter(budget), list[float]()
        for gap in gaps:
            loop.now += gap
            for _ in range(budget // 2 + 1):
                await limiter.acquire()
                sent.append(loop.now)
        for first, moment in enumerate(sent):
            assert sum(moment <= later < moment + 60 for later in sent[first : first + budget + 1]) <= budget

    on_virtual_time(run)


@given(st.sampled_from([1, 2, 11, 12, 60, 1000, 100_000]))
def test_most_of_the_limit_is_usable(budget: int) -> None:
    """The sustained rate is above three quarters of the limit, so a first fill is not much slower than necessary."""

    async def run(loop: VirtualTime) -> None:
        limiter, begun = new_limiter(budget), loop.now
        for _ in range(min(3 * budget, 3000)):
            await limiter.acquire()
        minutes = (loop.now - begun) / 60
        assert minutes <= min(3 * budget, 3000) / (0.75 * budget)

    on_virtual_time(run)


def test_sixty_per_minute_allow_a_burst_of_ten() -> None:
    """A usual refresh, and the newest days of a first fill, do not wait."""

    async def run(loop: VirtualTime) -> None:
        limiter, begun = new_limiter(60), loop.now
        for _ in range(10):
            await limiter.acquire()
        assert loop.now - begun < 0.001
        await limiter.acquire()
        assert loop.now - begun > 1

    on_virtual_time(run)


@pytest.mark.parametrize(
    ("budget", "burst", "seconds"), [(1, 1, 60), (6, 1, 10), (11, 1, 60 / 11), (12, 2, 12), (60, 10, 12)]
)
def test_a_sixth_of_the_budget_may_be_used_at_once(budget: int, burst: int, seconds: float) -> None:
    """And the rest is spread over the minute; a small budget is spread evenly."""
    limiter = new_limiter(budget)
    assert limiter.max_rate == burst
    assert limiter.time_period == pytest.approx(seconds)


async def times(
    loop: VirtualTime, acquire: Callable[[], Awaitable[None]], gaps: list[float], number: int
) -> list[float]:
    """Return when requests were let through: after each gap, so many without a pause."""
    sent = []
    for gap in gaps:
        loop.now += gap
        for _ in range(number):
            await acquire()
            sent.append(loop.now)
    return sent


def most_in(seconds: float, sent: list[float]) -> int:
    """Return the most requests in any window of so many seconds."""
    return max(sum(moment <= later < moment + seconds for later in sent[first:]) for first, moment in enumerate(sent))


@given(st.integers(1, 130), st.lists(st.floats(0, 90), min_size=1, max_size=20))
@settings(max_examples=25)
def test_no_minute_exceeds_a_quarter_in_steady_state(budget: int, gaps: list[float]) -> None:
    """In every window; less than 4 a minute are one in so many minutes."""

    async def run(loop: VirtualTime) -> None:
        sent = await times(loop, Quarter(budget).acquire, gaps, budget // 8 + 2)
        assert most_in(max(60, 240 / budget) - 1e-6, sent) <= max(1, budget // 4)

    on_virtual_time(run)


@pytest.mark.parametrize(("budget", "at_once", "minutes"), [(60, 15, 4), (4, 1, 4), (1, 1, 16), (7, 1, 4)])
def test_the_whole_quarter_can_be_used_at_once_and_all_the_time(budget: int, at_once: int, minutes: float) -> None:
    """A usual refresh does not wait, and a large one uses all of the quarter; parts of a request are rounded down."""

    async def run(loop: VirtualTime) -> None:
        sent = await times(loop, Quarter(budget).acquire, [0], 4 * at_once + 1)
        assert sent[at_once - 1] - sent[0] < 0.001
        assert sent[-1] - sent[0] == pytest.approx(60 * minutes)

    on_virtual_time(run)


def test_a_429_halves_the_rate_and_each_minute_gives_back_a_tenth() -> None:
    """From 60 to 30, and back in five minutes, not beyond."""
    rate = AllowedRate(60)
    assert rate.at(1000) == 60
    rate.throttled(1000)
    assert [rate.at(1000 + seconds) for seconds in (0, 59, 60, 120, 240, 299, 300, 1e6)] == [
        *(30, 30, 36, 42, 54, 54, 60, 60),
    ]


def test_the_429s_of_a_minute_are_one_shortage() -> None:
    """Each report gets its own: the rate is halved once. In the next minute it is halved again, from where it is."""
    rate = AllowedRate(60)
    for seconds in (0, 1, 59):
        rate.throttled(1000 + seconds)
    assert rate.at(1059) == 30
    rate.throttled(1060)
    assert (rate.at(1060), rate.at(1120)) == (18, 24)


@pytest.mark.parametrize("most", [1, 2, 5, 60, 100_000])
def test_the_rate_falls_to_a_tenth_and_recovers(most: int) -> None:
    """With a 429 in every minute, what a minute gives back remains, at least 1: nothing would never learn of an end."""
    rate = AllowedRate(most)
    for minute in range(200):
        rate.throttled(1000 + 60 * minute)
    assert rate.at(1000 + 60 * 199) == max(1, most // 10 if most >= 20 else 1)
    assert rate.at(1000 + 60 * 219) == most


@given(st.integers(12, 130), st.lists(st.floats(0, 90), min_size=1, max_size=20), st.integers(0, 19))
@settings(max_examples=25)
def test_a_change_of_the_rate_exceeds_no_limit(budget: int, gaps: list[float], refused: int) -> None:
    """Neither when it falls nor while it recovers: a new limiter allows no burst."""

    async def run(loop: VirtualTime) -> None:
        allowed = Budget(budget, loop.time)
        sent = []
        for number, gap in enumerate(gaps):
            if number == refused:
                allowed.throttled()
            sent += await times(loop, allowed.acquire, [gap], budget // 3 + 1)
        assert most_in(60, sent) <= budget

    on_virtual_time(run)


def test_a_429_slows_down_what_is_sent() -> None:
    """From the next request on: half as many a minute, and more with each minute."""

    async def run(loop: VirtualTime) -> None:
        budget = Budget(60, loop.time)
        await times(loop, budget.acquire, [0], 60)
        budget.throttled()
        begun = loop.now
        sent = await times(loop, budget.acquire, [0], 150)
        minutes = [sum(60 * minute <= moment - begun < 60 * minute + 60 for moment in sent) for minute in range(3)]
        assert 20 <= minutes[0] <= 30 < minutes[2] <= 42
        assert minutes == sorted(minutes)

    on_virtual_time(run)


def test_a_changed_rate_begins_without_a_burst() -> None:
    """Otherwise each minute of the recovery would add one."""

    async def run(loop: VirtualTime) -> None:
        budget = Budget(60, loop.time)
        budget.throttled()
        sent = await times(loop, budget.acquire, [0], 3)
        assert min(later - earlier for earlier, later in pairwise(sent)) > 1

    on_virtual_time(run)
