"""The commands of the how-to guides, run one after another on a machine made of bubblewrap and an empty disk.

The exporter, promtool and the tools of the system are real. What needs a service that is not there is replaced by a
program that only notes how it was called: systemctl, docker, kubectl, pipx and the like.
"""

import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.processes import upstream
from tests.stack.repository import ROOT
from tests.support import KEY

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
NOTED = ("curl", "docker", "git", "journalctl", "kubectl", "pipx", "systemctl", "uv")
FOLDERS = ("bin", "dev", "etc/prometheus", "etc/systemd/system", "home", "proc", "tmp", "var/lib/private")
STATE = "var/lib/anthropic-exporter"
WRITTEN = {"etc/prometheus/anthropic-rules": "prometheus/rules", "var/lib/grafana/dashboards": "grafana/dashboards"}
UNITS = "etc/systemd/system/anthropic-exporter"


@dataclass
class Machine:
    """A machine whose disk is a folder. Commands run as root, in a clone of the repository."""

    disk: Path
    api_url: str

    def follow(self, guide: str) -> None:
        """Run every command of a guide, and type the key where one is read."""
        text = (ROOT / f"docs/how-to/{guide}.md").read_text("utf-8")
        for block in re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
            self.run(textwrap.dedent(block))

    def run(self, script: str) -> None:
        """Run a script, which must succeed."""
        python = Path(sys.executable).parent
        environ = {
            "PATH": f"/bin:{python}:/usr/sbin:/usr/bin",
            "HOME": "/home",
            "REGISTRY": "registry.example.test",
            "ANTHROPIC_BASE_URL": self.api_url,
            "ANTHROPIC_ADMIN_KEY_FILE": "/home/anthropic-admin-key",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        words = ["bwrap", "--unshare-user", "--uid", "0", "--gid", "0", "--bind", str(self.disk), "/"]
        words += ["--proc", "/proc", "--dev", "/dev"]
        for folder in {"/usr", sys.base_prefix, sys.prefix, str(ROOT)}:
            words += ["--ro-bind", folder, folder]
        words += ["--chdir", "/clone", "--clearenv"]
        words += [word for pair in environ.items() for word in ("--setenv", *pair)]
        done = subprocess.run(
            [*words, "--", "/usr/bin/sh", "-euc", script], input=KEY, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"

    def calls(self) -> list[str]:
        """Return how the programs were called that only note it, and forget it."""
        log = self.disk / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def files(self, folder: str) -> dict[str, int]:
        """Return the files in a folder with their modes."""
        return {
            str(path.relative_to(self.disk / folder)): path.stat().st_mode & 0o777
            for path in (self.disk / folder).rglob("*")
            if path.is_file()
        }


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Yield a new machine, on which the API of a simulated organisation can be reached."""
    disk = tmp_path / "disk"
    for name in FOLDERS:
        (disk / name).mkdir(parents=True)
    for name in ("lib", "lib64"):
        (disk / name).symlink_to(f"usr/{name}")
    (disk / "bin/sh").symlink_to("/usr/bin/sh")
    write_program(disk / "bin/sudo", 'exec "$@"')
    for name in NOTED:
        write_program(disk / "bin" / name, f'echo "{name} $*" >> /calls')
    shutil.copytree(ROOT / "deploy", disk / "clone/deploy", ignore=shutil.ignore_patterns("__pycache__", "admin-key"))
    (disk / "clone/secrets").mkdir()
    with upstream() as api:
        yield Machine(disk, api.url)


def write_program(path: Path, script: str) -> None:
    """Write a shell script that can be run."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_get_a_key(machine: Machine) -> None:
    """The key is in a file that only its owner can read, and `check` succeeds."""
    machine.follow("get-a-key")
    assert machine.files("home") == {"anthropic-admin-key": 0o600}
    assert (machine.disk / "home/anthropic-admin-key").read_text() == KEY


def test_systemd_from_installation_to_removal(machine: Machine) -> None:
    """Install, add an organisation, rotate, back up, lose the days, restore, uninstall: nothing is left behind."""
    for guide in ("systemd", "several-organisations"):
        machine.follow(guide)
    assert machine.files("etc/anthropic-exporter") == {
        "key": 0o600,
        "settings": 0o644,
        "acme/key": 0o600,
        "acme/settings": 0o644,
    }
    for suffix in (".service", "@.service"):
        assert (machine.disk / f"{UNITS}{suffix}").read_bytes() == (
            ROOT / f"deploy/systemd/anthropic-exporter{suffix}"
        ).read_bytes()
    called = machine.calls()
    assert called[0] == "pipx install --global anthropic-exporter"
    assert called.index("systemctl daemon-reload") < called.index("systemctl enable --now anthropic-exporter")
    assert "systemctl enable --now anthropic-exporter@acme" in called

    (machine.disk / "etc/anthropic-exporter/key").write_text("old")
    (machine.disk / "home/anthropic-admin-key").write_text("old")
    machine.follow("rotate-the-key")
    assert (machine.disk / "etc/anthropic-exporter/key").read_text() == KEY
    assert machine.files("home") == {"anthropic-admin-key": 0o600}
    assert (machine.disk / "clone/deploy/kubernetes/admin-key").read_text() == KEY
    assert "systemctl restart anthropic-exporter" in machine.calls()

    # As systemd makes a state directory for DynamicUser.
    private = machine.disk / "var/lib/private/anthropic-exporter"
    private.mkdir()
    (machine.disk / STATE).symlink_to("private/anthropic-exporter")
    (private / "days.sqlite").write_bytes(b"the days")
    (private / "user-hash.key").write_bytes(b"the key")
    stored = machine.files("var/lib/private")
    backup, restore = halves("back-up-and-restore", "## Restore")
    machine.run(backup)
    shutil.rmtree(private)
    private.mkdir()
    machine.run(restore)
    assert machine.files("var/lib/private") == stored
    assert (private / "days.sqlite").read_bytes() == b"the days"
    stops = [call for call in machine.calls() if "systemctl" in call]
    assert stops == ["systemctl stop anthropic-exporter", "systemctl start anthropic-exporter"] * 2

    (machine.disk / f"{UNITS}@.service").unlink()
    machine.follow("uninstall")
    assert [path for folder in ("etc", "var") for path in (machine.disk / folder).rglob("anthropic-exporter*")] == []
    called = machine.calls()
    assert called.index("systemctl disable --now anthropic-exporter") < called.index("systemctl daemon-reload")


def halves(guide: str, heading: str) -> list[str]:
    """Return the commands of a guide before and after a heading."""
    parts = (ROOT / f"docs/how-to/{guide}.md").read_text("utf-8").split(heading)
    return ["\n".join(re.findall(r"^```sh\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)) for part in parts]


def test_existing_prometheus_and_upgrade(machine: Machine) -> None:
    """The rules and the dashboard arrive, and Prometheus accepts the configuration of the guide."""
    text = (ROOT / "docs/how-to/existing-prometheus-and-grafana.md").read_text("utf-8")
    parts = [textwrap.dedent(part) for part in re.findall(r"^ *```yaml\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)]
    configuration = [part for part in parts if part.startswith(("scrape_configs", "rule_files"))]
    assert len(configuration) == 2
    (machine.disk / "etc/prometheus/prometheus.yml").write_text("".join(configuration))
    for guide in ("existing-prometheus-and-grafana", "upgrade"):
        machine.follow(guide)
        for copied, shipped in WRITTEN.items():
            assert set(machine.files(copied)) == {path.name for path in (ROOT / shipped).iterdir()}
            shutil.rmtree(machine.disk / copied)


def test_kubernetes(machine: Machine) -> None:
    """Image and component are named in the kustomization, which tests/kubernetes renders; then it is applied."""
    machine.follow("kubernetes")
    text = (machine.disk / "clone/deploy/kubernetes/kustomization.yaml").read_text()
    assert "newName: registry.example.test/anthropic-exporter\n" in text
    assert "\ncomponents: [prometheus-operator]\n" in text
    assert machine.files("clone/deploy/kubernetes")["admin-key"] == 0o600
    assert "kubectl apply --server-side -k deploy/kubernetes" in machine.calls()
