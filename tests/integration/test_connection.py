"""What a stranger can send before a request is complete is bounded, by real sockets."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from exporter.web.toolkit.http_protocol import BoundedConnection

pytestmark = pytest.mark.integration


class Impatient(BoundedConnection):
    """Closes slow connections after a moment."""

    head_seconds = 0.2


class _Server(uvicorn.Server):
    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


@contextmanager
def serving(connection: type[BoundedConnection]) -> Iterator[tuple[str, int]]:
    """Serve `ok` for everything, over connections of this type; yields where."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(PlainTextResponse("ok"), http=connection, ws="none", lifespan="off", log_config=None)
        server = _Server(config)
        thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[listener]),))
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join()


def answer(address: tuple[str, int], *parts: bytes) -> bytes:
    """Send the parts and return what came until the other side closed, empty when it closed without an answer."""
    with socket.create_connection(address, timeout=10) as client:
        try:
            for part in parts:
                client.sendall(part)
            return b"".join(iter(lambda: client.recv(65536), b""))
        except ConnectionError:
            return b""


REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"


def test_an_ordinary_request_is_answered() -> None:
    """Headers of 60 kB in all go through, in one part or in many."""
    many = [b"x-%d: %s\r\n" % (number, b"a" * 1000) for number in range(60)]
    with serving(BoundedConnection) as address:
        assert answer(address, REQUEST + b"\r\n").endswith(b"ok")
        assert answer(address, REQUEST, *many, b"\r\n").endswith(b"ok")


@pytest.mark.parametrize("large", [b"x: " + b"a" * 100_000, b"a" * 100_000])
def test_a_head_that_is_too_large_closes_the_connection(large: bytes) -> None:
    """More than 64 KiB of headers are not kept in memory, and not answered."""
    with serving(BoundedConnection) as address:
        assert answer(address, REQUEST, large, b"\r\n\r\n") == b""


def test_large_headers_in_many_small_lines_count_too() -> None:
    """The bound is on the whole head, not on a line."""
    lines = [b"x-%d: %s\r\n" % (number, b"a" * 1000) for number in range(100)]
    with serving(BoundedConnection) as address:
        assert answer(address, REQUEST, *lines, b"\r\n") == b""


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nhost: x\r\n"], ids=["silent", "half a head"])
def test_a_client_that_is_too_slow_is_let_go(begun: bytes) -> None:
    """A connection without a whole head is closed after a while: strangers can not use up all of them."""
    with serving(Impatient) as address:
        assert answer(address, begun) == b""


def test_a_second_request_has_its_own_bound() -> None:
    """What the first request sent does not count against the second."""
    first = b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 40_000 + b"\r\n\r\n"
    with serving(BoundedConnection) as address:
        assert answer(address, first, REQUEST + b"x: " + b"a" * 40_000 + b"\r\n\r\n").count(b"ok") == 2
