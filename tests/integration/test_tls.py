"""TLS, client certificates and passwords on real sockets, and with a real Prometheus; see also unit/test_tls.py."""

import json
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import bcrypt
import httpx
import pytest
import trustme
import uvicorn
from starlette.responses import PlainTextResponse

from exporter.web.toolkit.basic_auth import BasicAuth
from exporter.web.toolkit.config import WebConfigFile
from exporter.web.toolkit.limits import RateLimit, SecurityHeaders
from exporter.web.toolkit.tls import reloading_context

pytestmark = pytest.mark.integration

PAGE = "# HELP up_to_now A family.\n# TYPE up_to_now gauge\nup_to_now 1\n"
MUTUAL = """
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: clients.crt
"""


def hashed(password: str) -> str:
    """Return a bcrypt hash as htpasswd writes it, cheap for tests."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$")


@dataclass
class Site:
    """A folder with a web configuration and its certificates, and the CAs that issue them."""

    folder: Path
    servers: trustme.CA = field(default_factory=trustme.CA)
    clients: trustme.CA = field(default_factory=trustme.CA)
    reloads: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Write the first certificates."""
        self.renew()
        self.trust(self.clients)
        self.servers.cert_pem.write_to_path(self.folder / "ca.crt")

    @property
    def web(self) -> Path:
        """The path of the web configuration."""
        return self.folder / "web.yml"

    def renew(self) -> bytes:
        """Write a new certificate and key for the server; return the certificate."""
        leaf = self.servers.issue_cert("127.0.0.1", "localhost")
        leaf.cert_chain_pems[0].write_to_path(self.folder / "server.crt")
        leaf.private_key_pem.write_to_path(self.folder / "server.key")
        return ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())

    def trust(self, ca: trustme.CA) -> None:
        """Accept clients of `ca` from now on."""
        ca.cert_pem.write_to_path(self.folder / "clients.crt")

    def app(self, file: WebConfigFile) -> SecurityHeaders:
        """Return a page behind everything that the web configuration can require."""
        page = BasicAuth(
            PlainTextResponse(PAGE), users=file.users, on_failure=lambda reason: self.failures.update([reason])
        )
        return SecurityHeaders(RateLimit(page, limit=file.rate_limit), headers=file.headers)

    @contextmanager
    def serving(self, loop: Literal["asyncio", "uvloop"] = "asyncio") -> Iterator[int]:
        """Serve with uvicorn in a thread; yield the port."""
        file = WebConfigFile(self.web, lambda outcome: self.reloads.update([outcome]))
        context = reloading_context(file, lambda outcome: self.reloads.update([f"tls {outcome}"]))
        factory = None if context is None else lambda *_: context
        config = uvicorn.Config(
            self.app(file), loop=loop, lifespan="off", log_config=None, server_header=False, ssl_context_factory=factory
        )
        listening = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(20)
            listening.close()
        assert not thread.is_alive()

    def visitor(self, certificate: trustme.LeafCert | None = None, *, tls12: bool = False) -> ssl.SSLContext:
        """Return a client that trusts the server's CA, with or without a certificate of its own."""
        client = ssl.create_default_context()
        self.servers.configure_trust(client)
        if tls12:
            client.maximum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            certificate.configure_cert(client)
        return client


@dataclass(frozen=True)
class Visit:
    """What a client saw of one connection: the response, the server's certificate, and the TLS session to resume."""

    response: bytes
    certificate: bytes | None
    session: ssl.SSLSession | None
    resumed: bool | None


def visit(port: int, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Visit:
    """Send one request on a connection of its own."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    with client.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as connection:
        certificate = connection.getpeercert(binary_form=True)
        connection.sendall(b"GET /metrics HTTP/1.1\r\nhost: a.example.test\r\nconnection: close\r\n\r\n")
        response = b"".join(iter(lambda: connection.recv(65536), b""))
        return Visit(response, certificate, connection.session, connection.session_reused)


def is_accepted(port: int, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> bool:
    """Return whether a client gets the page. With TLS 1.3 it learns of a refusal only when it reads."""
    try:
        response = visit(port, client, session).response
    except (ssl.SSLError, ConnectionError):
        return False
    return response.startswith(b"HTTP/1.1 200") and response.endswith(PAGE.encode())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with TLS and nothing else."""
    site = Site(tmp_path)
    site.web.write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}")
    return site


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_next_connection_gets_the_renewed_certificate(site: Site, loop: Literal["asyncio", "uvloop"]) -> None:
    """With both event loops: each wraps connections in its own way."""
    with site.serving(loop) as port:
        first = visit(port, site.visitor()).certificate
        second = site.renew()
        assert visit(port, site.visitor()).certificate == second != first
    assert site.reloads == {"tls applied": 1}


