"""The process itself: how it starts, stops, takes a new key, and keeps its secrets."""

import json
import re
import signal
import socket
import sqlite3
import traceback
from pathlib import Path
from time import monotonic

import pytest

from exporter import service
from exporter.api.paging import Request
from exporter.demo.organization import Organization
from exporter.errors import ApiError
from exporter.reports import NAMES
from exporter.telemetry import Telemetry
from tests.integration.processes import environment, forked, started, upstream, wait_for
from tests.support import KEY, TODAY, MovableTime, api_of, fill_requests

pytestmark = pytest.mark.integration
SECRET = KEY.removeprefix("sk-ant-admin01-")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(tmp_path: Path, number: int) -> None:
    """SIGTERM and SIGINT end it within 5 seconds with exit code 0, and the last line says so."""
    with upstream() as api, started(tmp_path, environment(api.url), "serve") as exporter:
        exporter.filled()
        begun = monotonic()
        assert exporter.end(number) == 0
        assert monotonic() - begun < 5
        assert "msg=stopped" in exporter.log.splitlines()[-1]
        assert "Traceback" not in exporter.log


def test_a_signal_ends_a_refresh(tmp_path: Path) -> None:
    """Also while the API does not answer and a scrape waits: the scrape gets its page, and the days are kept."""
    with upstream() as api, started(tmp_path, environment(api.url), "serve") as exporter:
        fault = api.faults.add(kind="hang", path="claude_code")
        port = int(exporter.address.rpartition(":")[2])
        assert fault.begun.wait_in_thread(20)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as scrape:
            scrape.sendall(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert exporter.get("/-/healthy").status_code == 200  # so the scrape has arrived
            begun = monotonic()
            assert exporter.end() == 0
            assert monotonic() - begun < 5
            assert scrape.recv(1024).startswith(b"HTTP/1.1 200 ")
        assert "Traceback" not in exporter.log
    with sqlite3.connect(tmp_path / "data" / "days.sqlite") as db:
        assert db.execute("SELECT count(*) FROM day WHERE report = 'cost'").fetchone() == (3,)
    db.close()


def test_a_signal_during_the_first_fill(tmp_path: Path) -> None:
    """Stopped while it reads, it keeps what it has, and reads only the rest after a start."""
    with upstream(window_days=60) as api:
        environ = environment(api.url, exporter_window_days=60)
        with forked(tmp_path, environ) as exporter:
            wait_for(lambda: len(api.app.state.log) > 20, what="20 requests")
            assert exporter.end() == 0
        api.app.state.log.clear()
        with forked(tmp_path, environ) as exporter:
            exporter.filled()
            assert len(api.app.state.log) < fill_requests(60) - 5
            assert exporter.wrong(api) == []


def test_two_processes_on_one_folder(tmp_path: Path) -> None:
    """The second says which folder is in use and stops with 1; the first continues."""
    with upstream() as api, forked(tmp_path, environment(api.url)) as first:
        first.filled()
        with forked(tmp_path / "2", environment(api.url, exporter_data_dir=tmp_path / "data")) as second:
            assert second.process.wait(20) == 1
            assert second.log == (
                f"anthropic-exporter: EXPORTER_DATA_DIR: another process uses {tmp_path / 'data'}; "
                "give each its own folder\n"
            )
        assert first.wrong(api) == []


def test_an_address_in_use(tmp_path: Path) -> None:
    """A second process on the same address says so and stops with 2, a wrong setting."""
    with upstream() as api, forked(tmp_path, environment(api.url)) as first:
        listening = first.address.removeprefix("http://")
        with forked(tmp_path / "2", environment(api.url, exporter_listen_address=listening)) as second:
            assert second.process.wait(20) == 2
            assert "EXPORTER_LISTEN_ADDRESS" in second.log
            assert "it is in use" in second.log


def test_a_new_key_without_a_restart(tmp_path: Path) -> None:
    """The key's file is read again: a revoked key is replaced, and the next scrape is right."""
    file = tmp_path / "key"
    file.write_text("sk-ant-admin01-revoked-long-ago\n")
    with upstream() as api:
        environ = environment(api.url, anthropic_admin_key=None, anthropic_admin_key_file=file)
        with forked(tmp_path, environ) as exporter:
            wait_for(lambda: "HTTP 401" in exporter.log, what="a refusal")
            assert exporter.get("/-/ready").status_code == 503
            assert exporter.get("/-/healthy").status_code == 200
            file.write_text(KEY)
            exporter.filled()
            assert exporter.wrong(api) == []
            assert "revoked-long-ago" not in exporter.log
            warnings = [line for line in exporter.log.splitlines() if "level=warning" in line]
            assert len(warnings) == len(NAMES)


def test_the_key_is_nowhere(tmp_path: Path) -> None:
    """Not in output, log, pages, command line or files; also when the API echoes it, in every kind of log."""
    for log_format in ("logfmt", "json"):
        folder = tmp_path / log_format
        with upstream() as api:
            environ = environment(api.url, exporter_log_level="debug", exporter_log_format=log_format)
            with started(folder, environ) as exporter:
                api.faults.add(kind="error_body", path="claude_code", times=2)
                api.faults.add(kind="error_body", path="cost_report", times=1, status=401)
                api.faults.add(kind="redirect", path="/me", times=1, location=f"http://127.0.0.1:1/{KEY}")
                wait_for(lambda: "[key]" in exporter.log, what="an echo")
                pages = [exporter.get(path).text for path in ("/", "/metrics", "/-/ready", f"/{KEY}")]
                command = Path(f"/proc/{exporter.process.pid}/cmdline").read_text()
                assert not Path(f"/proc/{exporter.process.pid}/task/{exporter.process.pid}/children").read_text()
                assert exporter.end() == 0
                said = [exporter.out, exporter.log, command, *pages]
            files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
        assert [text for text in said if SECRET in text] == []
        assert [content for content in files if SECRET.encode() in content] == []


def test_every_log_line_is_json(tmp_path: Path) -> None:
    """With the JSON format each line is one object with a time, a level and a message."""
    with upstream() as api, forked(tmp_path, environment(api.url, exporter_log_format="json")) as exporter:
        wait_for(lambda: "listening" in exporter.log, what="listening")
        assert exporter.end() == 0
        lines = [json.loads(line) for line in exporter.log.splitlines()]
    assert (lines[0]["exporter_window_days"], lines[0]["anthropic_admin_key"]) == ("3", "(hidden)")
    messages = [line["msg"] for line in lines]
    assert [messages[0], *(message for message in messages if message in {"listening", "stopped"})] == [
        "settings",
        "listening",
        "stopped",
    ]
    assert all({"ts", "level"} <= line.keys() for line in lines)


@pytest.mark.anyio
async def test_the_key_is_in_no_repr_and_no_traceback() -> None:
    """Not in the repr of what holds it, nor in the text of an error and its causes."""
    async with api_of(Organization(TODAY, people=2), MovableTime()) as api:
        settings = api.settings(None)
        transport = service.make_transport(settings, Telemetry(NAMES), api.time.clock)
        api.faults.add(kind="error_body")
        with pytest.raises(ApiError) as caught:
            await transport.get(Request("/me"), NAMES[0])
        await transport.close()
    texts = ["".join(traceback.format_exception(caught.value)), repr(caught.value), str(caught.value.args)]
    texts += [repr(settings), str(settings), settings.model_dump_json(), repr(transport), repr(transport._http)]
    assert [text for text in texts if SECRET in text] == []


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"anthropic_admin_key": None}, r"ANTHROPIC_ADMIN_KEY is missing: set it to an Admin key, or .*"),
        ({"anthropic_admin_key": "short"}, r"ANTHROPIC_ADMIN_KEY: is not a key; expected 8 to 512 printable .*"),
        ({"exporter_window_days": "many"}, r"EXPORTER_WINDOW_DAYS: must be a whole number from 1 to 365, .*"),
        ({"anthropic_base_url": "http://api.example.test"}, r"ANTHROPIC_BASE_URL: must be https, .*"),
        ({"exporter_listen_address": "10918"}, r"EXPORTER_LISTEN_ADDRESS: must be host:port or :port.*"),
    ],
)
def test_a_wrong_setting(tmp_path: Path, given: dict[str, object], line: str) -> None:
    """One clear line, exit code 2, nothing made on disk."""
    with forked(tmp_path, environment("http://127.0.0.1:1", **given)) as exporter:
        assert exporter.process.wait(20) == 2
        assert re.fullmatch(f"anthropic-exporter: {line}\n", exporter.log)
        assert not (tmp_path / "data").exists()


def test_the_demo_leaves_nothing(tmp_path: Path) -> None:
    """`demo` needs no key, prints its address, shows a full page of 90 days, and leaves no file behind."""
    environ = environment("", anthropic_admin_key=None, anthropic_base_url=None, exporter_window_days=None)
    environ["TMPDIR"] = environ["HOME"] = str(tmp_path / "demo")
    with started(tmp_path / "demo", environ, "demo") as exporter:
        exporter.filled(90)
        address = exporter.address
        assert f"Metrics for Prometheus: {address}/metrics" in exporter.out
        assert exporter.get("/-/ready").status_code == 200
        dates = {
            dict(labels)["date"] for name, labels in exporter.samples() if name == "anthropic_claude_code_sessions"
        }
        assert len(dates) == 90
        assert exporter.end() == 0
        assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["stderr", "stdout"]
