"""The schema of the web configuration file: what it may contain, and the message for everything else."""

import re
import textwrap
from pathlib import Path

import bcrypt
import pytest
from pydantic import ValidationError

from exporter.errors import SettingsError
from exporter.web.toolkit.config import load
from exporter.web.toolkit.schema import RateLimitConfig, TLSServerConfig, WebConfig

HASH = bcrypt.hashpw(b"opensesame", bcrypt.gensalt(4, prefix=b"2a")).decode().replace("$2a$", "$2y$")
"""A hash as htpasswd writes it."""

SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_AES_128_GCM_SHA256": "",
    "TLS_AES_256_GCM_SHA384": "",
    "TLS_CHACHA20_POLY1305_SHA256": "",
}
"""Go's name of each suite, and OpenSSL's (OpenSSL's ciphers(1)); empty where it cannot be selected."""

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
  cipher_suites: [{", ".join(SUITES)}]
  prefer_server_cipher_suites: false
  curve_preferences:
    - X25519
http_server_config:
  http2: false
  headers:
    X-Content-Type-Options: nosniff
    X-Frame-Options: SameOrigin
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
    """Return the path of a file that does not exist yet."""
    return tmp_path / "web.yml"


def refusal(path: Path, text: str) -> str:
    """Return the message for `text`, without the path at its beginning."""
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def test_every_documented_key_is_read(web: Path) -> None:
    """Relative paths are joined to the file's folder; user names stay text."""
    web.write_text(COMPLETE)
    config = load(web)
    tls = config.tls_server_config
    assert tls is not None
    assert tls.cert_file == web.parent / "server.crt"
    assert tls.key_file == Path("/etc/keys/server.key")
    assert tls.client_ca_file == web.parent / "ca/clients.crt"
    assert tls.client_allowed_sans == ("prometheus.example.test",)
    assert tls.tls12_ciphers == tuple(filter(None, SUITES.values()))
    assert not tls.prefer_server_cipher_suites
    assert dict(config.users()) == {"alice": HASH, "123": HASH, "no": HASH}
    assert config.http_server_config.headers["X-Frame-Options"] == "SameOrigin"
    assert (config.rate_limit.interval, config.rate_limit.burst) == (61.5, 20)
    assert config.warnings() == ()


def test_the_documented_example_is_read(web: Path) -> None:
    """The web.yml of the how-to guide is accepted without a warning."""
    guide = Path(__file__).parents[2] / "docs/how-to/tls-and-passwords.md"
    web.write_text(textwrap.dedent(guide.read_text().split("```yaml\n")[1].split("```")[0]))
    config = load(web)
    assert config.tls_server_config is not None
    assert config.tls_server_config.min_version == "TLS12"
    assert list(config.users()) == ["prometheus"]
    assert config.warnings() == ()


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "tls_server_config: {}",
        "tls_server_config:\nbasic_auth_users:",
        *(f"tls_server_config: {null}\nrate_limit: {null}" for null in ("~", "null", "Null", "NULL")),
        "http_server_config: {headers: {X-Frame-Options: ''}}",
        "http_server_config: {headers: {X-Frame-Options: }}",
        "rate_limit: {interval: 0, burst: 0}",
    ],
)
def test_an_empty_section_changes_nothing(web: Path, text: str) -> None:
    """It is plain HTTP without passwords and without a limit."""
    web.write_text(text)
    config = load(web)
    assert (config.tls_server_config, dict(config.users()), config.rate_limit.interval) == (None, {}, 0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h", 3600), ("2m", 120), (".5s", 0.5), ("250ms", 0.25), ("1us1µs", 2e-6), ("100ns", 1e-7), ("1h1m1.s", 3661)],
)
def test_an_interval_is_a_go_duration(text: str, seconds: float) -> None:
    """Every unit of Go's time.ParseDuration is known."""
    assert RateLimitConfig.model_validate({"interval": text, "burst": 1}).interval == pytest.approx(seconds)


TLS, HTTP, USERS, LIMIT = "tls_server_config", "http_server_config", "basic_auth_users", "rate_limit"
PAIR = "tls_server_config: {cert_file: a.crt, key_file: a.key"
NO_ANY = "is not supported: Python verifies every certificate; use RequireAndVerifyClientCert with client_ca_file"
OLD = "is not supported; the oldest supported version is TLS12"
AUTH_TYPES = (
    "'NoClientCert', 'RequestClientCert', 'RequireAnyClientCert', 'RequireClientCert', 'VerifyClientCertIfGiven' or"
    " 'RequireAndVerifyClientCert'"
)
HEADERS = (
    "Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection"
)
BCRYPT = "is not a bcrypt hash; create one with: htpasswd -nBC 10 NAME"
LONG = "a" * 41

