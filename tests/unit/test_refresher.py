"""When a refresh starts, what it fetches, and who waits for it: with an API and a clock that the test moves."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import date, timedelta
from itertools import groupby
from typing import Any, TypeVar

import pytest
from structlog.testing import capture_logs

from exporter.days import kept_page
from exporter.days.store import Store
from exporter.errors import ApiUnauthorized, ApiUnavailable
from exporter.exposition.page import Page
from exporter.refresh import publisher
from exporter.refresh.pace import Pace
from exporter.refresh.refresher import Refresher
from exporter.telemetry import Telemetry
from tests.bodies import NOW, TODAY, day
from tests.support import MovableTime, matching
from tests.unit.scripted import NAMES, REPORTS, ScriptedApi, ledger, own

T = TypeVar("T")
pytestmark = pytest.mark.anyio
FOREVER = 1e6
TOMORROW = day(-1)
FIRST_FILL = [
    *("/me", "/workspaces"),
    f"cost {day(2)} {TOMORROW}",
    *(f"claude_code {day(age)}" for age in range(3)),
]
WARM = [f"cost {day(1)} {TOMORROW}", f"claude_code {TODAY}", f"claude_code {day(1)}"]


@pytest.fixture
def time() -> MovableTime:
    """Return a clock that stands still."""
    return MovableTime(NOW)


@pytest.fixture
def api() -> ScriptedApi:
    """Return an API that works."""
    return ScriptedApi()


LIMITS = {"window_days": 3, "max_series_warn": 100_000}


@asynccontextmanager
async def running(
    store: Store, time: MovableTime, api: ScriptedApi, *, requests_per_minute: int = 60, **changes: int
) -> AsyncIterator[Refresher]:
    """Yield a refresher that was started on a store, and stop it. `changes` are of its limits."""
    pace, limits = Pace(ttl=60, requests_per_minute=requests_per_minute), LIMITS | changes
    made = Refresher(api, ledger(store), Telemetry(NAMES), time.clock, pace=pace, **limits)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


@pytest.fixture
async def refresher(time: MovableTime, api: ScriptedApi) -> AsyncIterator[Refresher]:
    """Yield a refresher with a window of three days and an empty store."""
    store = Store(None)
    async with running(store, time, api) as made:
        yield made
    store.close()


async def scrape(refresher: Refresher) -> Page:
    """Scrape with all the patience in the world; a scrape that would wait for nothing fails."""
    async with asyncio.timeout(5):
        return await refresher.scrape(FOREVER)


async def refreshed(refresher: Refresher) -> None:
    """Scrape, and let the refresh end."""
    await scrape(refresher)
    async with asyncio.timeout(5):
        await refresher.settle()


async def ticked(refresher: Refresher) -> None:
    """Tick, and let the refresh end."""
    await refresher.tick()
    async with asyncio.timeout(5):
        await refresher.settle()


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that never waits; fail if it does."""
    try:
        coroutine.send(None)
    except StopIteration as returned:
        result: T = returned.value
        return result
    coroutine.close()
    raise AssertionError("it waits")


def up(refresher: Refresher) -> list[bool | None]:
    """Return `anthropic_up` of each report on the page."""
    return [refresher.published.health[report].up for report in REPORTS]


def read(refresher: Refresher) -> list[int]:
    """Return how many days of the window were read, of each report on the page."""
    return [refresher.published.health[report].days_read for report in REPORTS]


def shown(refresher: Refresher, sample: str) -> float | None:
    """Return the value of a sample of the page, or None where it is missing."""
    for line in refresher.page.body.decode().splitlines():
        if line.startswith(f"{sample} "):
            return float(line.rpartition(" ")[2])
    return None


def sessions(refresher: Refresher, age: int) -> float | None:
    """Return the sessions of a day as the page shows them."""
    return shown(refresher, f'anthropic_claude_code_sessions{{date="{day(age)}"}}')


