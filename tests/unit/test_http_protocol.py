"""Limits on a request's head, with a transport and timers that the test holds. `faults/` has the real sockets."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from unittest.mock import Mock

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

from exporter.web.toolkit.http_protocol import BoundedHttpProtocol

LARGEST = 65_536


def head(size: int, body: int = 0) -> bytes:
    """Return a request's head of `size` bytes."""
    begun = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\nx: " % body
    return begun.ljust(size - 4, b"a") + b"\r\n\r\n"


class Connection:
    """One connection to an application that takes nothing."""

    def __init__(self) -> None:
        self.timers: list[Mock] = []
        self.transport = Mock(spec=asyncio.Transport)
        self.transport.get_extra_info.return_value = None
        loop = Mock(spec=asyncio.AbstractEventLoop)
        loop.call_later.side_effect = self._call_later
        loop.create_task.side_effect = self._create_task
        config = uvicorn.Config(PlainTextResponse("x"), ws="none", lifespan="off", log_config=None)
        self.protocol = BoundedHttpProtocol(config, ServerState(), {}, loop)
        self.protocol.connection_made(self.transport)

    def _call_later(self, seconds: float, fire: Callable[[], None]) -> Mock:
        timer = Mock(spec=asyncio.TimerHandle, seconds=seconds, fire=fire)
        self.timers.append(timer)
        return timer

    def _create_task(self, request: Coroutine[Any, Any, None], **_: object) -> Mock:
        request.close()
        return Mock(spec=asyncio.Task)

    def is_open_after(self, *parts: bytes) -> bool:
        """Send the parts, and return whether the connection is open."""
        for part in parts:
            self.protocol.data_received(part)
        return not self.transport.abort.called

    @property
    def running(self) -> list[Mock]:
        """The timers that were not stopped."""
        return [timer for timer in self.timers if not timer.cancel.called]


@pytest.fixture
def connection() -> Connection:
    """Return a new connection."""
    return Connection()


@pytest.mark.parametrize("step", [1000, 100_000], ids=["in parts", "at once"])
def test_a_head_has_at_most_64_kib(step: int) -> None:
    """One byte more closes the connection."""
    for size in (LARGEST, LARGEST + 1):
        parts = [head(size)[start : start + step] for start in range(0, size, step)]
        assert Connection().is_open_after(*parts) is (size == LARGEST)


def test_the_limit_is_per_request_and_leaves_bodies_alone(connection: Connection) -> None:
    """Neither an earlier request nor a body counts; the body reaches the application."""
    assert connection.is_open_after(head(LARGEST, body=200_000), *[b"b" * 50_000] * 4)
    assert connection.protocol.cycle.body == b"b" * 200_000
    assert connection.is_open_after(head(LARGEST), head(LARGEST))
    assert not connection.is_open_after(head(LARGEST + 1))


@pytest.mark.parametrize("sent", [[], [head(90)[:50]], [head(90), head(90)[:50]]], ids=["silent", "first", "second"])
def test_a_head_that_takes_ten_seconds_closes_the_connection(connection: Connection, sent: list[bytes]) -> None:
    """Silence and half a head are the same, also after a complete request."""
    assert connection.is_open_after(*sent)
    [timer] = connection.running
    assert timer.seconds == 10.0
    timer.fire()
    connection.transport.abort.assert_called_once_with()


def test_the_timer_stops_with_the_head_or_the_connection(connection: Connection) -> None:
    """A slow body is the application's business, and a closed connection nobody's."""
    assert connection.is_open_after(head(90, body=10))
    assert connection.running == []
    gone = Connection()
    gone.protocol.connection_lost(None)
    assert (gone.running, gone.protocol.connections) == ([], set())
