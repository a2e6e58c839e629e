"""The results as markdown."""

import os
import platform
import sqlite3
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

from bench.load import Times
from bench.measure import Result
from bench.targets import Baselines, Target


def document(path: Path, text: str, part: str) -> None:
    """Replace the text between the markers of a part of a document. The other parts stay as they are."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def machine() -> str:
    """Return a line with the machine and the versions."""
    model = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    packages = ", ".join(f"{name} {version(name)}" for name in ("prometheus-client", "pydantic", "uvicorn", "httpx"))
    return (
        f"Machine: {model or platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} "
        f"{platform.release()}. Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}. "
        f"Load of the machine at the end: {os.getloadavg()[1]:.1f} over five minutes."
    )


def table(results: list[Result]) -> str:
    """Return a table with one row per measurement and one column per size."""
    scraped = [result.scrape for result in results]
    columns: list[tuple[str, Iterable[str]]] = [
        ("Cold fill: requests", (f"{result.fill.requests:,}" for result in results)),
        ("Cold fill: s / s of CPU", (f"{result.fill.seconds:.1f} / {result.fill.cpu:.1f}" for result in results)),
        ("Store on disk, MB", (f"{result.fill.store_mb:.1f}" for result in results)),
        ("Start to full page, warm store: s / s of CPU", (_pair(one.start.seconds, one.start.cpu) for one in results)),
        ("First start of another release: s / s of CPU", (_pair(*result.first_start) for result in results)),
        ("Warm refresh, today changed: requests", (f"{result.refresh.requests}" for result in results)),
        ("Warm refresh: s / s of CPU", (_pair(one.refresh.seconds, one.refresh.cpu) for one in results)),
        ("Memory (RSS), MB: idle", (f"{result.start.idle_mb:.0f}" for result in results)),
        ("Memory, MB: peak of fill / of refreshes", (_peaks(result) for result in results)),
        ("Series on the page", (f"{scrape.series:,}" if scrape else "-" for scrape in scraped)),
        ("Page, bytes: plain / gzip", (_sizes(result) for result in results)),
        ("Scrape, gzip, 1 client, ms", _times(results, lambda one: one.scrape and one.scrape.gzip)),
        ("Scrape, plain, 1 client, ms", _times(results, lambda one: one.scrape and one.scrape.plain)),
        ("50 clients, each once a second, gzip, ms", _times(results, lambda one: one.scrape and one.scrape.in_turn)),
        ("50 clients, each again at once, gzip, ms", (_at_once(result) for result in results)),
        ("1 client beside a refresh, gzip, ms", _times(results, lambda one: one.refresh.beside)),
    ]
    rows = [(name, list(cells)) for name, cells in columns]
    lines = [_row("", (result.size.label for result in results)), _row("---", ("--:" for _ in results))]
    return "\n".join(lines + [_row(name, cells) for name, cells in rows if set(cells) != {"-"}])


def against(baselines: Baselines, series: int) -> str:
    """Return the table of the baselines, measured with the same samples in the same run."""
    ours, theirs = (seconds / series * 1e6 for seconds in (baselines.ours, baselines.theirs))
    same = "the same bytes" if baselines.same else "other bytes"
    rows = [
        ("`generate_latest`, all families", f"{baselines.theirs * 1e3:.0f} ms of CPU, {theirs:.1f} us a sample"),
        ("Our encoder, all families", f"{baselines.ours * 1e3:.0f} ms of CPU, {ours:.1f} us a sample; {same}"),
        ("Labelled Gauges, cleared and set at each scrape: plain, ms", _cell(baselines.gauges_plain)),
        ("Labelled Gauges: gzip, ms", _cell(baselines.gauges_gzip)),
    ]
    return "\n".join([_row("", [f"{series:,} series"]), _row("---", ["--:"]), *(_row(name, [it]) for name, it in rows)])


def verdicts(found: Iterable[Target]) -> str:
    """Return the table of targets."""
    marks = {True: "met", False: "**not met**", None: "not measured"}
    rows = [_row(target.text, [target.found, marks[target.met]]) for target in found]
    return "\n".join([_row("Target", ["Found", ""]), _row("---", ["--:", "---"]), *rows])


def _times(results: list[Result], of: Callable[[Result], Times | None]) -> list[str]:
    return [_cell(of(result)) for result in results]


def _cell(times: Times | None) -> str:
    return f"{times.median:.2f}, p99 {times.p99:.2f}" if times else "-"


def _at_once(result: Result) -> str:
    if not result.scrape or not result.scrape.at_once:
        return "-"
    times, rate = result.scrape.at_once
    return f"{_cell(times)} ({rate:,.0f}/s)"


def _pair(one: float, other: float) -> str:
    return f"{one:.2f} / {other:.2f}"


def _peaks(result: Result) -> str:
    return f"{result.fill.peak_mb:.0f} / {result.refresh.peak_mb:.0f}"


def _sizes(result: Result) -> str:
    return (
        f"{result.scrape.page_bytes:,} / {result.scrape.gzip_bytes:,}" if result.scrape else f"{len(result.page):,} / -"
    )


def _row(name: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join(['' if name == '---' else name, *cells])} |" if name != "---" else f"|---|{'|'.join(cells)}|"


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []
