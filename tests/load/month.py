"""A life with everything in it, by a clock that the test moves: scrapes, faults, restatements, restarts, new keys."""

import asyncio
import gc
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]

from exporter.days.database import FILE
from exporter.demo.organization import Organization
from tests.simulator.faults import KINDS, Kind
from tests.support import AFTERNOON, DAY, KEY, REPORT_PATHS, REPORTS, TODAY, Api, Exporter, MovableTime, api_of

SLOW: set[Kind] = {"slow_drip", "hang", "huge"}
"""Failures that end by a time-out in real time."""
_QUICK = [kind for kind in KINDS if kind not in SLOW]
_ERRORS: list[Kind] = ["401", "403", "404", "429_reset", "429_bare", "500", "529", "html", "empty_object", "reset"]
_PATHS = (*REPORT_PATHS.values(), "/me", "/workspaces", "")
WRITE_AHEAD_LOG = 4
"""MiB that SQLite lets its log grow to before it copies it into the database (1000 pages)."""
_OFTEN = timedelta(hours=2)


class Life:
    """One exporter after another on one folder, and what happens to them."""

    def __init__(self, api: Api, folder: Path, random: Random) -> None:
        self.api, self.folder, self.random = api, folder, random
        self.failures = self.restatements = self.restarts = self.rotations = self.scrapes = 0
        self._stack = AsyncExitStack()
        self._exporter: Exporter | None = None
        self._key_file = folder / "key"
        folder.mkdir(parents=True, exist_ok=True)
        self._key_file.write_text(KEY)
        api.given |= {"anthropic_admin_key": None, "anthropic_admin_key_file": self._key_file}

    async def exporter(self) -> Exporter:
        """Return the exporter that runs, started if there is none."""
        if self._exporter is None:
            self._exporter = await self._stack.enter_async_context(self.api.exporter(self.folder / "data"))
        return self._exporter

    async def end(self) -> None:
        """Stop the exporter."""
        await self._stack.aclose()
        self._exporter = None

    async def step(self, longest: timedelta = _OFTEN) -> None:
        """Let something happen, let some time pass, and scrape."""
        event = self.random.choices(
            [self.fail, self.recover, self.restate, self.restart, self.rotate, self.nothing], [4, 3, 3, 1, 1, 6]
        )[0]
        await event()
        exporter = await self.exporter()
        await exporter.scrape_later(self.random.uniform(1, longest.total_seconds()))
        await exporter.fill()
        self.scrapes += 1

    async def nothing(self) -> None:
        """Let nothing happen."""

    async def fail(self) -> None:
        """Plan a failure."""
        path = self.random.choice(_PATHS)
        kind = self.random.choice(_QUICK if path in REPORT_PATHS.values() else _ERRORS)
        times = self.random.choice([1, 2, 5, None])
        self.api.faults.add(kind=kind, path=path, times=times)
        self.failures += 1

    async def recover(self) -> None:
        """End all failures."""
        self.api.faults.clear()

    async def restate(self) -> None:
        """Restate one of the last days."""
        day = self.api.time.now().date() - self.random.randrange(4) * DAY
        self.api.organization.restate(day, self.random.choice(["0", "0.25", "0.9", "1", "1.1", "3"]))
        self.restatements += 1

    async def restart(self) -> None:
        """Stop the exporter; the next step starts another."""
        await self.end()
        self.restarts += 1

    async def rotate(self) -> None:
        """Put a wrong key in the file for a while, and then the right one again."""
        self._key_file.write_text("sk-ant-admin01-a-key-of-yesterday")
        exporter = await self.exporter()
        await exporter.scrape_later()
        self._key_file.write_text(KEY)
        self.rotations += 1

    async def heal(self) -> None:
        """End all failures, and let so much time pass that each day was read again after its last restatement."""
        self.api.faults.clear()
        exporter = await self.exporter()
        days = exporter.refresher.published.window.days
        await exporter.scrape_later(DAY.total_seconds() + 3600)
        for _ in range(days + 5):
            await exporter.scrape_later(65)
            await exporter.fill()

    async def wrong(self) -> list[str]:
        """Return a line for each number that is wrong, health included."""
        exporter = await self.exporter()
        down = [report for report in REPORTS if exporter.health("up", report) != 1]
        return [*self.api.wrong(exporter), *(f"{report} is down" for report in down)]


class Figures(NamedTuple):
    """What a month was, and what the process held after its first week and at its end."""

    days: int
    scrapes: int
    requests: int
    failures: int
    restatements: int
    restarts: int
    rotations: int
    first_week: "Footprint"
    end: "Footprint"
    store_mib_when_closed: float


async def month(folder: Path, *, days: int, a_day: int, seed: int, people: int = 12, window_days: int = 30) -> Figures:
    """Live through so many days with so many scrapes a day.

    Raises AssertionError when a number is wrong at the end, or when memory, files, tasks or the store have grown since
    the first week.
    """
    random = Random(seed)  # noqa: S311 - a story, not a secret
    time = MovableTime(datetime.combine(TODAY - days * DAY, AFTERNOON.timetz()))
    requests, first_week = 0, None
    async with api_of(Organization(TODAY, people=people), time, exporter_window_days=window_days) as api:
        life = Life(api, folder, random)
        begun, end = time.now(), time.now() + days * DAY
        while time.now() < end:
            await life.step(2 * DAY / a_day)
            requests += len(api.log)
            api.log.clear()
            if first_week is None and time.now() - begun > days * DAY / 4:
                first_week = footprint(folder)
        await life.heal()
        assert await life.wrong() == []
        last = footprint(folder)
        await life.end()
    stored = store_mib(folder)
    assert stored < WRITE_AHEAD_LOG / 2, stored
    assert first_week is not None
    counts = life.failures, life.restatements, life.restarts, life.rotations
    assert_flat(first_week, last)
    return Figures(days, life.scrapes, requests, *counts, first_week, last, stored)


def assert_flat(before: "Footprint", after: "Footprint") -> None:
    """Check that nothing has grown but by what a page or a day may differ."""
    assert after.resident_mib < before.resident_mib + 30, (before, after)
    assert after.files <= before.files + 3, (before, after)
    assert after.tasks <= before.tasks + 2, (before, after)
    assert after.store_mib < before.store_mib + WRITE_AHEAD_LOG + 1, (before, after)


class Footprint(NamedTuple):
    """What a process holds: memory, open files, tasks, and the size of the data folder."""

    resident_mib: float
    files: int
    tasks: int
    store_mib: float


def footprint(folder: Path) -> Footprint:
    """Return what this process holds now."""
    gc.collect()
    process = psutil.Process()
    resident = round(process.memory_info().rss / (1 << 20), 1)
    return Footprint(resident, process.num_fds(), len(asyncio.all_tasks()), store_mib(folder))


def store_mib(folder: Path) -> float:
    """Return the size of the data folder's database with its log."""
    return round(sum(path.stat().st_size for path in (folder / "data").glob(f"{FILE}*")) / (1 << 20), 2)
