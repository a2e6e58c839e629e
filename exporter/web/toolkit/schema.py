"""What the web configuration file may say: TLS, client certificates, passwords, headers and rate limit.

It is the YAML that Prometheus's exporters share (exporter-toolkit, `docs/web-configuration.md`), so that a file written
for another exporter works here. Where Python's TLS can not do what the file asks, the file is refused if clients would
come in that it keeps out, and is taken with a warning if not. No message holds a hash, a key or a certificate.
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

OPEN_PATHS: Final = ("/-/healthy", "/-/ready")
"""Paths that ask for no password and are not rate limited: an orchestrator's probes have no password."""

HEADERS: Final[Mapping[str, tuple[str, ...]]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""The headers that the file may set, each with its only values; an empty tuple allows any."""

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
"""Go's names of the TLS 1.2 suites, as OpenSSL calls them. Those that Go calls insecure are left out."""

TLS13_CIPHERS: Final = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
"""Suites of TLS 1.3. Neither Go nor Python lets one choose among them, so naming them changes nothing."""

CURVES: Final[Mapping[str, str]] = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
"""Go's names of the curves, as OpenSSL calls them."""

_BCRYPT = re.compile(r"\$2[abxy]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53}")
_COSTS = range(4, 19)  # 18 takes many seconds a check; above it one check would hold up all others for minutes
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_.@-]{1,40}")
"""Names that a message may show: too short and too plain to be a hash or a key put in the wrong place."""


def _duration(value: object) -> object:
    """Return the seconds of a Go duration such as `1s`, `250ms` or `1m30s`; `0` needs no unit."""
    text = str(value)
    if text == "0":
        return 0.0
    if not re.fullmatch(f"(?:{_DURATION_PART.pattern})+", text):
        raise ValueError("must be a duration such as 1s, 250ms or 1m30s")
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def _beside_the_file(value: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / value


def _known(table: Mapping[str, object] | frozenset[str], what: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in table:
            shown = value if PLAIN_NAME.fullmatch(value) else "this"
            raise ValueError(f"{shown} is no {what} that can be used; these can: {', '.join(sorted(table))}")
        return value

    return check


_File = Annotated[Path, AfterValidator(_beside_the_file)]
_Cipher = Annotated[str, AfterValidator(_known(TLS13_CIPHERS | CIPHERS.keys(), "cipher suite"))]
_Curve = Annotated[str, AfterValidator(_known(CURVES, "curve"))]
_ClientAuth = Literal[
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "RequireClientCert",  # exporter-toolkit's older name for RequireAnyClientCert
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
]
TLSVersion = Literal["TLS10", "TLS11", "TLS12", "TLS13"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_given(cls, data: object) -> object:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class TLSServerConfig(_Section):
    """`tls_server_config`: certificate, key, who may connect, and the protocol's limits."""

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
                f"client_auth_type {self.client_auth_type} is not offered: Python takes no unverified certificate; "
                "use RequireAndVerifyClientCert with client_ca_file"
            )
        has_ca = self.client_ca is not None or self.client_ca_file is not None
        if self.verifies_clients and not has_ca:
            raise ValueError(f"client_auth_type {self.client_auth_type} needs client_ca_file")
        if has_ca and self.client_auth_type == "NoClientCert":
            raise ValueError("client_ca_file has no effect without client_auth_type RequireAndVerifyClientCert")
        if self.client_allowed_sans and self.client_auth_type != "RequireAndVerifyClientCert":
            raise ValueError("client_allowed_sans needs client_auth_type RequireAndVerifyClientCert")
        return self

    @model_validator(mode="after")
    def _versions(self) -> "TLSServerConfig":
        if self.max_version in {"TLS10", "TLS11"}:
            raise ValueError(f"max_version {self.max_version} is not offered: the oldest protocol here is TLS12")
        if self.min_version > self.max_version:
            raise ValueError("min_version is above max_version")
        if self.max_version == "TLS12" and self.cipher_suites and not self.tls12_ciphers:
            raise ValueError("cipher_suites names no suite of TLS 1.2, and max_version allows nothing newer")
        return self

    @property
    def verifies_clients(self) -> bool:
        """Whether a client's certificate is asked for and verified."""
        return self.client_auth_type in {"VerifyClientCertIfGiven", "RequireAndVerifyClientCert"}

    @property
    def tls12_ciphers(self) -> tuple[str, ...]:
        """OpenSSL's names of the TLS 1.2 suites asked for, in the file's order."""
        return tuple(CIPHERS[name] for name in self.cipher_suites if name in CIPHERS)


class HTTPServerConfig(_Section):
    """`http_server_config`. `headers` replaces ours of the same name; an empty value sends no such header."""

    http2: bool = True
    headers: dict[str, str] = Field(default_factory=dict)

    @field_validator("headers", mode="before")
    @classmethod
    def _null_is_blank(cls, value: object) -> object:
        return {name: text or "" for name, text in value.items()} if isinstance(value, dict) else value

    @field_validator("headers")
    @classmethod
    def _headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, text in headers.items():
            _known(HEADERS, "header")(name)
            if HEADERS[name] and text and text.lower() not in HEADERS[name]:
                raise ValueError(f"{name} must be {' or '.join(HEADERS[name])}")
            if not text.isascii() or not (text.isprintable()):
                raise ValueError(f"{name} must be one line of printable ASCII")
        return headers


class RateLimitConfig(_Section):
    """`rate_limit`: a token bucket over all requests but those of `OPEN_PATHS`; `interval` in seconds, 0 for none."""

    interval: Annotated[float, BeforeValidator(_duration)] = 0.0
    burst: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _some_get_through(self) -> "RateLimitConfig":
        if self.interval and not self.burst:
            raise ValueError("burst must be at least 1: with 0 every request is refused")
        return self


class WebConfig(_Section):
    """The whole file. Paths are joined to the folder of the file."""

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
                raise ValueError("a user name holds a colon: basic authentication can not carry it")
            found = _BCRYPT.fullmatch(secret.get_secret_value())
            if not found:
                raise ValueError(f"the password of {shown} is no bcrypt hash; make one with: htpasswd -nBC 10 NAME")
            if int(found["cost"]) not in _COSTS:
                raise ValueError(f"the bcrypt cost of {shown} must be {_COSTS.start} to {_COSTS.stop - 1}")
        return users

    def users(self) -> Mapping[str, str]:
        """Return user names and bcrypt hashes; empty is no password asked."""
        return {user: secret.get_secret_value() for user, secret in self.basic_auth_users.items()}

    def warnings(self) -> tuple[str, ...]:
        """Return one line for each thing that the file asks for and that is done otherwise, never less strictly."""
        said = []
        if "http2" in self.http_server_config.model_fields_set and self.http_server_config.http2:
            said.append("http2: this server speaks HTTP/1.1 only")
        if (tls := self.tls_server_config) is None:
            return tuple(said)
        if tls.client_auth_type == "RequestClientCert":
            said.append("client_auth_type RequestClientCert: no certificate is asked for, as none would be verified")
        if tls.min_version in {"TLS10", "TLS11"}:
            said.append(f"min_version {tls.min_version}: the oldest protocol here is TLS12")
        if len(tls.curve_preferences) > 1:
            said.append("curve_preferences: Python can set one curve, not a list; OpenSSL's own list is used")
        return tuple(said)
