"""TLS by the web configuration, with certificates that are renewed without a restart.

Each new connection asks for the files of that moment. An SNI callback could only swap the certificate: the policy for
client certificates, versions and ciphers stay those of the first context. So the context that the server holds hands
every connection to a context built from the files as they are.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import structlog

from exporter.errors import SettingsError
from exporter.web.toolkit.config import LastGood, OnReload, WebConfigFile, digest
from exporter.web.toolkit.schema import CURVES, TLSServerConfig

log = structlog.get_logger()


def live_context(file: WebConfigFile, told: OnReload = lambda _: None) -> ssl.SSLContext | None:
    """Return a server's context that follows `file`, or None when the file asks for no TLS. Raises SettingsError."""
    return None if file.config.tls_server_config is None else _LiveContext.of(file, told)


class _LiveContext(ssl.SSLContext):
    """A context that serves no connection itself: each is given to one built from the files of that moment."""

    _contexts: LastGood[ssl.SSLContext]

    @classmethod
    def of(cls, file: WebConfigFile, told: OnReload) -> "_LiveContext":
        """Return a context that follows `file`."""

        def tls() -> TLSServerConfig:
            config = file.config.tls_server_config
            if config is None:
                # WebConfigFile takes up no change that switches TLS off, and `live_context` asked before.
                raise SettingsError("the web configuration has no tls_server_config")
            return config

        def mark() -> object:
            config = tls()
            return config, digest(config.cert_file), digest(config.key_file), digest(config.client_ca_file)

        live = cls(ssl.PROTOCOL_TLS_SERVER)
        live._contexts = LastGood("TLS", mark, lambda _: ssl_context(tls()), told)
        return live

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:  # noqa: ANN401 - handed on as they are
        """Return the connection's TLS state; asyncio and uvloop call this once for each connection."""
        return self._contexts.get().wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:  # noqa: ANN401 - handed on as they are
        """Return a TLS socket, for servers that are not asynchronous."""
        return self._contexts.get().wrap_socket(*args, **kwargs)


def ssl_context(config: TLSServerConfig) -> ssl.SSLContext:
    """Return a context by the certificate, key and client CA as they are on disk now. Raises SettingsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # A client that renegotiates makes us compute without a request that could be counted.
    context.options |= ssl.OP_NO_RENEGOTIATION
    _load_certificate(context, config)
    _load_client_ca(context, config)
    _limit_protocol(context, config)
    if config.client_allowed_sans:
        context.sslobject_class = _checking_names(config.client_allowed_sans)
    return context


def _load_certificate(context: ssl.SSLContext, config: TLSServerConfig) -> None:
    asked = []

    def no_password() -> str:
        # Without this OpenSSL asks at the terminal and waits.
        asked.append(True)
        return ""

    key = config.key.get_secret_value() if config.key else None
    with (
        _as_file("cert", config.cert_file, config.cert) as cert_path,
        _as_file("key", config.key_file, key) as key_path,
    ):
        try:
            context.load_cert_chain(cert_path, key_path, password=no_password)
        except (OSError, ValueError) as error:
            if asked:
                raise SettingsError(f"tls_server_config: {_name('key', config.key_file)} is encrypted") from None
            names = f"{_name('cert', config.cert_file)} and {_name('key', config.key_file)}"
            fault = (
                "do not belong together"
                if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH"
                else "are not a certificate and its key in PEM"
            )
            raise SettingsError(f"tls_server_config: {names} {fault}") from None


def _load_client_ca(context: ssl.SSLContext, config: TLSServerConfig) -> None:
    if not config.verifies_clients:
        return
    required = config.client_auth_type == "RequireAndVerifyClientCert"
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    # Go takes each certificate of the file as a root, also an intermediate one.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    with _as_file("client_ca", config.client_ca_file, config.client_ca) as path:
        try:
            context.load_verify_locations(cafile=path)
        except OSError:
            name = _name("client_ca", config.client_ca_file)
            raise SettingsError(f"tls_server_config: {name} holds no certificate in PEM") from None


def _limit_protocol(context: ssl.SSLContext, config: TLSServerConfig) -> None:
    only_13 = config.min_version == "TLS13" or (config.cipher_suites and not config.tls12_ciphers)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if only_13 else ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2 if config.max_version == "TLS12" else ssl.TLSVersion.TLSv1_3
    if not config.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        if config.tls12_ciphers:
            context.set_ciphers(":".join(config.tls12_ciphers))
        if len(config.curve_preferences) == 1:
            context.set_ecdh_curve(CURVES[config.curve_preferences[0]])
    except (OSError, ValueError):
        # A system whose policy forbids it, such as FIPS.
        raise SettingsError(
            "tls_server_config: this system offers none of cipher_suites or curve_preferences"
        ) from None


@contextmanager
def _as_file(name: str, path: Path | None, text: str | None) -> Iterator[str]:
    """Give a path that OpenSSL can read: the file's own, or one in memory only for text given in the configuration."""
    if path is not None:
        try:
            path.open("rb").close()
        except OSError as error:
            raise SettingsError(f"tls_server_config: {_name(name, path)} can not be read: {error.strerror}") from None
        yield str(path)
        return
    with os.fdopen(os.memfd_create(name), "wb") as memory:
        memory.write((text or "").encode())
        memory.flush()
        yield f"/proc/self/fd/{memory.fileno()}"


def _name(name: str, path: Path | None) -> str:
    return name if path is None else f"{name}_file {path}"


def _checking_names(allowed: tuple[str, ...]) -> type[ssl.SSLObject]:
    """Return a class of connections that end their handshake in an error unless the client has an allowed name."""
    names = frozenset(map(_canonical, allowed))

    class Checking(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            certificate = self.getpeercert() or {}
            # typeshed types the values as a union of all fields' types; this field is pairs of kind and name.
            found: Any = certificate.get("subjectAltName", ())
            if names.isdisjoint(
                _canonical(name) for kind, name in found if kind in {"DNS", "IP Address", "email", "URI"}
            ):
                log.warning("a client certificate holds none of client_allowed_sans")
                raise ssl.SSLCertVerificationError("the client certificate holds none of client_allowed_sans")

    return Checking


def _canonical(name: str) -> str:
    """Return an IP address in its short form, as OpenSSL writes out the zeros of IPv6; other names as they are."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name
