"""The web configuration file: what it may say, how a wrong one is refused, and how a change is taken up."""

import textwrap
from pathlib import Path

import bcrypt
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import SettingsError
from exporter.web.toolkit.config import LARGEST_FILE, WebConfigFile, load

HASH = bcrypt.hashpw(b"opensesame", bcrypt.gensalt(4, prefix=b"2a")).decode().replace("$2a$", "$2y$")
"""A hash as htpasswd writes it."""

PAIR = "tls_server_config: {cert_file: a.crt, key_file: a.key"

COMPLETE = f"""
tls_server_config:
  cert_file: server.crt
  key_file: /etc/keys/server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca/clients.crt
  client_allowed_sans:
    - prometheus.example.test
  min_version: TLS13
  max_version: TLS13
  cipher_suites:
    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    - TLS_AES_128_GCM_SHA256
  prefer_server_cipher_suites: false
  curve_preferences:
    - X25519
http_server_config:
  http2: false
  headers:
    X-Frame-Options: sameorigin
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  alice: {HASH}
  123: {HASH}
  no: {HASH}
rate_limit:
  interval: 1m1.5s
  burst: 20
"""


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """Return a place for the file."""
    return tmp_path / "web.yml"


def refused(path: Path, text: str) -> str:
    """Return the message with which `text` is refused, without the path that it begins with."""
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def test_the_whole_documented_file_is_read(web: Path) -> None:
    """Each documented key is taken; relative paths belong to the file's folder; user names stay text."""
    web.write_text(COMPLETE)
    config = load(web)
    tls = config.tls_server_config
    assert tls is not None
    assert tls.cert_file == web.parent / "server.crt"
    assert tls.key_file == Path("/etc/keys/server.key")
    assert tls.client_ca_file == web.parent / "ca/clients.crt"
    assert tls.client_allowed_sans == ("prometheus.example.test",)
    assert tls.tls12_ciphers == ("ECDHE-RSA-AES128-GCM-SHA256",)
    assert not tls.prefer_server_cipher_suites
    assert dict(config.users()) == {"alice": HASH, "123": HASH, "no": HASH}
    assert config.http_server_config.headers["X-Frame-Options"] == "sameorigin"
    assert (config.rate_limit.interval, config.rate_limit.burst) == (61.5, 20)
    assert config.warnings() == ()


def test_the_example_in_the_documentation_is_read(web: Path) -> None:
    """The web.yml of the how-to guide is one that works, without a warning."""
    guide = Path(__file__).parents[2] / "docs/how-to/tls-and-passwords.md"
    web.write_text(textwrap.dedent(guide.read_text().split("```yaml\n")[1].split("```")[0]))
    config = load(web)
    assert config.tls_server_config is not None
    assert list(config.users()) == ["prometheus"]
    assert config.warnings() == ()


def test_nothing_is_asked_by_an_empty_mapping(web: Path) -> None:
    """`{}` is plain HTTP without passwords, which is what generated configurations hold."""
    web.write_text("{}")
    config = load(web)
    assert config.tls_server_config is None
    assert not config.users()
    assert config.rate_limit.interval == 0


