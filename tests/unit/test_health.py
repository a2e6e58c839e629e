"""Health of a report: up or down, its pause, and which failed day is retried first."""

import pytest

from exporter.errors import ApiError, ApiForbidden, ApiThrottled, ApiTimeout, ApiUnauthorized, ApiUnavailable
from exporter.refresh.health import Health, pause
from tests.bodies import NOW, day


def fail(health: Health, error: ApiError, *ages: int, monotonic: float = 100.0) -> bool:
    """Let days of a report fail at a moment, without jitter."""
    return health.failed(error, [day(age) for age in ages], now=NOW, monotonic=monotonic, jitter=0.0)


def refresh(health: Health, *ages: int, monotonic: float = 100.0, recent: bool = True) -> bool:
    """Let a refresh read days of a report without error; return whether the report has recovered."""
    health.refresh_started(monotonic, recent=recent)
    health.worked([day(age) for age in ages])
    return health.refresh_ended(recent=recent)


def test_health_is_unknown_before_the_first_attempt_and_up_after_the_first_day() -> None:
    """`up` does not wait for the end of a first fill, and a refresh that fetched nothing does not set it."""
    health = Health()
    assert (health.up, health.error, health.key_refused, health.may_fetch(0.0)) == (None, None, False, True)
    health.refresh_started(0.0, recent=True)
    assert (health.wants_retry(0.0), health.refresh_ended(recent=True), health.up) == (False, False, None)
    health.worked([day(0)])
    assert health.up is True
    assert (health.refresh_ended(recent=True), health.up) == (False, True)


def test_a_failure_sets_the_report_down_and_pauses_it() -> None:
    """A retry is allowed, and wanted, from the end of the pause on."""
    health, error = Health(), ApiUnavailable("x")
    assert fail(health, error, 0)
    assert (health.up, health.error, health.failed_at, health.paused_until) == (False, error, NOW, 101.0)
    assert (health.may_fetch(100.9), health.may_fetch(101.0)) == (False, True)
    assert (health.wants_retry(100.9), health.wants_retry(101.0)) == (False, True)


def test_back_off_rises_with_each_failure_and_ends_with_a_success() -> None:
    """Whichever days fail: an outage that hits another day each time backs off as well."""
    health = Health()
    pauses = []
    for age in range(8):
        fail(health, ApiUnavailable("x"), age)
        pauses.append(health.paused_until - 100.0)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    refresh(health, *range(8))
    fail(health, ApiUnavailable("x"), 0)
    assert health.paused_until == 101.0


def test_a_day_that_keeps_failing_backs_off_although_other_days_work() -> None:
    """Otherwise a single bad day would be requested every second."""
    health = Health()
    for _ in range(5):
        fail(health, ApiTimeout("x"), 5)
        health.worked([day(0)])
    fail(health, ApiTimeout("x"), 4, 5)
    assert health.paused_until == 132.0
    fail(health, ApiTimeout("x"), 3)
    assert health.paused_until == 102.0


@pytest.mark.parametrize(
    ("failures", "asked", "key_refused", "jitter", "seconds"),
    [
        (1, None, False, 0.0, 1.0),
        (2, None, False, 0.0, 2.0),
        (6, None, False, 0.0, 32.0),
        (7, None, False, 0.0, 60.0),
        (10**9, None, False, 1.0, 75.0),
        (1, None, False, 1.0, 1.25),
        (1, None, True, 1.0, 300.0),
        (5, 17.0, False, 1.0, 17.0),
        (5, 17.0, True, 1.0, 17.0),
    ],
)
def test_pause(failures: int, asked: float | None, key_refused: bool, jitter: float, seconds: float) -> None:  # noqa: FBT001 - a table
    """What the API asked for; else 5 minutes for a refused key; else doubling to a minute, and a quarter of jitter."""
    assert pause(failures, asked, key_refused=key_refused, jitter=jitter) == seconds


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(ApiThrottled("x", pause=17.0), 17.0), (ApiUnauthorized("x"), 300.0), (ApiForbidden("x"), 300.0)],
)
def test_the_error_decides_the_pause(error: ApiError, seconds: float) -> None:
    """What the API asked for, or 5 minutes for a refused key."""
    health = Health()
    fail(health, error, 0)
    assert health.paused_until == 100.0 + seconds
    assert health.key_refused is not isinstance(error, ApiThrottled)


