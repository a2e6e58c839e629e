"""kill -9 at random moments: nothing is half there. The long form is in `make soak`."""

from pathlib import Path

import pytest

from tests.faults.killing import WINDOW_DAYS, kill_at_random
from tests.integration.processes import upstream

pytestmark = pytest.mark.integration


def test_killed_at_random_moments(tmp_path: Path) -> None:
    """Ten kills of a fill: each time the store opens, every day on it is whole, and the next start goes on from it."""
    with upstream(people=6, window_days=WINDOW_DAYS) as api:
        figures = kill_at_random(api, tmp_path, kills=10, seed=11)
        assert figures.days_found > 10
        assert figures.days_asked_for < 10 * WINDOW_DAYS
