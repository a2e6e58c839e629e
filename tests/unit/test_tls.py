"""TLS contexts as the web configuration describes them, by handshakes in memory."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from exporter.errors import SettingsError
from exporter.web.toolkit.config import WebConfigFile
from exporter.web.toolkit.schema import CURVES, TLSServerConfig
from exporter.web.toolkit.tls import reloading_context, ssl_context

Make = Callable[..., TLSServerConfig]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    """Return a certificate authority for servers and clients."""
    return trustme.CA()


@pytest.fixture
def make(tmp_path: Path, ca: trustme.CA) -> Make:
    """Return a function that returns a configuration with a valid certificate and further keys."""
    leaf = ca.issue_cert("localhost")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "a.crt")
    leaf.private_key_pem.write_to_path(tmp_path / "a.key")
    ca.cert_pem.write_to_path(tmp_path / "ca.crt")

    def made(**more: object) -> TLSServerConfig:
        data = {"cert_file": "a.crt", "key_file": "a.key"} | more
        given = {key: value for key, value in data.items() if value is not None}
        return TLSServerConfig.model_validate(given, context={"folder": tmp_path})

    return made


def shake(context: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """Return the client's side of a finished handshake, in memory. Raises SSLError when either side refuses."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = context.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    for _ in range(4):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert theirs.cipher() is not None
    return theirs


def is_accepted(context: ssl.SSLContext, client: ssl.SSLContext) -> bool:
    """Return whether a handshake succeeds."""
    try:
        shake(context, client)
    except ssl.SSLError:
        return False
    return True


def visitor(ca: trustme.CA, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """Return a client that trusts `ca`, with or without a certificate of its own."""
    client = ssl.create_default_context()
    ca.configure_trust(client)
    if certificate is not None:
        certificate.configure_cert(client)
    return client


def test_tls_1_3_and_1_2_are_spoken_by_default(make: Make, ca: trustme.CA) -> None:
    """The newest version that the client knows, and nothing older."""
    context = ssl_context(make())
    assert shake(context, visitor(ca)).version() == "TLSv1.3"
    older = visitor(ca)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    assert shake(context, older).version() == "TLSv1.2"
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert ssl_context(make(min_version="TLS10")).minimum_version == ssl.TLSVersion.TLSv1_2
    assert ssl.OP_NO_RENEGOTIATION in context.options
    assert context.verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize("limits", [{"min_version": "TLS13"}, {"cipher_suites": ["TLS_AES_256_GCM_SHA384"]}])
def test_an_older_client_is_refused_where_only_tls_1_3_is_configured(
    make: Make, ca: trustme.CA, limits: dict[str, object]
) -> None:
    """By version, or by suites of TLS 1.3 alone."""
    older = visitor(ca)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    assert is_accepted(ssl_context(make()), older)
    assert not is_accepted(ssl_context(make(**limits)), older)


@pytest.mark.parametrize(
    ("curve", "theirs", "other"),
    [
        ("CurveP256", "prime256v1", "X25519"),
        ("CurveP384", "secp384r1", "X25519"),
        ("CurveP521", "secp521r1", "X25519"),
        ("X25519", "X25519", "prime256v1"),
    ],
)
def test_a_single_curve_is_required(make: Make, ca: trustme.CA, curve: str, theirs: str, other: str) -> None:
    """A list is not narrowed to its first curve, which would refuse clients that know the second."""
    client = visitor(ca)
    client.set_ecdh_curve(theirs)
    assert is_accepted(ssl_context(make(curve_preferences=[curve])), client)
    client.set_ecdh_curve(other)
    assert not is_accepted(ssl_context(make(curve_preferences=[curve])), client)
    assert is_accepted(ssl_context(make(curve_preferences=[curve, "CurveP521"])), client)


def test_tls_1_2_uses_the_configured_suites(make: Make, ca: trustme.CA) -> None:
    """In the order of the file, unless the client may choose."""
    # trustme's keys are ECDSA.
    suites = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]
    client = visitor(ca)
    client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")

    def chosen(**more: object) -> str:
        cipher = shake(ssl_context(make(max_version="TLS12", **more)), client).cipher()
        assert cipher is not None
        return cipher[0]

    assert chosen(cipher_suites=suites) == "ECDHE-ECDSA-AES256-GCM-SHA384"
    assert chosen(cipher_suites=suites[1:]) == "ECDHE-ECDSA-AES128-GCM-SHA256"
    assert chosen(cipher_suites=suites, prefer_server_cipher_suites=False) == "ECDHE-ECDSA-AES128-GCM-SHA256"