async def test_a_start_makes_no_request(refresher: Refresher, api: ScriptedApi) -> None:
    """The page says that nothing was read, and is not ready."""
    assert api.taken() == []
    assert (refresher.ready, up(refresher), read(refresher)) == (False, [None, None], [0, 0])


@pytest.mark.parametrize("begin", [refreshed, ticked])
async def test_the_first_refresh_reads_everything(refresher: Refresher, api: ScriptedApi, begin: Any) -> None:  # noqa: ANN401 - a coroutine function
    """Whether a scrape or a tick starts it: names, the report with the fewest requests, newest days first."""
    await begin(refresher)
    assert api.taken() == FIRST_FILL
    assert (refresher.ready, up(refresher), read(refresher)) == (True, [True, True], [3, 3])
    assert shown(refresher, 'anthropic_organization_info{organization_id="o",organization_name="Org"}') == 1
    assert api.most_at_once == 1


async def test_a_page_is_served_at_once_until_its_time_to_live_ends(
    refresher: Refresher, api: ScriptedApi, time: MovableTime
) -> None:
    """An older one is refreshed first, with today and yesterday only."""
    await refreshed(refresher)
    api.taken()
    time.advance(59.9)
    assert at_once(refresher.scrape(FOREVER)) is refresher.page
    assert api.taken() == []
    time.advance(0.1)
    api.sessions = 7
    await scrape(refresher)
    assert sessions(refresher, 0) == 7
    await refresher.settle()
    assert api.taken() == WARM


async def test_scrapes_share_one_refresh(refresher: Refresher, api: ScriptedApi) -> None:
    """However many wait; a tick does not start a second one."""
    api.gate.clear()
    scrapes = [asyncio.create_task(scrape(refresher)) for _ in range(20)]
    await api.waiting.wait()
    await refresher.tick()
    api.gate.set()
    assert {id(page) for page in await asyncio.gather(*scrapes)} == {id(refresher.page)}
    await refresher.settle()
    assert (api.taken(), api.most_at_once) == (FIRST_FILL, 1)


@pytest.mark.parametrize("patience", [0.0, -1.0])
async def test_a_scrape_waits_no_longer_than_its_patience(
    refresher: Refresher, api: ScriptedApi, patience: float
) -> None:
    """It gets the page as it is; the refresh continues for the next scrape."""
    api.gate.clear()
    before = refresher.page
    async with asyncio.timeout(5):
        assert await refresher.scrape(patience) is before
    api.gate.set()
    await refresher.settle()
    assert (api.taken(), read(refresher)) == (FIRST_FILL, [3, 3])


@pytest.mark.parametrize("held_back", [f"claude_code {day(2)}", f"claude_code {day(1)}"])
async def test_a_scrape_waits_for_recent_days_and_not_for_the_whole_fill(
    refresher: Refresher, api: ScriptedApi, time: MovableTime, held_back: str
) -> None:
    """It returns while day 2 is being fetched, with today and yesterday of both reports; not while yesterday is."""
    reached = asyncio.Event()

    def slowly(what: str) -> None:
        time.advance(2)
        if what == held_back:
            api.gate.clear()
            reached.set()

    api.on_request = slowly
    scraping = asyncio.create_task(scrape(refresher))
    await reached.wait()
    if held_back.endswith(str(day(2))):
        await scraping
        assert [sessions(refresher, age) for age in range(3)] == [1, 1, None]
        assert (up(refresher), read(refresher)) == ([True, True], [2, 3])
        assert at_once(refresher.scrape(FOREVER)) is refresher.page
    else:
        for _ in range(10):
            await asyncio.sleep(0)
        assert not scraping.done()
    api.gate.set()
    await scraping
    await refresher.settle()
    assert sessions(refresher, 2) == 1


async def test_a_page_that_takes_long_is_published_less_often(
    refresher: Refresher, api: ScriptedApi, time: MovableTime
) -> None:
    """Ten times as long as it took passes before the next one, so that a fill is not spent on rendering.

    The last one follows the refresh.
    """
    pages: list[int] = []
    view = refresher.ledger.shown["cost"].view
    changes = view.changes

    def slowly(*arguments: object) -> object:
        pages.append(len(api.requested))
        time.advance(0.5)
        return changes(*arguments)

    view.changes = slowly
    api.on_request = lambda _: time.advance(2)
    await refreshed(refresher)
    assert pages == [3, 6, 6]


async def test_a_refresh_publishes_at_most_once_a_second(
    refresher: Refresher, api: ScriptedApi, time: MovableTime
) -> None:
    """Rendering after each of 90 days would cost more than reading them."""
    pages = []

    def quickly(_what: str) -> None:
        time.advance(0.5)
        pages.append(refresher.page)

    api.on_request = quickly
    await refreshed(refresher)
    assert [len(list(same)) for _, same in groupby(pages, id)] == [3, 2, 1]
    assert own(refresher._telemetry, "refresh_duration_seconds") == 3
    assert own(refresher._telemetry, "page_timestamp_seconds") == time.at.timestamp()
    assert own(refresher._telemetry, "page_bytes") == len(refresher.page.body)
    assert own(refresher._telemetry, "page_series") == refresher.page.series


@pytest.mark.parametrize("report", REPORTS)
async def test_a_failing_report_keeps_its_numbers_and_the_other_continues(
    refresher: Refresher, api: ScriptedApi, time: MovableTime, report: str
) -> None:
    """It is not requested during its pause, and retried by the first scrape after it, however young the page is."""
    await refreshed(refresher)
    api.errors[report] = ApiUnavailable("500", pause=90.0)
    time.advance(60)
    await refreshed(refresher)
    assert (up(refresher), read(refresher)) == ([one != report for one in REPORTS], [3, 3])
    api.errors.clear()
    api.taken()
    time.advance(61)
    await refreshed(refresher)
    assert api.taken() == [what for what in WARM if not what.startswith(report)]
    time.advance(29)
    await refreshed(refresher)
    assert sorted(api.taken()) == sorted(WARM)
    assert up(refresher) == [True, True]


async def test_a_paused_report_does_not_stop_those_after_it(
    refresher: Refresher, api: ScriptedApi, time: MovableTime
) -> None:
    """Whatever its place in the plan: here first, since its recent days have not failed."""
    await refreshed(refresher)
    error = ApiUnavailable("500", pause=90.0)
    refresher.health["cost"].failed(error, [day(2)], now=NOW, monotonic=time.seconds, jitter=0)
    api.taken()
    time.advance(60)
    await refreshed(refresher)
    assert api.taken() == WARM[1:]


async def test_a_scrape_during_a_pause_of_all_reports_is_served_at_once(
    refresher: Refresher, api: ScriptedApi, time: MovableTime
) -> None:
    """Nothing may be fetched, so there is nothing to wait for, however old the page is."""
    await refreshed(refresher)
    api.errors = dict.fromkeys(REPORTS, ApiUnavailable("500", pause=3000.0))
    time.advance(60)
    await refreshed(refresher)
    api.taken()
    time.advance(2000)
    assert at_once(refresher.scrape(FOREVER)) is refresher.page
    await ticked(refresher)
    assert api.taken() == []
    assert up(refresher) == [False, False]


async def test_a_changed_key_is_tried_by_the_next_scrape(
    refresher: Refresher, api: ScriptedApi, time: MovableTime
) -> None:
    """For everything that the old key was refused for."""
    api.errors = dict.fromkeys(NAMES, ApiUnauthorized("401"))
    await refreshed(refresher)
    assert up(refresher) == [False, False]
    api.taken()
    time.advance(100)
    at_once(refresher.scrape(FOREVER))
    api.errors, api.key_differs = {}, True
    await refreshed(refresher)
    assert sorted(api.taken()) == sorted(FIRST_FILL)
    assert up(refresher) == [True, True]


