"""Time that goes wrong: steps of the machine's clock, midnight and the end of the window in mid-refresh."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.demo.organization import Organization
from exporter.model import Window
from tests.support import DAY, TODAY, MovableTime, api_of, dates_of

pytestmark = pytest.mark.anyio
LATE = datetime(2026, 11, 19, 23, 59, tzinfo=UTC)


@pytest.mark.parametrize("report", ["claude_code", "cost"])
async def test_midnight_during_a_refresh(tmp_path: Path, report: str) -> None:
    """The day changes while an answer is under way: the window moves, nothing is lost or shown twice."""
    time = MovableTime(LATE)
    async with api_of(Organization(TODAY, people=6), time, exporter_window_days=5) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            fault = api.faults.add(kind="hang", path={"cost": "cost_report"}.get(report, report), times=1)
            time.advance(30)
            exporter.refresher._pace.fresh_at = -float("inf")
            await exporter.refresher.scrape(0.05)
            await fault.begun.wait()
            time.advance(timedelta(minutes=5))
            api.faults.clear()
            await exporter.refresher.settle()
            assert TODAY - 5 * DAY not in dates_of(exporter.shown(), "anthropic_claude_code_sessions")
            await exporter.fill()
            await exporter.scrape_later()
            assert api.wrong(exporter) == []
        async with api.exporter(tmp_path) as exporter:
            assert api.wrong(exporter) == []


async def test_midnight_between_the_page_and_the_pruning() -> None:
    """The oldest day of the page is kept until the page is without it: the sums per user need it once more."""
    organization, time = Organization(TODAY, people=6), MovableTime(LATE)
    async with api_of(organization, time, exporter_window_days=3) as api, api.exporter(None) as exporter:
        await exporter.fill()
        ledger = exporter.refresher.ledger
        before, after = Window(TODAY - DAY, 3), Window(TODAY, 3)
        ledger.publish(before, dict.fromkeys(ledger.reports))
        ledger.prune(after)
        await exporter.scrape_later(120)
        await exporter.fill()
        await exporter.scrape_later()
        assert api.wrong(exporter) == []


async def test_a_day_leaves_the_window_during_the_first_fill(tmp_path: Path) -> None:
    """The oldest day is asked for last; when it is out of the window by then, it is not shown and not kept."""
    time = MovableTime(LATE)
    organization, oldest = Organization(TODAY, people=6), TODAY - 4 * DAY
    async with api_of(organization, time, exporter_window_days=4) as api, api.exporter(tmp_path) as exporter:
        fault = api.faults.add(kind="hang", path="claude_code", dates={oldest}, times=1)
        await exporter.refresher.tick()
        await fault.begun.wait()
        time.advance(timedelta(minutes=5))
        api.faults.clear()
        await exporter.refresher.settle()
        await exporter.fill()
        await exporter.scrape_later()
        assert api.wrong(exporter) == []
        assert oldest not in exporter.store.entries("claude_code")


@pytest.mark.parametrize("step", [timedelta(hours=-3), -DAY, -40 * DAY, timedelta(hours=3), DAY, 40 * DAY, 4000 * DAY])
async def test_a_step_of_the_clock_and_back(tmp_path: Path, step: timedelta) -> None:
    """The machine's clock jumps and is set right again: afterwards all numbers are right, as if nothing had been."""
    truth, clock = MovableTime(), MovableTime()

    async def a_minute_later() -> None:
        truth.advance(61)
        await exporter.scrape_later()
        await exporter.fill()

    async with api_of(Organization(TODAY, people=6), truth, exporter_window_days=5) as api:
        async with api.exporter(tmp_path, clock) as exporter:
            await exporter.fill()
            clock.step(step)
            for _ in range(3):
                await a_minute_later()
            window = dates_of(exporter.shown(), "anthropic_date_timestamp_seconds")
            assert window == {clock.now().date() - age * DAY for age in range(5)}
            clock.step(-step)
            for _ in range(3):
                await a_minute_later()
            assert api.wrong(exporter) == []
            assert exporter.health("up", "claude_code") == exporter.health("up", "cost") == 1
        async with api.exporter(tmp_path) as exporter:
            assert api.wrong(exporter) == []


async def test_a_wrong_clock_at_the_start(tmp_path: Path) -> None:
    """A machine that starts in 1970 shows empty days of 1970, forgets nothing, and is right when its clock is."""
    truth, clock = MovableTime(), MovableTime(datetime(1970, 1, 2, tzinfo=UTC))
    async with api_of(Organization(TODAY, people=6), truth, exporter_window_days=5) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
        api.log.clear()
        async with api.exporter(tmp_path, clock) as exporter:
            await exporter.fill()
            clock.step(truth.now() - clock.now())
            truth.advance(61)
            api.log.clear()
            await exporter.scrape_later()
            assert api.wrong(exporter) == []
            assert len(api.log) <= 4 + 4  # names too
