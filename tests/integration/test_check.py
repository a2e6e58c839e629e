"""`anthropic-exporter check`: its lines and exit codes, which a person reads."""

import re
from pathlib import Path

import pytest

from exporter.reports import NAMES, listings
from tests.integration.processes import environment, forked, free_port, upstream
from tests.support import REPORTS

pytestmark = pytest.mark.integration


def checked(folder: Path, environ: dict[str, str]) -> tuple[int, list[str], str]:
    """Return the exit code, the lines printed and what was written to standard error."""
    with forked(folder, environ, "check") as command:
        code = command.process.wait(30)
        return code, command.out.splitlines(), command.log


def test_everything_works(tmp_path: Path) -> None:
    """A line for each listing and report, with what was found, and 0; nothing is stored."""
    with upstream() as api:
        code, lines, err = checked(tmp_path, environment(api.url))
    assert (code, err) == (0, "")
    for listing, line in zip(listings(), lines, strict=False):
        assert re.fullmatch(rf"ok    {listing.name} listing: \d+ \w+(, \d+ \w+)*", line)
    for report, line in zip(REPORTS, lines[len(listings()) :], strict=False):
        assert re.fullmatch(
            rf"ok    {report} report for \d{{4}}-\d\d-\d\d: (\d+ rows|readable, nothing on this day)", line
        )
    assert lines[len(NAMES) :] == ["All reports can be read."]
    assert not (tmp_path / "data").exists()


def test_a_key_of_another_kind(tmp_path: Path) -> None:
    """401 everywhere: what to do, what the key looks like, no key in the output, and 1."""
    key = "sk-ant-api03-for-the-messages"
    with upstream() as api:
        code, lines, err = checked(tmp_path, environment(api.url, anthropic_admin_key=key))
    assert code == 1
    assert [line[:4] for line in lines] == [*["FAIL"] * len(NAMES), "Not "]
    advice = "put a new Admin key in ANTHROPIC_ADMIN_KEY or its file. This looks like a key for the Messages API;"
    assert all("HTTP 401" in line and advice in line for line in lines[:-1])
    assert key not in "".join(lines) + err


@pytest.mark.parametrize("host", ["http://127.0.0.1:{port}", "https://nowhere.invalid"])
def test_no_network(tmp_path: Path, host: str) -> None:
    """No server, or a name that does not resolve: what to check."""
    code, lines, _ = checked(tmp_path, environment(host.format(port=free_port())))
    assert code == 1
    assert all("connection failed (" in line and "ANTHROPIC_BASE_URL." in line for line in lines[:-1])


def test_no_key(tmp_path: Path) -> None:
    """No request is made; the line says where to put the key, and that ANTHROPIC_API_KEY is another one."""
    environ = environment("http://127.0.0.1:1", anthropic_admin_key=None, anthropic_api_key="sk-ant-api03-something")
    code, lines, err = checked(tmp_path, environ)
    assert (code, err) == (1, "")
    (line,) = lines
    assert line.startswith("FAIL  ANTHROPIC_ADMIN_KEY is missing: set it to an Admin key, or ")
    assert "ANTHROPIC_API_KEY is not used; it is for the Messages API" in line
