"""An event loop whose time passes as fast as the program runs."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class VirtualTime(asyncio.SelectorEventLoop):
    """A loop whose clock advances to the next timer instead of waiting. It stands still while a thread works."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.in_threads = 0
        super().__init__(Jump(self))

    def time(self) -> float:
        """Return the time in seconds."""
        return self.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*_Ts], _T], *arguments: *_Ts
    ) -> asyncio.Future[_T]:
        """Run something in a thread."""
        self.in_threads += 1
        future = super().run_in_executor(executor, func, *arguments)
        future.add_done_callback(self._out_of_thread)
        return future

    def _out_of_thread(self, _: object) -> None:
        self.in_threads -= 1


class Jump(selectors.DefaultSelector):
    """Advances the clock by the time to wait, and by a nanosecond, because no real clock stands still."""

    def __init__(self, loop: VirtualTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now, or when a thread is."""
        if timeout != 0 and self._loop.in_threads:
            return super().select(None)
        assert timeout is not None, "the loop has nothing to wait for"
        self._loop.now += timeout + 1e-9
        return super().select(0)


def on_virtual_time(main: Callable[[VirtualTime], Coroutine[None, None, None]]) -> None:
    """Run a coroutine function on a loop with virtual time."""
    loop = VirtualTime()
    try:
        loop.run_until_complete(main(loop))
    finally:
        loop.close()
