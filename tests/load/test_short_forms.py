"""The short forms of `make soak`: the same code with smaller numbers."""

from pathlib import Path

import pytest

from tests.load import month, scrapers


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run async tests on uvloop, as the exporter runs."""
    return "asyncio", {"use_uvloop": True}


@pytest.mark.anyio
async def test_four_days(tmp_path: Path) -> None:
    """Four days with failures, restatements, restarts, new keys and midnights: right at the end, and nothing grew."""
    figures = await month.month(tmp_path, days=4, a_day=24, seed=3, people=6, window_days=6)
    assert figures.scrapes > 60
    assert min(figures.failures, figures.restatements, figures.restarts, figures.rotations) > 0


@pytest.mark.integration
def test_forty_scrapers(tmp_path: Path) -> None:
    """All get a whole page while a refresh runs, and the process ends in time."""
    figures = scrapers.scrapers(tmp_path, clients=40, people=200, window_days=3)
    assert figures.answers == {200: 200}
