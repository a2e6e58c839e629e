"""`tools/audit.py` with the real pip-audit, which asks a vulnerability service on loopback."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.stack.dockerfile import ROOT
from tools.audit import judge

pytestmark = pytest.mark.integration
HOLE = "EXAMPLE-2026-1"
PINNED = f"anyio==4.0.0 --hash=sha256:{'0' * 64}\nidna==3.0 --hash=sha256:{'1' * 64}\n"


class Service(BaseHTTPRequestHandler):
    """Answers as OSV does: the server's `holes` are the packages that have one."""

    def do_POST(self) -> None:
        """Answer a query about one version of one package."""
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = query["package"]["name"]
        found = [hole(name, query["version"])] if name in getattr(self.server, "holes", ()) else []
        body = json.dumps({"vulns": found} if found else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the base class has it so
        """Keep the test's output clean."""


def hole(name: str, version: str) -> dict[str, Any]:
    """Return a known hole in the form of the OSV schema."""
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}]
    package = {"name": name, "ecosystem": "PyPI"}
    return {
        "id": HOLE,
        "summary": "An example.",
        "published": "2026-01-01T00:00:00Z",
        "affected": [{"package": package, "ranges": ranges, "versions": [version]}],
    }


@contextmanager
def service(*holes: str) -> Iterator[str]:
    """Yield the address of a service that knows of holes in the packages named."""
    running = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    running.holes = holes  # type: ignore[attr-defined]
    thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}/v1/query"
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """Return a requirements file of two pinned packages."""
    file = tmp_path / "requirements.txt"
    file.write_text(PINNED)
    return file


def audit(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the audit as `make security` does."""
    command = [sys.executable, str(ROOT / "tools/audit.py"), str(file), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def asking(url: str) -> tuple[str, ...]:
    """Return the arguments that make pip-audit ask another service."""
    return ("--vulnerability-service=osv", f"--osv-url={url}")


def test_a_known_hole_fails(requirements: Path) -> None:
    """A hole ends the run with 1, and is named with the release that closes it."""
    with service("anyio") as url:
        done = audit(requirements, *asking(url))
    assert done.returncode == 1
    assert done.stderr == f"anyio 4.0.0: {HOLE}, fixed in 99.1\n"


def test_no_known_hole_passes(requirements: Path) -> None:
    """Answers without a hole end the run with 0, and it says how many packages were asked about."""
    with service() as url:
        done = audit(requirements, *asking(url))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("no hole is known in 2 packages\n")


def test_an_outage_passes_with_a_warning(requirements: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is away fails nothing, but is told, on GitHub as a warning of the run."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with service() as url:
        pass
    done = audit(requirements, *asking(url))
    assert done.returncode == 0
    assert done.stderr.startswith("WARNING: nothing is known about ")
    assert done.stdout.startswith("::warning title=Audit::nothing is known about ")


@pytest.mark.parametrize("text", ["anyio==4.0.0\n", "anyio>=4\n", "not a requirement\n"])
def test_a_file_without_pins_fails(requirements: Path, text: str) -> None:
    """What is wrong with the file is never taken for an outage."""
    requirements.write_text(text)
    done = audit(requirements)
    assert done.returncode == 2
    assert "can not be audited" in done.stderr


def test_a_package_that_was_skipped_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A package that the service does not answer for is named, where pip-audit alone reports success."""
    packages: list[dict[str, Any]] = [
        {"name": "anyio", "version": "4.0.0", "vulns": []},
        {"name": "idna", "skip_reason": "not found"},
    ]
    assert judge("requirements.txt", packages) == 0
    printed = capsys.readouterr()
    assert printed.err == "WARNING: 1 of the 2 packages of requirements.txt were not audited: idna\n"
    assert "no hole is known" not in printed.out