def test_what_the_system_does_not_support_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a curve that a FIPS policy forbids."""
    monkeypatch.setitem(CURVES, "X25519", "forbidden")
    problem = "^tls_server_config: this system supports none of cipher_suites or curve_preferences$"
    with pytest.raises(SettingsError, match=problem):
        ssl_context(make(curve_preferences=["X25519"]))


def test_certificates_may_be_in_the_configuration_itself(make: Make, ca: trustme.CA, tmp_path: Path) -> None:
    """Inline PEM is used without writing a file."""
    before = sorted(tmp_path.iterdir())
    inline = make(
        cert_file=None,
        key_file=None,
        cert=(tmp_path / "a.crt").read_text(),
        key=(tmp_path / "a.key").read_text(),
        client_ca=(tmp_path / "ca.crt").read_text(),
        client_auth_type="RequireAndVerifyClientCert",
    )
    assert is_accepted(ssl_context(inline), visitor(ca, ca.issue_cert("prometheus.example.test")))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("required", [True, False])
def test_client_certificates_are_verified(make: Make, ca: trustme.CA, tmp_path: Path, *, required: bool) -> None:
    """A stranger's is refused, and a missing one where it is required; an intermediate CA needs no root."""
    policy = "RequireAndVerifyClientCert" if required else "VerifyClientCertIfGiven"
    intermediate = trustme.CA().create_child_ca()
    intermediate.cert_pem.write_to_path(tmp_path / "clients.crt")
    context = ssl_context(make(client_ca_file="clients.crt", client_auth_type=policy))
    assert is_accepted(context, visitor(ca, intermediate.issue_cert("prometheus.example.test")))
    assert not is_accepted(context, visitor(ca, trustme.CA().issue_cert("prometheus.example.test")))
    assert is_accepted(context, visitor(ca)) is not required


