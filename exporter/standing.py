"""How a report stands: whether it works, why it does not, and when it may be asked again. Pure: time comes in."""

from collections.abc import Collection
from datetime import date, datetime

from exporter.errors import ApiError, ApiForbidden, ApiUnauthorized
from exporter.plan import pause_after


class Standing:
    """One report since the start. `paused_until` is by the monotonic clock; `failed_at` is UTC."""

    def __init__(self) -> None:
        self.up: bool | None = None
        self.error: ApiError | None = None
        self.failed_at: datetime | None = None
        self.paused_until = 0.0
        self._in_a_row = 0
        self._failed_days: dict[date, int] = {}

    @property
    def refused(self) -> bool:
        """Whether it was the key that was refused: another key may work at once."""
        return isinstance(self.error, ApiUnauthorized | ApiForbidden)

    def failures(self, day: date) -> int:
        """Return how often a day failed since it last worked."""
        return self._failed_days.get(day, 0)

    def may_ask(self, monotonic: float) -> bool:
        """Return whether the pause, if there is one, is over."""
        return monotonic >= self.paused_until

    def wants_retry(self, monotonic: float) -> bool:
        """Return whether it failed and its pause is over."""
        return self.error is not None and self.may_ask(monotonic)

    def lift(self) -> None:
        """End the pause."""
        self.paused_until = 0.0

    def worked(self, days: Collection[date] = ()) -> bool:
        """Note that these days were read; return whether this ends a failure of the report."""
        for day in days:
            self._failed_days.pop(day, None)
        self._in_a_row = 0
        self.up = not self._failed_days
        ended = self.up and self.error is not None
        if self.up:
            self.error = None
        return ended

    def failed(
        self, error: ApiError, days: Collection[date], *, now: datetime, monotonic: float, jitter: float
    ) -> bool:
        """Note that these days could not be read; return whether the reason is a new one, and so worth a log line."""
        for day in days:
            self._failed_days[day] = self.failures(day) + 1
        self._in_a_row += 1
        new = self.error is None or self.error.reason != error.reason
        self.up, self.error, self.failed_at = False, error, now
        failures = max([self._in_a_row, *map(self.failures, days)])
        pause = pause_after(failures, error.pause, refused=self.refused, jitter=jitter)
        self.paused_until = monotonic + pause
        return new

    def forget_before(self, first: date) -> None:
        """Forget failures of days that have left the window."""
        self._failed_days = {day: count for day, count in self._failed_days.items() if day >= first}
