"""`make soak`: the long forms, with their figures. 200 kills, a simulated month, 200 scrapers at once.

Exits with 1 when something is not as it must be. `SOAK_SEED` changes what happens.
"""

import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import structlog
import uvloop

from tests.faults.killing import WINDOW_DAYS, kill_at_random
from tests.integration.processes import upstream
from tests.load.month import month
from tests.load.scrapers import scrapers

SEED = int(os.environ.get("SOAK_SEED", "7"))


def main() -> int:
    """Run all three, print a line of figures for each, and return the exit code."""
    structlog.configure(processors=[_silent])
    logging.disable()  # hundreds of planned failures are no news
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        return max(run(title, work) for title, work in parts(folder).items())


def parts(folder: Path) -> dict[str, Callable[[], object]]:
    """Return what is run, by title."""
    return {
        "200 kills": lambda: kills(folder / "kills", 200),
        "a simulated month": lambda: uvloop.run(month(folder / "month", days=30, a_day=48, seed=SEED)),
        "200 scrapers": lambda: scrapers(folder / "scrapers", clients=200, people=10_000, window_days=3),
    }


def kills(folder: Path, number: int) -> object:
    """Kill the exporter so often."""
    with upstream(people=6, window_days=WINDOW_DAYS) as api:
        return kill_at_random(api, folder, kills=number, seed=SEED)


def run(title: str, work: Callable[[], object]) -> int:
    """Do one part; print its title, its figures and the seconds it took; return 0, or 1 when it failed."""
    begun = monotonic()
    try:
        figures = str(work())
    except (TimeoutError, AssertionError) as error:
        figures = f"FAILED: {error}"
    sys.stdout.write(f"{title} (seed {SEED}, {monotonic() - begun:.0f} s): {figures}\n")
    sys.stdout.flush()
    return int(figures.startswith("FAILED"))


def _silent(*_: object) -> str:
    raise structlog.DropEvent


if __name__ == "__main__":
    sys.exit(main())
