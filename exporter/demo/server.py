"""The simulated API on a loopback port that the system chooses: in this event loop, or in a thread of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from threading import Thread

import uvicorn
from starlette.applications import Starlette

_GRACE_SECONDS = 1


class _Server(uvicorn.Server):
    """A server that leaves the signals to the program around it."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Capture none."""
        return nullcontext()


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[str]:
    """Serve an application of `create_api` in the running event loop, and yield its base URL.

    What hangs by plan is released at the end.
    """
    with _listening() as (listener, url):
        server = _server(app)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield url
        finally:
            app.state.faults.clear()
            server.should_exit = True
            await task


@contextmanager
def serve_in_thread(app: Starlette) -> Iterator[str]:
    """Serve an application of `create_api` in a thread, for tests without a loop and for other processes.

    Yields its base URL. What hangs by plan is released at the end.
    """
    with _listening() as (listener, url):
        server = _server(app)
        thread = Thread(target=asyncio.run, args=(server.serve(sockets=[listener]),), name="simulated-api")
        thread.start()
        try:
            yield url
        finally:
            app.state.faults.clear()
            server.should_exit = True
            thread.join()


@contextmanager
def _listening() -> Iterator[tuple[socket.socket, str]]:
    # Listening begins here, not in the server: the first client may come before the server has started.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # asyncio sets this on sockets that it makes itself; without it each answer waits 40 ms for a delayed ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


def _server(app: Starlette) -> _Server:
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return _Server(config)
