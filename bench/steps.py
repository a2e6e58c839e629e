"""`python -m bench.steps`: which steps of a warm refresh of 10,000 users hold the interpreter, so that scrapes wait.

It runs the exporter in this process, beside a thread that wakes up every half a millisecond. Where that thread slept
longer, something held the interpreter, and the line that runs then is the one after it.
"""

import asyncio
import gc
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from types import FrameType

import uvloop

from bench import process
from bench.bodies import Size
from exporter import service
from exporter.days.store import Store
from exporter.refresh.refresher import Refresher
from exporter.reports import NAMES
from exporter.settings import Settings
from exporter.telemetry import Telemetry

PAUSE = 0.0005
LONG = 0.004
SIZE = Size(10_000)
REFRESHES = 3
SHOWN = 8
OURS = str(process.ROOT / "exporter")


class Watch(threading.Thread):
    """Notes the gaps in its own time: seconds, and where the exporter was afterwards."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.gaps: list[tuple[float, str]] = []

    def run(self) -> None:
        """Sleep again and again."""
        last = time.perf_counter()
        while True:
            time.sleep(PAUSE)
            if (gap := time.perf_counter() - last) > LONG:
                self.gaps.append((gap, " / ".join(filter(None, map(_where, sys._current_frames().values())))))  # noqa: SLF001
            last = time.perf_counter()


def _where(frame: FrameType) -> str:
    """Return the innermost line of the exporter in a stack, nothing if there is none."""
    ours = [line for line in traceback.extract_stack(frame) if line.filename.startswith(OURS)]
    return f"{Path(ours[-1].filename).relative_to(OURS)}:{ours[-1].lineno} {ours[-1].name}" if ours else ""


async def main() -> None:
    """Print the longest steps of some refreshes in which today has changed."""
    gc.set_threshold(*service.GC_THRESHOLDS)
    sys.setswitchinterval(service.SWITCH_SECONDS)
    watch = Watch()
    watch.start()
    with process.api(SIZE) as url, tempfile.TemporaryDirectory() as name:
        given = {"anthropic_admin_key": "sk-ant-admin01-benchmark", "anthropic_base_url": url, "exporter_cache_ttl": 1}
        settings = Settings(_env_file=None, exporter_requests_per_minute=100_000, **given)  # type: ignore[arg-type]
        store = Store(Path(name))
        async with service.refreshing(settings, store, Telemetry(NAMES)) as refresher:
            await refresher.tick()
            await refresher.settle()
            gc.freeze()
            for number in range(1, REFRESHES + 1):
                await _refresh(refresher, url, number, watch)
        store.close()


async def _refresh(refresher: Refresher, url: str, number: int, watch: Watch) -> None:
    await asyncio.to_thread(process.show_variant, url, number)
    await asyncio.sleep(1.1)
    watch.gaps.clear()
    await refresher.scrape(60)
    await refresher.settle()
    print(f"refresh {number}")
    for gap, where in sorted(watch.gaps, reverse=True)[:SHOWN]:
        print(f"  {1000 * gap:5.1f} ms  {where or 'elsewhere'}")


if __name__ == "__main__":
    uvloop.run(main())