@pytest.mark.parametrize(
    "text",
    [
        "tls_server_config: {}",
        "tls_server_config:\nbasic_auth_users:",
        "tls_server_config: ~",
        "http_server_config: {headers: {X-Frame-Options: ''}}",
        "http_server_config: {headers: {X-Frame-Options: }}",
        "rate_limit: {interval: 0, burst: 0}",
    ],
)
def test_blanks_are_as_good_as_nothing(web: Path, text: str) -> None:
    """A section without content is a section that was not written."""
    web.write_text(text)
    assert load(web).tls_server_config is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; write {} for neither TLS nor passwords"),
        ("# nothing yet\n", "is empty; write {} for neither TLS nor passwords"),
        ("- a\n", "must be a mapping"),
        ("a: [b\n", "is not YAML at line 2, column 1"),
        ("a: \x01\n", "is not YAML"),
        ("[" * 5000, "is not YAML"),
        ("rate_limit: {}\nrate_limit: {}\n", "a key stands twice, or refers to itself, at line 1, column 1"),
        ("tls_config: {}", "tls_config: is no key of this file"),
        ("tls_server_config: yes", "tls_server_config: must be a mapping"),
        (PAIR + ", ca_file: x}", "tls_server_config.ca_file: is no key of this file"),
        ("tls_server_config: {key_file: a}", "tls_server_config: cert_file is missing"),
        ("tls_server_config: {cert_file: a}", "tls_server_config: key_file is missing"),
        (PAIR + ", cert: x}", "tls_server_config: give cert or cert_file, not both"),
        (PAIR + ", key: x}", "tls_server_config: give key or key_file, not both"),
        (
            PAIR + ", client_auth_type: RequireAnyClientCert}",
            (
                "tls_server_config: client_auth_type RequireAnyClientCert is not offered: Python takes no unverified"
                " certificate; use RequireAndVerifyClientCert with client_ca_file"
            ),
        ),
        (
            PAIR + ", client_auth_type: RequireClientCert}",
            (
                "tls_server_config: client_auth_type RequireClientCert is not offered: Python takes no unverified"
                " certificate; use RequireAndVerifyClientCert with client_ca_file"
            ),
        ),
        (
            PAIR + ", client_auth_type: Anyone}",
            (
                "tls_server_config.client_auth_type: must be one of 'NoClientCert', 'RequestClientCert',"
                " 'RequireAnyClientCert', 'RequireClientCert', 'VerifyClientCertIfGiven' or"
                " 'RequireAndVerifyClientCert'"
            ),
        ),
        (
            PAIR + ", client_auth_type: RequireAndVerifyClientCert}",
            "tls_server_config: client_auth_type RequireAndVerifyClientCert needs client_ca_file",
        ),
        (
            PAIR + ", client_ca_file: ca}",
            "tls_server_config: client_ca_file has no effect without client_auth_type RequireAndVerifyClientCert",
        ),
        (
            PAIR + ", client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca, client_allowed_sans: [a]}",
            "tls_server_config: client_allowed_sans needs client_auth_type RequireAndVerifyClientCert",
        ),
        (
            PAIR + ", min_version: SSL30}",
            "tls_server_config.min_version: must be one of 'TLS10', 'TLS11', 'TLS12' or 'TLS13'",
        ),
        (
            PAIR + ", max_version: TLS11}",
            "tls_server_config: max_version TLS11 is not offered: the oldest protocol here is TLS12",
        ),
        (PAIR + ", min_version: TLS13, max_version: TLS12}", "tls_server_config: min_version is above max_version"),
        (
            PAIR + ", max_version: TLS12, cipher_suites: [TLS_AES_128_GCM_SHA256]}",
            "tls_server_config: cipher_suites names no suite of TLS 1.2, and max_version allows nothing newer",
        ),
        (
            PAIR + ", curve_preferences: [CurveP255]}",
            (
                "tls_server_config.curve_preferences.0: CurveP255 is no curve that can be used; these can: CurveP256,"
                " CurveP384, CurveP521, X25519"
            ),
        ),
        (
            PAIR + ", prefer_server_cipher_suites: perhaps}",
            "tls_server_config.prefer_server_cipher_suites: must be true or false",
        ),
        ("http_server_config: {headers: [a]}", "http_server_config.headers: must be a mapping"),
        (
            "http_server_config: {headers: {X-Frame-Options: allow}}",
            "http_server_config.headers: X-Frame-Options must be deny or sameorigin",
        ),
        (
            "http_server_config: {headers: {Server: mine}}",
            (
                "http_server_config.headers: Server is no header that can be used; these can: Content-Security-Policy,"
                " Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection"
            ),
        ),
        (
            'http_server_config: {headers: {X-XSS-Protection: "0\\r\\nSet-Cookie: a"}}',
            "http_server_config.headers: X-XSS-Protection must be one line of printable ASCII",
        ),
        (
            "basic_auth_users: {alice: opensesame}",
            "basic_auth_users: the password of alice is no bcrypt hash; make one with: htpasswd -nBC 10 NAME",
        ),
        ("basic_auth_users: {alice: }", "basic_auth_users.alice: must be text"),
        (
            f"basic_auth_users: {{alice: {HASH.replace('$04$', '$31$')}}}",
            "basic_auth_users: the bcrypt cost of alice must be 4 to 18",
        ),
        (
            f"basic_auth_users: {{'alice:{HASH}': {HASH}}}",
            "basic_auth_users: a user name holds a colon: basic authentication can not carry it",
        ),
        ("rate_limit: {interval: 1s}", "rate_limit: burst must be at least 1: with 0 every request is refused"),
        ("rate_limit: {interval: 5}", "rate_limit.interval: must be a duration such as 1s, 250ms or 1m30s"),
        ("rate_limit: {interval: 1s, burst: -1}", "rate_limit.burst: Input should be greater than or equal to 0"),
        (
            "tls_config: {}\nrate_limit: {burst: many}",
            "rate_limit.burst: must be a whole number; tls_config: is no key of this file",
        ),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(web: Path, text: str, message: str) -> None:
    """Whatever is wrong, the message says where and what, in one line."""
    assert refused(web, text) == message


