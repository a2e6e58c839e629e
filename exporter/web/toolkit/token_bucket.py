"""A token bucket that never waits: it returns how long the caller would have to."""

import math
from collections.abc import Callable


class TokenBucket:
    """At most `burst` tokens, and one more every `interval` seconds; `clock` is monotonic, in seconds.

    The only state is the time at which the bucket will be full again (the generic cell rate algorithm).
    """

    __slots__ = ("_burst", "_clock", "_full_at", "_interval")

    def __init__(self, interval: float, burst: int, clock: Callable[[], float]) -> None:
        self._interval, self._burst, self._clock = interval, burst, clock
        self._full_at = -math.inf

    def take(self) -> float:
        """Take a token and return 0.0, or return the seconds until there is one."""
        now = self._clock()
        full_at = max(self._full_at, now) + self._interval
        wait = full_at - now - self._burst * self._interval
        if wait > self._interval * 1e-6:  # less is a rounding error
            return wait
        self._full_at = full_at
        return 0.0

    def give_back(self) -> None:
        """Return a token that was taken."""
        self._full_at -= self._interval
