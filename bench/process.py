"""The processes of the benchmark: the API, the baseline, and the exporter, which is measured from outside."""

import contextlib
import hashlib
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bench.bodies import Size, cache_folder
from bench.load import Connection, get
from exporter.days.database import FILE

ROOT = Path(__file__).resolve().parent.parent
KEPT_UP = "86400"
"""A time to live so long that no scrape starts a refresh."""
QUIET = 0.5
"""Seconds without work after which a refresh counts as finished."""


@cache
def python() -> Path:
    """Return a Python with the packages that the exporter requires and no others: a new environment at first use.

    Development packages would count as the exporter's memory: it imports more where they are installed.
    """
    locked = ROOT / "requirements.txt"
    environment = cache_folder() / f"environment-{hashlib.sha256(locked.read_bytes()).hexdigest()[:8]}"
    if not environment.exists():
        half = environment.with_suffix(".half")
        subprocess.run([sys.executable, "-m", "venv", "--clear", half], check=True)
        subprocess.run([ROOT / "tools" / "install-locked", half / "bin" / "python", locked], check=True)
        half.rename(environment)
    return environment / "bin" / "python"


@contextlib.contextmanager
def module(name: str, *arguments: object) -> Iterator[str]:
    """Run a module of the benchmark and yield the first line of its output, an address."""
    command = [sys.executable, "-m", name, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout  # noqa: S101 - for the types
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def api(size: Size) -> contextlib.AbstractContextManager[str]:
    """Run the API of a size, and yield its address."""
    return module("bench.api", size.people, size.days, size.copies)


class Exporter:
    """A running `python -m exporter`, measured from outside. Linux only."""

    def __init__(self, api_url: str, folder: Path, size: Size, ttl: str) -> None:
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            [python(), "-m", "exporter"],
            cwd=folder,
            env=environment(api_url, folder, size.days, ttl, every_name=size.every_name),
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr  # noqa: S101 - for the types
        self.url = ""
        for line in self._process.stderr:
            if found := re.search(r"msg=listening.*address=(\S+)", line):
                self.url = found[1]
                break
        if not self.url:
            raise RuntimeError("the exporter did not start")

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def cpu(self) -> float:
        """Return the CPU seconds of all threads so far."""
        return time.clock_gettime((~self.pid << 3) | 2)  # Linux: the CPU clock of another process

    def memory(self) -> tuple[float, float]:
        """Return current and peak resident memory in MB (10^6 bytes)."""
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        now, peak = (int(found) * 1024 / 1e6 for found in (_field(text, "VmRSS"), _field(text, "VmHWM")))
        return now, peak

    def until_quiet(self) -> None:
        """Wait until the process is idle."""
        before = self.cpu()
        while True:
            time.sleep(QUIET)
            if (now := self.cpu()) - before < QUIET / 10:
                return
            before = now

    def until_full(self) -> tuple[float, int]:
        """Wait for a page with every day of both reports. Return the seconds since the start and the series."""
        connection = Connection(self.url)
        while True:
            page = connection.scrape(compressed=True, patience=0).text()
            if len(re.findall(r"^anthropic_report_coverage_ratio\{.*\} 1\.0$", page, re.MULTILINE)) == 2:
                connection.close()
                series = re.search(r"^anthropic_exporter_page_series (\S+)$", page, re.MULTILINE)
                return time.perf_counter() - self.began, int(float(series[1])) if series else 0
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the process with SIGTERM, and wait."""
        self._process.terminate()
        self._process.communicate(timeout=30)


@contextlib.contextmanager
def exporter(api_url: str, folder: Path, size: Size, ttl: str = KEPT_UP) -> Iterator[Exporter]:
    """Run the exporter with a data folder, and stop it at the end."""
    running = Exporter(api_url, folder, size, ttl)
    try:
        yield running
    finally:
        running.stop()


def forget_what_was_added_up(folder: Path) -> None:
    """Delete the stored sums and the stored page, which are of one release; and the names, which are read again."""
    with contextlib.closing(sqlite3.connect(folder / FILE)) as db, db:
        db.execute("DELETE FROM note")


def folder() -> tempfile.TemporaryDirectory[str]:
    """Return a new data folder."""
    return tempfile.TemporaryDirectory(prefix="anthropic-exporter-bench-")


def requests_so_far(api_url: str) -> int:
    """Return the number of requests that the API has served."""
    return int(get(f"{api_url}/-/requests"))


def show_variant(api_url: str, number: int) -> None:
    """Switch the API to another variant of today."""
    get(f"{api_url}/-/variant/{number}")


def _field(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) if found else 0


def environment(api_url: str, folder: Path, days: int, ttl: str, *, every_name: bool = False) -> dict[str, str]:
    """Return the environment of an exporter that reads an API."""
    names = {"EXPORTER_MAX_USERS": "1000000"} if every_name else {}
    return names | {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(ROOT),
        "ANTHROPIC_ADMIN_KEY": "sk-ant-admin01-benchmark",
        "ANTHROPIC_BASE_URL": api_url,
        "EXPORTER_LISTEN_ADDRESS": "127.0.0.1:0",
        "EXPORTER_DATA_DIR": str(folder),
        "EXPORTER_REQUESTS_PER_MINUTE": "100000",
        "EXPORTER_WINDOW_DAYS": str(days),
        "EXPORTER_CACHE_TTL": ttl,
    }
