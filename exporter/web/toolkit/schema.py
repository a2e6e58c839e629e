"""Schema of the web configuration file: TLS, client certificates, passwords, headers and rate limit.

The format is that of exporter-toolkit (`docs/web-configuration.md`), so a file written for another Prometheus exporter
works here. Where Python's TLS lacks an option, the file is refused if ignoring the option would let in more clients,
and accepted with a warning otherwise. No message contains a hash, a key or a certificate.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from exporter.values import seconds

OPEN_PATHS: Final = ("/-/healthy", "/-/ready")
"""Paths without password and rate limit, because the probes of an orchestrator have no password."""

HEADERS: Final[Mapping[str, tuple[str, ...]]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""Headers that the file may set, with the allowed values; an empty tuple allows all."""

CIPHERS: Final[Mapping[str, str]] = {
    f"TLS_ECDHE_{signature}_WITH_{theirs}": f"ECDHE-{signature}-{ours}"
    for signature in ("ECDSA", "RSA")
    for theirs, ours in (
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
        ("AES_128_CBC_SHA", "AES128-SHA"),
        ("AES_256_CBC_SHA", "AES256-SHA"),
    )
}
"""OpenSSL's name of each TLS 1.2 cipher suite, by Go's name. Suites that Go calls insecure are missing."""

TLS13_CIPHERS: Final = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
"""Cipher suites of TLS 1.3. Neither Go nor Python can select among them, so naming them changes nothing."""

CURVES: Final[Mapping[str, str]] = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
"""OpenSSL's name of each curve, by Go's name."""

_BCRYPT = re.compile(r"\$2[abxy]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53}")
_COSTS = range(4, 19)  # at cost 18 a check takes many seconds; above, it would delay all other checks for minutes
PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_.@-]{1,40}")
"""Names that messages may show: too short and plain to be a hash or a key in the wrong place."""


def _duration(value: object) -> object:
    return seconds(str(value))


