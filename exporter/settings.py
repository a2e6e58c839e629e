"""The table of all settings, and where their values come from. Secrets are hidden in every `repr` and message.

In order of precedence: flags, the environment, a `.env` file in the working directory, a file in `/run/secrets` (for
the key), the default. Only the key is required, and `demo` needs none.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

from exporter import values
from exporter.errors import SettingsError
from exporter.values import ListenAddress

SECRETS_DIR = Path("/run/secrets")
ENV_FILE = Path(".env")


class Flag(str):
    """The name of a setting's command line flag without `--`; the part before the first dot is its group."""

    __slots__ = ()

    @property
    def group(self) -> str:
        """The group in `--help`."""
        return self.partition(".")[0]


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _read(parse: Callable[[str], object]) -> BeforeValidator:
    return BeforeValidator(lambda value: parse(str(value)))


_Path = Annotated[Path, _read(values.path)]


class Settings(BaseSettings):
    """All settings with their defaults. A field's environment variable is its name in upper case.

    A setting without a `Flag` is a secret: a command line can be read by every user of the machine.
    """

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    anthropic_admin_key: SecretStr | None = Field(
        None,
        description="The Admin API key (Console, Settings, Admin keys). Set this or ANTHROPIC_ADMIN_KEY_FILE.",
    )
    anthropic_admin_key_file: Annotated[_Path | None, Flag("api.key-file")] = Field(
        None,
        description="A file that contains the key. A changed file is used without a restart. "
        "The default is /run/secrets/anthropic_admin_key, if it exists.",
    )
    anthropic_version: Annotated[str, _read(values.api_version), Flag("api.version")] = Field(
        "2023-06-01", description="The anthropic-version header of each request."
    )
    anthropic_base_url: Annotated[str, _read(values.api_url), Flag("api.base-url")] = Field(
        "https://api.anthropic.com", description="URL of the Admin API. Plain http is allowed for loopback only."
    )
    exporter_listen_address: Annotated[ListenAddress, _read(values.listen_address), Flag("web.listen-address")] = Field(
        ListenAddress(":10918"), description="Address to listen on; an empty host means all interfaces."
    )
    exporter_data_dir: Annotated[_Path, Flag("storage.path")] = Field(
        Path("data"),
        description="Folder of the day store, which keeps the numbers across restarts. For one process at a time.",
    )
    exporter_window_days: Annotated[int, Flag("report.window-days")] = Field(
        90, ge=1, le=365, description="Number of UTC days to fetch and show, including today."
    )
    exporter_cache_ttl: Annotated[float, _read(values.cache_ttl), Flag("report.cache-ttl")] = Field(
        60,
        description="Age at which a scrape refreshes the page: a duration such as 90, 90s or 1m30s. It grows where a "
        "refresh needs more than a quarter of the request budget.",
    )
    exporter_cost_source: Annotated[
        Literal["cost_report", "analytics"], BeforeValidator(_lower), Flag("report.cost-source")
    ] = Field(
        "cost_report",
        description="Where the bill is read: cost_report, or analytics (/analytics/cost, a beta), which also knows API "
        "keys, products, users and list prices. `check --compare` shows both side by side.",
    )
    exporter_usage_source: Annotated[
        Literal["usage_report", "analytics"], BeforeValidator(_lower), Flag("report.usage-source")
    ] = Field(
        "usage_report",
        description="Where the tokens of the whole API are read: usage_report, or analytics (/analytics/usage, a "
        "beta), which also counts requests.",
    )
    exporter_requests_per_minute: Annotated[int, Flag("api.requests-per-minute")] = Field(
        60,
        ge=1,
        le=100_000,
        description="Most requests to the API within any minute. A quarter of them is used once all days were read.",
    )
    exporter_user_label: Annotated[Literal["email", "hash", "none"], BeforeValidator(_lower), Flag("users.label")] = (
        Field(
            "email",
            description="Label of users: email (as in the API), hash (keyed, irreversible), or none (no metrics per "
            "user). With hash and none, no e-mail address is stored.",
        )
    )
    exporter_user_hash_key: SecretStr | None = Field(
        None,
        description="The key for EXPORTER_USER_LABEL=hash. By default one is created in the data folder.",
    )
    exporter_max_users: Annotated[int, Flag("users.max")] = Field(
        2000,
        ge=0,
        le=1_000_000,
        description="Number of users, the most expensive ones, with a label of their own; the rest are 'other'.",
    )
    exporter_max_series_warn: Annotated[int, Flag("report.max-series-warn")] = Field(
        100_000,
        ge=1,
        le=1_000_000_000,
        description="A page with more series is logged as a warning, once; so is one with more than 90 % of them. "
        "Nothing is left out.",
    )
    exporter_web_config_file: Annotated[_Path | None, Flag("web.config.file")] = Field(
        None, description="Web configuration file for TLS and passwords, as for other Prometheus exporters."
    )
    exporter_log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(_lower), Flag("log.level")
    ] = Field("info", description="Lowest level that is logged: debug, info, warning or error.")
    exporter_log_format: Annotated[Literal["logfmt", "json"], BeforeValidator(_lower), Flag("log.format")] = Field(
        "logfmt", description="Format of log lines: logfmt or json."
    )

    @model_validator(mode="after")
    def _one_key(self) -> "Settings":
        if self.anthropic_admin_key and self.anthropic_admin_key_file:
            raise ValueError("set ANTHROPIC_ADMIN_KEY or ANTHROPIC_ADMIN_KEY_FILE (--api.key-file), not both")
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


