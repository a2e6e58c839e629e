"""`anthropic-exporter check`: its lines and exit codes, one case each. A person reads these lines."""

import re
from pathlib import Path

import pytest

from exporter.demo.faults import Kind
from tests.integration.processes import environment, forked, free_port, upstream

pytestmark = pytest.mark.integration


def checked(folder: Path, environ: dict[str, str]) -> tuple[int, list[str], str]:
    """Return the exit code, the lines printed and what was written to standard error."""
    with forked(folder, environ, "check") as command:
        code = command.process.wait(30)
        return code, command.out.splitlines(), command.log


def test_all_is_well(tmp_path: Path) -> None:
    """Three times ok, what was found, and 0; nothing is stored."""
    with upstream() as api:
        code, lines, err = checked(tmp_path, environment(api.url))
    assert code == 0
    assert re.fullmatch(r"ok    organisation: Sim Org, \d+ workspaces", lines[0])
    assert re.fullmatch(r"ok    claude_code \d{4}-\d\d-\d\d: (\d+ records|readable, and empty, as it is .*)", lines[1])
    assert re.fullmatch(r"ok    cost \d{4}-\d\d-\d\d: \d+ billed lines", lines[2])
    assert lines[3:] == ["All reports can be read."]
    assert err == ""
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("sk-ant-admin01-not-the-right-one", "put a new Admin key in ANTHROPIC_ADMIN_KEY or its file"),
        ("sk-ant-api03-for-the-messages", "this looks like a key for the Messages API; an Admin key begins with"),
        ("sk-ant-oat01-a-login-token-here", "this looks like an OAuth token; an Admin key begins with sk-ant-admin"),
    ],
)
def test_a_wrong_key(tmp_path: Path, key: str, advice: str) -> None:
    """401 everywhere: what to do, a sentence of its own for keys of another kind, no key in the output, and 1."""
    with upstream() as api:
        code, lines, err = checked(tmp_path, environment(api.url, anthropic_admin_key=key))
    assert code == 1
    assert [line[:4] for line in lines] == ["FAIL", "FAIL", "FAIL", "Not "]
    assert all("HTTP 401" in line and advice in line for line in lines[:3])
    assert key not in "".join(lines) + err


@pytest.mark.parametrize(
    ("kind", "path", "words"),
    [
        ("403", "cost_report", "Missing required scopes.*the key lacks a scope: use an Admin API key"),
        ("404", "claude_code", "HTTP 404.*check ANTHROPIC_BASE_URL and ANTHROPIC_VERSION"),
        ("429_reset", "cost_report", "HTTP 429.*lower EXPORTER_REQUESTS_PER_MINUTE"),
        ("500", "claude_code", "HTTP 500"),
        ("html", "cost_report", "the body is HTML"),
        ("empty_object", "/me", "id: Field required"),
    ],
)
def test_one_thing_fails(tmp_path: Path, kind: Kind, path: str, words: str) -> None:
    """The others are ok, its line says what to do, and 1."""
    with upstream() as api:
        api.faults.add(kind=kind, path=path)
        code, lines, _ = checked(tmp_path, environment(api.url))
    assert code == 1
    (failed,) = [line for line in lines if line.startswith("FAIL")]
    assert re.search(words, failed)
    assert lines[-1] == "Not everything can be read: see above."


def test_an_unknown_version(tmp_path: Path) -> None:
    """The API's own words and the name of the setting."""
    with upstream() as api:
        code, lines, _ = checked(tmp_path, environment(api.url, anthropic_version="2021-01-01"))
    assert code == 1
    assert all("HTTP 400" in line and "ANTHROPIC_VERSION" in line for line in lines[:3])


def test_no_network(tmp_path: Path) -> None:
    """No server there: what to check."""
    code, lines, _ = checked(tmp_path, environment(f"http://127.0.0.1:{free_port()}"))
    assert code == 1
    assert all("no connection: " in line and "check the network and ANTHROPIC_BASE_URL" in line for line in lines[:3])


def test_a_name_that_does_not_resolve(tmp_path: Path) -> None:
    """The same for a host that is not there."""
    code, lines, _ = checked(tmp_path, environment("https://nowhere.invalid"))
    assert code == 1
    assert all("no connection: " in line for line in lines[:3])


def test_no_key(tmp_path: Path) -> None:
    """No request is made; the line says where a key is looked for, and that one for the Messages API is not it."""
    environ = environment("http://127.0.0.1:1", anthropic_admin_key=None, anthropic_api_key="sk-ant-api03-something")
    code, lines, err = checked(tmp_path, environ)
    assert (code, err) == (1, "")
    (line,) = lines
    assert line.startswith("FAIL  ANTHROPIC_ADMIN_KEY is missing: set it to an Admin key, or ")
    assert "ANTHROPIC_API_KEY is not used; it is for the Messages API" in line