def _in_folder(value: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / value


def _one_of(table: Mapping[str, object] | frozenset[str], what: str) -> Callable[[str], str]:
    def validate(value: str) -> str:
        if value not in table:
            shown = value if PLAIN_NAME.fullmatch(value) else "this"
            raise ValueError(f"{shown} is not a supported {what}; supported: {', '.join(sorted(table))}")
        return value

    return validate


_File = Annotated[Path, AfterValidator(_in_folder)]
_Cipher = Annotated[str, AfterValidator(_one_of(TLS13_CIPHERS | CIPHERS.keys(), "cipher suite"))]
_Curve = Annotated[str, AfterValidator(_one_of(CURVES, "curve"))]
_ClientAuth = Literal[
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "RequireClientCert",  # exporter-toolkit's old name of RequireAnyClientCert
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
]
TLSVersion = Literal["TLS10", "TLS11", "TLS12", "TLS13"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: object) -> object:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class TLSServerConfig(_Section):
    """`tls_server_config`: certificate, key, client certificates, and limits of the protocol."""

    cert: str | None = None
    key: SecretStr | None = None
    client_ca: str | None = None
    cert_file: _File | None = None
    key_file: _File | None = None
    client_ca_file: _File | None = None
    client_auth_type: _ClientAuth = "NoClientCert"
    client_allowed_sans: tuple[str, ...] = ()
    min_version: TLSVersion = "TLS12"
    max_version: TLSVersion = "TLS13"
    cipher_suites: tuple[_Cipher, ...] = ()
    curve_preferences: tuple[_Curve, ...] = ()
    prefer_server_cipher_suites: bool = True

    @model_validator(mode="after")
    def _certificate_and_key(self) -> "TLSServerConfig":
        for name in ("cert", "key", "client_ca"):
            inline, file = getattr(self, name), getattr(self, f"{name}_file")
            if inline is not None and file is not None:
                raise ValueError(f"give {name} or {name}_file, not both")
            if name != "client_ca" and inline is None and file is None:
                raise ValueError(f"{name}_file is missing")
        return self

    @model_validator(mode="after")
    def _client_certificates(self) -> "TLSServerConfig":
        if self.client_auth_type in {"RequireAnyClientCert", "RequireClientCert"}:
            raise ValueError(
                f"client_auth_type {self.client_auth_type} is not supported: Python verifies every certificate; "
                "use RequireAndVerifyClientCert with client_ca_file"
            )
        has_ca = self.client_ca is not None or self.client_ca_file is not None
        if self.verifies_clients and not has_ca:
            raise ValueError(f"client_auth_type {self.client_auth_type} needs client_ca_file")
        if has_ca and self.client_auth_type == "NoClientCert":
            raise ValueError("client_ca_file has no effect without client_auth_type RequireAndVerifyClientCert")
        if self.client_allowed_sans and not self.requires_clients:
            raise ValueError("client_allowed_sans needs client_auth_type RequireAndVerifyClientCert")
        return self

    @model_validator(mode="after")
    def _versions(self) -> "TLSServerConfig":
        if self.max_version in {"TLS10", "TLS11"}:
            raise ValueError(f"max_version {self.max_version} is not supported; the oldest supported version is TLS12")
        if self.min_version > self.max_version:
            raise ValueError("min_version is above max_version")
        if self.max_version == "TLS12" and self.cipher_suites and not self.tls12_ciphers:
            raise ValueError("cipher_suites contains no TLS 1.2 suite, and max_version allows nothing newer")
        return self

    @property
    def verifies_clients(self) -> bool:
        """Whether a client's certificate is requested and verified."""
        return self.client_auth_type in {"VerifyClientCertIfGiven", "RequireAndVerifyClientCert"}

    @property
    def requires_clients(self) -> bool:
        """Whether a client without a certificate is refused."""
        return self.client_auth_type == "RequireAndVerifyClientCert"

    @property
    def tls12_ciphers(self) -> tuple[str, ...]:
        """OpenSSL's names of the configured TLS 1.2 suites, in the file's order."""
        return tuple(CIPHERS[name] for name in self.cipher_suites if name in CIPHERS)


class HTTPServerConfig(_Section):
    """`http_server_config`. `headers` replaces default headers of the same name; an empty value removes one."""

    http2: bool | None = None
    headers: dict[str, str] = Field(default_factory=dict)

    @field_validator("headers", mode="before")
    @classmethod
    def _null_is_empty(cls, value: object) -> object:
        return {name: text or "" for name, text in value.items()} if isinstance(value, dict) else value

    @field_validator("headers")
    @classmethod
    def _supported(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, text in headers.items():
            _one_of(HEADERS, "header")(name)
            if HEADERS[name] and text and text.lower() not in HEADERS[name]:
                raise ValueError(f"{name} must be {' or '.join(HEADERS[name])}")
            if not (text.isascii() and text.isprintable()):
                raise ValueError(f"{name} must be one line of printable ASCII")
        return headers


class RateLimitConfig(_Section):
    """`rate_limit`: a token bucket for all requests outside `OPEN_PATHS`; `interval` in seconds, 0 for no limit."""

    interval: Annotated[float, BeforeValidator(_duration)] = 0.0
    burst: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _burst_is_positive(self) -> "RateLimitConfig":
        if self.interval and not self.burst:
            raise ValueError("burst must be at least 1; 0 would refuse every request")
        return self


class WebConfig(_Section):
    """The whole file. Relative paths are joined to its folder."""

    tls_server_config: TLSServerConfig | None = None
    http_server_config: HTTPServerConfig = HTTPServerConfig()
    basic_auth_users: dict[str, SecretStr] = Field(default_factory=dict)
    rate_limit: RateLimitConfig = RateLimitConfig()

    @field_validator("tls_server_config", mode="before")
    @classmethod
    def _empty_is_no_tls(cls, value: object) -> object:
        return value or None

    @field_validator("basic_auth_users")
    @classmethod
    def _bcrypt(cls, users: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for user, secret in users.items():
            shown = user if PLAIN_NAME.fullmatch(user) else "one user"
            if ":" in user:
                raise ValueError("a user name contains a colon, which basic authentication does not allow")
            match = _BCRYPT.fullmatch(secret.get_secret_value())
            if not match:
                raise ValueError(
                    f"the password of {shown} is not a bcrypt hash; create one with: htpasswd -nBC 10 NAME"
                )
            if int(match["cost"]) not in _COSTS:
                raise ValueError(f"the bcrypt cost of {shown} must be {_COSTS.start} to {_COSTS.stop - 1}")
        return users

    def users(self) -> Mapping[str, str]:
        """Return user names and bcrypt hashes; none means that no password is required."""
        return {user: secret.get_secret_value() for user, secret in self.basic_auth_users.items()}

    def warnings(self) -> tuple[str, ...]:
        """Return one line for each option that is not followed exactly; none of them lets in more clients."""
        lines = []
        if self.http_server_config.http2:
            lines.append("http2: only HTTP/1.1 is served")
        if (tls := self.tls_server_config) is None:
            return tuple(lines)
        if tls.client_auth_type == "RequestClientCert":
            lines.append(
                "client_auth_type RequestClientCert: no certificate is requested, because none would be verified"
            )
        if tls.min_version in {"TLS10", "TLS11"}:
            lines.append(f"min_version {tls.min_version}: the oldest supported version is TLS12")
        if len(tls.curve_preferences) > 1:
            lines.append("curve_preferences: Python accepts one curve, not a list; OpenSSL's default list is used")
        return tuple(lines)
