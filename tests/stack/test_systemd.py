"""The systemd units: accepted by systemd's own checks, and the protocol between systemd and the exporter."""

import re
import socket
import sys
from pathlib import Path

import pytest

from exporter import notify
from tests.integration.processes import environment, started, upstream
from tests.stack.repository import ROOT, run

pytestmark = pytest.mark.integration
SINGLE = ROOT / "deploy/systemd/anthropic-exporter.service"
TEMPLATE = ROOT / "deploy/systemd/anthropic-exporter@.service"
UNITS = pytest.mark.parametrize("unit", [SINGLE, TEMPLATE], ids=lambda unit: unit.name)
MOST_EXPOSURE = 1.5
REFUSE_EXECUTABLE_MEMORY = """
import ctypes, os, sys
assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN
os.execv(sys.argv[1], sys.argv[1:])
"""


@UNITS
def test_systemd_accepts_the_unit(unit: Path, tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say, once the program exists."""
    copy = tmp_path / unit.name
    program = str(Path(sys.executable).with_name("anthropic-exporter"))
    copy.write_text(unit.read_text("utf-8").replace("/usr/local/bin/anthropic-exporter", program))
    done = run("systemd-analyze", "verify", "--man=no", str(copy))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@UNITS
def test_the_unit_is_confined(unit: Path) -> None:
    """`systemd-analyze security` rates its exposure at most 1.5, on a scale to 10."""
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(unit))
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(exposure) <= MOST_EXPOSURE, done.stdout


def test_the_template_differs_in_its_paths_only() -> None:
    """The rest of both units is equal, and no path of the template is without the name of the instance."""

    def lines(unit: Path) -> list[str]:
        return [line for line in unit.read_text("utf-8").splitlines() if not line.startswith("#")]

    assert [line.replace(" (%i)", "").replace("/%i", "") for line in lines(TEMPLATE)] == [
        line.replace("EnvironmentFile=-", "EnvironmentFile=") for line in lines(SINGLE)
    ]
    own = [line for line in lines(TEMPLATE) if re.search(r"(%S/|/etc/|StateDirectory=)anthropic-exporter", line)]
    assert len(own) == 5
    assert all("anthropic-exporter/%i" in line for line in own)


def test_systemd_hears_when_the_exporter_listens_lives_and_stops(tmp_path: Path) -> None:
    """READY once it listens, WATCHDOG three times an interval, STOPPING at SIGTERM, in this order."""
    with upstream() as api, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(30)
        environ = {**environment(api.url), "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        with started(tmp_path, environ) as exporter:
            assert notified.recv(99) == b"READY=1"
            assert exporter.get("/-/healthy").status_code == 200
            assert notified.recv(99) == b"WATCHDOG=1"
            assert exporter.end() == 0
            notified.settimeout(0)
            assert last(notified) == b"STOPPING=1"


def last(notified: socket.socket) -> bytes:
    """Return the last state that is not a sign of life."""
    found = b""
    while True:
        try:
            state = notified.recv(99)
        except BlockingIOError:
            return found
        found = found if state == b"WATCHDOG=1" else state


def test_an_abstract_socket_and_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with @ is an abstract socket. A watchdog that is meant for another process, or is off, is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(b"")  # the kernel chooses an abstract name
        name = notified.getsockname()
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name[1:].decode())
        notify.send(notify.READY)
        assert notified.recv(99) == b"READY=1"
    notify.send(notify.READY)  # nobody listens any more: no error
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify.send(notify.READY)
    assert notify.watchdog_seconds() is None
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    assert notify.watchdog_seconds() == 60
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert notify.watchdog_seconds() is None


def test_it_runs_without_executable_memory(tmp_path: Path) -> None:
    """MemoryDenyWriteExecute: no library needs memory that is both writable and executable."""
    wrapper = (sys.executable, "-c", REFUSE_EXECUTABLE_MEMORY)
    with upstream() as api, started(tmp_path, environment(api.url), wrapper=wrapper) as exporter:
        assert exporter.get("/metrics").status_code == 200