def test_a_cipher_suite_that_go_calls_insecure_is_refused_by_name(web: Path) -> None:
    """A suite without forward secrecy is named in the message."""
    message = refused(web, PAIR + ", cipher_suites: [TLS_RSA_WITH_AES_128_GCM_SHA256]}")
    assert message.startswith(
        "tls_server_config.cipher_suites.0: TLS_RSA_WITH_AES_128_GCM_SHA256 is no cipher suite that can be used;"
    )


def test_a_file_that_is_not_there_not_text_or_far_too_large_is_refused(web: Path) -> None:
    """The file itself may be at fault."""
    with pytest.raises(SettingsError, match="can not be read: No such file or directory"):
        load(web)
    web.write_bytes(b"a: \xff")
    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        load(web)
    web.write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(SettingsError, match=f"is larger than {LARGEST_FILE} bytes"):
        load(web)


@pytest.mark.parametrize(
    "text",
    [
        f"basic_auth_users: {{alice: {HASH[:-1]}}}",
        f"basic_auth_users: {{'{HASH}': opensesame}}",
        f"basic_auth_users: [{HASH}]",
        f"{HASH}: {{}}",
        f"basic_auth_users:\n  alice: {HASH}\n bob: {HASH}",
        f"tls_server_config: {{cert: a, key: {HASH}, min_version: {HASH}}}",
        f"tls_server_config: {{cert: a, key: b, cipher_suites: ['{HASH}']}}",
        f"tls_server_config: {{cert: a, key: b, client_auth_type: {HASH}}}",
        f"rate_limit: {{interval: {HASH}, burst: {HASH}}}",
        f"http_server_config: {{http2: {HASH}, headers: {{'{HASH}': a, X-Frame-Options: {HASH}}}}}",
    ],
)
def test_no_message_holds_a_hash(web: Path, text: str) -> None:
    """A hash in any place, right or wrong, is not repeated in the message."""
    assert HASH[7:30] not in refused(web, text)


def test_secrets_are_hidden_in_a_repr(web: Path) -> None:
    """A configuration that lands in a log or a traceback shows neither hash nor key."""
    web.write_text(f"tls_server_config: {{cert: c, key: verysecretkey}}\nbasic_auth_users: {{alice: {HASH}}}")
    shown = repr(load(web))
    assert "verysecretkey" not in shown
    assert HASH not in shown


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("http_server_config: {http2: true}", "http2: this server speaks HTTP/1.1 only"),
        (
            PAIR + ", client_auth_type: RequestClientCert}",
            "client_auth_type RequestClientCert: no certificate is asked for, as none would be verified",
        ),
        (PAIR + ", min_version: TLS10}", "min_version TLS10: the oldest protocol here is TLS12"),
        (
            PAIR + ", curve_preferences: [X25519, CurveP256]}",
            "curve_preferences: Python can set one curve, not a list; OpenSSL's own list is used",
        ),
    ],
)
def test_what_is_done_otherwise_is_said(web: Path, text: str, warning: str) -> None:
    """A wish that can not be followed to the letter, and lets nobody in, is taken with one line."""
    web.write_text(text)
    with structlog.testing.capture_logs() as lines:
        file = WebConfigFile(web)
        assert file.config.warnings() == (warning,)
    assert [line["what"] for line in lines] == [warning]


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """No text makes the reader fail in any other way than SettingsError."""
    web = tmp_path_factory.getbasetemp() / "any.yml"
    web.write_text(text, encoding="utf-8")
    try:
        load(web)
    except SettingsError as error:
        assert "\n" not in str(error).removeprefix(str(web))  # noqa: PT017 - not raising is right too


