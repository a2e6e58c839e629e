"""One fetch of one report: what reaches the ledger, and what a failure does to the report, the log and the metrics."""

import threading
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from exporter.errors import ApiCursorRefused, ApiShapeChanged, ApiThrottled, ApiUnauthorized, ApiUnavailable
from exporter.refresh.fetcher import Fetcher
from exporter.refresh.health import Health
from exporter.refresh.plan import Fetch
from exporter.telemetry import Telemetry
from tests.bodies import NOW, TODAY, day
from tests.support import MovableTime, matching
from tests.unit.scripted import NAMES, ScriptedApi, ledger, own

pytestmark = pytest.mark.anyio
USAGE = Fetch("claude_code", TODAY, TODAY)
BILLS = Fetch("cost", day(2), TODAY)


@pytest.fixture
def time() -> MovableTime:
    """Return a clock that stands still."""
    return MovableTime(NOW)


@pytest.fixture
def api() -> ScriptedApi:
    """Return an API that works."""
    return ScriptedApi()


@pytest.fixture
def fetcher(time: MovableTime, api: ScriptedApi) -> Iterator[Fetcher]:
    """Yield a fetcher with an empty store."""
    made = Fetcher(api, ledger(), Telemetry(NAMES), time.clock)
    yield made
    made.close()
    made._ledger._store.close()


def days_read(fetcher: Fetcher, report: str) -> set[object]:
    """Return the days of a report that are in the ledger."""
    return set(fetcher._ledger._store.entries(report))


async def test_a_day_counts_as_read_when_its_request_began(
    fetcher: Fetcher, api: ScriptedApi, time: MovableTime
) -> None:
    """An answer may be as old as its request: what changed meanwhile is not in it."""
    api.on_request = lambda _what: time.advance(30)
    await fetcher.fetch_days(BILLS)
    assert fetcher._ledger.read_at()["cost"] == dict.fromkeys([TODAY, day(1), day(2)], NOW)
    assert fetcher.health["cost"].up is True
    assert api.taken() == [f"cost {day(2)} {day(-1)}"]


async def test_the_ledger_is_used_from_one_thread(fetcher: Fetcher) -> None:
    """Its thread has a name, for anyone who looks at a process that hangs."""
    assert await fetcher.in_worker(lambda: threading.current_thread().name) == "ledger_0"
    assert fetcher._worker._max_workers == 1


async def test_a_failure_pauses_the_report_and_is_logged_counted_and_shown(fetcher: Fetcher, api: ScriptedApi) -> None:
    """The message names report and days; the same reason is logged once; the metrics are reset by a recovery."""
    api.errors["cost"] = ApiThrottled("HTTP 429", pause=17.0)
    with capture_logs() as lines:
        await fetcher.fetch_days(BILLS)
        await fetcher.fetch_days(BILLS)
    error = f"cost report for {day(2)} to {TODAY}: HTTP 429"
    assert lines == [
        {
            "event": "report failed",
            "log_level": "warning",
            "report": "cost",
            "reason": "throttled",
            "error": error,
            "retry_in_seconds": 17.0,
        }
    ]
    health, telemetry, labels = fetcher.health["cost"], fetcher._telemetry, {"report": "cost", "reason": "throttled"}
    assert (str(health.error), health.failed_at, health.failed_days()) == (error, NOW, [TODAY, day(1), day(2)])
    assert (fetcher.may_fetch("cost"), fetcher.may_fetch("claude_code")) == (False, True)
    assert own(telemetry, "api_request_failures_total", **labels) == 2
    assert own(telemetry, "report_failing", **labels) == 1
    assert own(telemetry, "report_paused_until_timestamp_seconds", report="cost") == NOW.timestamp() + 17
    api.errors.clear()
    with capture_logs() as lines:
        fetcher.refresh_started(recent=True)
        await fetcher.fetch_days(BILLS)
        fetcher.refresh_ended(recent=True)
    assert lines == [{"event": "report recovered", "log_level": "info", "report": "cost"}]
    assert own(telemetry, "report_failing", **labels) == 0
    assert own(telemetry, "report_paused_until_timestamp_seconds", report="cost") == 0


