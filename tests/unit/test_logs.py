"""Log lines in both formats, and no key in any of them."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from exporter import logs

KEY = "hunter-22-is-the-key"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Restore the logging of the test run."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_a_line_has_a_time_a_level_and_its_message(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on standard error, nothing on standard output."""
    logs.configure("info", log_format)
    structlog.get_logger().info("report recovered", report="cost", ok=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    if log_format == "json":
        line = json.loads(err)
        assert line.pop("ts").endswith("Z")
        assert line == {"level": "info", "msg": "report recovered", "report": "cost", "ok": True}
    else:
        assert err.startswith("ts=20")
        assert err.endswith('Z level=info msg="report recovered" report=cost ok=true\n')


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_no_key_is_in_any_line(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither in a message, a field, a traceback, nor in a line of a library."""
    logs.configure("debug", log_format, lambda: KEY)
    log = structlog.get_logger()
    log.warning(KEY, url=f"https://x.example.test/?k={KEY}", other="sk-ant-api03-another_one")
    try:
        {}[KEY]  # type: ignore[index]
    except KeyError:
        log.exception("broken")
    logging.getLogger("library").warning("key %s", KEY)
    logging.getLogger("library").warning("key sk-ant-admin01-x-y", extra={"field": KEY})
    err = capsys.readouterr().err
    assert KEY not in err
    assert "sk-ant" not in err
    assert err.count("[key]") >= 6
    assert "Traceback" in err


def test_lines_below_the_level_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Libraries have a higher level: httpx logs each request, and any client can cause warnings of uvicorn."""
    logs.configure("warning", "logfmt")
    structlog.get_logger().info("not shown")
    logging.getLogger("library").info("not shown")
    logs.configure("debug", "logfmt")
    logging.getLogger("httpx").info("GET https://x.example.test not shown")
    logging.getLogger("uvicorn").warning("Invalid HTTP request received, not shown")
    structlog.get_logger().debug("shown")
    err = capsys.readouterr().err
    assert "not shown" not in err
    assert "level=debug msg=shown" in err


def test_a_line_break_starts_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    """So text from elsewhere cannot forge a line."""
    logs.configure("info", "logfmt")
    structlog.get_logger().info("x", said="one\nlevel=error msg=forged")
    assert capsys.readouterr().err.count("\n") == 1
