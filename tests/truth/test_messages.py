"""Tokens of the whole API: a report that was added later, and that some keys may not read."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.days.database import FILE
from exporter.demo.organization import Organization
from tests.simulator.faults import Kind
from tests.support import DAY, FAMILIES_OF, REPORTS, TODAY, WARM_REQUESTS, MovableTime, api_of, matching, of_report

pytestmark = pytest.mark.anyio
HEALTH = {"anthropic_report_last_success_timestamp_seconds", "anthropic_report_newest_date_timestamp_seconds"}
OTHERS = [report for report in REPORTS if report != "messages"]


async def test_it_is_new_to_a_store(few: Organization, time: MovableTime, tmp_path: Path) -> None:
    """It fills in with three requests for 90 days; the others are up and whole meanwhile, and read as ever."""
    async with api_of(few, time) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
        with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
            db.execute("DELETE FROM day WHERE report = 'messages'")
        api.log.clear()
        async with api.exporter(tmp_path) as exporter:
            assert exporter.health("report_coverage_ratio", "messages") == 0
            assert {exporter.health("report_coverage_ratio", report) for report in OTHERS} == {1}
            wrong = {line.partition("{")[0] for line in api.wrong(exporter)}
            assert wrong == {*FAMILIES_OF["messages"]} - {"anthropic_requests"}  # which only its second source has
            await exporter.fill()
            assert api.wrong(exporter) == []
            assert exporter.up() == {1}
            assert api.requests("messages") == 3
            assert api.requests(*OTHERS) < WARM_REQUESTS


@pytest.mark.parametrize("kind", ["403", "404"])
async def test_this_key_may_not_read_it(few: Organization, time: MovableTime, kind: Kind) -> None:
    """It is left out, which is no failure: one line an hour, and days that leave the window are still deleted."""
    async with api_of(few, time, exporter_window_days=3) as api, api.exporter(None) as exporter:
        fault = api.faults.add(kind=kind, path="messages")
        with capture_logs() as lines:
            await exporter.fill()
            for _ in range(30):
                await exporter.scrape_later(3600)
                await exporter.fill()
        assert [line["log_level"] for line in matching(lines, report="messages")] == ["info"] * fault.hits
        assert fault.hits <= 31
        assert {exporter.health("up", report) for report in OTHERS} == {1}
        assert of_report(exporter.shown(), "messages") == {}
        assert (exporter.health("up", "messages"), exporter.health("report_coverage_ratio", "messages")) == (0, None)
        left_out = {*FAMILIES_OF["messages"], "anthropic_up", "anthropic_report_coverage_ratio"}
        assert {line.partition("{")[0] for line in api.wrong(exporter)} <= left_out | HEALTH
        assert min(exporter.store.entries("cost")) == TODAY - DAY
        api.faults.clear()
        await exporter.scrape_later(3700)
        await exporter.fill()
        assert api.wrong(exporter) == []


async def test_it_is_taken_from_a_key_that_could_read_it(few: Organization, time: MovableTime) -> None:
    """That is a failure as of any report: the days that were read stay, and somebody must know."""
    async with api_of(few, time, exporter_window_days=3) as api, api.exporter(None) as exporter:
        await exporter.fill()
        api.faults.add(kind="403", path="messages")
        await exporter.scrape_later(70)
        assert {exporter.health("up", report) for report in OTHERS} == {1}
        assert exporter.health("up", "messages") == 0
        assert exporter.health("report_coverage_ratio", "messages") == 1


async def test_its_price_is_what_was_paid(few: Organization, time: MovableTime) -> None:
    """Cost and tokens of one model and type are of the same use: their quotient is the contract's price."""
    async with api_of(few, time, exporter_window_days=3) as api, api.exporter(None) as exporter:
        await exporter.fill()
        of, kind = f'date="{TODAY - DAY}",model="claude-sonnet-5"', 'token_type="output_tokens"'
        cost = exporter.shown_value(f'anthropic_cost_usd{{{of},cost_type="tokens",{kind}}}')
        tokens = exporter.shown_value(f"anthropic_tokens{{{of},{kind}}}")
        assert cost is not None
        assert tokens
        assert cost / tokens * 1_000_000 == pytest.approx(15 * 0.88)
