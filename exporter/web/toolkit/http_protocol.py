"""One HTTP connection, with bounds on what a stranger can send before a request is complete.

uvicorn bounds neither the size of a request's head nor the time that it takes to arrive.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class BoundedConnection(HttpToolsProtocol):
    """Closes a connection whose request line and headers are too large, or take too long."""

    largest_head = 64 * 1024
    head_seconds = 10.0
    _head = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._end_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless it is too much for a head."""
        self._head += len(data)
        if self._head > self.largest_head:
            self.transport.abort()
        else:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a request's head."""
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop waiting: the head is complete."""
        self._head = 0
        self._end_wait()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Leave bodies to uvicorn, which does not read on while nobody takes them."""
        self._head = 0
        super().on_body(body)

    def _await_head(self) -> None:
        self._end_wait()
        self._deadline = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _end_wait(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
