"""Health of a report: whether it works, the last error, and when it may be retried. Pure: time comes in."""

from collections.abc import Collection
from datetime import date, datetime

from exporter.errors import ApiError, ApiForbidden, ApiUnauthorized

SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
KEY_PAUSE = 300.0
OPTIONAL_PAUSE = 3600.0


class Health:
    """Health of one report since the start. `paused_until` is monotonic time; `failed_at` is UTC."""

    def __init__(self) -> None:
        self.up: bool | None = None
        self.error: ApiError | None = None
        self.failed_at: datetime | None = None
        self.paused_until = 0.0
        self.not_for_key = False
        self._failures_in_a_row = 0
        self._retry_due = self._worked_now = self._failed_now = False
        self._failed_days: dict[date, int] = {}
        self._missing_since: datetime | None = None
        self._advice = ""

    @property
    def key_refused(self) -> bool:
        """Whether the last error was about the key, so that another key may work at once."""
        return self.not_for_key or isinstance(self.error, ApiUnauthorized | ApiForbidden)

    def failed_days(self) -> list[date]:
        """Return the days that failed and have not worked since, those with the fewest failures first."""
        return sorted(self._failed_days, key=self.failures)

    def failures(self, day: date) -> int:
        """Return how many times a day has failed since it last worked."""
        return self._failed_days.get(day, 0)

    def may_fetch(self, monotonic: float) -> bool:
        """Return whether the report is not paused."""
        return monotonic >= self.paused_until

    def wants_retry(self, monotonic: float) -> bool:
        """Return whether the report failed, its pause is over, and no refresh has started since."""
        return self.error is not None and self._retry_due and self.may_fetch(monotonic)

    def refresh_started(self, monotonic: float, *, recent: bool) -> None:
        """Note that a refresh starts. One that reads recent days is the retry, whichever days it reaches."""
        self._worked_now = self._failed_now = False
        if recent and self.may_fetch(monotonic):
            self._retry_due = False

    def refresh_ended(self, *, recent: bool) -> bool:
        """Note that a refresh has ended, and return whether the report has recovered.

        It has when everything that was fetched worked. Without the recent days, no failed day may be left either:
        otherwise one bad day would make `anthropic_up` alternate.
        """
        if not self._worked_now or self._failed_now or (self._failed_days and not recent):
            return False
        recovered, self.up, self.error = self.error is not None, True, None
        return recovered

    def end_pause(self) -> None:
        """Allow a retry at once."""
        self.paused_until, self._retry_due = 0.0, True

    def worked(self, days: Collection[date] = ()) -> None:
        """Note that these days were read. A report that was down is up again after `refresh_ended`."""
        for day in days:
            self._failed_days.pop(day, None)
        self._failures_in_a_row = 0
        self._worked_now, self.not_for_key = True, False
        self._missing_since, self._advice = None, ""
        if self.up is None:
            self.up = True

    def failed(
        self, error: ApiError, days: Collection[date], *, now: datetime, monotonic: float, jitter: float
    ) -> bool:
        """Note that these days could not be read, and return whether the reason differs from the last one."""
        for day in days:
            self._failed_days[day] = self.failures(day) + 1
        self._failures_in_a_row += 1
        is_new = self.error is None or self.error.reason != error.reason
        error.__traceback__ = error.__context__ = None  # their frames hold the body, which may be large
        self.up, self.error, self.failed_at = False, error, now
        self._retry_due = self._failed_now = True
        self.not_for_key = False
        failures = max([self._failures_in_a_row, *map(self.failures, days)])
        self.paused_until = monotonic + pause(failures, error.pause, key_refused=self.key_refused, jitter=jitter)
        return is_new

    def missing_since(self, now: datetime) -> datetime:
        """Note that the API says there is no such report, and return when (UTC) it first did since it last worked."""
        self._missing_since = self._missing_since or now
        return self._missing_since

    def advised(self, advice: str) -> bool:
        """Note what the reader was advised to do, and return whether that is new."""
        is_new, self._advice = advice not in ("", self._advice), advice
        return is_new

    def refused(self, monotonic: float) -> None:
        """Note that something optional is not for this key, which is no failure."""
        self.up, self.error, self.not_for_key = None, None, True
        self.paused_until = monotonic + OPTIONAL_PAUSE

    def forget_before(self, first: date) -> None:
        """Forget the failures of days that have left the window."""
        self._failed_days = {day: count for day, count in self._failed_days.items() if day >= first}


def pause(failures: int, asked: float | None, *, key_refused: bool, jitter: float) -> float:
    """Return for how many seconds a failed report is not fetched.

    This is what the API asked for, else 5 minutes for a refused key, else 1 s doubling to 60 s with the failures in a
    row. `jitter` from 0 to 1 adds up to a quarter, so that several exporters do not retry at the same moment.
    """
    if asked is not None:
        return asked
    if key_refused:
        return KEY_PAUSE
    return min(LONGEST_PAUSE, SHORTEST_PAUSE * 2.0 ** min(failures - 1, 10)) * (1 + jitter / 4)