def test_something_optional_is_not_for_this_key() -> None:
    """Nothing is failing, it is tried again after an hour, and another key may read it at once."""
    health = Health()
    health.refused(100.0)
    assert (health.up, health.error, health.not_for_key, health.key_refused) == (None, None, True, True)
    assert [health.may_fetch(100.0 + seconds) for seconds in (3599, 3600)] == [False, True]
    health.worked()
    assert (health.up, health.not_for_key, health.key_refused) == (True, False, False)
    health.refused(200.0)
    fail(health, ApiThrottled("x", pause=17.0), 0)
    assert (health.up, health.not_for_key, health.key_refused) == (False, False, False)


def test_only_a_new_reason_is_logged() -> None:
    """An outage of an hour is one line, not sixty."""
    health = Health()
    assert fail(health, ApiTimeout("x"), 0) is True
    assert fail(health, ApiTimeout("y"), 1) is False
    assert fail(health, ApiThrottled("z"), 0) is True


def test_a_kept_error_holds_no_body() -> None:
    """The frames of its traceback would keep the response in memory until the next failure."""
    health, error = Health(), ApiTimeout("x")
    with pytest.raises(ApiTimeout):
        raise error from ValueError()
    error.__context__ = error.__cause__
    fail(health, error)
    assert (error.__traceback__, error.__context__) == (None, None)


def test_a_retry_is_due_once_after_each_failure() -> None:
    """The first refresh of recent days after the pause is the retry, whichever days it reaches."""
    health = Health()
    fail(health, ApiTimeout("x"), 5)
    health.refresh_started(100.5, recent=True)
    assert health.wants_retry(101.0)
    health.refresh_started(101.0, recent=False)
    assert health.wants_retry(101.0)
    health.refresh_started(101.0, recent=True)
    assert not health.wants_retry(101.0)


def test_a_report_recovers_when_a_refresh_ends_well() -> None:
    """Everything that was fetched worked; the recovery is reported once."""
    health = Health()
    fail(health, ApiTimeout("x"), 0)
    health.refresh_started(101.0, recent=True)
    assert (health.refresh_ended(recent=True), health.up) == (False, False)
    health.worked([day(0)])
    assert health.up is False
    assert health.refresh_ended(recent=True) is True
    assert (health.up, health.error, health.failed_days()) == (True, None, [])
    assert refresh(health, 0) is False


def test_a_refresh_in_which_a_day_failed_is_no_recovery() -> None:
    """One good day does not hide a bad one."""
    health = Health()
    health.refresh_started(100.0, recent=True)
    health.worked([day(0)])
    fail(health, ApiTimeout("x"), 5)
    assert health.refresh_ended(recent=True) is False
    assert (health.up, health.failed_days(), health.failures(day(5))) == (False, [day(5)], 1)
    assert refresh(health, 0) is True


def test_a_tick_is_no_recovery_while_a_day_is_bad() -> None:
    """Otherwise `anthropic_up` would alternate between two scrapes."""
    health = Health()
    fail(health, ApiTimeout("x"), 5)
    assert refresh(health, 9, recent=False) is False
    assert refresh(health, 5, recent=False) is True


@pytest.mark.parametrize(("rarely", "often"), [(6, 5), (5, 6)])
def test_the_day_with_the_fewest_failures_is_retried_first(rarely: int, often: int) -> None:
    """Neither the newest nor the oldest: so each gets its turn."""
    health = Health()
    for ages in ((often, rarely), (rarely, often), (often,)):
        fail(health, ApiTimeout("x"), *ages)
    assert health.failed_days() == [day(rarely), day(often)]
    assert (health.failures(day(rarely)), health.failures(day(often))) == (2, 3)


def test_a_pause_can_be_ended() -> None:
    """When the key has changed, a retry is allowed and wanted at once."""
    health = Health()
    fail(health, ApiUnauthorized("x"), 0)
    health.refresh_started(500.0, recent=True)
    health.end_pause()
    assert health.may_fetch(0.0)
    assert health.wants_retry(0.0)


def test_a_failed_day_that_has_left_the_window_is_forgotten() -> None:
    """The next tick that works is then a recovery; the oldest day of the window is kept."""
    health = Health()
    fail(health, ApiTimeout("x"), 89, 88)
    health.forget_before(day(88))
    assert (health.failures(day(89)), health.failures(day(88))) == (0, 1)
    assert refresh(health, 88, recent=False) is True
