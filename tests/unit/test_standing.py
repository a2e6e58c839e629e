"""How a report stands."""

import pytest

from exporter.errors import ApiError, ApiForbidden, ApiThrottled, ApiTimeout, ApiUnauthorized, ApiUnavailable
from exporter.refresh.health import Standing
from tests.unit.rows import NOW, day


def fail(standing: Standing, error: ApiError, *ages: int, monotonic: float = 100.0) -> bool:
    """Let days of a report fail at a moment, without jitter."""
    return standing.failed(error, [day(age) for age in ages], now=NOW, monotonic=monotonic, jitter=0.0)


def refresh(standing: Standing, *ages: int, monotonic: float = 100.0, recent: bool = True) -> bool:
    """Let a refresh read days of a report without error; return whether that ends a failure."""
    standing.begun(monotonic, recent=recent)
    standing.worked([day(age) for age in ages])
    return standing.ended(recent=recent)


def test_before_the_first_attempt_nothing_is_known() -> None:
    """It may be asked, and is neither up nor down; the first day that works says that it is up."""
    standing = Standing()
    assert (standing.up, standing.error, standing.refused, standing.may_ask(0.0)) == (None, None, False, True)
    standing.begun(0.0, recent=True)
    assert (standing.wants_retry(0.0), standing.ended(recent=True), standing.up) == (False, False, None)
    standing.worked([day(0)])
    assert (standing.ended(recent=True), standing.up) == (False, True)


def test_a_failure_pauses_the_report_and_doubles() -> None:
    """It may be asked again when the pause is over, and wants to be."""
    standing = Standing()
    assert fail(standing, ApiUnavailable("x"), 0)
    assert (standing.up, standing.failed_at, standing.paused_until) == (False, NOW, 101.0)
    assert (standing.may_ask(100.9), standing.may_ask(101.0)) == (False, True)
    assert (standing.wants_retry(100.9), standing.wants_retry(101.0)) == (False, True)
    fail(standing, ApiUnavailable("x"), 0, monotonic=101.0)
    assert standing.paused_until == 103.0


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (ApiThrottled("x", pause=17.0), 17.0),
        (ApiUnauthorized("x"), 300.0),
        (ApiForbidden("x"), 300.0),
        (ApiTimeout("x"), 1.0),
    ],
)
def test_the_pause_is_the_one_of_the_error(error: ApiError, pause: float) -> None:
    """What the API asked for, 5 minutes for a refused key, a second for a first failure."""
    standing = Standing()
    fail(standing, error, 0)
    assert standing.paused_until == 100.0 + pause
    assert standing.refused is isinstance(error, ApiUnauthorized | ApiForbidden)


def test_only_a_new_reason_is_worth_a_log_line() -> None:
    """An outage of an hour is one line, not sixty."""
    standing = Standing()
    assert fail(standing, ApiTimeout("x"), 0) is True
    assert fail(standing, ApiTimeout("y"), 1) is False
    assert fail(standing, ApiThrottled("z"), 0) is True


def test_a_retry_is_due_once_for_each_failure() -> None:
    """A refresh that began after the pause was the retry, also when no turn came to the day that failed."""
    standing = Standing()
    fail(standing, ApiTimeout("x"), 5)
    standing.begun(100.5, recent=True)
    assert standing.wants_retry(101.0)
    standing.begun(101.0, recent=False)
    assert standing.wants_retry(101.0)
    standing.begun(101.0, recent=True)
    assert not standing.wants_retry(101.0)


def test_a_report_is_up_again_when_a_refresh_ends_well() -> None:
    """All that it asked for worked; the end of a failure is told once."""
    standing = Standing()
    fail(standing, ApiTimeout("x"), 0)
    assert refresh(standing, 0) is True
    assert (standing.up, standing.error, standing.failed_days()) == (True, None, [])
    assert refresh(standing, 0) is False


def test_a_refresh_in_which_a_day_failed_ends_no_failure() -> None:
    """One good day does not hide a bad one."""
    standing = Standing()
    standing.begun(100.0, recent=True)
    standing.worked([day(0)])
    fail(standing, ApiTimeout("x"), 5)
    assert standing.ended(recent=True) is False
    assert (standing.up, standing.failed_days(), standing.failures(day(5))) == (False, [day(5)], 1)


def test_a_tick_ends_no_failure_while_a_day_is_bad() -> None:
    """Else the report would go up and down between two scrapes."""
    standing = Standing()
    fail(standing, ApiTimeout("x"), 5)
    assert refresh(standing, 9, recent=False) is False
    assert refresh(standing, 5, recent=False) is True


def test_the_days_that_failed_least_often_come_first() -> None:
    """So each has its turn."""
    standing = Standing()
    fail(standing, ApiTimeout("x"), 5, 6)
    fail(standing, ApiTimeout("x"), 5)
    assert standing.failed_days() == [day(6), day(5)]


def test_a_day_that_fails_again_and_again_waits_longer_though_others_work() -> None:
    """Else a single bad day would be asked for every second."""
    standing = Standing()
    for _ in range(5):
        fail(standing, ApiTimeout("x"), 5)
        standing.worked([day(0)])
    fail(standing, ApiTimeout("x"), 5)
    assert standing.paused_until == 100.0 + 32.0


def test_a_pause_can_be_lifted() -> None:
    """As when the key changed: it may be asked at once, and wants to be."""
    standing = Standing()
    fail(standing, ApiUnauthorized("x"), 0)
    standing.begun(500.0, recent=True)
    standing.lift()
    assert standing.may_ask(100.0)
    assert standing.wants_retry(100.0)


def test_a_failed_day_that_left_the_window_is_forgotten() -> None:
    """The next tick that works then ends the failure."""
    standing = Standing()
    fail(standing, ApiTimeout("x"), 89)
    standing.forget_before(day(88))
    assert standing.failures(day(89)) == 0
    assert refresh(standing, 0, recent=False) is True
