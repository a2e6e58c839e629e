"""Settings from the environment. Secrets are hidden in every `repr`, message and log line.

In order of precedence: the environment, a `.env` file in the working directory, a file in `/run/secrets`. Only the key
is required, and `demo` needs none.
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
"""Names that Kubernetes sets in every pod if the namespace has a service called `exporter`."""

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
    """`:10918`, `127.0.0.1:10918` or `[::1]:10918`; an empty host means all interfaces."""

    __slots__ = ()

    @property
    def host(self) -> str:
        """The host without brackets; empty for all interfaces."""
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port; 0 for any free one."""
        return int(self.rpartition(":")[2])


def _address(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/\s]*):\d{1,5}", value.strip()):
        raise ValueError("must be host:port or :port, such as :10918, 127.0.0.1:10918 or [::1]:10918")
    address = ListenAddress(value.strip())
    if address.port > 65535:  # noqa: PLR2004 - the largest port
        raise ValueError("the port must be at most 65535")
    return address


class Settings(BaseSettings):
    """All settings with their defaults. A field's environment variable is its name in upper case."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    anthropic_admin_key: SecretStr | None = Field(
        None,
        description="The Admin API key (Console, Settings, Admin keys). Set this or ANTHROPIC_ADMIN_KEY_FILE.",
    )
    anthropic_admin_key_file: Path | None = Field(
        None,
        description="A file that contains the key. A changed file is used without a restart. "
        "The default is /run/secrets/anthropic_admin_key, if it exists.",
    )
    anthropic_version: str = Field(
        "2023-06-01", pattern=r"^\d{4}-\d{2}-\d{2}$", description="The anthropic-version header of each request."
    )
    anthropic_base_url: str = Field(
        "https://api.anthropic.com", description="URL of the Admin API. Plain http is allowed for loopback only."
    )
    exporter_listen_address: Annotated[ListenAddress, BeforeValidator(_address)] = Field(
        ListenAddress(":10918"), description="Address to listen on; an empty host means all interfaces."
    )
    exporter_data_dir: Path = Field(
        Path("data"),
        description="Folder of the day store, which keeps the numbers across restarts. For one process at a time.",
    )
    exporter_window_days: int = Field(
        90, ge=1, le=365, description="Number of UTC days to fetch and show, including today."
    )
    exporter_cache_ttl: Annotated[float, BeforeValidator(_seconds)] = Field(
        60,
        ge=1,
        le=86400,
        description="Age at which a scrape refreshes the page: seconds, or a duration such as 60s, 5m or 1h.",
    )
    exporter_requests_per_minute: int = Field(
        60, ge=1, le=100_000, description="Most requests to the API within any minute."
    )
    exporter_user_label: Annotated[Literal["email", "hash", "none"], BeforeValidator(_lower)] = Field(
        "email",
        description="Label of users: email (as in the API), hash (keyed, irreversible), or none (no metrics per user). "
        "With hash and none, no e-mail address is stored.",
    )
    exporter_user_hash_key: SecretStr | None = Field(
        None,
        description="The key for EXPORTER_USER_LABEL=hash. By default one is created in the data folder.",
    )
    exporter_max_users: int = Field(
        2000,
        ge=0,
        le=1_000_000,
        description="Number of users, the most expensive ones, with a label of their own; the rest are 'other'.",
    )
    exporter_web_config_file: Path | None = Field(
        None, description="Web configuration file for TLS and passwords, as for other Prometheus exporters."
    )
    exporter_log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        "info", description="Lowest level that is logged: debug, info, warning or error."
    )
    exporter_log_format: Annotated[Literal["logfmt", "json"], BeforeValidator(_lower)] = Field(
        "logfmt", description="Format of log lines: logfmt or json."
    )

    @field_validator("anthropic_base_url")
    @classmethod
    def _https_or_loopback(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.port == 0 or not value.isprintable():  # an invalid port raises ValueError
            raise ValueError("must be an address such as https://api.anthropic.com")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an address such as https://api.anthropic.com")
        if parts.username or parts.password:
            raise ValueError("must not contain a user name or password")
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise ValueError("must be https, because plain http would expose the Admin key")
        return value.rstrip("/")

    @field_validator("anthropic_admin_key_file", "exporter_data_dir", "exporter_web_config_file")
    @classmethod
    def _path_is_not_a_key(cls, value: Path | None) -> Path | None:
        if "sk-ant-" in str(value):  # messages show paths
            raise ValueError("must be a path, and this looks like a key")
        return value

    @model_validator(mode="after")
    def _one_key(self) -> "Settings":
        if self.anthropic_admin_key and self.anthropic_admin_key_file:
            raise ValueError("set ANTHROPIC_ADMIN_KEY or ANTHROPIC_ADMIN_KEY_FILE, not both")
        return self

    @property
    def key_file(self) -> Path | None:
        """The file that contains the key, or None if the environment does."""
        if self.anthropic_admin_key_file or self.anthropic_admin_key:
            return self.anthropic_admin_key_file
        secret = SECRETS_DIR / "anthropic_admin_key"
        return secret if secret.is_file() else None

    def admin_key(self) -> str:
        """Return the current key; a file is read at each call.

        Raises SettingsError, which never contains the value, if the key is missing or malformed.
        """
        path = self.key_file
        if path is None and self.anthropic_admin_key is None:
            raise SettingsError(_no_key())
        try:
            key = path.read_text(encoding="utf-8").strip() if path else _secret(self.anthropic_admin_key).strip()
        except (OSError, UnicodeDecodeError) as error:
            detail = error.strerror if isinstance(error, OSError) else "not a text file"
            raise SettingsError(f"ANTHROPIC_ADMIN_KEY_FILE: {path} cannot be read: {detail}") from None
        if not re.fullmatch(r"[\x21-\x7e]{8,512}", key):
            where = path or "ANTHROPIC_ADMIN_KEY"
            raise SettingsError(f"{where}: is not a key; expected 8 to 512 printable characters without spaces")
        return key


def load(env_file: Path | None = Path(".env")) -> Settings:
    """Return the settings from the environment and a `.env` file.

    Raises SettingsError with one line for each wrong value; no line contains a value that could be a secret.
    """
    try:
        return Settings(_env_file=env_file)
    except ValidationError as error:
        raise SettingsError("\n".join(_lines(error))) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{env_file}: is not UTF-8 text") from None


def unknown_names(environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield a warning for each `EXPORTER_*` name that is not a setting, with the most similar setting."""
    known = [name.upper() for name in Settings.model_fields]
    for name in sorted(os.environ if environ is None else environ):
        upper = name.upper()
        if upper.startswith("EXPORTER_") and upper not in known and not KUBERNETES.fullmatch(upper):
            near = difflib.get_close_matches(upper, known, n=1, cutoff=0.5)
            yield f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "")


def described() -> Iterable[tuple[str, str, str]]:
    """Yield (name, default, description) of every setting, for `--help` and docs/reference/settings.md."""
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        yield name.upper(), "" if default is None else str(default), field.description or ""


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""


def _no_key() -> str:
    text = "ANTHROPIC_ADMIN_KEY is missing: set it to an Admin key, or ANTHROPIC_ADMIN_KEY_FILE to a file with one"
    if os.environ.get("ANTHROPIC_API_KEY"):
        text += " (ANTHROPIC_API_KEY is not used; it is for the Messages API)"
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _lines(error: ValidationError) -> Iterator[str]:
    details: Any
    for details in error.errors():
        message = details["msg"].removeprefix("Value error, ")
        name = str(*details["loc"][:1]).upper()
        secret = "KEY" in name or any(mark in str(details["input"]) for mark in ("@", "sk-ant-"))
        shown = "" if secret or not name else f" (it is {details['input']!r})"
        yield f"{name}: {message}{shown}" if name else message
