"""The environment, read and checked. Secrets are hidden in every `repr`, message and log line.

Sources, strongest first: the environment, a `.env` file in the working directory, files of a secrets folder. Only the
key is compulsory, and `demo` needs none.
"""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from exporter.errors import SettingsError

SECRETS_DIR = Path("/run/secrets")
KUBERNETES = re.compile(r"EXPORTER_(PORT(_\d+_.*)?|SERVICE_.*)", re.IGNORECASE)
"""Names that Kubernetes injects into every pod beside a service called `exporter`."""

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def _seconds(value: object) -> object:
    """Return seconds for `90`, `90s`, `5m` or `1h`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip())
    if not found:
        raise ValueError("must be seconds, or a duration such as 60s, 5m or 1h")
    return float(found[1]) * _UNITS[found[2]]


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class ListenAddress(str):
    """`:10918`, `127.0.0.1:10918` or `[::1]:10918`; an empty host is every interface."""

    __slots__ = ()

    @property
    def host(self) -> str:
        """The host without brackets, empty for every interface."""
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port; 0 lets the system choose."""
        return int(self.rpartition(":")[2])


def _address(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/\s]*):\d{1,5}", value.strip()):
        raise ValueError("must be host:port or :port, such as :10918, 127.0.0.1:10918 or [::1]:10918")
    address = ListenAddress(value.strip())
    if address.port > 65535:  # noqa: PLR2004 - the largest port there is
        raise ValueError("the port must be at most 65535")
    return address