async def test_the_shown_end_of_a_pause_is_not_in_the_past(
    fetcher: Fetcher, api: ScriptedApi, time: MovableTime
) -> None:
    """A report that still fails and may be retried shows 0."""
    api.errors["cost"] = ApiUnavailable("HTTP 500", pause=10.0)
    await fetcher.fetch_days(BILLS)
    for seconds, until in ((9.5, NOW.timestamp() + 10), (0.5, 0)):
        time.advance(seconds)
        fetcher.refresh_ended(recent=False)
        assert own(fetcher._telemetry, "report_paused_until_timestamp_seconds", report="cost") == until


async def test_pauses_are_spread(fetcher: Fetcher, api: ScriptedApi) -> None:
    """Up to a quarter is added by chance; the log rounds."""
    pauses = set()
    api.errors["cost"] = ApiUnavailable("HTTP 500")
    for _ in range(20):
        fetcher.health["cost"] = Health()
        with capture_logs() as lines:
            await fetcher.fetch_days(BILLS)
        pauses.add(fetcher.health["cost"].paused_until - 1000.0)
        assert lines[0]["retry_in_seconds"] in (1.0, 1.1, 1.2)
    assert len(pauses) > 10
    assert 1 <= min(pauses) < max(pauses) <= 1.25


async def test_an_unreadable_day_fails_alone(fetcher: Fetcher, api: ScriptedApi) -> None:
    """The other days of the answer are taken; the message names the newest bad day and what to do."""
    api.bad_days = {day(1), day(2)}
    with capture_logs() as lines:
        await fetcher.fetch_days(BILLS)
    (line,) = matching(lines, report="cost", reason="shape")
    assert line["error"].startswith(f"cost report for {day(1)}: data[1].")
    assert ". Check ANTHROPIC_BASE_URL; if it is right, " in line["error"]
    assert days_read(fetcher, "cost") == {TODAY}
    assert fetcher.health["cost"].failed_days() == [day(1), day(2)]
    assert own(fetcher._telemetry, "api_request_failures_total", report="cost", reason="shape") == 1
    api.bad_days = ()
    fetcher.refresh_started(recent=True)
    await fetcher.fetch_days(BILLS)
    fetcher.refresh_ended(recent=True)
    assert (fetcher.health["cost"].up, fetcher.health["cost"].failed_days()) == (True, [])


@pytest.mark.parametrize(("age", "works"), [(0, True), (1, False)])
async def test_a_day_that_the_answer_leaves_out_fails_unless_it_is_today(
    fetcher: Fetcher,
    api: ScriptedApi,
    age: int,
    works: bool,  # noqa: FBT001 - a table
) -> None:
    """Today may not be there yet. In both cases the day is not taken as an empty one."""
    api.left_out = {day(age)}
    await fetcher.fetch_days(BILLS)
    assert fetcher.health["cost"].up is works
    assert days_read(fetcher, "cost") == {day(0), day(1), day(2)} - {day(age)}


async def test_an_answer_that_is_not_the_report_takes_no_day(fetcher: Fetcher, api: ScriptedApi) -> None:
    """Every requested day failed."""
    api.left_out = {day(0), day(1), day(2)}
    api.on_request = lambda _what: setattr(api, "_body", lambda *_: b"<html>")
    await fetcher.fetch_days(BILLS)
    assert (days_read(fetcher, "cost"), fetcher.health["cost"].failed_days()) == (set(), [TODAY, day(1), day(2)])


async def test_a_refused_cursor_restarts_the_fetch_once(fetcher: Fetcher, api: ScriptedApi) -> None:
    """It may have expired; each refusal is counted, and a second one is a failure of the days."""
    api.errors["cost"] = ApiCursorRefused("HTTP 410")
    api.on_request = lambda what: api.errors.clear() if len(api.requested) == 2 else what
    await fetcher.fetch_days(BILLS)
    assert (len(api.taken()), days_read(fetcher, "cost")) == (2, {TODAY, day(1), day(2)})
    assert own(fetcher._telemetry, "api_request_failures_total", report="cost", reason="request") == 1
    api.errors["cost"], api.on_request = ApiCursorRefused("HTTP 410"), lambda what: what
    await fetcher.fetch_days(BILLS)
    assert (len(api.taken()), fetcher.health["cost"].up) == (2, False)
    assert own(fetcher._telemetry, "api_request_failures_total", report="cost", reason="request") == 3


