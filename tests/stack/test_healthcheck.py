"""The image's health check against servers that are healthy, unhealthy, encrypted or stopped."""

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

from tests.stack.repository import ROOT

pytestmark = pytest.mark.integration
TLS = "# TLS\ntls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
PASSWORDS = "basic_auth_users: {}\n# tls_server_config: later\n"


class Handler(BaseHTTPRequestHandler):
    """Answers `/-/healthy` with the server's status."""

    def do_GET(self) -> None:
        """Answer."""
        status: int = getattr(self.server, "status", 200)
        self.send_response(status if self.path == "/-/healthy" else 404)
        self.end_headers()
        self.wfile.write(b"anthropic-exporter is healthy.\n")

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the base class has it so
        """Keep the test's output clean."""


class Server(ThreadingHTTPServer):
    """A server that does not print the error of a failed handshake."""

    def handle_error(self, *_: Any) -> None:  # noqa: ANN401 - the base class has it so
        """Ignore it."""


@contextmanager
def server(status: int = 200, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Yield the port of a server on loopback."""
    with Server(("127.0.0.1", 0), Handler) as running:
        running.status = status  # type: ignore[attr-defined]
        if tls:
            # The handshake happens in the connection's thread, so a client that fails it does not stop the server.
            running.socket = tls.wrap_socket(running.socket, server_side=True, do_handshake_on_connect=False)
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running.server_address[1]
        running.shutdown()
        thread.join()


def context(*, client_certificates: bool) -> ssl.SSLContext:
    """Return the TLS context of a server with an untrusted certificate for another name."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("exporter.example.test").configure_cert(tls)
    if client_certificates:
        authority.configure_trust(tls)
        tls.verify_mode = ssl.CERT_REQUIRED
    return tls


def check(address: str, web: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the health check as the image does, with no other variables than settings."""
    env = {"EXPORTER_LISTEN_ADDRESS": address} | ({"EXPORTER_WEB_CONFIG_FILE": str(web)} if web else {})
    command = [sys.executable, "-I", str(ROOT / "deploy/healthcheck.py")]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("host", ["", "127.0.0.1", "0.0.0.0"])  # noqa: S104 - an address to connect to
def test_a_healthy_server(host: str) -> None:
    """The port is that of the settings. A server on all interfaces is reached on loopback."""
    with server() as port:
        done = check(f"{host}:{port}")
    assert (done.returncode, done.stdout) == (0, "healthy: anthropic-exporter is healthy.\n")


def test_an_unhealthy_server() -> None:
    """Any status but 200 is unhealthy, and is printed."""
    with server(status=503) as port:
        done = check(f":{port}")
    assert (done.returncode, done.stderr) == (1, "unhealthy: ValueError('status 503')\n")


def test_a_stopped_server() -> None:
    """A refused connection is unhealthy, and prints one line."""
    with server() as port:
        pass
    done = check(f":{port}")
    assert done.returncode == 1
    assert done.stderr.startswith("unhealthy: ConnectionRefusedError")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("config", "tls", "code"),
    [(TLS, True, 0), (TLS, False, 1), (PASSWORDS, False, 0), (PASSWORDS, True, 1)],
)
def test_tls_follows_the_web_configuration(tmp_path: Path, config: str, *, tls: bool, code: int) -> None:
    """With `tls_server_config` it speaks TLS and accepts any certificate, else plain HTTP."""
    (tmp_path / "web.yml").write_text(config)
    with server(tls=context(client_certificates=False) if tls else None) as port:
        assert check(f":{port}", tmp_path / "web.yml").returncode == code


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_requires_a_client_certificate(tmp_path: Path, version: ssl.TLSVersion) -> None:
    """It refuses the check, which shows that it is running."""
    (tmp_path / "web.yml").write_text(TLS)
    tls = context(client_certificates=True)
    tls.maximum_version = version
    with server(tls=tls) as port:
        done = check(f":{port}", tmp_path / "web.yml")
    assert (done.returncode, done.stdout) == (0, "healthy: it refused a client without a certificate\n")