class Settings(BaseSettings):
    """Every setting, with its default. Each field's name in upper case is the name of its environment variable."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    anthropic_admin_key: SecretStr | None = Field(
        None,
        description="The Admin API key (Console, Settings, Admin keys). Give this or ANTHROPIC_ADMIN_KEY_FILE.",
    )
    anthropic_admin_key_file: Path | None = Field(
        None,
        description="A file that holds the key; read again when it changes, so a key is rotated without a restart. "
        "A file anthropic_admin_key in /run/secrets is found by itself.",
    )
    anthropic_version: str = Field(
        "2023-06-01", pattern=r"^\d{4}-\d{2}-\d{2}$", description="The anthropic-version header, sent as given."
    )
    anthropic_base_url: str = Field(
        "https://api.anthropic.com", description="Where the Admin API is. Plain http is taken for loopback only."
    )
    exporter_listen_address: Annotated[ListenAddress, BeforeValidator(_address)] = Field(
        ListenAddress(":10918"), description="Where to serve; an empty host is every interface."
    )
    exporter_data_dir: Path = Field(
        Path("data"), description="The folder of the day store. Numbers survive a restart there; one process at a time."
    )
    exporter_window_days: int = Field(90, ge=1, le=365, description="UTC days that are read and shown, today included.")
    exporter_cache_ttl: Annotated[float, BeforeValidator(_seconds)] = Field(
        60, ge=1, le=86400, description="A scrape refreshes a page older than this: seconds, or 60s, 5m, 1h."
    )
    exporter_requests_per_minute: int = Field(
        60, ge=1, le=100_000, description="At most this many requests to the API in any minute."
    )
    exporter_user_label: Annotated[Literal["email", "hash", "none"], BeforeValidator(_lower)] = Field(
        "email",
        description="How users are named: email (as the API names them), hash (keyed, not reversible), "
        "none (no family per user). With hash and none no name is stored either.",
    )
    exporter_user_hash_key: SecretStr | None = Field(
        None,
        description="The key of EXPORTER_USER_LABEL=hash. Without it one is made and kept in the data folder.",
    )
    exporter_max_users: int = Field(
        2000, ge=0, le=1_000_000, description="The most expensive users that keep a name; the rest become user other."
    )
    exporter_web_config_file: Path | None = Field(
        None, description="TLS and passwords: the web configuration file that other Prometheus exporters take."
    )
    exporter_log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        "info", description="The least level that is logged: debug, info, warning, error."
    )
    exporter_log_format: Annotated[Literal["logfmt", "json"], BeforeValidator(_lower)] = Field(
        "logfmt", description="How a log line is written: logfmt or json."
    )

    @field_validator("anthropic_base_url")
    @classmethod
    def _https_or_loopback(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.port == 0 or not value.isprintable():  # asking for a port that is no number raises ValueError
            raise ValueError("must be an address such as https://api.anthropic.com")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an address such as https://api.anthropic.com")
        if parts.username or parts.password:
            raise ValueError("must not hold a user name or a password")
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise ValueError("must be https: over plain http the Admin key could be read on the way")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _one_key(self) -> "Settings":
        if self.anthropic_admin_key and self.anthropic_admin_key_file:
            raise ValueError("give ANTHROPIC_ADMIN_KEY or ANTHROPIC_ADMIN_KEY_FILE, not both")
        return self

    @property
    def key_file(self) -> Path | None:
        """The file the key is read from, if it is not given in the environment itself."""
        if self.anthropic_admin_key_file or self.anthropic_admin_key:
            return self.anthropic_admin_key_file
        secret = SECRETS_DIR / "anthropic_admin_key"
        return secret if secret.is_file() else None

    def admin_key(self) -> str:
        """Return the key as it is now; a file is read anew at each call.

        Raises SettingsError, without the key's value, when there is none or when it can not be a key.
        """
        path = self.key_file
        if path is None and self.anthropic_admin_key is None:
            raise SettingsError(_no_key())
        try:
            key = path.read_text(encoding="utf-8").strip() if path else _secret(self.anthropic_admin_key).strip()
        except (OSError, UnicodeDecodeError) as error:
            detail = error.strerror if isinstance(error, OSError) else "not a text file"
            raise SettingsError(f"ANTHROPIC_ADMIN_KEY_FILE: {path} can not be read: {detail}") from None
        if not re.fullmatch(r"[\x21-\x7e]{8,512}", key):
            where = path or "ANTHROPIC_ADMIN_KEY"
            raise SettingsError(f"{where}: this is no key: 8 to 512 printable characters without spaces are expected")
        return key


def load(env_file: Path | None = Path(".env")) -> Settings:
    """Return the settings of this process's environment and `.env` file.

    Raises SettingsError with one line for each wrong value; no line holds a value that could be a secret.
    """
    try:
        return Settings(_env_file=env_file)
    except ValidationError as error:
        raise SettingsError("\n".join(_lines(error))) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{env_file}: is not UTF-8 text") from None


def unknown_names(environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """Return a warning for each `EXPORTER_*` name that is no setting, with the nearest name that is one."""
    known = [name.upper() for name in Settings.model_fields]
    for name in sorted(os.environ if environ is None else environ):
        upper = name.upper()
        if upper.startswith("EXPORTER_") and upper not in known and not KUBERNETES.fullmatch(upper):
            near = difflib.get_close_matches(upper, known, n=1, cutoff=0.5)
            yield f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "")


def described() -> Iterable[tuple[str, str, str]]:
    """Return (name, default, meaning) of every setting: what `--help` and docs/reference/settings.md print."""
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        text = "" if default is None else f"{default:g}" if isinstance(default, float) else str(default)
        yield name.upper(), text, field.description or ""


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""


def _no_key() -> str:
    text = "ANTHROPIC_ADMIN_KEY is missing: give an Admin key there, or a file in ANTHROPIC_ADMIN_KEY_FILE"
    if os.environ.get("ANTHROPIC_API_KEY"):
        text += " (ANTHROPIC_API_KEY is not read: it is for the Messages API)"
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _lines(error: ValidationError) -> Iterator[str]:
    details: Any
    for details in error.errors(include_url=False, include_input=True):
        message = details["msg"].removeprefix("Value error, ")
        name = ".".join(str(part) for part in details["loc"][:1]).upper()
        secret = "KEY" in name or any(mark in str(details["input"]) for mark in ("@", "sk-ant-"))
        shown = "" if secret or not name else f" (it is {details['input']!r})"
        yield f"{name}: {message}{shown}" if name else message
