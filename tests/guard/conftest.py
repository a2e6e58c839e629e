"""A small organisation, filled once for each test, and the clock of its exporter."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.demo.organization import Organization
from tests.support import TODAY, Api, Exporter, MovableTime, api_of

PEOPLE = 24
WINDOW_DAYS = 30


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """Yield the API; its own clock stands still unless the test moves it, so that nothing changes by itself."""
    async with api_of(Organization(TODAY, people=PEOPLE), MovableTime(), exporter_window_days=WINDOW_DAYS) as running:
        yield running


@pytest.fixture
async def exporter(api: Api, tmp_path: Path) -> AsyncIterator[Exporter]:
    """Yield an exporter that has read every day, with a clock of its own."""
    async with api.exporter(tmp_path / "data", MovableTime()) as running:
        await running.fill()
        yield running
