"""The clock that is passed to everything that depends on time."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple


class Clock(NamedTuple):
    """`now` returns the time of day (UTC); `monotonic` returns seconds that never go backwards."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]


SYSTEM_CLOCK = Clock(now=lambda: datetime.now(UTC), monotonic=time.monotonic)
