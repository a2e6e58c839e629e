"""`anthropic-exporter check`: its lines and exit codes, which a person reads."""

import json
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
    assert lines[:2] == [f"ok    network: {api.url} answers", "ok    key: accepted, from ANTHROPIC_ADMIN_KEY"]
    found = lines[2:]
    for listing, line in zip(listings(), found, strict=False):
        assert re.fullmatch(rf"ok    {listing.name} listing: \d+ \w+(, \d+ \w+)*", line)
    for report, line in zip(REPORTS, found[len(listings()) :], strict=False):
        assert re.fullmatch(
            rf"ok    {report} report for \d{{4}}-\d\d-\d\d: (\d+ rows|readable, nothing on this day)", line
        )
    assert found[len(NAMES) :] == [
        "ok    web configuration: none, so no TLS and no passwords",
        "ok    data folder: data can be written, and holds no days yet",
        "ok    port: 127.0.0.1:0 is free",
        "All checks passed.",
    ]
    assert not (tmp_path / "data").exists()


def test_a_key_of_another_kind(tmp_path: Path) -> None:
    """401 everywhere is one line: what to do, what the key looks like, no key in the output, and 1."""
    key = "sk-ant-api03-for-the-messages"
    with upstream() as api:
        code, lines, err = checked(tmp_path, environment(api.url, anthropic_admin_key=key))
    assert code == 1
    assert [line[:4].strip() for line in lines] == ["ok", "FAIL", "skip", "ok", "ok", "ok", "Not"]
    advice = "put a new Admin key in ANTHROPIC_ADMIN_KEY or its file. This looks like a key for the Messages API;"
    assert lines[1].startswith("FAIL  key: HTTP 401")
    assert advice in lines[1]
    assert key not in "".join(lines) + err


@pytest.mark.parametrize("host", ["http://127.0.0.1:{port}", "https://nowhere.invalid"])
def test_no_network(tmp_path: Path, host: str) -> None:
    """No server, or a name that does not resolve, is one line that says what to check; as JSON for scripts."""
    url = host.format(port=free_port())
    with forked(tmp_path, environment(url), "check", "--json") as command:
        assert command.process.wait(30) == 1
        found = json.loads(command.out)
    assert (found["passed"], found["exit_code"]) == (False, 1)
    network, reports, *others = found["checks"]
    assert (network["state"], network["what"]) == ("fail", "network")
    assert network["detail"].startswith(f"{url}: connection failed (")
    assert network["detail"].endswith("Check the network, the proxy and ANTHROPIC_BASE_URL.")
    assert reports == {"state": "skip", "what": "reports", "detail": "not tried, for the reason above"}
    assert [other["state"] for other in others] == ["ok"] * 3


def test_no_key(tmp_path: Path) -> None:
    """No request is made; the line says where to put the key, and that ANTHROPIC_API_KEY is another one; as `serve`."""
    environ = environment("http://127.0.0.1:1", anthropic_admin_key=None, anthropic_api_key="sk-ant-api03-something")
    code, lines, err = checked(tmp_path, environ)
    assert (code, err) == (2, "")
    assert lines[0].startswith("FAIL  key: ANTHROPIC_ADMIN_KEY is missing: set it to an Admin key, or ")
    assert "ANTHROPIC_API_KEY is not used; it is for the Messages API" in lines[0]


def test_beside_a_running_exporter(tmp_path: Path) -> None:
    """Its port and its folder are in use by itself: that is no failure. Its port with another folder is one."""
    with upstream() as api, forked(tmp_path, environment(api.url)) as exporter:
        address = exporter.address.removeprefix("http://")
        environ = environment(api.url, exporter_data_dir=tmp_path / "data", exporter_listen_address=address)
        code, lines, _ = checked(tmp_path / "check", environ)
        other, others, _ = checked(tmp_path / "check", environ | {"EXPORTER_DATA_DIR": "another"})
    assert (code, other) == (0, 2)
    assert others[-2].startswith(f"FAIL  port: EXPORTER_LISTEN_ADDRESS: {address} cannot be listened on: it is in use")
    assert lines[-3:] == [
        f"ok    data folder: {tmp_path / 'data'}, in use by the running exporter",
        f"ok    port: {address}, in use by the running exporter",
        "All checks passed.",
    ]
