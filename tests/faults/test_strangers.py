"""Hostile clients of the web server: any method, path, header and byte. No 500, no echo, no delay for others."""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message, Scope

from exporter.days.ledger import Ledger
from exporter.days.store import Store
from exporter.exposition.page import Page
from exporter.model import Window
from exporter.reports import listings, reports
from exporter.reports.names import Names
from exporter.telemetry import Telemetry
from exporter.web import api, site
from exporter.web.app import create_app
from exporter.web.reporting import Reporting
from exporter.web.toolkit.limits import SecurityHeaders
from tests.bodies import TODAY
from tests.integration.processes import Running, environment, forked, upstream

MARK = "Zx9-stranger-7qW"
KNOWN = ("/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/report", "/api/v1/export/cost.csv", "/static/page.css")
T = TypeVar("T")


class _Pages:
    """An exporter that has read nothing yet."""

    ready = True
    interval = 60.0

    def __init__(self, ledger: Ledger) -> None:
        self.published = ledger.publish(Window(TODAY, 3), dict.fromkeys(ledger.reports))

    async def scrape(self, patience: float) -> Page:
        """Return the empty page."""
        assert 0 <= patience <= 60
        return self.published.page

    async def in_worker(self, work: Callable[[], T]) -> T:
        """Do the work at once."""
        return work()


def app() -> ASGIApp:
    """Return the whole application with its security headers."""
    ledger = Ledger(Store(None), reports(), listings())
    pages = _Pages(ledger)
    reporting = Reporting(pages, ledger, Names(), max_users=9)
    routes = [*site.routes(reporting, list, version="9.9.9", simulated=False), *api.routes(reporting)]
    return SecurityHeaders(create_app(pages, Telemetry(["cost"]), routes))


APP = app()
METHODS = st.text(max_size=9) | st.sampled_from(
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get"]
)
PATHS = st.sampled_from([*KNOWN, "/metrics/", "//metrics", "/../etc/passwd", "/-/", "/%00", "/metrics;x"]) | st.text()
NAMES = st.binary(max_size=20) | st.sampled_from(
    b"accept accept-encoding x-prometheus-scrape-timeout-seconds host content-length range cookie".split()
)
VALUES = st.binary(max_size=60) | st.sampled_from(
    b"nan -inf 1e999 gzip;q=x *;q=0 \xff\xfe application/openmetrics-text;version=9 0x10 1_0".split()
)


def request(
    method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]]
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Return status, headers and body of one request, sent as an ASGI server would."""
    sent: list[Message] = []
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(errors="replace"),
        "query_string": query,
        "headers": [(name.lower(), value) for name, value in headers],
        "client": ("192.0.2.1", 4711),
        "server": ("127.0.0.1", 10918),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(APP(scope, receive, send))  # type: ignore[arg-type]
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), body


@given(method=METHODS, path=PATHS, query=st.binary(max_size=40), headers=st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_any_request(method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Is answered with 200, 404 or 405, with security headers, and without a redirect or a banner."""
    status, response, _ = request(method, path, query, headers)
    assert status in {200, 404, 405}
    assert {b"x-content-type-options", b"content-security-policy", b"cache-control"} <= response.keys()
    assert b"server" not in response
    assert b"location" not in response


@given(where=st.sampled_from(["path", "query", "header", "method"]), rest=st.text(max_size=20))
def test_nothing_is_echoed(where: str, rest: str) -> None:
    """Nothing of a request is in the headers or the body of its response."""
    text = MARK + rest
    status, response, body = request(
        text if where == "method" else "GET",
        f"/{text}" if where == "path" else "/metrics",
        text.encode() if where == "query" else b"",
        [(b"accept", text.encode()), (b"host", text.encode())] if where == "header" else [],
    )
    assert status in {200, 404, 405}
    assert MARK.encode() not in body + repr(response).encode()


@pytest.fixture(scope="module")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run the exporter in a process of its own."""
    folder = tmp_path_factory.mktemp("strangers")
    with upstream() as api, forked(folder, environment(api.url)) as running:
        yield running.filled()


@contextmanager
def connected(exporter: Running) -> Iterator[socket.socket]:
    """Yield a connection to the process."""
    port = int(exporter.address.rpartition(":")[2])
    with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as connection:
        yield connection


def received(connection: socket.socket) -> bytes:
    """Return what arrives until the process closes the connection or sends nothing more."""
    response = b""
    with suppress(OSError):
        while piece := connection.recv(65536):
            response += piece
    return response


@pytest.mark.integration
@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: y\r\n" % number for number in range(20_000)) + b"\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\r\n" * 1000,
        bytes(range(256)) * 10,
    ],
)
def test_malformed_requests(exporter: Running, sent: bytes) -> None:
    """Closed or answered, without a 500, an echo or a traceback; the next client is served."""
    with connected(exporter) as connection:
        connection.settimeout(3)
        with suppress(OSError):  # closed by the process before all was sent
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        response = received(connection)
    assert not re.match(rb"HTTP/1.1 5", response)
    assert b"aaaaaaaaaaaaaaaa" not in response
    assert exporter.get("/-/healthy").status_code == 200
    assert "Traceback" not in exporter.log


@pytest.mark.integration
def test_slow_clients_delay_no_other_client(exporter: Running) -> None:
    """300 connections send half a request and wait, and a scrape succeeds."""
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(connected(exporter)).sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\nx-slow: ")
        assert exporter.get("/metrics").status_code == 200


@pytest.mark.integration
def test_an_endless_head_is_cut_off(exporter: Running) -> None:
    """Before it uses memory."""
    before = exporter.resident_mib()
    with connected(exporter) as connection, pytest.raises(ConnectionError):
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n" + (b"x-more: " + b"y" * 32_768 + b"\r\n") * 2000)
    assert exporter.resident_mib() < before + 20
