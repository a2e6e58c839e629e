"""The simulated API on a loopback port that the system chooses, in a thread of its own."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Thread

import uvicorn
from starlette.applications import Starlette

_GRACE_SECONDS = 1


class Server(uvicorn.Server):
    """uvicorn without signal handlers: signals belong to the command."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Capture none."""
        return nullcontext()


@contextmanager
def serve_in_thread(app: Starlette) -> Iterator[str]:
    """Serve an application in a thread, and yield its base URL."""
    with listening() as (listener, url):
        server = make_server(app)
        thread = Thread(target=asyncio.run, args=(server.serve(sockets=[listener]),), name="simulated-api")
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def listening() -> Iterator[tuple[socket.socket, str]]:
    """Yield a socket that listens already, so that the first client may come before the server has started."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # asyncio sets this on sockets that it makes itself; without it each response waits 40 ms for a delayed ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


def make_server(app: Starlette) -> Server:
    """Return a server of an application, which `serve` runs on given sockets."""
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
    return Server(config)
