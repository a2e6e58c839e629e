"""The request budget: never more than it allows in any minute, on a clock that the test moves."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.api.transport import _limiter


class FakeTime(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(Jump(self))

    def time(self) -> float:
        """Return the seconds of the clock."""
        return self.now


class Jump(selectors.DefaultSelector):
    """Moves the clock by what it was told to wait, and a nanosecond: a clock that stands still is none."""

    def __init__(self, loop: FakeTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now."""
        assert timeout is not None, "nothing will ever happen"
        self._loop.now += timeout + 1e-9
        return super().select(0)


def on_fake_time(main: Callable[[FakeTime], Coroutine[None, None, None]]) -> None:
    """Run a coroutine function on such a loop."""
    loop = FakeTime()
    try:
        loop.run_until_complete(main(loop))
    finally:
        loop.close()


@given(st.integers(1, 130), st.lists(st.floats(0, 40), min_size=1, max_size=30))
@settings(max_examples=25)
def test_no_minute_has_more_requests_than_the_budget(budget: int, gaps: list[float]) -> None:
    """Bursts, idle times and steady load, in any order: counted over every window of 60 seconds."""

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
def test_the_budget_is_used(budget: int) -> None:
    """A cold fill is not much slower than it must be: the rate that is kept up is above three quarters of it."""

    async def run(loop: FakeTime) -> None:
        limiter, begun = _limiter(budget), loop.now
        for _ in range(min(3 * budget, 3000)):
            await limiter.acquire()
        minutes = (loop.now - begun) / 60
        assert minutes <= min(3 * budget, 3000) / (0.75 * budget)

    on_fake_time(run)


def test_sixty_a_minute_begin_with_ten_at_once() -> None:
    """A warm refresh, and the newest days of a first fill, do not wait."""

    async def run(loop: FakeTime) -> None:
        limiter, begun = _limiter(60), loop.now
        for _ in range(10):
            await limiter.acquire()
        assert loop.now - begun < 0.001
        await limiter.acquire()
        assert loop.now - begun > 1

    on_fake_time(run)
