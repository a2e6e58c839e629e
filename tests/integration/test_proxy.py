"""A proxy and a private CA, by the variables that every HTTP client has: `check` through both, as a process."""

import asyncio
import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from tests.integration.processes import environment, forked, upstream

pytestmark = pytest.mark.integration
HOST = "api.example.test"


class Proxy:
    """A proxy that opens TLS, as many companies have: it answers CONNECT, and presents a certificate of its own CA.

    The name of the API resolves nowhere, so what reaches the API came through it.
    """

    def __init__(self, ca: trustme.CA, api_url: str) -> None:
        self.requests: list[bytes] = []
        self.url = ""
        self._api = urlsplit(api_url)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(HOST).configure_cert(self._tls)
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()

    def run(self) -> None:
        """Serve until stopped."""
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    def wait(self) -> None:
        """Wait until it listens."""
        assert self._listening.wait(10)

    def stop(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://ana:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._listening.set()
        await self._stopped.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await task

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with suppress(OSError, asyncio.IncompleteReadError):
            await writer.start_tls(self._tls)
            theirs, to_api = await asyncio.open_connection(self._api.hostname, self._api.port)
            await asyncio.wait(
                [asyncio.create_task(_copy(reader, to_api)), asyncio.create_task(_copy(theirs, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            to_api.close()
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@contextmanager
def proxy(ca: trustme.CA, api_url: str) -> Iterator[Proxy]:
    """Yield a running proxy."""
    made = Proxy(ca, api_url)
    thread = threading.Thread(target=made.run)
    thread.start()
    made.wait()
    try:
        yield made
    finally:
        made.stop()
        thread.join()


def test_through_a_proxy_with_a_private_ca(tmp_path: Path) -> None:
    """HTTPS_PROXY and SSL_CERT_FILE are enough; without the CA, the line says what to set. No password is shown."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    with upstream() as api, proxy(ca, api.url) as middle:
        environ = environment(f"https://{HOST}") | {"HTTPS_PROXY": middle.url}
        shown = f"https://{HOST} through the proxy {middle.url.rpartition('@')[2]}"
        with forked(tmp_path / "1", environ | {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}, "check") as trusting:
            assert trusting.process.wait(30) == 0
            assert trusting.out.startswith(f"ok    network: {shown} answers\n")
        with forked(tmp_path / "2", environ, "check") as doubting:
            assert doubting.process.wait(30) == 1
            first = doubting.out.splitlines()[0]
            said = trusting.out + trusting.log + doubting.out + doubting.log
        assert first.startswith(f"FAIL  network: {shown}: connection failed ([SSL: CERTIFICATE_VERIFY_FAILED] ")
        assert first.endswith("For a private CA, set SSL_CERT_FILE to its certificate.")
        assert "secret" not in said
        head = middle.requests[0].decode()
    assert head.startswith(f"CONNECT {HOST}:443 HTTP/1.1\r\n")
    assert f"Basic {base64.b64encode(b'ana:secret').decode()}" in head
