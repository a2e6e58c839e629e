"""Names of API keys and members: both versions of the API, and keys that may not list them."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.demo.organization import Organization
from exporter.reports import listings
from tests.simulator.faults import Kind
from tests.support import DAY, VERSIONS, MovableTime, api_of, fill_requests, matching

pytestmark = pytest.mark.anyio
OPTIONAL = {listing.name: {family.name for family in listing.families} for listing in listings() if listing.optional}
LEFT_OUT = "optional report is not for this key: left out"
PATHS = {"api_keys": "/api_keys", "members": "/users"}


@pytest.mark.parametrize("version", VERSIONS)
async def test_both_versions_give_the_same_page(few: Organization, time: MovableTime, version: str) -> None:
    """Filled, refreshed and restated; a fill of 90 days is at most 100 requests, a warm refresh at most 5."""
    async with api_of(few, time, anthropic_version=version) as api, api.exporter(None) as exporter:
        await exporter.fill()
        assert api.wrong(exporter) == []
        assert fill_requests(90) < len(api.log) <= 100
        few.restate(time.now().date(), "1.5")
        api.log.clear()
        await exporter.scrape_later()
        assert api.wrong(exporter) == []
        assert len(api.log) <= 5


@pytest.mark.parametrize("kind", ["403", "404"])
@pytest.mark.parametrize("name", OPTIONAL)
async def test_a_key_that_may_not_list_them(
    few: Organization, time: MovableTime, tmp_path: Path, kind: Kind, name: str
) -> None:
    """No family, nothing is down or failing, one line an hour; what another key had listed is forgotten."""
    async with api_of(few, time, exporter_window_days=2) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            assert api.wrong(exporter) == []
        fault = api.faults.add(kind=kind, path=PATHS[name])
        time.advance(DAY)
        with capture_logs() as lines:
            async with api.exporter(tmp_path) as exporter:
                for _ in range(50):
                    await exporter.scrape_later(70)
                    assert exporter.up() == {1}
                assert {line.partition("{")[0] for line in api.wrong(exporter)} == OPTIONAL[name]
                assert not OPTIONAL[name] & {family for family, _ in exporter.shown()}
                assert exporter.own("report_failing", report=name, reason="forbidden") in (0, None)
                assert (len(matching(lines, report=name, event=LEFT_OUT)), fault.hits) == (1, 1)
                await exporter.scrape_later(200)
                assert len(matching(lines, report=name, event=LEFT_OUT)) == 2
                assert matching(lines, log_level="warning") == []
                api.faults.clear()
                await exporter.scrape_later(3700)
                assert api.wrong(exporter) == []


async def test_workspaces_are_refused(few: Organization, time: MovableTime) -> None:
    """The organisation is known all the same, and nothing is failing."""
    async with api_of(few, time, exporter_window_days=2) as api, api.exporter(None) as exporter:
        api.faults.add(kind="403", path="/workspaces")
        with capture_logs() as lines:
            await exporter.fill()
        assert matching(lines, log_level="warning") == []
        assert {line.partition("{")[0] for line in api.wrong(exporter)} == {"anthropic_workspace_info"}


async def test_idle_seats(few: Organization, time: MovableTime) -> None:
    """Members of whom no use is shown, in the window: `unless on (user)` finds them by their address."""
    async with api_of(few, time, exporter_window_days=90) as api, api.exporter(None) as exporter:
        await exporter.fill()
        found: dict[str, set[str]] = {"anthropic_member_info": set(), "anthropic_claude_code_user_sessions": set()}
        for family, labels in exporter.shown():
            if family in found and dict(labels).get("actor_type", "user") == "user":
                found[family].add(dict(labels)["user"])
        members, active = found.values()
        assert {"never.came@example.test", "accounts@example.test"} <= members - active
        assert active <= members
