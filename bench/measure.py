"""The measurements of one size: fill, start, refresh, scrape."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench import process
from bench.bodies import Size
from bench.load import Connection, Times, fifty_at_once, fifty_in_turn, one_client, steady, summary
from bench.process import Exporter, exporter

SHORTEST_TTL = "1"
MEGABYTE = 1e6


class Fill(NamedTuple):
    """A cold fill: requests, seconds until complete, CPU seconds, peak of resident memory, size on disk."""

    requests: int
    seconds: float
    cpu: float
    peak_mb: float
    store_mb: float


class Start(NamedTuple):
    """A start with a warm store: seconds and CPU seconds from process start to a full page, and memory when idle."""

    seconds: float
    cpu: float
    idle_mb: float


class FirstStart(NamedTuple):
    """The first start of another release, which adds up every stored day: as above, without memory."""

    seconds: float
    cpu: float


class Refresh(NamedTuple):
    """A warm refresh in which only today changed: requests, CPU seconds, seconds, and scrapes during it."""

    requests: int
    cpu: float
    seconds: float
    beside: Times
    peak_mb: float


class Scrape(NamedTuple):
    """The page, and the times of scrapes. `at_once` is None without wrk."""

    series: int
    page_bytes: int
    gzip_bytes: int
    plain: Times
    gzip: Times
    in_turn: Times
    at_once: tuple[Times, float] | None


class Result(NamedTuple):
    """The measurements of one size, and its page."""

    size: Size
    fill: Fill
    start: Start
    first_start: FirstStart
    refresh: Refresh
    scrape: Scrape | None
    page: bytes

    @property
    def peak_mb(self) -> float:
        """The peak of resident memory."""
        return max(self.fill.peak_mb, self.refresh.peak_mb)


def measured(size: Size, runs: int, *, scrapes: bool = True) -> Result:
    """Return the measurements of one size: medians of `runs` starts and refreshes."""
    with process.api(size) as api_url, tempfile.TemporaryDirectory(prefix="anthropic-exporter-bench-") as name:
        folder = Path(name)
        fill = _fill(api_url, folder, size)
        start = _start(api_url, folder, size, runs)
        first_start = _first_start(api_url, folder, size)
        refresh = _refresh(api_url, folder, size, runs)
        with exporter(api_url, folder, size) as running:
            _, series = running.until_full()
            connection = Connection(running.url)
            page = connection.scrape(compressed=False).body
            connection.close()
            scrape = _scrape(running, series, len(page), runs) if scrapes else None
    return Result(size, fill, start, first_start, refresh, scrape, page)


def _fill(api_url: str, folder: Path, size: Size) -> Fill:
    with exporter(api_url, folder, size) as running:
        seconds, _ = running.until_full()
        running.until_quiet()
        cpu, (_, peak) = running.cpu(), running.memory()
        requests = process.requests_so_far(api_url)
    stored = sum(file.stat().st_size for file in folder.iterdir()) / MEGABYTE
    return Fill(requests, seconds, cpu, peak, stored)


def _start(api_url: str, folder: Path, size: Size, runs: int) -> Start:
    found = []
    for _ in range(runs):
        with exporter(api_url, folder, size) as running:
            seconds, _ = running.until_full()
            cpu = running.cpu()
            running.until_quiet()
            found.append(Start(seconds, cpu, running.memory()[0]))
    return Start(*(statistics.median(column) for column in zip(*found, strict=True)))


def _first_start(api_url: str, folder: Path, size: Size) -> FirstStart:
    process.forget_what_was_added_up(folder)
    with exporter(api_url, folder, size) as running:
        seconds, _ = running.until_full()
        return FirstStart(seconds, running.cpu())


def _refresh(api_url: str, folder: Path, size: Size, runs: int) -> Refresh:
    """Return the cost of refreshes, and the times of a client that scrapes 50 times a second during as many others."""
    with exporter(api_url, folder, size, SHORTEST_TTL) as running:
        running.until_full()
        running.until_quiet()
        before = process.requests_so_far(api_url)
        alone = [_one_refresh(running, api_url, number) for number in range(1, runs + 1)]
        requests = (process.requests_so_far(api_url) - before) // runs
        cpu, seconds = (statistics.median(column) for column in zip(*alone, strict=True))
        beside: list[float] = []
        for number in range(runs + 1, 2 * runs + 1):
            beside += _scrapes_beside(running, api_url, number, seconds)
        return Refresh(requests, cpu, seconds, summary(beside), running.memory()[1])


def _one_refresh(running: Exporter, api_url: str, variant: int) -> tuple[float, float]:
    """Return the CPU seconds of a refresh, and the seconds that the scrape which started it waited."""
    process.show_variant(api_url, variant)
    time.sleep(float(SHORTEST_TTL) + 0.1)
    connection, cpu, begun = Connection(running.url), running.cpu(), time.perf_counter()
    connection.scrape(compressed=True)
    seconds = time.perf_counter() - begun
    connection.close()
    running.until_quiet()
    return running.cpu() - cpu, seconds


def _scrapes_beside(running: Exporter, api_url: str, variant: int, seconds: float) -> list[float]:
    """Return the seconds of scrapes during a refresh. They do not wait for its page."""
    process.show_variant(api_url, variant)
    time.sleep(float(SHORTEST_TTL) + 0.1)
    end = time.perf_counter() + seconds
    found = steady(running.url, lambda: time.perf_counter() < end)
    running.until_quiet()
    return found


def _scrape(running: Exporter, series: int, page_bytes: int, runs: int) -> Scrape:
    running.until_quiet()
    connection = Connection(running.url)
    gzip_bytes = len(connection.scrape(compressed=True).body)
    connection.close()
    return Scrape(
        series,
        page_bytes,
        gzip_bytes,
        plain=one_client(running.url, 50 * runs, compressed=False),
        gzip=one_client(running.url, 100 * runs, compressed=True),
        in_turn=fifty_in_turn(running.url, 2.0 * runs),
        at_once=fifty_at_once(running.url, 2 * runs),
    )
