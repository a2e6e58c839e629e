"""Many scrapers at once, while the real process reads a large organisation."""

import asyncio
from collections import Counter
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import NamedTuple

import httpx

from tests.integration.processes import Running, Upstream, environment, started, upstream, wait_for
from tests.oracle import differences, scrape_samples
from tests.simulator.faults import Faults

ROUNDS = 5
HEADERS = {"accept-encoding": "gzip", "x-prometheus-scrape-timeout-seconds": "1"}


class Figures(NamedTuple):
    """What the scrapers saw: answers by status, seconds for the half and for all but one of a hundred, and memory."""

    clients: int
    people: int
    answers: dict[int, int]
    median_ms: float
    p99_ms: float
    gzipped_page_kib: float
    resident_mib: float
    peak_mib: float
    stop_seconds: float


def scrapers(folder: Path, *, clients: int, people: int, window_days: int) -> Figures:
    """Let `clients` scrape at the same moments, five times each, while a refresh runs.

    Raises AssertionError when an answer is not a whole page, when a number is wrong afterwards, or when the process
    does not end within 5 seconds.
    """
    with upstream(people=people, window_days=window_days) as api:
        environ = environment(api.url, exporter_window_days=window_days, exporter_cache_ttl=1)
        with started(folder, environ) as exporter:
            exporter.filled(600)
            fault = api.faults.add(kind="hang", path="cost_report", times=1)
            wait_for(lambda: exporter.get("/-/healthy") and _nudged(exporter, fault.hits), 60, "a refresh")
            statuses, seconds, size = asyncio.run(_storm(exporter.address, clients, api.faults))
            assert set(statuses) == {200}
            wrong = _wrong(api, exporter)
            assert wrong == [], wrong[:5]
            memory = exporter.resident_mib(), exporter.peak_mib()
            begun = perf_counter()
            assert exporter.end() == 0
            ended = perf_counter() - begun
            assert ended < 5
    cuts = quantiles(seconds, n=100)
    rounded = [round(value, 1) for value in (1000 * cuts[49], 1000 * cuts[98], size / (1 << 10), *memory, ended)]
    return Figures(clients, people, dict(statuses), *rounded)


def _nudged(exporter: Running, hits: int) -> bool:
    """Return whether the refresh hangs; a scrape that does not wait starts one."""
    exporter.get("/metrics", headers={"x-prometheus-scrape-timeout-seconds": "0.5"})
    return hits > 0


async def _storm(address: str, clients: int, faults: Faults) -> tuple[Counter[int], list[float], int]:
    """Scrape with all clients at once; the refresh that hangs is released in the first round, and goes on meanwhile."""
    statuses: Counter[int] = Counter()
    seconds: list[float] = []
    sizes: list[int] = []
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=60) as browser:

        async def scrape() -> None:
            begun, size = perf_counter(), 0
            async with browser.stream("GET", "/metrics", headers=HEADERS) as answer:
                async for piece in answer.aiter_raw():  # not unpacked: two hundred Prometheis have their own machines
                    size += len(piece)
            seconds.append(perf_counter() - begun)
            statuses[answer.status_code] += 1
            sizes.append(size)

        for number in range(ROUNDS):
            waiting = [asyncio.create_task(scrape()) for _ in range(clients)]
            if number == 0:
                faults.clear()
            await asyncio.gather(*waiting)
    return statuses, seconds, max(sizes)


def _wrong(api: Upstream, exporter: Running) -> list[str]:
    return differences(api.expected(), scrape_samples(exporter.get("/metrics").text))
