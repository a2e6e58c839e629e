"""The image's health check against servers that are well, unwell, encrypted, closed or gone."""

import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme

from tests.stack.dockerfile import ROOT

pytestmark = pytest.mark.integration


class Answers(BaseHTTPRequestHandler):
    """Answers `/-/healthy` alone, with the server's status."""

    def do_GET(self) -> None:
        """Answer."""
        status: int = getattr(self.server, "status", 200)
        self.send_response(status if self.path == "/-/healthy" else 404)
        self.end_headers()
        self.wfile.write(b"anthropic-exporter is healthy.\n")

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the base class has it so
        """Keep the test's output clean."""


class Quiet(ThreadingHTTPServer):
    """A server that does not print what a refused handshake raises."""

    def handle_error(self, *_: Any) -> None:  # noqa: ANN401 - the base class has it so
        """Say nothing."""


@contextmanager
def server(status: int = 200, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Yield the port of a server on loopback."""
    running = Quiet(("127.0.0.1", 0), Answers)
    running.status = status  # type: ignore[attr-defined]
    if tls:
        # The handshake belongs to the connection's own thread: a client that fails it must not end the accepting.
        running.socket = tls.wrap_socket(running.socket, server_side=True, do_handshake_on_connect=False)
    thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running.server_address[1]
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def context(*, clients: bool) -> ssl.SSLContext:
    """Return a server's context by an authority that nobody trusts, which may want client certificates."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("exporter.example.test").configure_cert(tls)
    if clients:
        authority.configure_trust(tls)
        tls.verify_mode = ssl.CERT_REQUIRED
    return tls


def check(address: str, web: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the health check as the image does, in an environment of nothing but settings."""
    env = {"EXPORTER_LISTEN_ADDRESS": address} | ({"EXPORTER_WEB_CONFIG_FILE": str(web)} if web else {})
    script = str(ROOT / "deploy/healthcheck.py")
    return subprocess.run(
        [sys.executable, "-I", script], env=env, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """Return a web configuration with TLS."""
    file = tmp_path / "web.yml"
    file.write_text("# TLS\ntls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n")
    return file


@pytest.mark.parametrize("host", ["", "127.0.0.1", "0.0.0.0"])  # noqa: S104 - an address to be asked, not to listen on
def test_a_server_that_is_well(host: str) -> None:
    """It is asked on the port of the settings; one that listens everywhere is asked on loopback."""
    with server() as port:
        done = check(f"{host}:{port}")
    assert (done.returncode, done.stdout) == (0, "healthy: anthropic-exporter is healthy.\n")


def test_a_server_that_is_unwell() -> None:
    """Any status but 200 is not healthy, and is said."""
    with server(status=503) as port:
        done = check(f":{port}")
    assert done.returncode == 1
    assert "status 503" in done.stderr


def test_nobody_there() -> None:
    """A refused connection is not healthy; no traceback is printed."""
    with server() as port:
        pass
    done = check(f":{port}")
    assert done.returncode == 1
    assert done.stderr.startswith("not healthy: ConnectionRefusedError")
    assert len(done.stderr.splitlines()) == 1


def test_tls_is_followed(web: Path) -> None:
    """With TLS in the web configuration it speaks TLS, whatever names the certificate has."""
    with server(tls=context(clients=False)) as port:
        assert check(f":{port}", web).returncode == 0


def test_passwords_alone_are_not_tls(tmp_path: Path) -> None:
    """A web configuration without TLS is asked in plain HTTP."""
    file = tmp_path / "web.yml"
    file.write_text("basic_auth_users: {}\n# tls_server_config: later\n")
    with server() as port:
        assert check(f":{port}", file).returncode == 0


def test_a_server_that_wants_a_certificate_is_alive(web: Path) -> None:
    """Being refused for want of a client certificate is an answer."""
    with server(tls=context(clients=True)) as port:
        done = check(f":{port}", web)
    assert (done.returncode, done.stdout) == (0, "healthy: it wants a client certificate\n")


def test_tls_that_is_not_spoken_is_not_healthy(web: Path) -> None:
    """A server that does not speak the TLS it was told to is not healthy."""
    with server() as port:
        assert check(f":{port}", web).returncode == 1
