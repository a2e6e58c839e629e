"""A token bucket that never waits: it says how long the caller would have to."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class TokenBucket:
    """At most `burst` tokens, one more every `interval` seconds; `clock` is monotonic, in seconds.

    One number is enough: when the bucket will be full again (the generic cell rate algorithm).
    """

    interval: float
    burst: int
    clock: Callable[[], float]
    _full_at: float = field(default=float("-inf"), init=False)

    def take(self) -> float:
        """Take a token and return 0.0, or take none and return the seconds until there is one."""
        now = self.clock()
        full_at = max(self._full_at, now) + self.interval
        wait = full_at - now - self.burst * self.interval
        # The sums above lose some last digits.
        if wait > self.interval * 1e-6:
            return wait
        self._full_at = full_at
        return 0.0

    def give_back(self) -> None:
        """Return a token that was taken."""
        self._full_at -= self.interval