class Described(NamedTuple):
    """A row of the table of settings, as texts."""

    name: str
    flag: str
    default: str
    meaning: str


class Effective(NamedTuple):
    """A setting as it is in use: its value as text, secrets hidden, and where that comes from."""

    name: str
    value: str
    source: str


def load(
    env_file: Path | None = ENV_FILE, flags: Mapping[str, str] | None = None, *, key: str | None = None
) -> Settings:
    """Return the settings of flags (by field), the environment and a `.env` file; an empty value is the default.

    `key` replaces every other key.

    Raises SettingsError with one line for each wrong value; no line contains a value that could be a secret.
    """
    given: dict[str, Any] = {name: text for name, text in (flags or {}).items() if text}
    if key:
        given.update(anthropic_admin_key=key, anthropic_admin_key_file=None)
    try:
        return Settings(_env_file=env_file, **given)
    except ValidationError as error:
        raise SettingsError("\n".join(_lines(error, given))) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{env_file}: is not UTF-8 text") from None


def flag_of(field: FieldInfo) -> Flag | None:
    """Return the flag of a setting, None for a secret."""
    return next((found for found in field.metadata if isinstance(found, Flag)), None)


def options_of(field: FieldInfo) -> tuple[str, ...]:
    """Return the words that a setting accepts, none if it accepts others."""
    return tuple(found for found in get_args(field.annotation) if isinstance(found, str))


def described() -> Iterator[Described]:
    """Yield every setting, for `--help` and docs/reference/settings.md."""
    for name, field in Settings.model_fields.items():
        default, flag = field.get_default(), flag_of(field)
        yield Described(name.upper(), f"--{flag}" if flag else "", _text(default), field.description or "")


def effective(config: Settings, flags: Mapping[str, str], env_file: Path | None = ENV_FILE) -> Iterator[Effective]:
    """Yield every setting in use, and the strongest source that gives it."""
    sources = {
        "flag": {name for name, text in flags.items() if text},
        "environment": EnvSettingsSource(Settings)().keys(),
        str(env_file): DotEnvSettingsSource(Settings, env_file=env_file)().keys(),
        "secrets folder": {"anthropic_admin_key_file"} if config.key_file != config.anthropic_admin_key_file else set(),
    }
    for name, value in shown(config).items():
        yield Effective(name.upper(), value, next((one for one, names in sources.items() if name in names), "default"))


def shown(config: Settings) -> dict[str, str]:
    """Return every setting in use as text by its field, secrets hidden."""
    values: dict[str, object] = {**dict(config), "anthropic_admin_key_file": config.key_file}
    return {name: "(hidden)" if isinstance(value, SecretStr) else _text(value) for name, value in values.items()}


def _text(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""


def _no_key() -> str:
    text = "ANTHROPIC_ADMIN_KEY is missing: set it to an Admin key, or ANTHROPIC_ADMIN_KEY_FILE to a file with one"
    if os.environ.get("ANTHROPIC_API_KEY"):
        text += " (ANTHROPIC_API_KEY is not used; it is for the Messages API)"
    return text


def _lines(error: ValidationError, flags: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each wrong value. Of pydantic's messages only those are used that this module raised."""
    details: Any
    for details in error.errors():
        name = str(*details["loc"][:1])
        if not name:
            yield details["msg"].removeprefix("Value error, ")
            continue
        field = Settings.model_fields[name]
        ours = details["type"] == "value_error"
        message = details["msg"].removeprefix("Value error, ") if ours else _accepted(field)
        secret = "key" in name or any(mark in str(details["input"]) for mark in ("@", "sk-ant-"))
        shown = "" if secret else f" (it is {details['input']!r})"
        yield f"{f'--{flag_of(field)}' if name in flags else name.upper()}: {message}{shown}"


def _accepted(field: FieldInfo) -> str:
    """Return what a setting accepts, with an example, from its type and bounds."""
    if options := options_of(field):
        return f"must be {', '.join(options[:-1])} or {options[-1]}, such as {field.get_default()}"
    bounds = [str(getattr(limit, end)) for limit in field.metadata for end in ("ge", "le") if hasattr(limit, end)]
    return f"must be a whole number from {' to '.join(bounds)}, such as {field.get_default()}"
