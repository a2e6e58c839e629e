"""One refresh, one at a time, and what happens when it fails: with a source and a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import date, datetime, timedelta

import pytest

from exporter.api.transport import CostDays, Mark, UsageDay
from exporter.days.ledger import Ledger
from exporter.days.store import Store
from exporter.errors import ApiError, ApiShapeChanged, ApiThrottled, ApiUnauthorized, ApiUnavailable, StoreError
from exporter.model import Directory, Organization, Report
from exporter.ports import Clock
from exporter.refresh.refresher import Refresher
from exporter.telemetry import DIRECTORY, Telemetry
from tests.unit.rows import ANA, NOW, TODAY, bill, day, row

pytestmark = pytest.mark.anyio
PATIENCE = 5.0
SESSIONS = "anthropic_claude_code_sessions"


class Time:
    """The time of day and the steady clock, moved together."""

    def __init__(self) -> None:
        self.now, self.monotonic = NOW, 1000.0

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds

    @property
    def clock(self) -> Clock:
        """The clock as the refresher takes it."""
        return Clock(now=lambda: self.now, monotonic=lambda: self.monotonic)


class Script:
    """A source that answers as it is told: errors by report, numbers by day, and a gate that can hold answers up."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.began = asyncio.Event()
        self.errors: dict[str, ApiError] = {}
        self.bad_days: dict[date, ApiShapeChanged] = {}
        self.left_out: set[date] = set()
        self.sessions = 1
        self.new_key = False
        self.gate: asyncio.Event | None = None
        self.before: Callable[[], object] = lambda: None

    async def _answer(self, report: str, what: str) -> None:
        self.asked.append(f"{report} {what}".strip())
        self.began.set()
        self.before()
        if self.gate:
            await self.gate.wait()
        if error := self.errors.get(report):
            raise error

    async def claude_code(self, of: date, known: tuple[Mark, ...] = ()) -> UsageDay:
        """Return a day of one user."""
        await self._answer("claude_code", str(of))
        mark = str(self.sessions), None
        return UsageDay(None if known == (mark,) else [row(ANA, self.sessions)], (mark,))

    async def cost(self, first: date, last: date) -> CostDays:
        """Return a dollar a day."""
        await self._answer("cost", f"{first} {last}")
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        return {of: self.bad_days.get(of, [bill("100")]) for of in days if of not in self.left_out}

    async def directory(self) -> Directory:
        """Return the organisation."""
        await self._answer(DIRECTORY, "")
        return Directory(Organization("o", "Org"), {"default": "default"})

    def key_changed(self) -> bool:
        """Return whether a new key was given."""
        changed, self.new_key = self.new_key, False
        return changed

    def taken(self) -> list[str]:
        """Return what was asked since the last time."""
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def time() -> Time:
    """Return a time that stands."""
    return Time()


@pytest.fixture
def script() -> Script:
    """Return a source that works."""
    return Script()


@pytest.fixture
async def refresher(time: Time, script: Script) -> AsyncIterator[Refresher]:
    """Yield a refresher with a window of three days and an empty store."""
    async for made in running(Store(None), time, script):
        yield made


async def running(store: Store, time: Time, script: Script) -> AsyncIterator[Refresher]:
    """Yield a refresher on a store, and end both."""
    made = Refresher(script, Ledger(store, max_users=10), Telemetry(), time.clock, window_days=3, ttl=60)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
        store.close()


def value(refresher: Refresher, line: str) -> float | None:
    """Return the value of a sample of the page, or None where it is not there."""
    for one in refresher.page.body.decode().splitlines():
        if one.startswith(line):
            return float(one.rpartition(" ")[2])
    return None


def up(refresher: Refresher) -> tuple[float | None, float | None]:
    """Return `anthropic_up` of claude_code and of cost."""
    return value(refresher, 'anthropic_up{report="claude_code"}'), value(refresher, 'anthropic_up{report="cost"}')


