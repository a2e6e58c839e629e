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

from tests.stack.repository import ROOT
from tools.audit import judge

pytestmark = pytest.mark.integration
VULNERABILITY = {
    "id": "EXAMPLE-2026-1",
    "summary": "An example.",
    "published": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "anyio", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
            "versions": ["4.0.0"],
        }
    ],
}


class Service(BaseHTTPRequestHandler):
    """Answers as OSV does: anyio has a vulnerability, other packages have none."""

    def do_POST(self) -> None:
        """Answer a query about one version of one package."""
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = {"vulns": [VULNERABILITY]} if query["package"]["name"] == "anyio" else {}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the base class has it so
        """Keep the test's output clean."""


@contextmanager
def service() -> Iterator[str]:
    """Yield the address of the service."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}/v1/query"
        running.shutdown()
        thread.join()


def audit(tmp_path: Path, text: str, url: str) -> subprocess.CompletedProcess[str]:
    """Audit a requirements file as `make security` does, but with another service."""
    file = tmp_path / "requirements.txt"
    file.write_text(text)
    command = [
        sys.executable,
        str(ROOT / "tools/audit.py"),
        str(file),
        "--vulnerability-service=osv",
        f"--osv-url={url}",
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def pinned(*packages: str) -> str:
    """Return requirements with hashes."""
    return "".join(f"{package} --hash=sha256:{'0' * 64}\n" for package in packages)


@pytest.mark.parametrize(
    ("packages", "code", "out", "err"),
    [
        (("anyio==4.0.0", "idna==3.0"), 1, "", "anyio 4.0.0: EXAMPLE-2026-1, fixed in 99.1\n"),
        (("h11==0.16.0", "idna==3.0"), 0, "requirements.txt: no known vulnerability in 2 packages\n", ""),
    ],
)
def test_only_a_known_vulnerability_fails(
    tmp_path: Path, packages: tuple[str, ...], code: int, out: str, err: str
) -> None:
    """It is printed with the release that fixes it; without one, the number of packages is printed."""
    with service() as url:
        done = audit(tmp_path, pinned(*packages), url)
    assert (done.returncode, done.stdout.removeprefix(f"{tmp_path}/"), done.stderr) == (code, out, err)


def test_an_outage_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is down fails nothing, and is a warning, on GitHub one of the workflow run."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with service() as url:
        pass
    done = audit(tmp_path, pinned("anyio==4.0.0"), url)
    assert done.returncode == 0
    assert done.stderr.startswith("WARNING: no answer about ")
    assert done.stdout.startswith("::warning title=Audit::no answer about ")


@pytest.mark.parametrize("text", ["anyio==4.0.0\n", "not a requirement\n"])
def test_a_bad_file_fails(tmp_path: Path, text: str) -> None:
    """A file without hashes, or that cannot be parsed, is not taken for an outage."""
    done = audit(tmp_path, text, "http://127.0.0.1:9/v1/query")
    assert done.returncode == 2
    assert "cannot be audited" in done.stderr


def test_a_skipped_package_warns(capsys: pytest.CaptureFixture[str]) -> None:
    """A package that the service does not know is named; pip-audit alone reports success."""
    packages: list[dict[str, Any]] = [
        {"name": "anyio", "version": "4.0.0", "vulns": []},
        {"name": "idna", "skip_reason": "not found"},
    ]
    assert judge("requirements.txt", packages) == 0
    printed = capsys.readouterr()
    assert printed.err == "WARNING: requirements.txt: 1 of 2 packages were not audited: idna\n"
    assert "no known vulnerability" not in printed.out
