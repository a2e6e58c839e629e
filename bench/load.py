"""Timed scrapes: one client, fifty clients, and one at a steady rate during a refresh."""

import re
import shutil
import socket
import subprocess
import threading
import time
import zlib
from collections.abc import Callable
from math import ceil
from statistics import median
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import urlopen

CLIENTS = 50


class Times(NamedTuple):
    """Median and 99th percentile of scrapes in milliseconds, and their number."""

    median: float
    p99: float
    number: int


class Answer(NamedTuple):
    """The response to a scrape: the body as received, and whether it is gzip."""

    body: bytes
    compressed: bool

    def text(self) -> str:
        """Return the page."""
        return (zlib.decompress(self.body, 31) if self.compressed else self.body).decode()


class Connection:
    """A persistent connection with little overhead of its own."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = f"{parts.hostname}:{parts.port}"
        self._socket = socket.create_connection((parts.hostname, parts.port or 80), timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(8 << 20)

    def scrape(self, *, compressed: bool, patience: float = 60) -> Answer:
        """Get /metrics. Without patience, the current page is served whatever its age."""
        encoding = "gzip" if compressed else "identity"
        self._socket.sendall(
            f"GET /metrics HTTP/1.1\r\nHost: {self._host}\r\nAccept-Encoding: {encoding}\r\n"
            f"X-Prometheus-Scrape-Timeout-Seconds: {patience + 0.5}\r\n\r\n".encode()
        )
        return Answer(self._body(), compressed)

    def _body(self) -> bytes:
        size = self._more(0)
        while (end := self._buffer.find(b"\r\n\r\n", 0, size)) < 0:
            size += self._more(size)
        length = re.search(rb"(?i)content-length: *(\d+)", self._buffer[:end])
        wanted = end + 4 + int(length[1]) if length else len(self._buffer)
        if wanted > len(self._buffer):
            self._buffer.extend(bytes(wanted - len(self._buffer)))
        while size < wanted and (more := self._more(size, wanted)):
            size += more
        if length and size < wanted:
            raise ConnectionError("closed in the middle of an answer")
        return bytes(self._buffer[end + 4 : size])

    def _more(self, start: int, end: int | None = None) -> int:
        with memoryview(self._buffer) as view:
            return self._socket.recv_into(view[start:end])

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def get(url: str) -> str:
    """Return the body of a URL on loopback."""
    with urlopen(url, timeout=60) as answer:  # noqa: S310 - a loopback address
        return str(answer.read().decode())


def one_client(url: str, number: int, *, compressed: bool, keep_alive: bool = True) -> Times:
    """Return the times of consecutive scrapes."""
    connection, seconds = Connection(url), []
    for _ in range(number):
        if not keep_alive:
            connection.close()
            connection = Connection(url)
        begun = time.perf_counter()
        connection.scrape(compressed=compressed)
        seconds.append(time.perf_counter() - begun)
    connection.close()
    return summary(seconds)


def steady(url: str, goes_on: Callable[[], bool], every: float = 0.02) -> list[float]:
    """Return the seconds of gzip scrapes at a steady rate, each measured from when it was due.

    They do not wait for a refresh. A late response delays the following ones.
    """
    connection, seconds = Connection(url), []
    due = time.perf_counter()
    while goes_on():
        time.sleep(max(0.0, due - time.perf_counter()))
        connection.scrape(compressed=True, patience=0)
        now = time.perf_counter()
        seconds.append(now - due)
        due = max(due + every, now)
    connection.close()
    return seconds


def fifty_in_turn(url: str, seconds: float) -> Times:
    """Return the times of fifty clients that each scrape once a second, evenly spread, with gzip."""
    end, found, lock = time.perf_counter() + seconds, [], threading.Lock()

    def client(number: int) -> None:
        time.sleep(number / CLIENTS)
        mine = steady(url, lambda: time.perf_counter() < end, every=1.0)
        with lock:
            found.extend(mine)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return summary(found)


def fifty_at_once(url: str, seconds: int) -> tuple[Times, float] | None:
    """Return the times of fifty clients that scrape without a pause, and the scrapes per second.

    Uses wrk. Returns None if it is not installed.
    """
    if not shutil.which("wrk"):
        return None
    command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "--latency", "-H", "Accept-Encoding: gzip"]
    output = subprocess.run([*command, f"{url}/metrics"], capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    number = re.search(r"(\d+) requests in", output)
    times = Times(_wrk_time(output, "50"), _wrk_time(output, "99"), int(number[1]) if number else 0)
    return times, float(rate[1]) if rate else 0.0


def _wrk_time(output: str, percent: str) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s)$", output, re.MULTILINE)
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]] if found else 0.0


def summary(seconds: list[float]) -> Times:
    """Return the median and the 99th percentile (nearest rank) of durations, in milliseconds."""
    ordered = sorted(seconds)
    return Times(median(ordered) * 1000, ordered[ceil(0.99 * len(ordered)) - 1] * 1000, len(ordered))