def test_a_changed_file_is_taken_up(web: Path) -> None:
    """The next look at the configuration shows the change, also one of the same size within the same clock tick."""
    told: list[str] = []
    web.write_text(f"basic_auth_users: {{alice: {HASH}}}")
    file = WebConfigFile(web, told.append)
    assert list(file.users()) == ["alice"]
    web.write_text(f"basic_auth_users: {{carol: {HASH}}}")
    assert list(file.users()) == ["carol"]
    assert list(file.users()) == ["carol"]
    assert told == ["applied"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "can not be read: No such file or directory"),
        ("", "is empty; write {} for neither TLS nor passwords"),
        ("{}", "the last user of basic_auth_users is removed by a restart only"),
        ("basic_auth_users: {alice: wrong}", "the password of alice is no bcrypt hash"),
        (f"{PAIR}}}\nbasic_auth_users: {{alice: {HASH}}}", "TLS is switched on or off by a restart only"),
    ],
)
def test_a_broken_change_is_told_once_and_the_former_file_stays(web: Path, text: str | None, reason: str) -> None:
    """While the new file can not be used, the old users hold, one line is logged, and one change is counted."""
    told: list[str] = []
    web.write_text(f"basic_auth_users: {{alice: {HASH}}}")
    file = WebConfigFile(web, told.append)
    if text is None:
        web.unlink()
    else:
        web.write_text(text)
    with structlog.testing.capture_logs() as lines:
        assert [list(file.users()) for _ in range(3)] == [["alice"]] * 3
    assert told == ["refused"]
    assert len(lines) == 1
    assert reason in lines[0]["reason"]
    assert HASH not in str(lines)
    web.write_text(f"basic_auth_users: {{bob: {HASH}}}")
    assert list(file.users()) == ["bob"]


MUTUAL = PAIR + ", client_ca_file: ca, client_auth_type: RequireAndVerifyClientCert"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (MUTUAL + "}", "{}", "TLS is switched on or off by a restart only"),
        (MUTUAL + "}", PAIR + "}", "client_auth_type is weakened by a restart only"),
        (
            MUTUAL + "}",
            PAIR + ", client_ca_file: ca, client_auth_type: VerifyClientCertIfGiven}",
            "client_auth_type is weakened by a restart only",
        ),
        (MUTUAL + ", client_allowed_sans: [a]}", MUTUAL + "}", "client_allowed_sans is removed by a restart only"),
    ],
)
def test_a_running_exporter_does_not_open_up(web: Path, before: str, after: str, reason: str) -> None:
    """What keeps people out is not dropped by a file that may have been caught half written."""
    web.write_text(before)
    file = WebConfigFile(web)
    kept = file.config
    web.write_text(after)
    with structlog.testing.capture_logs() as lines:
        assert file.config is kept
    assert lines[0]["reason"] == f"{web}: {reason}"


def test_a_running_exporter_can_be_closed_further(web: Path) -> None:
    """Asking more of clients needs no restart."""
    web.write_text(PAIR + "}")
    file = WebConfigFile(web)
    web.write_text(MUTUAL + ", client_allowed_sans: [a]}")
    tls = file.config.tls_server_config
    assert tls is not None
    assert tls.client_allowed_sans == ("a",)


def test_headers_and_rate_limit_follow_the_file(web: Path) -> None:
    """The parts that the middleware asks for are those of now."""
    web.write_text("{}")
    file = WebConfigFile(web)
    assert not file.headers()
    assert file.rate_limit().interval == 0
    web.write_text("http_server_config: {headers: {X-XSS-Protection: }}\nrate_limit: {interval: 1ms, burst: 2}")
    assert file.headers() == {"X-XSS-Protection": ""}
    assert file.rate_limit().interval == 0.001
