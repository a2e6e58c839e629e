"""Real processes for the proof: a Prometheus that scrapes one page."""

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import httpx

from tests.dashboard.asking import Prometheus

_CONFIG = """
global: {{scrape_interval: 2s, scrape_timeout: 2s}}
scrape_configs:
  - job_name: anthropic-exporter
    static_configs: [{{targets: ["{target}"]}}]
"""
_READY = re.compile("Server is ready to receive web requests")
_ADDRESS = re.compile(r'msg="?Listening on"? address=(\S+)')


@contextmanager
def running(
    command: list[str],
    listening: re.Pattern[str],
    *,
    cwd: Path,
    env: dict[str, str] | None = None,
    ready: re.Pattern[str] | None = None,
) -> Iterator[str]:
    """Yield the address that a process prints on its standard error when it listens; stop it afterwards.

    It is yielded with the line that `ready` finds, for a process that listens before it can answer.
    """
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env, cwd=cwd) as process:
        said: Queue[str] = Queue()
        reader = threading.Thread(target=_listen, args=(process, ready or listening, said))
        reader.start()
        try:
            log = said.get(timeout=30)
            address = listening.search(log)
            assert address, f"{command[0]} stopped: {log}"
            yield address[1]
        finally:
            process.terminate()
            reader.join()


def _listen(process: "subprocess.Popen[str]", ready: re.Pattern[str], said: "Queue[str]") -> None:
    """Read a process's log to its end, so that it never waits for a reader; pass on what it said until it was ready."""
    log: list[str] = []
    for line in process.stderr or ():
        log.append(line)
        if ready.search(line):
            said.put("".join(log))
            log.clear()
    said.put("".join(log[-5:]) or "nothing was said")


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    """Yield a Prometheus that scrapes `target` (host:port) every two seconds, with its data in `folder`."""
    config = folder / "prometheus.yml"
    config.write_text(_CONFIG.format(target=target))
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--web.listen-address=127.0.0.1:0",
    ]
    with (
        running(command, _ADDRESS, cwd=folder) as address,
        httpx.Client(base_url=f"http://{address}", timeout=30) as http,
    ):
        yield Prometheus(http)
