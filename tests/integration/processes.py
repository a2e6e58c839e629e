"""Real processes for the tests: the exporter's command, and a Prometheus that scrapes it.

Nothing here waits for a fixed time: a condition is asked again and again until it holds or a deadline has passed.
"""

import json
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import httpx
import pytest
from starlette.applications import Starlette

from exporter import cli
from exporter.demo.organization import Organization
from tests.oracle import Samples, differences, expected_samples, scrape_samples
from tests.simulator.api import create_api, serve_in_thread
from tests.simulator.faults import Faults
from tests.support import KEY, REPORTS

ROOT = Path(__file__).parents[2]
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.integration.processes"])  # a start costs a fork, not a second of imports
_T = TypeVar("_T")


def wait_for(condition: Callable[[], _T], seconds: float = 30, what: str = "the condition") -> _T:
    """Return the first true value of a condition; raise AssertionError when there is none in time."""
    deadline = monotonic() + seconds
    pause = threading.Event()
    while not (value := condition()):
        if monotonic() > deadline:
            raise AssertionError(f"{what} did not hold within {seconds:g} s")
        pause.wait(0.03)
    return value


def free_port() -> int:
    """Return a port that nobody listens on, for programs that cannot choose one themselves."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Upstream:
    """The API of an organisation in a thread. Its clock stands still, so that its truth does not move."""

    organization: Organization
    now: datetime
    app: Starlette
    url: str
    faults: Faults
    window_days: int

    def expected(self) -> Samples:
        """Return all samples that a full page must show."""
        return expected_samples(self.organization, self.now, window_days=self.window_days)


@contextmanager
def upstream(*, people: int = 8, window_days: int = 3) -> Iterator[Upstream]:
    """Yield the API of a new organisation, seen in the afternoon of this very day."""
    now = datetime.now(UTC)
    if now.hour == 23 and now.minute >= 57:
        pytest.skip("within three minutes of midnight UTC the day would change during the test")
    afternoon = now.replace(hour=15, minute=30, second=0, microsecond=0)
    organization, faults = Organization(now.date(), people=people), Faults()
    app = create_api(organization, now=lambda: afternoon, key=KEY, faults=faults)
    with serve_in_thread(app) as url:
        yield Upstream(organization, afternoon, app, url, faults, window_days)


class Forked:
    """A process that was forked, as `subprocess.Popen` shows one."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        return self.returncode

    def wait(self, seconds: float | None = None) -> int:
        """Return its exit code when it has ended; raise TimeoutError when that takes too long."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            raise TimeoutError(f"still running after {seconds:g} s")
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


@dataclass
class Running:
    """A command of the exporter that was started."""

    process: "subprocess.Popen[bytes] | Forked"
    folder: Path

    @property
    def out(self) -> str:
        """What it has printed."""
        return (self.folder / "stdout").read_text()

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "stderr").read_text()

    @property
    def address(self) -> str:
        """Where it listens."""
        return wait_for(self._listening, what="listening")

    def _listening(self) -> str:
        if self.process.poll() is not None:
            raise AssertionError(f"the exporter ended with {self.process.returncode}:\n{self.out}{self.log}")
        found = re.search(r"http://127\.0\.0\.1:\d+", "".join(re.findall(r".*listening.*", self.log)))
        return found[0] if found else ""

    def get(self, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own arguments
        """Return an answer of its web server."""
        return httpx.get(self.address + path, timeout=30, **more)

    def samples(self) -> Samples:
        """Return the samples that a scrape gets."""
        return scrape_samples(self.get("/metrics").text)

    def filled(self, seconds: float = 60) -> "Running":
        """Wait until every day of every report was read."""

        def full() -> bool:
            samples = self.samples()
            return all(samples.get(_coverage(report)) == 1 for report in REPORTS)

        wait_for(full, seconds, "a full page")
        return self

    def wrong(self, api: Upstream) -> list[str]:
        """Return a line for each sample that is not the organisation's truth."""
        return differences(api.expected(), self.samples())

    def end(self, number: int = signal.SIGTERM, seconds: float = 20) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def resident_mib(self) -> float:
        """Return the memory it holds now, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def peak_mib(self) -> float:
        """Return the most memory it ever held, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024


def _coverage(report: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return "anthropic_report_coverage_ratio", frozenset({("report", report)})


def environment(api_url: str, **given: object) -> dict[str, str]:
    """Return an environment with nothing of this machine but its PATH; `given` are settings by field name."""
    settings: dict[str, object] = {
        "anthropic_admin_key": KEY,
        "anthropic_base_url": api_url,
        "exporter_listen_address": "127.0.0.1:0",
        "exporter_requests_per_minute": 100_000,
        "exporter_window_days": 3,
        **given,
    }
    environ = {name.upper(): str(value) for name, value in settings.items() if value is not None}
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environ}


@contextmanager
def started(
    folder: Path, environ: Mapping[str, str], *arguments: str, wrapper: tuple[str, ...] = ()
) -> Iterator[Running]:
    """Start a command of the exporter in a folder, and kill it at the end if it still runs."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [*wrapper, sys.executable, "-m", "exporter", *arguments]
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
    try:
        yield Running(process, folder)
    finally:
        process.kill()
        process.wait()


def _be(arguments: tuple[str, ...], folder: str, environ: Mapping[str, str]) -> None:
    """Be a command of the exporter, in a process of its own."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    for number, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(name, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    sys.exit(cli.main(arguments))


@contextmanager
def forked(folder: Path, environ: Mapping[str, str], *arguments: str) -> Iterator[Running]:
    """Do what `started` does, from a process that has imported all: for tests that start many."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("stdout", "stderr"):
        (folder / name).write_bytes(b"")
    process = _FORKS.Process(target=_be, args=(arguments, str(folder), dict(environ)))
    process.start()
    try:
        yield Running(Forked(process), folder)
    finally:
        process.kill()
        process.join()
        process.close()


@dataclass
class Prometheus:
    """A real Prometheus that scrapes one target every second."""

    url: str
    log_file: Path

    @property
    def log(self) -> str:
        """Its log."""
        return self.log_file.read_text()

    def query(self, promql: str) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": promql}, timeout=30).json()
        assert answer["status"] == "success", answer
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def number(self, promql: str) -> float | None:
        """Return the value of a query with one result, None where there is no result."""
        result = self.query(promql)
        assert len(result) <= 1
        return float(result[0]["value"][1]) if result else None

    def samples(self, selector: str) -> Samples:
        """Return the samples it has stored, in the oracle's form."""
        samples: Samples = {}
        for series in self.query(selector):
            labels = {name: text for name, text in series["metric"].items() if name not in ("job", "instance")}
            samples[labels.pop("__name__"), frozenset(labels.items())] = Decimal(repr(float(series["value"][1])))
        return samples


@contextmanager
def prometheus(folder: Path, target: str, **job: object) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes `host:port` every second; it is up when this yields. `job` is more of its job."""
    folder.mkdir(parents=True, exist_ok=True)
    scrape = {"job_name": "exporter", "scrape_interval": "1s", "static_configs": [{"targets": [target]}], **job}
    (folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": [scrape]}))  # JSON is YAML
    port = free_port()
    command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    server = Prometheus(f"http://127.0.0.1:{port}", folder / "log")
    try:
        wait_for(lambda: _ready(server.url), what="a Prometheus")
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").is_success
    except httpx.TransportError:
        return False