FIRST_FILL = [
    "directory",
    f"cost {day(2)} {day(0)}",
    *(f"claude_code {day(age)}" for age in range(3)),
]
WARM = [f"cost {day(1)} {day(0)}", f"claude_code {day(0)}", f"claude_code {day(1)}"]


async def test_before_the_first_scrape_nothing_is_asked(refresher: Refresher, script: Script) -> None:
    """The page has the health families alone, and is not ready."""
    assert script.asked == []
    assert refresher.ready is False
    assert up(refresher) == (None, None)
    assert value(refresher, 'anthropic_report_coverage_ratio{report="cost"}') == 0


async def test_the_first_scrape_fills_the_page(refresher: Refresher, script: Script) -> None:
    """Names, bills, and usage with the newest day first."""
    page = await refresher.scrape(PATIENCE)
    await refresher.settle()
    assert script.taken() == FIRST_FILL
    assert refresher.ready is True
    assert up(refresher) == (1, 1)
    assert page.series > 0
    assert value(refresher, 'anthropic_report_coverage_ratio{report="claude_code"}') == 1


async def test_a_young_page_is_served_at_once(refresher: Refresher, script: Script, time: Time) -> None:
    """And one that is older than its time to live is refreshed with today and yesterday alone."""
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    script.taken()
    time.pass_by(59.9)
    await refresher.scrape(PATIENCE)
    assert script.taken() == []
    time.pass_by(0.1)
    script.sessions = 7
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    assert script.taken() == WARM
    assert value(refresher, f'{SESSIONS}{{date="{TODAY}"}}') == 7


async def test_scrapes_share_a_refresh(refresher: Refresher, script: Script) -> None:
    """However many wait, one asks."""
    script.gate = asyncio.Event()
    scrapes = [asyncio.create_task(refresher.scrape(PATIENCE)) for _ in range(20)]
    await script.began.wait()
    script.gate.set()
    pages = await asyncio.gather(*scrapes)
    await refresher.settle()
    assert len({id(page) for page in pages}) == 1
    assert script.taken() == FIRST_FILL


async def test_a_scrape_does_not_wait_longer_than_it_has_patience(refresher: Refresher, script: Script) -> None:
    """It gets what there is; the refresh goes on, and the next scrape finds its fruits."""
    script.gate = asyncio.Event()
    before = await refresher.scrape(0.0)
    assert before is refresher.page
    script.gate.set()
    await refresher.settle()
    assert script.taken() == FIRST_FILL
    assert refresher.page is not before


async def test_a_scrape_waits_for_the_newest_days_and_not_for_the_fill(
    refresher: Refresher, script: Script, time: Time
) -> None:
    """While the third day is still on its way, the page has the two newest of both reports and no third."""
    gate = asyncio.Event()

    def slowly() -> None:
        script.gate = gate if script.asked[-1] == f"claude_code {day(2)}" else None
        time.pass_by(2)

    script.before = slowly
    await refresher.scrape(PATIENCE)
    assert value(refresher, f'{SESSIONS}{{date="{day(1)}"}}') == 1
    assert value(refresher, f'{SESSIONS}{{date="{day(2)}"}}') is None
    assert value(refresher, 'anthropic_report_coverage_ratio{report="claude_code"}') == pytest.approx(2 / 3)
    gate.set()
    await refresher.settle()
    assert value(refresher, f'{SESSIONS}{{date="{day(2)}"}}') == 1


async def test_a_report_that_fails_keeps_its_numbers_and_the_other_goes_on(
    refresher: Refresher, script: Script, time: Time
) -> None:
    """`anthropic_up` tells which; it recovers by itself when its pause is over."""
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    script.errors["claude_code"], script.sessions = ApiThrottled("429", pause=200.0), 9
    time.pass_by(60)
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    assert up(refresher) == (0, 1)
    assert value(refresher, f'{SESSIONS}{{date="{TODAY}"}}') == 1
    script.errors.clear()
    script.taken()
    time.pass_by(199)
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    assert not [asked for asked in script.taken() if asked.startswith("claude_code")]
    time.pass_by(1)
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    assert up(refresher) == (1, 1)
    assert value(refresher, f'{SESSIONS}{{date="{TODAY}"}}') == 9