REFUSED = [
    ("- a\n", "must be a mapping"),
    ("tls_config: {}", "tls_config: is not a key of this file"),
    (f"{LONG}: {{}}", "(name not shown): is not a key of this file"),
    (f"{TLS}: yes", f"{TLS}: must be a mapping"),
    (PAIR + ", ca_file: x}", f"{TLS}.ca_file: is not a key of this file"),
    (f"{TLS}: {{key_file: a}}", f"{TLS}: cert_file is missing"),
    (f"{TLS}: {{cert_file: a}}", f"{TLS}: key_file is missing"),
    (PAIR + ", cert: x}", f"{TLS}: give cert or cert_file, not both"),
    (PAIR + ", key: x}", f"{TLS}: give key or key_file, not both"),
    (PAIR + ", client_auth_type: RequireAnyClientCert}", f"{TLS}: client_auth_type RequireAnyClientCert {NO_ANY}"),
    (PAIR + ", client_auth_type: RequireClientCert}", f"{TLS}: client_auth_type RequireClientCert {NO_ANY}"),
    (PAIR + ", client_auth_type: Anyone}", f"{TLS}.client_auth_type: must be one of {AUTH_TYPES}"),
    (
        PAIR + ", client_auth_type: RequireAndVerifyClientCert}",
        f"{TLS}: client_auth_type RequireAndVerifyClientCert needs client_ca_file",
    ),
    (
        PAIR + ", client_auth_type: VerifyClientCertIfGiven}",
        f"{TLS}: client_auth_type VerifyClientCertIfGiven needs client_ca_file",
    ),
    (
        PAIR + ", client_ca_file: ca}",
        f"{TLS}: client_ca_file has no effect without client_auth_type RequireAndVerifyClientCert",
    ),
    (
        PAIR + ", client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca, client_allowed_sans: [a]}",
        f"{TLS}: client_allowed_sans needs client_auth_type RequireAndVerifyClientCert",
    ),
    (PAIR + ", min_version: SSL30}", f"{TLS}.min_version: must be one of 'TLS10', 'TLS11', 'TLS12' or 'TLS13'"),
    (PAIR + ", max_version: TLS10, min_version: TLS10}", f"{TLS}: max_version TLS10 {OLD}"),
    (PAIR + ", max_version: TLS11}", f"{TLS}: max_version TLS11 {OLD}"),
    (PAIR + ", min_version: TLS13, max_version: TLS12}", f"{TLS}: min_version is above max_version"),
    (
        PAIR + ", max_version: TLS12, cipher_suites: [TLS_AES_128_GCM_SHA256]}",
        f"{TLS}: cipher_suites contains no TLS 1.2 suite, and max_version allows nothing newer",
    ),
    (
        PAIR + ", cipher_suites: [TLS_RSA_WITH_AES_128_GCM_SHA256]}",
        f"{TLS}.cipher_suites.0: TLS_RSA_WITH_AES_128_GCM_SHA256 is not a supported cipher suite; supported: "
        + ", ".join(sorted(SUITES)),
    ),
    (PAIR + ", cipher_suites: TLS_AES_128_GCM_SHA256}", f"{TLS}.cipher_suites: must be a list"),
    (
        PAIR + f", curve_preferences: [{LONG}]}}",
        f"{TLS}.curve_preferences.0: this is not a supported curve; supported: CurveP256, CurveP384, CurveP521, X25519",
    ),
    (PAIR + ", prefer_server_cipher_suites: perhaps}", f"{TLS}.prefer_server_cipher_suites: must be true or false"),
    (f"{HTTP}: {{headers: [a]}}", f"{HTTP}.headers: must be a mapping"),
    (f"{HTTP}: {{headers: {{X-Frame-Options: allow}}}}", f"{HTTP}.headers: X-Frame-Options must be deny or sameorigin"),
    (
        f"{HTTP}: {{headers: {{Server: mine}}}}",
        f"{HTTP}.headers: Server is not a supported header; supported: {HEADERS}",
    ),
    *(
        (
            f'{HTTP}: {{headers: {{X-XSS-Protection: "0{wrong}"}}}}',
            f"{HTTP}.headers: X-XSS-Protection must be one line of printable ASCII",
        )
        for wrong in ("\\r\\nSet-Cookie: a", "é")
    ),
    (f"{USERS}: {{alice: opensesame}}", f"{USERS}: the password of alice {BCRYPT}"),
    (f"{USERS}: {{{LONG}: opensesame}}", f"{USERS}: the password of one user {BCRYPT}"),
    (f"{USERS}: {{alice: }}", f"{USERS}.alice: must be text"),
    *(
        (
            f"{USERS}: {{alice: {HASH.replace('$04$', cost)}}}",
            f"{USERS}: the bcrypt cost of alice must be 4 to 18",
        )
        for cost in ("$03$", "$19$")
    ),
    (
        f"{USERS}: {{'alice:{HASH}': {HASH}}}",
        f"{USERS}: a user name contains a colon, which basic authentication does not allow",
    ),
    (f"{LIMIT}: {{interval: 1s}}", f"{LIMIT}: burst must be at least 1; 0 would refuse every request"),
    (f"{LIMIT}: {{interval: 5d}}", f"{LIMIT}.interval: must be a duration such as 90, 90s or 1m30s"),
    (f"{LIMIT}: {{interval: 1s, burst: -1}}", f"{LIMIT}.burst: must be at least 0"),
    (f"{LIMIT}: {{interval: 1s, burst: [1]}}", f"{LIMIT}.burst: must be a whole number"),
    (f"{LIMIT}: {{interval: 1s, burst: 1{'0' * 5000}}}", f"{LIMIT}.burst: has a value of the wrong kind"),
    (f"{TLS}: {{cert_file: [a], key_file: a}}", f"{TLS}.cert_file: must be the path of a file"),
    (PAIR + ", prefer_server_cipher_suites: [a]}", f"{TLS}.prefer_server_cipher_suites: must be true or false"),
    (
        f"tls_config: {{}}\n{LIMIT}: {{burst: many}}",
        f"{LIMIT}.burst: must be a whole number; tls_config: is not a key of this file",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_wrong_file_is_refused_in_one_line(web: Path, text: str, message: str) -> None:
    """The message says where and what, for everything that is wrong."""
    assert refusal(web, text) == message


def test_costs_4_and_18_are_accepted() -> None:
    """The limits of the message belong to the range."""
    for cost in ("$04$", "$18$"):
        hashed = HASH.replace("$04$", cost)
        assert WebConfig.model_validate({USERS: {"alice": hashed}}).users() == {"alice": hashed}


@pytest.mark.parametrize(
    "text",
    [
        f"{USERS}: {{alice: {HASH[:-1]}}}",
        f"{USERS}: {{'{HASH}': opensesame}}",
        f"{USERS}: [{HASH}]",
        f"{HASH}: {{}}",
        f"{USERS}:\n  alice: {HASH}\n bob: {HASH}",
        f"{TLS}: {{cert: a, key: {HASH}, min_version: {HASH}}}",
        f"{TLS}: {{cert: a, key: b, cipher_suites: ['{HASH}']}}",
        f"{TLS}: {{cert: a, key: b, client_auth_type: {HASH}}}",
        f"{LIMIT}: {{interval: {HASH}, burst: {HASH}}}",
        f"{HTTP}: {{http2: {HASH}, headers: {{'{HASH}': a, X-Frame-Options: {HASH}}}}}",
    ],
)
def test_no_message_contains_a_hash(web: Path, text: str) -> None:
    """Wherever a hash is put, right or wrong, the message does not repeat it."""
    assert HASH[7:30] not in refusal(web, text)


def test_secrets_are_hidden_where_python_prints_values(web: Path) -> None:
    """In the `repr` of a configuration and in pydantic's own errors, which a traceback would show."""
    web.write_text(f"{TLS}: {{cert: c, key: verysecretkey}}\n{USERS}: {{alice: {HASH}}}")
    assert not re.search("verysecretkey|" + re.escape(HASH), repr(load(web)))
    with pytest.raises(ValidationError) as caught:
        TLSServerConfig.model_validate({"key": ["verysecretkey"]})
    assert "verysecretkey" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (f"{HTTP}: {{http2: true}}", "http2: only HTTP/1.1 is served"),
        (
            PAIR + ", client_auth_type: RequestClientCert}",
            "client_auth_type RequestClientCert: no certificate is requested, because none would be verified",
        ),
        (PAIR + ", min_version: TLS10}", "min_version TLS10: the oldest supported version is TLS12"),
        (PAIR + ", min_version: TLS11}", "min_version TLS11: the oldest supported version is TLS12"),
        (
            PAIR + ", curve_preferences: [X25519, CurveP256]}",
            "curve_preferences: Python accepts one curve, not a list; OpenSSL's default list is used",
        ),
    ],
)
def test_an_option_that_is_not_followed_is_a_warning(web: Path, text: str, warning: str) -> None:
    """If it lets in no additional client; otherwise it is an error (above)."""
    web.write_text(text)
    assert load(web).warnings() == (warning,)