async def test_each_refresh_retries_one_failed_day(refresher: Refresher, api: ScriptedApi, time: MovableTime) -> None:
    """So that `anthropic_up` covers it, also when the other report's request covers the same date."""
    await refreshed(refresher)
    time.advance(3600)
    await ticked(refresher)  # fetches day 2 of cost, which is then due ten minutes before that of claude_code
    time.advance(600)
    await refreshed(refresher)
    time.advance(3000)
    api.taken()
    refresher.health["claude_code"].failed(ApiUnavailable("500"), [day(2)], now=NOW, monotonic=0, jitter=0)
    await refreshed(refresher)
    assert api.taken() == [f"cost {day(2)} {TOMORROW}", *WARM[1:], f"claude_code {day(2)}"]
    assert up(refresher) == [True, True]
    time.advance(60)
    await refreshed(refresher)
    assert api.taken() == WARM


class TestTicks:
    """What is fetched between scrapes."""

    async def test_a_tick_with_nothing_due_makes_no_request(
        self, refresher: Refresher, api: ScriptedApi, time: MovableTime
    ) -> None:
        """Today and yesterday wait for the next scrape."""
        await ticked(refresher)
        api.taken()
        time.advance(3599)
        before = refresher.page
        await ticked(refresher)
        assert api.taken() == []
        assert refresher.page is before

    async def test_a_tick_fetches_a_settled_day_and_does_not_make_the_page_fresh(
        self, refresher: Refresher, api: ScriptedApi, time: MovableTime
    ) -> None:
        """One request; the next scrape still reads today and yesterday."""
        await ticked(refresher)
        api.taken()
        time.advance(3600)
        await ticked(refresher)
        assert api.taken() == [f"cost {day(2)} {day(1)}"]
        await refreshed(refresher)
        assert api.taken() == [*WARM, f"claude_code {day(2)}"]

    async def test_a_scrape_that_meets_a_tick_gets_a_refresh_of_its_own(
        self, refresher: Refresher, api: ScriptedApi, time: MovableTime
    ) -> None:
        """It waits for both, one after the other."""
        await ticked(refresher)
        api.taken()
        time.advance(3600)
        api.gate.clear()
        await refresher.tick()
        scraping = asyncio.create_task(scrape(refresher))
        await asyncio.sleep(0)
        api.gate.set()
        await scraping
        await refresher.settle()
        assert (api.taken()[1:], api.most_at_once) == ([*WARM, f"claude_code {day(2)}"], 1)


async def test_a_page_with_many_series_is_logged_once(time: MovableTime, api: ScriptedApi) -> None:
    """Not at each refresh; the page has all its series."""
    store = Store(None)
    with capture_logs() as lines:
        async with running(store, time, api, max_series_warn=10) as refresher:
            for _ in range(3):
                time.advance(61)
                await refreshed(refresher)
            assert refresher.page.series > 10
    store.close()
    (line,) = [line for line in lines if "EXPORTER_MAX_SERIES_WARN" in line["event"]]
    assert line["limit"] == 10


async def test_midnight_moves_the_window(refresher: Refresher, api: ScriptedApi, time: MovableTime) -> None:
    """The new day is fetched, and the oldest leaves page, store and failures."""
    await refreshed(refresher)
    api.taken()
    refresher.health["cost"].failed(ApiUnavailable("500"), [day(2)], now=NOW, monotonic=0, jitter=0)
    time.advance(12 * 3600)
    await refreshed(refresher)
    requested = api.taken()
    assert f"claude_code {TOMORROW}" in requested
    assert f"cost {day(2)} {day(1)}" not in requested
    assert [sessions(refresher, age) for age in (-1, 0, 1, 2)] == [1, 1, 1, None]
    assert set(refresher.ledger.read_at()["claude_code"]) == {TOMORROW, day(0), day(1)}
    assert refresher.health["cost"].failed_days() == []


