"""What a refresh needs of the world: time, and the API."""

from collections.abc import Callable
from datetime import date, datetime
from typing import NamedTuple, Protocol

from exporter.api.transport import CostDays, Mark, UsageDay
from exporter.model import Directory


class Clock(NamedTuple):
    """The time of day (UTC), and seconds that only go forward."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]


class Source(Protocol):
    """What a refresh needs of the API; `client.Client` is one."""

    async def claude_code(self, day: date, known: tuple[Mark, ...] = ()) -> UsageDay:
        """Return one day of usage."""

    async def cost(self, first: date, last: date) -> CostDays:
        """Return days of bills."""

    async def directory(self) -> Directory:
        """Return names for ids."""

    def key_changed(self) -> bool:
        """Return whether there is another key than the last that was sent."""
