"""The web configuration file on disk: how it is read, and how a change is applied or refused while running."""

from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import SettingsError
from exporter.web.toolkit.config import WebConfigFile, load

HASH = "$2y$04$" + "." * 53
ALICE = f"basic_auth_users: {{alice: {HASH}}}"
PAIR = "tls_server_config: {cert_file: a.crt, key_file: a.key"
OPTIONAL = PAIR + ", client_ca_file: ca, client_auth_type: VerifyClientCertIfGiven"
MUTUAL = PAIR + ", client_ca_file: ca, client_auth_type: RequireAndVerifyClientCert"


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """Return the path of a file that does not exist yet."""
    return tmp_path / "web.yml"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff" * 1_048_576, "is not UTF-8 text"),
        (b"\xff" * 1_048_577, "is larger than 1048576 bytes"),
        (b"", "is empty; write {} for neither TLS nor passwords"),
        (b"# nothing yet\n", "is empty; write {} for neither TLS nor passwords"),
        (b"a: [b\n", "is not valid YAML at line 2, column 1"),
        (b"a: \x01\n", "is not valid YAML"),
        (b"[" * 500, "is not valid YAML"),
        (b"\nrate_limit: {}\nrate_limit: {}\n", "has a duplicate or recursive key at line 2, column 1"),
        (b"a: &a [*a]", "has a duplicate or recursive key at line 1, column 4"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_parsed_is_refused(web: Path, content: bytes | None, message: str) -> None:
    """The message has the position where there is one."""
    if content is not None:
        web.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load(web)
    assert str(caught.value) == f"{web}: {message}"


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """No text raises anything but SettingsError, in one line."""
    web = tmp_path_factory.getbasetemp() / "any.yml"
    web.write_text(text, encoding="utf-8")
    try:
        load(web)
    except SettingsError as error:
        assert "\n" not in str(error).removeprefix(str(web))  # noqa: PT017 - not raising is right too


def test_a_change_is_applied_at_the_next_use(web: Path) -> None:
    """Also one of the same size within one clock tick; it is logged and counted once."""
    outcomes: list[str] = []
    web.write_text(ALICE)
    file = WebConfigFile(web, outcomes.append)
    assert list(file.users()) == ["alice"]
    web.write_text(ALICE.replace("alice", "carol"))
    with structlog.testing.capture_logs() as lines:
        assert [list(file.users()) for _ in range(2)] == [["carol"]] * 2
    assert outcomes == ["applied"]
    assert lines == [{"log_level": "info", "event": "configuration reloaded", "source": str(web)}]
    web.write_text(
        "http_server_config: {headers: {X-XSS-Protection: }}\nrate_limit: {interval: 1ms, burst: 2}\n" + ALICE
    )
    assert file.headers() == {"X-XSS-Protection": ""}
    assert file.rate_limit().interval == 0.001


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty; write {} for neither TLS nor passwords"),
        ("{}", "removing the last user of basic_auth_users needs a restart"),
        (f"{PAIR}}}\n{ALICE}", "switching TLS on or off needs a restart"),
    ],
)
def test_a_refused_change_keeps_the_previous_file(web: Path, text: str, reason: str) -> None:
    """It is logged and counted once, and the next good change is applied."""
    outcomes: list[str] = []
    web.write_text(ALICE)
    file = WebConfigFile(web, outcomes.append)
    web.write_text(text)
    with structlog.testing.capture_logs() as lines:
        assert [list(file.users()) for _ in range(3)] == [["alice"]] * 3
    event = "reload failed, the previous configuration stays"
    assert lines == [{"log_level": "error", "event": event, "source": str(web), "reason": f"{web}: {reason}"}]
    assert outcomes == ["refused"]
    web.write_text(ALICE.replace("alice", "bob"))
    assert list(file.users()) == ["bob"]


def test_each_way_of_being_unreadable_is_one_refusal(web: Path) -> None:
    """A missing file, a folder and a huge file are different changes."""
    outcomes: list[str] = []
    web.write_text(ALICE)
    file = WebConfigFile(web, outcomes.append)
    web.unlink()
    assert list(file.users()) == list(file.users()) == ["alice"]
    web.mkdir()
    assert list(file.users()) == ["alice"]
    web.rmdir()
    web.write_bytes(b"#" * 2_000_000)
    assert list(file.users()) == ["alice"]
    assert outcomes == ["refused"] * 3


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (MUTUAL + "}", "{}", "switching TLS on or off needs a restart"),
        (MUTUAL + "}", PAIR + "}", "weakening client_auth_type needs a restart"),
        (MUTUAL + "}", OPTIONAL + "}", "weakening client_auth_type needs a restart"),
        (OPTIONAL + "}", PAIR + ", client_auth_type: RequestClientCert}", "weakening client_auth_type needs a restart"),
        (MUTUAL + ", client_allowed_sans: [a]}", MUTUAL + "}", "removing client_allowed_sans needs a restart"),
    ],
)
def test_access_control_is_not_weakened_while_running(web: Path, before: str, after: str, reason: str) -> None:
    """The new file may be half written."""
    web.write_text(before)
    file = WebConfigFile(web)
    previous = file.config
    web.write_text(after)
    with structlog.testing.capture_logs() as lines:
        assert file.config is previous
    assert lines[0]["reason"] == f"{web}: {reason}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PAIR + "}", OPTIONAL + "}"),
        (OPTIONAL + "}", MUTUAL + "}"),
        (PAIR + "}", PAIR + ", min_version: TLS13}"),
        (PAIR + "}", MUTUAL + ", client_allowed_sans: [a]}"),
        (MUTUAL + ", client_allowed_sans: [a]}", MUTUAL + ", client_allowed_sans: [b]}"),
    ],
)
def test_other_changes_need_no_restart(web: Path, before: str, after: str) -> None:
    """Stricter rules, other names, and what has nothing to do with access."""
    web.write_text(before)
    file = WebConfigFile(web)
    previous = file.config
    web.write_text(after)
    assert file.config == load(web) != previous


def test_an_option_that_is_not_followed_is_logged(web: Path) -> None:
    """At start, in one line."""
    web.write_text("http_server_config: {http2: true}")
    with structlog.testing.capture_logs() as lines:
        WebConfigFile(web)
    reason = "http2: only HTTP/1.1 is served"
    assert lines == [{"log_level": "warning", "event": "web configuration adjusted", "reason": reason}]
