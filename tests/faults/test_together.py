"""Faults in combination, drawn by chance from seeds: whatever happened, afterwards every number is right."""

from pathlib import Path
from random import Random

import pytest

from exporter.demo.organization import Organization
from tests.load.month import SLOW, Life
from tests.simulator.faults import KINDS, Kind
from tests.support import TODAY, MovableTime, api_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", range(4))
async def test_any_faults_together(tmp_path: Path, seed: int) -> None:
    """Up to three failures at a time, restatements, restarts and hours that pass, forty steps of them."""
    random = Random(seed)  # noqa: S311 - a story, not a secret
    async with api_of(Organization(TODAY, people=6), MovableTime(), exporter_window_days=6) as api:
        life = Life(api, tmp_path, random)
        for _ in range(40):
            await life.step()
        await life.heal()
        assert await life.wrong() == []
        await life.end()


def test_all_kinds_can_happen() -> None:
    """Only what needs time-outs in real time is left to the tests of one failure."""
    quick: set[Kind] = set(KINDS) - SLOW
    assert {"slow_drip", "hang", "huge"} == SLOW
    assert len(quick) > 20
