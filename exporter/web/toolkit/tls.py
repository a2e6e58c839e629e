"""TLS as the web configuration says, with certificates that are renewed without a restart.

Every new connection uses the files as they are at that moment. An SNI callback could replace only the certificate;
the rules for client certificates, protocol versions and ciphers would stay as they were. So the context that the server
holds passes each connection to a context built from the current files.
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
from exporter.web.toolkit.config import OnReload, Reloading, WebConfigFile, file_digest
from exporter.web.toolkit.schema import CURVES, TLSServerConfig

log = structlog.get_logger()


def reloading_context(file: WebConfigFile, on_reload: OnReload = lambda _: None) -> "ReloadingContext | None":
    """Return a server context that follows `file`, or None if `file` configures no TLS. Raises SettingsError."""
    config = file.config.tls_server_config
    return None if config is None else ReloadingContext.create(file, config, on_reload)


class ReloadingContext(ssl.SSLContext):
    """A context that passes every connection to one built from the current files."""

    _contexts: Reloading[ssl.SSLContext]

    @classmethod
    def create(cls, file: WebConfigFile, first: TLSServerConfig, on_reload: OnReload) -> "ReloadingContext":
        """Return a context that follows `file`, whose configuration is `first` now."""

        def config() -> TLSServerConfig:
            return file.config.tls_server_config or first  # `first` never: TLS is not switched off while running

        def fingerprint() -> object:
            tls = config()
            return tls, file_digest(tls.cert_file), file_digest(tls.key_file), file_digest(tls.client_ca_file)

        context = cls(ssl.PROTOCOL_TLS_SERVER)
        context._contexts = Reloading("TLS", fingerprint, lambda _: ssl_context(config()), on_reload)
        return context

    def reload(self) -> None:
        """Read the certificates again. Raises SettingsError if they cannot be used; the last good ones stay."""
        self._contexts.reload()

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:  # noqa: ANN401 - passed on as they are
        """Return the TLS state of a new connection; asyncio and uvloop call this once per connection."""
        return self._contexts.get().wrap_bio(*args, **kwargs)


def ssl_context(config: TLSServerConfig) -> ssl.SSLContext:
    """Return a context with the certificate, key and client CA as they are on disk. Raises SettingsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Renegotiation would let a client use CPU without a request that is counted or limited.
    context.options |= ssl.OP_NO_RENEGOTIATION
    _load_certificate(context, config)
    _load_client_ca(context, config)
    _limit_protocol(context, config)
    if config.client_allowed_sans:
        context.sslobject_class = _requiring_name(config.client_allowed_sans)
    return context


def _load_certificate(context: ssl.SSLContext, config: TLSServerConfig) -> None:
    encrypted = False

    def no_password() -> str:
        # Without this function OpenSSL would ask at the terminal and wait.
        nonlocal encrypted
        encrypted = True
        return ""

    key = config.key.get_secret_value() if config.key else None
    with (
        _as_file("cert", config.cert_file, config.cert) as cert_path,
        _as_file("key", config.key_file, key) as key_path,
    ):
        try:
            context.load_cert_chain(cert_path, key_path, password=no_password)
        except (OSError, ValueError) as error:
            if encrypted:
                raise SettingsError(f"tls_server_config: {_name('key', config.key_file)} is encrypted") from None
            names = f"{_name('cert', config.cert_file)} and {_name('key', config.key_file)}"
            problem = (
                "do not belong together"
                if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH"
                else "are not a certificate and its key in PEM format"
            )
            raise SettingsError(f"tls_server_config: {names} {problem}") from None


def _load_client_ca(context: ssl.SSLContext, config: TLSServerConfig) -> None:
    if not config.verifies_clients:
        return
    context.verify_mode = ssl.CERT_REQUIRED if config.requires_clients else ssl.CERT_OPTIONAL
    # As in Go, each certificate of the file is a trust anchor, even an intermediate one.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    with _as_file("client_ca", config.client_ca_file, config.client_ca) as path:
        try:
            context.load_verify_locations(cafile=path)
        except OSError:
            name = _name("client_ca", config.client_ca_file)
            raise SettingsError(f"tls_server_config: {name} contains no certificate in PEM format") from None


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
        # The system's policy forbids them, as with FIPS.
        raise SettingsError(
            "tls_server_config: this system supports none of cipher_suites or curve_preferences"
        ) from None


@contextmanager
def _as_file(name: str, path: Path | None, text: str | None) -> Iterator[str]:
    """Yield a path for OpenSSL: that of the file, or of a file in memory with the text from the configuration."""
    if path is not None:
        try:
            path.open("rb").close()
        except OSError as error:
            raise SettingsError(f"tls_server_config: {_name(name, path)} cannot be read: {error.strerror}") from None
        yield str(path)
        return
    with os.fdopen(os.memfd_create(name), "wb") as memory:
        memory.write((text or "").encode())
        memory.flush()
        yield f"/proc/self/fd/{memory.fileno()}"


def _name(name: str, path: Path | None) -> str:
    return name if path is None else f"{name}_file {path}"


def _requiring_name(allowed: tuple[str, ...]) -> type[ssl.SSLObject]:
    """Return a TLS connection class whose handshake fails unless the client's certificate has an allowed name."""
    names = frozenset(map(_canonical, allowed))

    class RequiringName(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            certificate = self.getpeercert() or {}
            # Any: typeshed knows only the union of all fields' types; this field holds (kind, name) pairs.
            found: Any = certificate.get("subjectAltName", ())
            if names.isdisjoint(
                _canonical(name) for kind, name in found if kind in {"DNS", "IP Address", "email", "URI"}
            ):
                log.warning("client certificate refused", reason="no name of client_allowed_sans")
                raise ssl.SSLCertVerificationError("the client certificate has no name of client_allowed_sans")

    return RequiringName


def _canonical(name: str) -> str:
    """Return an IP address in its short form (OpenSSL writes out the zeros of IPv6), and other names unchanged."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name