async def test_days_before_the_window_are_kept_until_today_is_read(
    refresher: Refresher, api: ScriptedApi, time: MovableTime
) -> None:
    """A clock that jumps ahead does not empty the store."""
    await refreshed(refresher)
    api.errors["claude_code"] = ApiUnavailable("500")
    time.advance(5 * 24 * 3600)
    await refreshed(refresher)
    assert set(refresher.ledger.read_at()["claude_code"]) == {day(0), day(1), day(2)}


async def test_a_restart_serves_the_stored_days_until_they_are_old(time: MovableTime, api: ScriptedApi) -> None:
    """The age of today's data continues over the restart; the health of a report starts again."""
    store = Store(None)
    async with running(store, time, api) as first:
        await refreshed(first)
    api.taken()
    time.advance(30)
    async with running(store, time, api) as second:
        at_once(second.scrape(FOREVER))
        await ticked(second)
        assert (api.taken(), sessions(second, 0), read(second), up(second)) == ([], 1, [3, 3], [None, None])
        time.advance(30)
        await refreshed(second)
        assert (api.taken(), up(second)) == (WARM, [True, True])
    store.close()


@pytest.mark.parametrize("hours", [12, -1])
async def test_a_restart_reads_recent_days_at_once_when_they_are_missing_or_from_the_future(
    time: MovableTime, api: ScriptedApi, hours: int
) -> None:
    """After midnight today is missing; after the clock was set back, the age of what is stored is unknown."""
    store = Store(None)
    async with running(store, time, api) as first:
        await refreshed(first)
    api.taken()
    time.step(timedelta(hours=hours))
    async with running(store, time, api) as second:
        await ticked(second)
        today = time.at.date()
        assert {f"claude_code {today}", f"claude_code {today - (TODAY - day(1))}"} <= set(api.taken())
    store.close()


async def test_a_window_of_one_day(time: MovableTime, api: ScriptedApi) -> None:
    """Yesterday is neither fetched nor missed."""
    store = Store(None)
    async with running(store, time, api, window_days=1) as first:
        await refreshed(first)
        assert api.taken()[2:] == [f"cost {TODAY} {TOMORROW}", f"claude_code {TODAY}"]
    async with running(store, time, api, window_days=1) as second:
        at_once(second.scrape(FOREVER))
    store.close()


async def test_an_unexpected_error_ends_the_refresh_and_not_the_exporter(
    refresher: Refresher, api: ScriptedApi, time: MovableTime
) -> None:
    """It is logged, waiting scrapes get the page, and the next refresh starts when the page is old, not at once."""

    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    refresher.ledger.shown["cost"].view.changes = broken
    before = refresher.page
    with capture_logs() as lines:
        assert await scrape(refresher) is before
    (line,) = matching(lines, log_level="error", exc_info=True)
    assert line["event"].startswith("refresh failed unexpectedly")
    assert at_once(refresher.scrape(FOREVER)) is before
    time.advance(60)
    await refreshed(refresher)
    assert up(refresher) == [True, True]


@pytest.mark.parametrize("released_first", [True, False])
async def test_stopping_cancels_the_refresh_and_releases_scrapes(
    time: MovableTime,
    api: ScriptedApi,
    released_first: bool,  # noqa: FBT001 - a table
) -> None:
    """A waiting scrape gets the page, the request is cancelled, and no refresh starts afterwards."""
    async with running(Store(None), time, api) as made:
        api.gate.clear()
        scraping = asyncio.create_task(scrape(made))
        await api.waiting.wait()
        if released_first:
            made.release_scrapes()
            assert await scraping is made.page
        await made.stop()
        assert await scraping is made.page
        assert (api.at_once, len(api.taken())) == (0, 1)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("ledger")]
        api.gate.set()
        await ticked(made)
        assert at_once(made.scrape(FOREVER)) is made.page
        assert api.taken() == []
        made.ledger._store.close()


