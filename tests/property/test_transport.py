"""The limit of API requests per minute, on a clock that the test controls."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.api.transport import _limiter


class FakeTime(asyncio.SelectorEventLoop):
    """An event loop whose clock advances to the next timer instead of waiting."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(Jump(self))

    def time(self) -> float:
        """Return the time in seconds."""
        return self.now


class Jump(selectors.DefaultSelector):
    """Advances the clock by the time to wait, and by a nanosecond, because no real clock stands still."""

    def __init__(self, loop: FakeTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now."""
        assert timeout is not None, "the loop has nothing to wait for"
        self._loop.now += timeout + 1e-9
        return super().select(0)


def on_fake_time(main: Callable[[FakeTime], Coroutine[None, None, None]]) -> None:
    """Run a coroutine function on a loop with fake time."""
    loop = FakeTime()
    try:
        loop.run_until_complete(main(loop))
    finally:
        loop.close()


@given(st.integers(1, 130), st.lists(st.floats(0, 40), min_size=1, max_size=30))
@settings(max_examples=25)
def test_no_minute_exceeds_the_limit(budget: int, gaps: list[float]) -> None:
    """After bursts, idle times and steady load in any order, in every window of 60 seconds."""

    async def run(loop: FakeTime) -> None:
        limiter, sent = _limiter(budget), list[float]()
        for gap in gaps:
            loop.now += gap
            for _ in range(budget // 2 + 1):
                await limiter.acquire()
                sent.append(loop.now)
        for first, moment in enumerate(sent):
            assert sum(moment <= later < moment + 60 for later in sent[first : first + budget + 1]) <= budget

    on_fake_time(run)


@given(st.sampled_from([1, 2, 11, 12, 60, 1000, 100_000]))
def test_most_of_the_limit_is_usable(budget: int) -> None:
    """The sustained rate is above three quarters of the limit, so a first fill is not much slower than necessary."""

    async def run(loop: FakeTime) -> None:
        limiter, begun = _limiter(budget), loop.now
        for _ in range(min(3 * budget, 3000)):
            await limiter.acquire()
        minutes = (loop.now - begun) / 60
        assert minutes <= min(3 * budget, 3000) / (0.75 * budget)

    on_fake_time(run)


def test_sixty_per_minute_allow_a_burst_of_ten() -> None:
    """A usual refresh, and the newest days of a first fill, do not wait."""

    async def run(loop: FakeTime) -> None:
        limiter, begun = _limiter(60), loop.now
        for _ in range(10):
            await limiter.acquire()
        assert loop.now - begun < 0.001
        await limiter.acquire()
        assert loop.now - begun > 1

    on_fake_time(run)


@pytest.mark.parametrize(
    ("budget", "burst", "seconds"), [(1, 1, 60), (6, 1, 10), (11, 1, 60 / 11), (12, 2, 12), (60, 10, 12)]
)
def test_a_sixth_of_the_budget_may_be_used_at_once(budget: int, burst: int, seconds: float) -> None:
    """And the rest is spread over the minute; a small budget is spread evenly."""
    limiter = _limiter(budget)
    assert limiter.max_rate == burst
    assert limiter.time_period == pytest.approx(seconds)
