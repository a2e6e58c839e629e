"""`python -m bench.wide`: what a wide organisation costs the exporter and a real Prometheus. Prints tables."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import process, report
from bench.load import Connection, get
from bench.process import folder, module
from bench.wide_api import Wide

WINDOWS = (90, 365)
IN_PROMETHEUS = 90
"""The window whose page Prometheus scrapes: that of 365 days takes more memory than a small machine has."""
SCRAPES = 10
DROPPED = "anthropic_workspace_tokens|anthropic_api_key_tokens"
"""The families that docs/explanation/scaling.md lets Prometheus drop."""
ON_DISK = Wide(workspaces=20, models=10, days=30, users=50, keys=20)
"""A smaller page, of which two hours are written as a block."""
SCRAPES_OF_A_BLOCK = 120


class Cost(NamedTuple):
    """What a page costs the exporter. Memory is in MB."""

    fill: float
    start: float
    refresh: float
    idle: float
    peak: float
    series: int
    plain: int
    packed: int


class Scraped(NamedTuple):
    """What a page costs Prometheus after some scrapes. Memory is in MB."""

    samples: float
    stored: float
    scrape: float
    cpu: float
    memory: float
    wal: float


def main() -> None:
    """Measure, and print."""
    print(report.machine(), flush=True)
    costs = {days: exporter_cost(Wide(days=days)) for days in WINDOWS}
    print(table([f"{days} days" for days in costs], list(map(_exporter_rows, costs.values()))), flush=True)
    print(table(["all families", "two dropped"], prometheus_costs(Wide(days=IN_PROMETHEUS))), flush=True)
    print(disk(ON_DISK), flush=True)


def _exporter_rows(cost: Cost) -> dict[str, str]:
    return {
        "Series": f"{cost.series:,}",
        "Page, MB: plain / gzip": f"{cost.plain / 1e6:.0f} / {cost.packed / 1e6:.1f}",
        "Cold fill, s": f"{cost.fill:.0f}",
        "Start with a warm store, s": f"{cost.start:.1f}",
        "Refresh that changes nothing, s": f"{cost.refresh:.1f}",
        "Memory of the exporter, MB: after three scrapes / peak of the fill": f"{cost.idle:.0f} / {cost.peak:.0f}",
    }


def exporter_cost(wide: Wide) -> Cost:
    """Fill an exporter, start it again on its store, and let one scrape refresh a third one."""
    with module("bench.wide_api", *wide) as url, folder() as data:
        with _exporter(url, Path(data), wide.days, "24h") as (first, _):
            fill = _until_filled(first)
            _until_quiet(first.pid)
            peak = _memory(first.pid)[1]
        begun = time.perf_counter()
        with _exporter(url, Path(data), wide.days, "24h") as (again, address):
            Connection(address).scrape(compressed=True)
            start = time.perf_counter() - begun
            _until_quiet(again.pid)
        with _exporter(url, Path(data), wide.days, "1s") as (again, address):
            _until_quiet(again.pid)
            connection = Connection(address)
            connection.scrape(compressed=True)
            _until_quiet(again.pid)
            plain, packed = (connection.scrape(compressed=way, patience=0).body for way in (False, True))
            refresh, series = (_own(plain, name) for name in ("refresh_duration_seconds", "page_series"))
            return Cost(fill, start, refresh, _memory(again.pid)[0], peak, int(series), len(plain), len(packed))


@contextmanager
def _exporter(url: str, data: Path, days: int, ttl: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run the exporter; yield its process and address when it listens."""
    environ = process.environment(url, data, days, ttl)
    command = [sys.executable, "-m", "exporter"]
    with subprocess.Popen(command, cwd=data, env=environ, stderr=subprocess.PIPE, text=True) as running:
        try:
            found = _line(running, r"msg=listening.*address=(\S+)")
            yield running, found[1]
        finally:
            running.terminate()
            running.communicate(timeout=60)


def _until_filled(running: "subprocess.Popen[str]") -> float:
    return float(_line(running, r"fill complete in (\d+) s")[1])


def _line(running: "subprocess.Popen[str]", pattern: str) -> re.Match[str]:
    for line in running.stderr or ():
        if found := re.search(pattern, line):
            return found
    raise RuntimeError("the exporter ended")


def _own(page: bytes, name: str) -> float:
    found = re.findall(rf"^anthropic_exporter_{name} (\S+)$".encode(), page, re.MULTILINE)
    return float(found[0])


def prometheus_costs(wide: Wide) -> list[dict[str, str]]:
    """Let a real Prometheus scrape the page as it is, and another one without the largest families."""
    with module("bench.wide_api", *wide) as url, folder() as data, _exporter(url, Path(data), wide.days, "24h") as it:
        _until_filled(it[0])
        _until_quiet(it[0].pid)
        return [_prometheus_rows(scraped(it[1], dropped)) for dropped in ("", DROPPED)]


