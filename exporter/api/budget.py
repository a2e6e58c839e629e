"""The request budget: the most requests a minute, a quarter of them in steady state, and fewer after a 429.

The API counts the requests of the whole organisation, so every request that is not sent is left to its other tools.
"""

from collections import deque
from collections.abc import Callable

from aiolimiter import AsyncLimiter

STEADY_SHARE = 1 / 4
"""The share of the budget that is used when all days were read once."""
MINUTE = 60.0
RECOVERY_SHARE = 10
"""After a 429, each minute gives back a tenth of the budget: from a half to the whole in five minutes."""


class AllowedRate:
    """Requests a minute that are allowed: halved after a 429, then raised in steps (AIMD). Pure: time comes in."""

    def __init__(self, most: int) -> None:
        self._most = self._halved_to = most
        self._step = max(1, most // RECOVERY_SHARE)
        self._halved_at = -float("inf")

    def at(self, monotonic: float) -> int:
        """Return the requests a minute that are allowed now, at least 1."""
        if self._halved_to == self._most:
            return self._most
        return min(self._most, self._halved_to + self._step * int((monotonic - self._halved_at) // MINUTE))

    def throttled(self, monotonic: float) -> None:
        """Halve the rate after a 429. Others within the same minute are about the same shortage and change nothing."""
        if monotonic - self._halved_at >= MINUTE:
            self._halved_to, self._halved_at = max(1, self.at(monotonic) // 2), monotonic


class Budget:
    """Lets requests through, one after another. `monotonic` returns seconds."""

    def __init__(self, requests_per_minute: int, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._allowed = AllowedRate(requests_per_minute)
        self._limited_to = requests_per_minute
        self._limiter = new_limiter(requests_per_minute)
        self._steady = Quarter(requests_per_minute)

    def allowed(self) -> int:
        """Return the requests a minute that are allowed now."""
        return self._allowed.at(self._monotonic())

    def throttled(self) -> None:
        """Note a 429."""
        self._allowed.throttled(self._monotonic())

    async def spread(self) -> None:
        """Wait until a request fits into the quarter of the budget that is used in steady state."""
        await self._steady.acquire()

    async def acquire(self) -> None:
        """Wait until a request fits into the budget."""
        if self._limited_to != (allowed := self.allowed()):
            self._limited_to, self._limiter = allowed, new_limiter(allowed)
            await self._limiter.acquire(self._limiter.max_rate)  # a new limiter is empty: no burst at each change
        await self._limiter.acquire()


class Quarter:
    """At most a quarter of the requests in any minute, and so many at once, which a usual refresh needs.

    A leaky bucket cannot do both: its burst and what leaks in a minute add up. So each request of a minute has a
    limiter of its own, which lets one through a minute, and the one that was used first comes next.
    """

    def __init__(self, requests_per_minute: int) -> None:
        self._most = max(1, int(requests_per_minute * STEADY_SHARE))
        self._period = max(MINUTE, MINUTE / (requests_per_minute * STEADY_SHARE))
        self._limiters: deque[AsyncLimiter] = deque()

    async def acquire(self) -> None:
        """Wait until a request fits in."""
        limiters = self._limiters
        if len(limiters) < self._most and not (limiters and limiters[0].has_capacity()):
            limiters.appendleft(AsyncLimiter(1, self._period))
        limiters.rotate(-1)
        await limiters[-1].acquire()


def new_limiter(requests_per_minute: int) -> AsyncLimiter:
    """Return a limiter that allows a short burst and keeps any 60 seconds within the budget.

    A leaky bucket of size b that leaks r a minute lets b + r through in a minute: so r is the budget minus b.
    """
    burst = requests_per_minute // 6
    if burst <= 1:
        return AsyncLimiter(1, 60 / requests_per_minute)
    return AsyncLimiter(burst, 60 * burst / (requests_per_minute - burst))