def test_a_client_needs_one_of_the_allowed_names(make: Make, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """A DNS name, IP address, e-mail address or URI, compared as a whole; each refusal is logged."""
    names = ["prometheus.example.test", "2001:db8::1", "ops@example.test", "spiffe://example.test/prometheus"]
    policy = {"client_ca_file": "ca.crt", "client_auth_type": "RequireAndVerifyClientCert"}
    context = ssl_context(make(**policy, client_allowed_sans=names))
    for name in names[:3]:
        assert is_accepted(context, visitor(ca, ca.issue_cert("other.example.test", name)))
    other = visitor(ca, ca.issue_cert("x.prometheus.example.test"))
    with structlog.testing.capture_logs() as lines, pytest.raises(ssl.SSLError) as caught:
        shake(context, other)
    assert caught.value.args == ("the client certificate has no name of client_allowed_sans",)
    reason = "no name of client_allowed_sans"
    assert lines == [{"log_level": "warning", "event": "client certificate refused", "reason": reason}]
    for kind, accepted in (("URI", True), ("Registered ID", False)):  # trustme issues neither
        certificate = {"subjectAltName": ((kind, names[3]),)}
        monkeypatch.setattr(ssl.SSLObject, "getpeercert", lambda _, found=certificate: found)
        assert is_accepted(context, other) is accepted
    monkeypatch.setattr(ssl.SSLObject, "getpeercert", lambda _: None)
    assert not is_accepted(context, other)


def test_unusable_files_are_refused_by_name(make: Make, ca: trustme.CA, tmp_path: Path) -> None:
    """One line, with the path and without the content."""
    other = ca.issue_cert("other.example.test")
    other.private_key_pem.write_to_path(tmp_path / "other.key")
    key = load_pem_private_key(other.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    (tmp_path / "encrypted.key").write_bytes(encrypted)
    (tmp_path / "junk").write_text("junk")
    mutual = {"client_auth_type": "RequireAndVerifyClientCert"}
    table: list[tuple[dict[str, object], str]] = [
        ({"cert_file": "gone"}, f"cert_file {tmp_path}/gone cannot be read: No such file or directory"),
        ({"key_file": "gone"}, f"key_file {tmp_path}/gone cannot be read: No such file or directory"),
        ({"key_file": "."}, f"key_file {tmp_path} cannot be read: Is a directory"),
        (
            {"cert_file": "junk"},
            f"cert_file {tmp_path}/junk and key_file {tmp_path}/a.key are not a certificate and its key in PEM format",
        ),
        (
            {"key_file": None, "key": "junk"},
            f"cert_file {tmp_path}/a.crt and key are not a certificate and its key in PEM format",
        ),
        (
            {"key_file": "other.key"},
            f"cert_file {tmp_path}/a.crt and key_file {tmp_path}/other.key do not belong together",
        ),
        ({"key_file": "encrypted.key"}, f"key_file {tmp_path}/encrypted.key is encrypted"),
        (
            {"client_ca_file": "gone", **mutual},
            f"client_ca_file {tmp_path}/gone cannot be read: No such file or directory",
        ),
        ({"client_ca_file": "junk", **mutual}, f"client_ca_file {tmp_path}/junk contains no certificate in PEM format"),
        ({"client_ca": "", **mutual}, "client_ca contains no certificate in PEM format"),
    ]
    for more, message in table:
        with pytest.raises(SettingsError) as caught:
            ssl_context(make(**more))
        assert str(caught.value) == f"tls_server_config: {message}"


@pytest.fixture
def web(tmp_path: Path, make: Make) -> Path:
    """Return a web configuration with a certificate."""
    make()
    web = tmp_path / "web.yml"
    web.write_text("tls_server_config: {cert_file: a.crt, key_file: a.key}")
    return web


def test_a_file_without_tls_has_no_context(web: Path) -> None:
    """The exporter then serves plain HTTP."""
    web.write_text("{}")
    assert reloading_context(WebConfigFile(web)) is None


def test_a_start_with_an_unusable_certificate_fails(web: Path) -> None:
    """At the start, not at the first connection."""
    (web.parent / "a.crt").unlink()
    with pytest.raises(SettingsError, match=r"a\.crt cannot be read"):
        reloading_context(WebConfigFile(web))


def test_the_next_connection_uses_the_renewed_certificate(web: Path, ca: trustme.CA) -> None:
    """Until certificate and key match, or while one is missing, the old pair stays, and the log says so once."""
    outcomes: list[str] = []
    context = reloading_context(WebConfigFile(web), outcomes.append)
    assert context is not None

    def presented() -> bytes | None:
        return shake(context, visitor(ca)).getpeercert(binary_form=True)

    first, new = presented(), ca.issue_cert("localhost")
    new.cert_chain_pems[0].write_to_path(web.parent / "a.crt")
    with structlog.testing.capture_logs() as lines:
        assert [presented() for _ in range(3)] == [first] * 3
    [line] = lines
    assert (line["log_level"], line["source"]) == ("error", "TLS")
    assert "do not belong together" in line["reason"]
    new.private_key_pem.write_to_path(web.parent / "a.key")
    second = presented()
    assert second == ssl.PEM_cert_to_DER_cert(new.cert_chain_pems[0].bytes().decode()) != first
    (web.parent / "a.crt").unlink()
    assert presented() == second
    assert outcomes == ["refused", "applied", "refused"]


def test_the_next_connection_follows_the_whole_configuration(web: Path, ca: trustme.CA) -> None:
    """Client certificates can be required, and their CA replaced, without a restart; nothing can be dropped."""
    context = reloading_context(WebConfigFile(web))
    assert context is not None
    plain, known = visitor(ca), visitor(ca, ca.issue_cert("prometheus.example.test"))
    assert is_accepted(context, plain)
    before = web.read_text()
    web.write_text(before[:-1] + ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert}")
    assert (is_accepted(context, plain), is_accepted(context, known)) == (False, True)
    web.write_text(before)
    assert not is_accepted(context, plain)
    successor = trustme.CA()
    successor.cert_pem.write_to_path(web.parent / "ca.crt")
    assert not is_accepted(context, known)
    assert is_accepted(context, visitor(ca, successor.issue_cert("prometheus.example.test")))