def _prometheus_rows(cost: Scraped) -> dict[str, str]:
    return {
        "Samples of a scrape": f"{cost.samples:,.0f}",
        "Samples stored": f"{cost.stored:,.0f}",
        "Duration of a scrape, s": f"{cost.scrape:.1f}",
        "CPU of Prometheus for a scrape, s": f"{cost.cpu:.1f}",
        "Memory of Prometheus, MB": f"{cost.memory:.0f}",
        "Write-ahead log for a scrape, MB": f"{cost.wal:.1f}",
    }


def scraped(address: str, dropped: str) -> Scraped:
    """Return what some scrapes of an exporter cost a new Prometheus that drops the families of a pattern."""
    with _prometheus(address, dropped) as (running, url, data):
        _until_scraped(url, 2)  # the first ones make the series
        cpu, wal = _cpu(running.pid), _size(data / "wal")
        _until_scraped(url, SCRAPES)
        numbers = [_query(url, f"max({name})") for name in ("scrape_samples_scraped", "scrape_duration_seconds")]
        stored = _query(url, "max(scrape_samples_post_metric_relabeling)")
        more = SCRAPES - 2
        used = ((_cpu(running.pid) - cpu) / more, _memory(running.pid)[0], (_size(data / "wal") - wal) / more / 1e6)
        return Scraped(numbers[0], stored, numbers[1], *used)


@contextmanager
def _prometheus(target: str, dropped: str) -> Iterator[tuple["subprocess.Popen[bytes]", str, Path]]:
    drop = [{"source_labels": ["__name__"], "regex": dropped, "action": "drop"}] if dropped else []
    job = {
        "job_name": "anthropic-exporter",
        "scrape_interval": "20s",
        "scrape_timeout": "20s",
        "metric_relabel_configs": drop,
        "static_configs": [{"targets": [target.removeprefix("http://")]}],
    }
    with folder() as data:
        config = Path(data) / "prometheus.yml"
        config.write_text(json.dumps({"scrape_configs": [job]}))
        port = _free_port()
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}/tsdb"]
        with (Path(data) / "log").open("wb") as log:
            running = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=log)
        try:
            yield running, f"http://127.0.0.1:{port}", Path(data) / "tsdb"
        finally:
            running.terminate()
            running.wait(120)


def _until_scraped(url: str, times: int) -> None:
    while (_query(url, "max(count_over_time(up[1h]))") or 0) < times:
        time.sleep(0.5)


def _query(url: str, promql: str) -> float:
    try:
        result = json.loads(get(f"{url}/api/v1/query?query={promql}"))["data"]["result"]
    except OSError:  # it is starting
        return 0
    return float(result[0]["value"][1]) if result else 0


def disk(wide: Wide) -> str:
    """Return the size of a block of two hours, scraped once a minute, made of a page by promtool."""
    with module("bench.wide_api", *wide) as url, folder() as data:
        with _exporter(url, Path(data), wide.days, "24h") as (running, address):
            _until_filled(running)
            _until_quiet(running.pid)
            page = Connection(address).scrape(compressed=False).body.decode()
        lines = [line for line in page.splitlines() if re.match(r"anthropic_(?!exporter_)", line)]
        text = Path(data) / "page.om"
        with text.open("w") as file:
            for line in lines:
                file.writelines(f"{line} {7200 * 250_000 + 60 * minute}\n" for minute in range(SCRAPES_OF_A_BLOCK))
            file.write("# EOF\n")
        blocks = Path(data) / "blocks"
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(blocks)]
        subprocess.run(command, check=True, capture_output=True)
        chunks, index = (sum(map(_size, blocks.glob(f"*/{name}"))) for name in ("chunks", "index"))
        samples = len(lines) * SCRAPES_OF_A_BLOCK
        return (
            f"A block of two hours, {len(lines):,} series: {chunks / samples:.2f} bytes a sample, and "
            f"{index / len(lines):.0f} bytes a series for the index"
        )


def table(heads: list[str], columns: list[dict[str, str]]) -> str:
    """Return a Markdown table with a row for each number."""
    lines = [f"|  | {' | '.join(heads)} |", f"|---|{'--:|' * len(heads)}"]
    lines += [f"| {row} | {' | '.join(column[row] for column in columns)} |" for row in columns[0]]
    return "\n".join(["", *lines, ""])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _cpu(pid: int) -> float:
    return time.clock_gettime((~pid << 3) | 2)  # Linux: the CPU clock of another process


def _until_quiet(pid: int) -> None:
    before = _cpu(pid)
    while True:
        time.sleep(process.QUIET)
        if (now := _cpu(pid)) - before < process.QUIET / 10:
            return
        before = now


def _memory(pid: int) -> tuple[float, float]:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    now, peak = (int(re.findall(rf"{name}:\s+(\d+)", text)[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return now, peak


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


if __name__ == "__main__":
    main()
