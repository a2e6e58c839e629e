"""How a report stands: whether it works, why it does not, and when it may be asked again. Pure: time comes in."""

from collections.abc import Collection
from datetime import date, datetime

from exporter.errors import ApiError, ApiForbidden, ApiUnauthorized
from exporter.refresh.plan import pause_after


class Standing:
    """One report since the start. `paused_until` is by the monotonic clock; `failed_at` is UTC."""

    def __init__(self) -> None:
        self.up: bool | None = None
        self.error: ApiError | None = None
        self.failed_at: datetime | None = None
        self.paused_until = 0.0
        self._in_a_row = 0
        self._retry_due = self._worked_now = self._failed_now = False
        self._failed_days: dict[date, int] = {}

    @property
    def refused(self) -> bool:
        """Whether it was the key that was refused: another key may work at once."""
        return isinstance(self.error, ApiUnauthorized | ApiForbidden)

    def failed_days(self) -> list[date]:
        """Return the days that failed and have not worked since, those that failed least often first."""
        return sorted(self._failed_days, key=self.failures)

    def failures(self, day: date) -> int:
        """Return how often a day failed since it last worked."""
        return self._failed_days.get(day, 0)

    def may_ask(self, monotonic: float) -> bool:
        """Return whether the pause, if there is one, is over."""
        return monotonic >= self.paused_until

    def wants_retry(self, monotonic: float) -> bool:
        """Return whether it failed, its pause is over, and no refresh began since then."""
        return self.error is not None and self._retry_due and self.may_ask(monotonic)

    def begun(self, monotonic: float, *, recent: bool) -> None:
        """Note that a refresh begins. With `recent` it is the retry, also when no turn comes to the day that failed."""
        self._worked_now = self._failed_now = False
        if recent and self.may_ask(monotonic):
            self._retry_due = False

    def ended(self, *, recent: bool) -> bool:
        """Note that the refresh has ended; return whether it ends a failure of the report.

        It does when all that was asked worked; and without `recent`, so without today's day, when no day is left that
        failed: else one bad day would make the report go up and down.
        """
        if not self._worked_now or self._failed_now or (self._failed_days and not recent):
            return False
        ended, self.up, self.error = self.error is not None, True, None
        return ended

    def lift(self) -> None:
        """End the pause."""
        self.paused_until, self._retry_due = 0.0, True

    def worked(self, days: Collection[date] = ()) -> None:
        """Note that these days were read. A report that failed is up again when the refresh has ended well."""
        for day in days:
            self._failed_days.pop(day, None)
        self._in_a_row = 0
        self._worked_now = True
        if self.up is None:
            self.up = True

    def failed(
        self, error: ApiError, days: Collection[date], *, now: datetime, monotonic: float, jitter: float
    ) -> bool:
        """Note that these days could not be read; return whether the reason is a new one, and so worth a log line."""
        for day in days:
            self._failed_days[day] = self.failures(day) + 1
        self._in_a_row += 1
        new = self.error is None or self.error.reason != error.reason
        error.__traceback__ = error.__context__ = None  # their frames hold the body, which may be large
        self.up, self.error, self.failed_at = False, error, now
        self._retry_due = self._failed_now = True
        failures = max([self._in_a_row, *map(self.failures, days)])
        pause = pause_after(failures, error.pause, refused=self.refused, jitter=jitter)
        self.paused_until = monotonic + pause
        return new

    def forget_before(self, first: date) -> None:
        """Forget failures of days that have left the window."""
        self._failed_days = {day: count for day, count in self._failed_days.items() if day >= first}