def test_unfinished_handshakes_delay_no_other_client(site: Site) -> None:
    """Fifty connections send nothing, or plain HTTP."""
    with site.serving() as port:
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
        for connection in silent[::2]:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert is_accepted(port, site.visitor())
        for connection in silent:
            connection.close()


@pytest.mark.parametrize("tls12", [False, True])
def test_a_replaced_client_ca_ends_session_resumption(site: Site, *, tls12: bool) -> None:
    """Clients of the old CA are refused, even if they resume an earlier session."""
    site.web.write_text(MUTUAL)
    old = site.visitor(site.clients.issue_cert("old.example.test"), tls12=tls12)
    successor = trustme.CA()
    new = site.visitor(successor.issue_cert("new.example.test"), tls12=tls12)
    with site.serving() as port:
        session = visit(port, old).session
        assert visit(port, old, session).resumed
        assert not is_accepted(port, new)
        site.trust(successor)
        assert not is_accepted(port, old, session)
        assert not is_accepted(port, old)
        assert is_accepted(port, new)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_client_without_an_allowed_name_is_refused(site: Site, loop: Literal["asyncio", "uvloop"]) -> None:
    """With both event loops: the name is checked in their handshake."""
    site.web.write_text(MUTUAL + "  client_allowed_sans: [prometheus.example.test]\n")
    with site.serving(loop) as port:
        assert is_accepted(port, site.visitor(site.clients.issue_cert("prometheus.example.test")))
        assert not is_accepted(port, site.visitor(site.clients.issue_cert("other.example.test")))


def free_port() -> int:
    """Return a port that was free a moment ago; Prometheus does not take port 0."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def prometheus(folder: Path, jobs: list[dict[str, Any]]) -> Iterator[Callable[[dict[str, float]], None]]:
    """Run Prometheus with `jobs`; yield a function that waits until `up` of each job is as expected."""
    # JSON is YAML, and needs no quoting rules.
    (folder / "prometheus.yml").write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}))
    port = free_port()
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)

    def expect(up: dict[str, float]) -> None:
        seen: dict[str, float] = {}
        deadline = time.monotonic() + 60
        while seen != up and time.monotonic() < deadline and process.poll() is None:
            threading.Event().wait(0.2)  # Prometheus does not announce finished scrapes
            try:
                response = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": "up"})
                found = response.raise_for_status().json()["data"]["result"]
            except httpx.HTTPError:
                continue
            seen = {series["metric"]["job"]: float(series["value"][1]) for series in found}
        assert seen == up, (folder / "prometheus.log").read_text()[-2000:]

    try:
        yield expect
    finally:
        process.terminate()
        process.wait(20)


def test_a_real_prometheus_scrapes_with_certificate_and_password(site: Site) -> None:
    """`up` is 1 with both and 0 without either; a new password and certificate apply to the next scrape."""
    site.web.write_text(f"{MUTUAL}basic_auth_users:\n  alice: {hashed('opensesame')}\n")
    subprocess.run(["promtool", "check", "web-config", str(site.web)], check=True, capture_output=True)
    leaf = site.clients.issue_cert("prometheus.example.test")
    leaf.cert_chain_pems[0].write_to_path(site.folder / "client.crt")
    leaf.private_key_pem.write_to_path(site.folder / "client.key")
    tls = {"ca_file": "ca.crt", "cert_file": "client.crt", "key_file": "client.key"}
    right = {"username": "alice", "password": "opensesame"}

    def job(name: str, **more: object) -> dict[str, Any]:
        return {"job_name": name, "scheme": "https", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}], **more}

    with site.serving() as port:
        jobs = [
            job("right", tls_config=tls, basic_auth=right),
            job("wrong password", tls_config=tls, basic_auth=right | {"password": "openbarley"}),
            job("no password", tls_config=tls),
            job("no certificate", tls_config={"ca_file": "ca.crt"}, basic_auth=right),
        ]
        with prometheus(site.folder, jobs) as expect:
            out = {"wrong password": 0.0, "no password": 0.0, "no certificate": 0.0}
            expect({"right": 1.0} | out)
            assert site.failures["wrong"]
            assert site.failures["missing"]
            site.web.write_text(f"{MUTUAL}basic_auth_users:\n  alice: {hashed('openbarley')}\n")
            site.renew()
            expect(out | {"right": 0.0, "wrong password": 1.0})
    assert site.reloads["applied"] == 1