async def test_a_scrape_in_a_pause_of_both_is_served_at_once(refresher: Refresher, script: Script, time: Time) -> None:
    """Nothing may be asked, so nothing is waited for, however old the page is."""
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    script.errors = dict.fromkeys(Report, ApiUnavailable("500", pause=3000.0))
    time.pass_by(60)
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    script.taken()
    time.pass_by(2000)
    script.gate = asyncio.Event()
    await refresher.scrape(PATIENCE)
    await refresher.tick()
    assert script.taken() == []


async def test_a_refused_key_is_tried_again_when_it_changed(refresher: Refresher, script: Script, time: Time) -> None:
    """At once, for all that it was refused for, and not before its five minutes otherwise."""
    script.errors = dict.fromkeys([*Report, DIRECTORY], ApiUnauthorized("401"))
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    assert up(refresher) == (0, 0)
    script.taken()
    time.pass_by(100)
    await refresher.scrape(PATIENCE)
    assert script.taken() == []
    script.errors, script.new_key = {}, True
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    assert sorted(script.taken()) == sorted(FIRST_FILL)
    assert up(refresher) == (1, 1)


async def test_a_bad_day_of_bills_spoils_no_other(refresher: Refresher, script: Script) -> None:
    """The others are shown; the report fails, and coverage says how much is missing."""
    script.bad_days[day(1)] = ApiShapeChanged("amount: no number")
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    assert up(refresher) == (1, 0)
    assert value(refresher, f'anthropic_workspace_cost_usd{{date="{day(2)}"') == 1
    assert value(refresher, f'anthropic_workspace_cost_usd{{date="{day(1)}"') is None
    assert str(refresher.standings[Report.COST].error) == f"cost {day(1)}: amount: no number"


@pytest.mark.parametrize(("age", "works"), [(0, 1), (1, 0)])
async def test_a_day_that_is_left_out_is_an_error_unless_it_is_today(
    refresher: Refresher, script: Script, age: int, works: int
) -> None:
    """Today's may not be there yet; it has no series, and is no zero."""
    script.left_out = {day(age)}
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    assert up(refresher)[1] == works
    assert value(refresher, f'anthropic_cost_usd{{date="{day(age)}"') is None


async def test_a_failing_directory_fails_nothing_else(refresher: Refresher, script: Script, time: Time) -> None:
    """Names can wait; they are asked for again with a later refresh."""
    script.errors[DIRECTORY] = ApiUnavailable("500")
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    assert up(refresher) == (1, 1)
    assert value(refresher, "anthropic_organization_info") is None
    script.errors.clear()
    time.pass_by(60)
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    assert value(refresher, "anthropic_organization_info") == 1


class TestTicks:
    """What the schedule does between scrapes."""

    async def test_a_tick_begins_the_first_fill(self, refresher: Refresher, script: Script) -> None:
        """No scrape is needed for it."""
        await refresher.tick()
        await refresher.settle()
        assert script.taken() == FIRST_FILL

    async def test_a_tick_with_nothing_due_asks_nothing(self, refresher: Refresher, script: Script) -> None:
        """Nor one while a refresh runs."""
        script.gate = asyncio.Event()
        await refresher.tick()
        await refresher.tick()
        script.gate.set()
        await refresher.settle()
        script.taken()
        await refresher.tick()
        await refresher.settle()
        assert script.taken() == []

    async def test_a_tick_sweeps_a_settled_day(self, refresher: Refresher, script: Script, time: Time) -> None:
        """When its rest is over: one request, and not today's day."""
        await refresher.tick()
        await refresher.settle()
        script.taken()
        time.pass_by(3600)
        await refresher.tick()
        await refresher.settle()
        assert script.taken() == [f"cost {day(2)} {day(2)}"]


