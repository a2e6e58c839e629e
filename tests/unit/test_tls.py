"""Certificates, keys and limits of the protocol, from the web configuration into a TLS context."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from exporter.errors import SettingsError
from exporter.web.toolkit.config import WebConfigFile
from exporter.web.toolkit.schema import TLSServerConfig
from exporter.web.toolkit.tls import live_context, ssl_context

Make = Callable[..., TLSServerConfig]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    """Return an authority for this module."""
    return trustme.CA()


@pytest.fixture
def make(tmp_path: Path, ca: trustme.CA) -> Make:
    """Return a maker of configurations with a good certificate, and with what else is given."""
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
    """Return the client's side of a finished handshake, in memory."""
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


def visitor(ca: trustme.CA) -> ssl.SSLContext:
    """Return a client that trusts `ca`."""
    client = ssl.create_default_context()
    ca.configure_trust(client)
    return client


def test_the_newest_protocol_is_spoken_by_default(make: Make, ca: trustme.CA) -> None:
    """TLS 1.3 with whom can, TLS 1.2 with whom can not, nothing older."""
    context = ssl_context(make())
    assert shake(context, visitor(ca)).version() == "TLSv1.3"
    older = visitor(ca)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    assert shake(context, older).version() == "TLSv1.2"
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert ssl_context(make(min_version="TLS10")).minimum_version == ssl.TLSVersion.TLSv1_2
    assert ssl.OP_NO_RENEGOTIATION in context.options
    assert context.verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize(
    "limits",
    [{"min_version": "TLS13"}, {"cipher_suites": ["TLS_AES_256_GCM_SHA384"]}, {"curve_preferences": ["CurveP521"]}],
)
def test_a_client_outside_the_limits_gets_no_connection(make: Make, ca: trustme.CA, limits: dict[str, object]) -> None:
    """A minimum version, suites of TLS 1.3 only, and a curve that the client lacks each keep an older client out."""
    older = visitor(ca)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    older.set_ecdh_curve("prime256v1")
    shake(ssl_context(make()), older)
    with pytest.raises(ssl.SSLError):
        shake(ssl_context(make(**limits)), older)


def test_the_cipher_suite_is_the_one_asked_for(make: Make, ca: trustme.CA) -> None:
    """With TLS 1.2 only suites of the file are used, in its order unless the client may choose."""
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


def test_a_list_of_curves_leaves_openssl_s_own(make: Make, ca: trustme.CA) -> None:
    """Two curves are never narrowed to the first, which would keep out clients that know the second."""
    client = visitor(ca)
    client.set_ecdh_curve("prime256v1")
    shake(ssl_context(make(curve_preferences=["X25519", "CurveP256"])), client)


def test_certificate_and_key_may_stand_in_the_file_itself(make: Make, ca: trustme.CA, tmp_path: Path) -> None:
    """Inline PEM serves as well, and leaves no file behind."""
    before = sorted(tmp_path.iterdir())
    inline = make(
        cert_file=None,
        key_file=None,
        cert=(tmp_path / "a.crt").read_text(),
        key=(tmp_path / "a.key").read_text(),
        client_ca=(tmp_path / "ca.crt").read_text(),
        client_auth_type="VerifyClientCertIfGiven",
    )
    context = ssl_context(inline)
    shake(context, visitor(ca))
    assert context.verify_mode == ssl.CERT_OPTIONAL
    assert sorted(tmp_path.iterdir()) == before


def test_certificates_that_can_not_be_used_are_refused_by_name(make: Make, ca: trustme.CA, tmp_path: Path) -> None:
    """Each fault of the files gives one line with the name of the file and no content."""
    other = ca.issue_cert("other.example.test")
    other.private_key_pem.write_to_path(tmp_path / "other.key")
    key = load_pem_private_key(other.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    (tmp_path / "encrypted.key").write_bytes(encrypted)
    (tmp_path / "junk").write_text("junk")
    mutual = {"client_auth_type": "RequireAndVerifyClientCert"}
    table: list[tuple[dict[str, object], str]] = [
        ({"cert_file": "gone"}, f"cert_file {tmp_path}/gone can not be read: No such file or directory"),
        ({"key_file": "gone"}, f"key_file {tmp_path}/gone can not be read: No such file or directory"),
        ({"key_file": "."}, f"key_file {tmp_path} can not be read: Is a directory"),
        (
            {"cert_file": "junk"},
            f"cert_file {tmp_path}/junk and key_file {tmp_path}/a.key are not a certificate and its key in PEM",
        ),
        (
            {"key_file": None, "key": "junk"},
            f"cert_file {tmp_path}/a.crt and key are not a certificate and its key in PEM",
        ),
        (
            {"key_file": "other.key"},
            f"cert_file {tmp_path}/a.crt and key_file {tmp_path}/other.key do not belong together",
        ),
        ({"key_file": "encrypted.key"}, f"key_file {tmp_path}/encrypted.key is encrypted"),
        (
            {"client_ca_file": "gone", **mutual},
            f"client_ca_file {tmp_path}/gone can not be read: No such file or directory",
        ),
        ({"client_ca_file": "junk", **mutual}, f"client_ca_file {tmp_path}/junk holds no certificate in PEM"),
        ({"client_ca": "", **mutual}, "client_ca holds no certificate in PEM"),
    ]
    for more, message in table:
        with pytest.raises(SettingsError) as caught:
            ssl_context(make(**more))
        assert str(caught.value) == f"tls_server_config: {message}"


def test_without_tls_there_is_no_context(tmp_path: Path) -> None:
    """A file without tls_server_config is plain HTTP."""
    web = tmp_path / "web.yml"
    web.write_text("{}")
    assert live_context(WebConfigFile(web)) is None


def test_a_start_with_a_bad_certificate_fails(tmp_path: Path) -> None:
    """The first look at the certificate is at the start, not at the first connection."""
    web = tmp_path / "web.yml"
    web.write_text("tls_server_config: {cert_file: gone.crt, key_file: gone.key}")
    with pytest.raises(SettingsError, match=r"gone\.crt can not be read"):
        live_context(WebConfigFile(web))