async def test_a_defect_pauses_its_report(fetcher: Fetcher, api: ScriptedApi) -> None:
    """It is logged with its traceback, and the report is down."""
    api.errors["claude_code"] = RuntimeError("a defect")
    with capture_logs() as lines:
        await fetcher.fetch_days(USAGE)
    (line,) = matching(lines, log_level="error", report="claude_code", exc_info=True)
    assert line["event"].startswith("report cannot be read because of a defect")
    assert fetcher.health["claude_code"].up is False
    assert not fetcher.may_fetch("claude_code")
    error = fetcher.health["claude_code"].error
    assert isinstance(error, ApiShapeChanged)
    assert str(error).startswith(f"claude_code report for {TODAY}: unexpected RuntimeError. ")


async def test_a_defect_pauses_its_listing(fetcher: Fetcher, api: ScriptedApi) -> None:
    """As that of a report does: the refresh goes on to the reports."""
    api.errors["directory"] = RuntimeError("a bug")
    with capture_logs() as lines:
        await fetcher.fetch_listing(fetcher._ledger.listed.listings["directory"])
    (line,) = matching(lines, log_level="error", report="directory", exc_info=True)
    assert line["event"].startswith("listing cannot be read because of a defect")
    assert not fetcher.may_fetch("directory")
    assert str(fetcher.health["directory"].error).startswith("directory listing: unexpected RuntimeError. ")


async def test_a_changed_key_ends_the_pauses_that_the_old_key_caused(fetcher: Fetcher, api: ScriptedApi) -> None:
    """All of them at once, because the first request makes the new key the one that was sent."""
    api.errors = {"claude_code": ApiUnauthorized("401"), "cost": ApiUnavailable("500", pause=300.0)}
    api.errors["directory"] = api.errors["claude_code"]
    await fetcher.fetch_days(USAGE)
    await fetcher.fetch_days(BILLS)
    await fetcher.fetch_listing(fetcher._ledger.listed.listings["directory"])
    assert [fetcher.may_fetch(name) for name in NAMES] == [False, False, False]
    api.key_differs = True
    assert fetcher.may_fetch("claude_code")
    api.key_differs = False
    assert [fetcher.may_fetch(name) for name in NAMES] == [True, False, True]


async def test_a_listing_is_fetched_daily_and_not_during_its_pause(
    fetcher: Fetcher, api: ScriptedApi, time: MovableTime
) -> None:
    """A failure names it; what was listed before stays."""
    listing = fetcher._ledger.listed.listings["directory"]
    api.errors["directory"] = ApiUnavailable("HTTP 500", pause=60.0)
    await fetcher.fetch_listing(listing)
    assert api.taken() == ["/me"]
    assert str(fetcher.health["directory"].error) == "directory listing: HTTP 500"
    await fetcher.fetch_listing(listing)
    assert api.taken() == []
    api.errors.clear()
    for _ in range(2):
        time.advance(60)
        fetcher.refresh_started(recent=True)
        await fetcher.fetch_listing(listing)
        fetcher.refresh_ended(recent=True)
    assert (api.taken(), fetcher.health["directory"].up) == (["/me", "/workspaces"], True)
    time.advance(24 * 3600)
    await fetcher.fetch_listing(listing)
    assert api.taken() == ["/me", "/workspaces"]


async def test_a_store_that_cannot_be_written_is_logged_once_until_it_works(fetcher: Fetcher) -> None:
    """The days are kept in memory; each failed write is counted; the report is up."""
    database = fetcher._ledger._store._db
    database.execute("PRAGMA query_only = ON")
    with capture_logs() as lines:
        await fetcher.fetch_days(USAGE)
        await fetcher.fetch_days(BILLS)
        assert len(matching(lines, log_level="warning")) == 1
        assert lines[0]["event"].startswith("cannot write to the store")
        assert "readonly" in lines[0]["error"]
        database.execute("PRAGMA query_only = OFF")
        await fetcher.fetch_days(BILLS)
        database.execute("PRAGMA query_only = ON")
        await fetcher.fetch_days(BILLS)
    assert len(lines) == 2
    assert days_read(fetcher, "claude_code") == {TODAY}
    assert fetcher.health["cost"].up is True
    assert own(fetcher._telemetry, "store_failures_total") == 3