async def test_midnight_moves_the_window(refresher: Refresher, script: Script, time: Time) -> None:
    """The new day is asked for, the oldest is gone from the page and from the store."""
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    time.pass_by(12 * 3600)
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    tomorrow = TODAY + timedelta(days=1)
    assert f"claude_code {tomorrow}" in script.taken()
    assert value(refresher, f'{SESSIONS}{{date="{tomorrow}"}}') == 1
    assert value(refresher, f'{SESSIONS}{{date="{day(2)}"}}') is None
    assert set(refresher._ledger.read_at()[Report.CLAUDE_CODE]) == {tomorrow, day(0), day(1)}


async def test_a_restart_serves_the_stored_days_and_asks_when_they_are_old(time: Time, script: Script) -> None:
    """A young store needs no request."""
    store = Store(None)
    async for first in running(store, time, script):
        await first.scrape(PATIENCE)
        await first.settle()
        script.taken()
        time.pass_by(30)
        again = Refresher(script, Ledger(store, max_users=10), Telemetry(), time.clock, window_days=3, ttl=60)
        await again.start()
        await again.scrape(PATIENCE)
        assert script.taken() == []
        assert value(again, f'{SESSIONS}{{date="{TODAY}"}}') == 1
        time.pass_by(30)
        await again.scrape(PATIENCE)
        await again.settle()
        assert script.taken() == WARM
        await again.stop()


async def test_a_store_that_can_not_be_written_stops_nothing(
    refresher: Refresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers are served from memory, failures are counted, and nothing fails."""
    store = refresher._ledger._store

    def full() -> None:
        raise StoreError("data: database or disk is full")

    monkeypatch.setattr(store, "save", full)
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    assert value(refresher, f'{SESSIONS}{{date="{TODAY}"}}') == 1
    assert up(refresher) == (1, 1)
    failures = refresher._telemetry.registry.get_sample_value("anthropic_exporter_store_failures_total")
    assert failures is not None
    assert failures >= 6


async def test_a_defect_ends_the_refresh_and_not_the_exporter(refresher: Refresher, script: Script, time: Time) -> None:
    """The page stays; the next refresh is tried."""

    def broken() -> None:
        raise RuntimeError("a defect")

    script.before = broken
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    script.before = lambda: None
    time.pass_by(60)
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    assert up(refresher) == (1, 1)


async def test_stopping_lets_everybody_go(time: Time, script: Script) -> None:
    """A scrape that waits gets the page, the refresh is broken off, and none begins after that."""
    script.gate = asyncio.Event()
    async for made in running(Store(None), time, script):
        scrape = asyncio.create_task(made.scrape(3600.0))
        await script.began.wait()
        await made.stop()
        assert await scrape is made.page
        script.taken()
        await made.tick()
        with suppress(RuntimeError):
            await made.scrape(3600.0)
        assert script.taken() == []


async def test_what_is_known_of_failures_is_counted(refresher: Refresher, script: Script, time: Time) -> None:
    """The reason and the end of the pause are metrics; both go with the failure."""
    script.errors["cost"] = ApiThrottled("429", pause=100.0)
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    get = refresher._telemetry.registry.get_sample_value
    failing = {"report": "cost", "reason": "throttled"}
    assert get("anthropic_exporter_report_failing", failing) == 1
    until = get("anthropic_exporter_report_paused_until_timestamp_seconds", {"report": "cost"})
    assert until is not None
    assert datetime.fromtimestamp(until, NOW.tzinfo) == NOW + timedelta(seconds=100)
    script.errors.clear()
    time.pass_by(100)
    await refresher.scrape(PATIENCE)
    await refresher.settle()
    assert get("anthropic_exporter_report_failing", failing) == 0
    assert get("anthropic_exporter_report_paused_until_timestamp_seconds", {"report": "cost"}) == 0
