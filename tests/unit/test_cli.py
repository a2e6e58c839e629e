"""The command: exit codes, one line for each mistake, and help with every setting."""

import json
import logging
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from exporter import __version__, cli, settings
from exporter.days.store import Store
from exporter.settings import described

KEY = "sk-ant-admin01-for-the-tests"


@pytest.fixture(autouse=True)
def as_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put logging and the umask of the test run back; work in an empty folder, with no secrets folder."""
    monkeypatch.setattr(settings, "SECRETS_DIR", folder / "none")
    root, mask = logging.getLogger(), os.umask(0o022)
    handlers, level = root.handlers[:], root.level
    hang_up = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, hang_up)
    root.handlers[:], root.level = handlers, level
    os.umask(mask)
    structlog.reset_defaults()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Return the exit code, standard output and standard error of a command."""
    try:
        code = cli.main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    return (code, *capsys.readouterr())


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """Name and number."""
    assert run(capsys, "--version") == (0, f"anthropic-exporter {__version__}\n", "")


def test_help_has_every_setting_and_command(capsys: pytest.CaptureFixture[str]) -> None:
    """With defaults, in groups; secrets are named and have no flag."""
    code, out, _ = run(capsys, "--help")
    words = " ".join(out.split())
    assert code == 0
    for row in described():
        assert f"\n  {row.flag} " in out
        assert row.name in out
    assert "Environment: EXPORTER_WINDOW_DAYS. Default: 90." in words
    assert re.findall(r"^(\w+) flags:", out, re.MULTILINE) == ["api", "report", "users", "storage", "web", "log"]
    assert all(f"\n    {command}" in out for command in ("serve", "demo", "check", "config", "export"))


def test_a_command_has_the_flags_that_it_uses(capsys: pytest.CaptureFixture[str]) -> None:
    """The demo has no key, and an export listens nowhere. A flag may stand before the command, too."""
    assert "--api.key-file" not in run(capsys, "demo", "--help")[1]
    export = run(capsys, "export", "--help")[1]
    assert re.findall(r"^(\w+) flags:", export, re.MULTILINE) == ["users", "storage", "log"]
    code, out, _ = run(capsys, "--users.max=5", "config", "--report.window-days", "7")
    assert code == 0
    assert re.search(r"^EXPORTER_MAX_USERS +5 +flag$", out, re.MULTILINE)
    assert re.search(r"^EXPORTER_WINDOW_DAYS +7 +flag$", out, re.MULTILINE)


def test_a_shortened_flag_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """A later release may add a flag that begins in the same way."""
    assert run(capsys, "config", "--log.lev=info")[0] == 2


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2."""
    assert run(capsys, "sing")[0] == 2


def test_wrong_settings_are_a_line_each_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback, nothing on standard output."""
    monkeypatch.setenv("EXPORTER_WINDOW_DAYS", "0")
    monkeypatch.setenv("EXPORTER_CACHE_TTL", "soon")
    code, out, err = run(capsys)
    assert (code, out) == (2, "")
    assert [line[:41] for line in err.splitlines()] == [
        "anthropic-exporter: EXPORTER_WINDOW_DAYS:",
        "anthropic-exporter: EXPORTER_CACHE_TTL: m",
    ]


def test_without_a_key_nothing_starts(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """And no file is made. A SIGHUP during a start would not end it."""
    code, _, err = run(capsys, "serve")
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert code == 2
    assert err.startswith("anthropic-exporter: ANTHROPIC_ADMIN_KEY is missing: ")
    assert list(folder.iterdir()) == []


def test_check_without_a_key_ends_as_serve_does(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2; what does not need the key is tried."""
    code, out, _ = run(capsys, "check", "--web.listen-address=127.0.0.1:0")
    lines = out.splitlines()
    assert code == 2
    assert lines[0].startswith("FAIL  key: ANTHROPIC_ADMIN_KEY is missing: ")
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "skip  reports",
        "ok    web configuration",
        "ok    data folder",
        "ok    port",
        "Not all checks passed",
    ]


def test_check_says_as_json_that_a_setting_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """A script reads one document whatever is wrong."""
    code, out, err = run(capsys, "check", "--json", "--log.level=loud")
    found = json.loads(out)
    assert (code, found["exit_code"], err) == (2, 2, "")
    assert [(one["state"], one["what"]) for one in found["checks"]] == [("fail", "settings")]


def test_a_folder_in_use_is_a_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """The second process says so and stops; unknown settings were told before that."""
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", KEY)
    monkeypatch.setenv("EXPORTER_WINDOW", "7")
    first = Store(folder / "data")
    code, out, err = run(capsys)
    first.close()
    assert (code, out) == (1, "")
    warning, problem = err.splitlines()
    assert 'level=warning msg="EXPORTER_WINDOW is not a setting; did you mean EXPORTER_WINDOW_DAYS?"' in warning
    assert problem == "anthropic-exporter: EXPORTER_DATA_DIR: another process uses data; give each its own folder"
    assert KEY not in err


def test_files_that_are_made_are_for_their_owner_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """They hold names."""
    run(capsys, "check")
    assert os.umask(0o077) == 0o077


@pytest.mark.parametrize(("environ", "address"), [("", "127.0.0.1:10918"), (":8080", ":8080")])
def test_the_demo_listens_on_loopback(monkeypatch: pytest.MonkeyPatch, environ: str, address: str) -> None:
    """The demo can be reached from this machine only, unless an address is set."""
    monkeypatch.setenv("EXPORTER_LISTEN_ADDRESS", environ)
    assert cli._demo_settings("http://127.0.0.1:1", "k" * 20, {}).exporter_listen_address == address