class TestKeptPage:
    """The page of the last run is served while the stored days are added up."""

    @asynccontextmanager
    async def restarted(self, time: MovableTime, api: ScriptedApi) -> AsyncIterator[Refresher]:
        """Yield a refresher that was started on the store of another, a minute later, and has not added up anything."""
        store = Store(None)
        async with running(store, time, api) as first:
            await refreshed(first)
        time.advance(60)
        api.taken()
        async with running(store, time, api) as second:
            yield second
        store.close()

    async def test_is_that_of_the_stored_days(self, time: MovableTime, api: ScriptedApi) -> None:
        """It is replaced by an equal one; reports were not tried yet, and it is ready at once."""
        async with self.restarted(time, api) as again:
            kept = again.published
            assert (again.ready, up(again), read(again), sessions(again, 0)) == (True, [None, None], [3, 3], 1)
            await again.loaded()
            assert again.published is not kept
            assert again.published == kept

    async def test_a_refresh_waits_for_the_stored_days(self, time: MovableTime, api: ScriptedApi) -> None:
        """Which it changes then: what a scrape gets is right."""
        async with self.restarted(time, api) as again:
            api.sessions = 5
            await refreshed(again)
            assert [sessions(again, age) for age in range(3)] == [5, 5, 1]
            assert set(WARM) <= set(api.taken())

    async def test_a_refresh_reads_a_day_that_turns_out_to_be_damaged(
        self, time: MovableTime, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is planned when the stored days are added up, and not while the damaged one still counts as read."""
        rows = Store.rows
        async with self.restarted(time, api) as again:
            monkeypatch.setattr(Store, "rows", lambda *of: b"" if of[2] == day(2) else rows(*of))
            await refreshed(again)
            assert read(again) == [3, 3]
            assert f"cost {day(2)} {TOMORROW}" in api.taken()

    async def test_is_kept_while_a_fill_runs(self, time: MovableTime, api: ScriptedApi) -> None:
        """A process that ends in the middle has the days that it has published."""
        reached = asyncio.Event()

        def slowly(what: str) -> None:
            time.advance(2)
            if what == f"claude_code {day(2)}":
                api.gate.clear()
                reached.set()

        api.on_request = slowly
        store = Store(None)
        async with running(store, time, api) as first:
            await first.tick()
            await reached.wait()
            kept = first.published
        async with running(store, time, api) as second:
            assert second._publisher._loading
            assert not second._publisher._loading.done()
            assert second.page.numbers == kept.page.numbers
            assert (read(second), sessions(second, 1)) == ([2, 3], 1)
        store.close()

    async def test_whatever_needs_the_sums_waits(self, time: MovableTime, api: ScriptedApi) -> None:
        """It runs in the worker thread, after them: so are the numbers of the page for people computed."""
        async with self.restarted(time, api) as again:
            await asyncio.sleep(0)  # as before any request
            usage = again.ledger.shown["claude_code"]
            assert await again.in_worker(lambda: sorted(usage.view.by_day.sums)) == [day(age) for age in (2, 1, 0)]

    async def test_a_stop_in_between_leaves_nothing_behind(self, time: MovableTime, api: ScriptedApi) -> None:
        """Not even the worker thread."""
        async with self.restarted(time, api) as again:
            await again.stop()
            assert not [thread for thread in threading.enumerate() if thread.name.startswith("ledger")]

    async def test_stays_when_the_days_cannot_be_added_up(self, time: MovableTime, api: ScriptedApi) -> None:
        """A defect, which is logged: the numbers are right, and the next refresh tries again."""

        def broken(*_: object) -> None:
            raise RuntimeError("a defect")

        async with self.restarted(time, api) as again:
            again.ledger.shown["cost"].view.changes = broken
            kept = again.published
            with capture_logs() as lines:
                await again.loaded()
            assert again.published is kept
            await refreshed(again)
            assert (up(again), read(again)) == ([True, True], [3, 3])
        (line,) = matching(lines, log_level="error", exc_info=True)
        assert line["event"].startswith("stored days cannot be added up")


class TestStoredDaysThatTakeLong:
    """The first start after an upgrade adds up every day: more than a minute for 100,000 users."""

    @pytest.fixture
    def disk(self, monkeypatch: pytest.MonkeyPatch) -> "Disk":
        """Return the disk of every store."""
        return Disk(monkeypatch)

    @asynccontextmanager
    async def upgraded(
        self, time: MovableTime, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch, disk: "Disk"
    ) -> AsyncIterator[Refresher]:
        """Yield a refresher of another release than the one that filled its store; it waits for the disk."""
        store = Store(None)
        async with running(store, time, api) as first:
            await refreshed(first)
        api.taken()
        monkeypatch.setattr(kept_page, "__version__", "99")
        monkeypatch.setattr(publisher, "START_PATIENCE", 0)
        disk.hold_back()
        async with running(store, time, api) as second:
            yield second
        store.close()

    async def test_leave_a_page_without_numbers(
        self, time: MovableTime, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch, disk: "Disk"
    ) -> None:
        """It says that no day is shown, and is not ready; a line says why. The numbers follow without a request."""
        with capture_logs() as lines:
            async with self.upgraded(time, api, monkeypatch, disk) as again:
                assert (again.ready, up(again), read(again)) == (False, [None, None], [0, 0])
                samples = [line for line in again.page.body.splitlines() if not line.startswith(b"#")]
                of = {line.partition(b"{")[0] for line in samples}
                assert of == {b"anthropic_report_coverage_ratio", b"anthropic_report_source_info"}
                disk.gate.set()
                await again.loaded()
                assert (again.ready, read(again), sessions(again, 2), api.taken()) == (True, [3, 3], 1, [])
        assert [line["event"] for line in lines if not line["event"].startswith("fill")] == [
            "adding up the stored days: the page has no numbers until this is done",
            *["loaded from the store"] * 2,
        ]

    async def test_a_scrape_waits_for_them(
        self, time: MovableTime, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch, disk: "Disk"
    ) -> None:
        """As long as for a refresh, and gets them."""
        async with self.upgraded(time, api, monkeypatch, disk) as again:
            assert await again.scrape(-1) is again.page
            assert read(again) == [0, 0]
            scraping = asyncio.create_task(scrape(again))
            disk.gate.set()
            assert await scraping is again.page
            assert read(again) == [3, 3]

    async def test_a_stop_waits_for_one_of_them(
        self, time: MovableTime, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch, disk: "Disk"
    ) -> None:
        """Which is being read, and not for the others."""
        async with self.upgraded(time, api, monkeypatch, disk) as again:
            await asyncio.to_thread(disk.asked.wait, 5)
            stopping = asyncio.create_task(again.stop())
            await asyncio.sleep(0)
            disk.gate.set()
            await stopping
            assert (disk.reads, read(again)) == (1, [0, 0])
            at_once(again.loaded())


class Disk:
    """Gives the rows of stored days while its gate is open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate, self.asked, self.reads = threading.Event(), threading.Event(), 0
        self.gate.set()
        rows = Store.rows

        def read(store: Store, report: str, day: date) -> bytes:
            self.reads += 1
            self.asked.set()
            self.gate.wait(5)
            return rows(store, report, day)

        monkeypatch.setattr(Store, "rows", read)

    def hold_back(self) -> None:
        """Close the gate, and count from now on."""
        self.gate.clear()
        self.asked.clear()
        self.reads = 0


class TestPace:
    """Where a refresh needs more requests than fit into a quarter of a minute: here 2, of 8 a minute."""

    @pytest.fixture
    async def refresher(self, time: MovableTime, api: ScriptedApi) -> AsyncIterator[Refresher]:
        """Yield a refresher that has filled a window of four days, and been scraped once more."""
        store = Store(None)
        async with running(store, time, api, window_days=4, requests_per_minute=8) as made:
            await refreshed(made)
            time.advance(150)
            await refreshed(made)
            api.taken()
            yield made
        store.close()

    async def test_the_interval_grows_and_is_shown(self, refresher: Refresher) -> None:
        """Three requests of a quarter of 8 a minute are 90 seconds."""
        assert refresher.interval == own(refresher._telemetry, "refresh_interval_seconds") == 90

    async def test_a_scrape_never_waits(self, refresher: Refresher, api: ScriptedApi, time: MovableTime) -> None:
        """It is served at once before the interval has passed, when it starts the refresh, and while that runs."""
        page = refresher.page
        api.gate.clear()
        for seconds in (60, 29.9, 0.1, 9):
            time.advance(seconds)
            assert at_once(refresher.scrape(FOREVER)) is page
            await asyncio.sleep(0)
        api.gate.set()
        await refresher.settle()
        assert api.taken() == WARM

    async def test_the_schedule_refreshes_for_a_scrape_that_did_not_wait(
        self, refresher: Refresher, api: ScriptedApi, time: MovableTime
    ) -> None:
        """As soon as the interval has passed, once; without a scrape it does not."""
        time.advance(90)
        await ticked(refresher)
        assert api.taken() == []
        at_once(refresher.scrape(FOREVER))
        await refresher.settle()
        api.taken()
        time.advance(60)
        at_once(refresher.scrape(FOREVER))
        await ticked(refresher)
        assert api.taken() == []
        time.advance(30)
        await ticked(refresher)
        assert api.taken() == WARM
        time.advance(600)
        await ticked(refresher)
        assert api.taken() == []

    async def test_settled_days_wait_for_the_refresh_that_a_scrape_wants(
        self, refresher: Refresher, api: ScriptedApi, time: MovableTime
    ) -> None:
        """It takes one along. When nobody scrapes, the schedule fetches them."""
        time.advance(3600)
        at_once(refresher.scrape(FOREVER))
        await refresher.settle()
        assert api.taken() == [f"cost {day(3)} {TOMORROW}", *WARM[1:], f"claude_code {day(3)}"]
        time.advance(60)
        at_once(refresher.scrape(FOREVER))
        await ticked(refresher)
        assert api.taken() == []
        time.advance(60)
        await ticked(refresher)
        assert api.taken() == [*WARM, f"claude_code {day(2)}"]

    async def test_a_fill_is_not_spread_and_what_follows_is(
        self, refresher: Refresher, api: ScriptedApi, time: MovableTime
    ) -> None:
        """Nor does a fill lengthen the interval: names, recent days and one that was not complete are 6 requests of 7.

        A new day at midnight is no fill.
        """
        steady: list[bool] = []
        api.on_request = lambda _what: steady.append(api.steady)
        for passed, spread, interval in (
            (90, True, 90),
            (12 * 3600, True, 120),
            (3 * 24 * 3600, False, 180),
            (180, True, 90),
        ):
            time.advance(passed)
            at_once(refresher.scrape(FOREVER))
            await refresher.settle()
            assert (set(steady), refresher.interval) == ({spread}, interval)
            steady.clear()


async def test_a_fill_is_interrupted_when_a_scrape_wants_a_refresh(time: MovableTime, api: ScriptedApi) -> None:
    """Today and yesterday are read again each minute while the older days of a long fill are read."""
    store = Store(None)
    async with running(store, time, api, window_days=90) as made:
        again: list[asyncio.Task[Page]] = []

        def slowly(_what: str) -> None:
            time.advance(1.2)
            if len(api.requested) == 70:
                again.append(asyncio.create_task(scrape(made)))

        api.on_request = slowly
        await refreshed(made)
        await asyncio.gather(*again)
        await made.settle()
        requested = api.taken()
        assert requested.count(f"claude_code {TODAY}") == 2
        assert requested.index(f"claude_code {TODAY}", 10) in (71, 72)
        assert len(requested) == 2 + 3 + 90 + len(WARM)
        assert read(made) == [90, 90]
    store.close()
