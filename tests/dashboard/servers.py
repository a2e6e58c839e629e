"""Real databases for the proof: a Prometheus, and a VictoriaMetrics, that hold a history."""

import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import httpx

from tests.dashboard.history import History

_READY = re.compile("Server is ready to receive web requests")
_ADDRESS = re.compile(r'msg="?Listening on"? address=(\S+)')
_VICTORIA_READY = re.compile("started VictoriaMetrics")


@contextmanager
def prometheus(folder: Path, history: History) -> Iterator[str]:
    """Yield the URL of a Prometheus with this history, which scrapes nothing."""
    text, data, config = folder / "history.om", folder / "tsdb", folder / "prometheus.yml"
    text.write_text(history.text(1), encoding="utf-8")
    blocks = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)]
    subprocess.run(blocks, check=True, capture_output=True)
    config.write_text("scrape_configs: []\n", encoding="utf-8")
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        "--web.listen-address=127.0.0.1:0",
    ]
    with _running(command, _READY) as log:
        address = _ADDRESS.search(log)
        assert address, log
        yield f"http://{address[1]}"


@contextmanager
def victoria_metrics(folder: Path, history: History) -> Iterator[str]:
    """Yield the URL of a VictoriaMetrics with this history."""
    with socket.create_server(("127.0.0.1", 0)) as free:  # it does not say which port it takes when given 0
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        "victoria-metrics",
        f"-storageDataPath={folder / 'victoria'}",
        f"-httpListenAddr={address}",
        "-retentionPeriod=100y",
        "-search.latencyOffset=0s",
    ]
    with _running(command, _VICTORIA_READY), httpx.Client(base_url=f"http://{address}") as http:
        http.post("/api/v1/import/prometheus", content=history.text(1000)).raise_for_status()
        http.get("/internal/force_flush").raise_for_status()
        yield f"http://{address}"


@contextmanager
def _running(command: list[str], ready: re.Pattern[str]) -> Iterator[str]:
    """Yield what a process logged until it was ready; stop it afterwards."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        said: Queue[str] = Queue()
        reader = threading.Thread(target=_listen, args=(process, ready, said))
        reader.start()
        try:
            log = said.get(timeout=30)
            assert ready.search(log), f"{command[0]} stopped: {log}"
            yield log
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
