"""The second sources: the same families from `/analytics/*`, series by series, and what only these know."""

from pathlib import Path

import pytest

from exporter.demo.organization import Organization
from tests.support import DAY, TODAY, MovableTime, api_of

pytestmark = pytest.mark.anyio
BOTH = {"exporter_cost_source": "analytics", "exporter_usage_source": "analytics"}
VERSIONS = ("2023-06-01", "2026-10-21")
YESTERDAY = TODAY - DAY


@pytest.mark.parametrize("version", VERSIONS)
async def test_fill_refresh_restatement_and_restart(
    few: Organization, time: MovableTime, tmp_path: Path, version: str
) -> None:
    """A fill of 90 days is at most 110 requests, a warm refresh at most 7, also the first one after a restart."""
    async with api_of(few, time, anthropic_version=version, **BOTH) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            assert api.wrong(exporter) == []
            assert len(api.log) <= 110
            assert exporter.up() == {1}
            for day in (TODAY, YESTERDAY):
                few.restate(day, "1.5")
            api.log.clear()
            await exporter.scrape_later()
            assert api.wrong(exporter) == []
            assert len(api.log) <= 7
        api.log.clear()
        async with api.exporter(tmp_path) as exporter:
            assert api.wrong(exporter) == []
            few.restate(YESTERDAY, 0)
            await exporter.scrape_later()
            assert api.wrong(exporter) == []
            assert len(api.log) <= 7
