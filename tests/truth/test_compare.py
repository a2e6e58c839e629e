"""`check --compare`: both sources for the same days, on an organisation whose sources agree, or do not."""

from datetime import date

import pytest

from exporter import compare
from exporter.check import Finding
from exporter.demo.organization import Organization
from exporter.demo.records import Record
from exporter.demo.story import View
from exporter.reports import NAMES
from exporter.service import make_transport
from exporter.telemetry import Telemetry
from tests.support import DAY, TODAY, Api, MovableTime, api_of

pytestmark = pytest.mark.anyio
BAD = TODAY - 5 * DAY


class Disagreeing(Organization):
    """An organisation whose `/analytics/cost` forgets what its managed agents cost on one day."""

    def analytics_cost_of(self, view: View, group_by: frozenset[str], products: frozenset[str]) -> list[list[Record]]:
        """Return the rows without that product."""
        groups = super().analytics_cost_of(view, group_by, products)
        forgotten = "managed_agents_api" if view.day == BAD else "nothing"
        return [group for group in groups if group[0]["group"]["product"] != forgotten]


async def compared(api: Api, today: date = TODAY) -> list[Finding]:
    """Return what the comparison finds."""
    transport = make_transport(api.settings(None), Telemetry(NAMES), api.time.clock)
    try:
        return [finding async for finding in compare.sources(transport, today)]
    finally:
        await transport.close()


async def test_sources_that_agree(few: Organization, time: MovableTime) -> None:
    """In total and on each of 30 complete days, of the bill and of the tokens, with six requests and one for a name."""
    async with api_of(few, time) as api:
        found = await compared(api)
        assert {finding.state for finding in found} == {"same"}
        assert [finding.what for finding in found[:2]] == ["cost of 30 days", f"cost of {TODAY - DAY}"]
        assert [finding.what for finding in found].index("messages of 30 days") == 31
        assert len(found) == 62
        assert len(api.log) == 7


async def test_sources_that_do_not(time: MovableTime) -> None:
    """The difference comes first: in total, on its day, in its series; the days that agree follow."""
    async with api_of(Disagreeing(TODAY, people=8), time) as api:
        found = await compared(api)
    cents = sum(
        int(float(one["amount"]) * 100 + 0.5)
        for one in Organization(TODAY, people=8).cost_results(BAD, time.now())
        if one["cost_type"] == "session_usage"
    )
    states = [finding.state for finding in found if finding.what.startswith(("cost", "anthropic"))]
    assert states == ["diff"] * 4 + ["same"] * 29
    assert [finding.what for finding in found[:2]] == ["cost of 30 days", f"cost of {BAD}"]
    assert all(finding.detail.endswith(f"difference {-cents / 10_000:.10g}") for finding in found[:4])
    series = {finding.what.partition("{")[0]: finding for finding in found[2:4]}
    assert series.keys() == {"anthropic_cost_usd", "anthropic_workspace_cost_usd"}
    line = series["anthropic_cost_usd"]
    assert line.what.endswith(f'{{date="{BAD}",model="none",cost_type="session_usage",token_type="none"}}')
    assert line.detail.startswith(f"cost_report {cents / 10_000:.10g}, analytics none")
    assert {finding.exit_code for finding in found} == {0}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/analytics/cost", "cost from analytics: HTTP 404 (not_found_error: "),
        ("/cost_report", "cost from cost_report: HTTP 404 (not_found_error: "),
    ],
)
async def test_a_source_that_is_missing(few: Organization, time: MovableTime, path: str, said: str) -> None:
    """It fails, with the setting; the other report is compared."""
    async with api_of(few, time) as api:
        api.faults.add(kind="404", path=path)
        found = await compared(api)
    assert str(found[0]).startswith(f"FAIL  {said}")
    assert "EXPORTER_COST_SOURCE=" in found[0].detail
    assert [finding.state for finding in found[1:]] == ["same"] * 31
    assert found[0].exit_code == 1


async def test_a_day_that_cannot_be_read_and_names_that_cannot(few: Organization, time: MovableTime) -> None:
    """Neither is compared as if it were nothing."""
    async with api_of(few, time) as api:
        api.faults.add(kind="wrong_shape", path="/cost_report", field="data.0.results.0.amount", times=1)
        found = await compared(api)
        assert str(found[0]).startswith(f"FAIL  cost from cost_report: {TODAY - 30 * DAY}: data[0].results[0].amount")
        api.faults.add(kind="500", path="/me")
        (only,) = await compared(api)
        assert str(only).startswith("FAIL  directory listing: HTTP 500")
