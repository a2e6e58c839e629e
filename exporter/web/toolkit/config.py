"""Read the web configuration file at start, and again whenever it changes.

Like exporter-toolkit, the exporter checks the file at each request and the certificates at each handshake. It compares
contents, not modification times: a file that was restored with its old time, or replaced by one of the same size within
one clock tick, would be missed, and the files are small. A file that cannot be used is logged once, and the last good
one stays in use.
"""

import hashlib
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar

import structlog
import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from exporter.errors import SettingsError
from exporter.web.toolkit.schema import PLAIN_NAME, RateLimitConfig, WebConfig

MAX_FILE_BYTES: Final = 1_048_576
"""Largest file that is read; a real web configuration has a few thousand bytes."""

OnReload = Callable[[Literal["applied", "refused"]], None]
"""Called after each change, for a counter."""

T = TypeVar("T")
_MESSAGES: Final = {
    "extra_forbidden": "is not a key of this file",
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "string_type": "must be text",
    "path_type": "must be the path of a file",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
}
"""Messages for people who write YAML, by pydantic's type of error."""

log = structlog.get_logger()


def load(path: Path) -> WebConfig:
    """Return the configuration in a file, with relative paths joined to its folder. Certificates are not read.

    Raises SettingsError with one line that names the file and everything that is wrong in it.
    """
    try:
        text = _read(path).decode()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is not UTF-8 text") from None
    data = _parse(path, text)
    try:
        return WebConfig.model_validate(data, context={"folder": path.parent})
    except ValidationError as error:
        problems = "; ".join(_problem(details) for details in error.errors())
    raise SettingsError(f"{path}: {problems}")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise SettingsError(f"{path}: is larger than {MAX_FILE_BYTES} bytes")
    return content


class _TextLoader(yaml.BaseLoader):
    """YAML loader that keeps scalars as text, so that users may be called `123` or `no`, and refuses duplicate keys."""

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:  # noqa: ANN401 - PyYAML's own signature
        if node.style is None and node.value in {"", "~", "null", "Null", "NULL"}:
            return None
        return super().construct_scalar(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - as above
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(keys) != len(set(keys)):
            raise yaml.constructor.ConstructorError(problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def _parse(path: Path, text: str) -> object:
    """Return mappings, lists, text and None. Of PyYAML's messages only the position is used, because they quote."""
    try:
        data = _TextLoader(text).get_single_data()
    except yaml.constructor.ConstructorError as error:
        raise SettingsError(f"{path}: has a duplicate or recursive key{_position(error.problem_mark)}") from None
    except yaml.MarkedYAMLError as error:
        raise SettingsError(f"{path}: is not valid YAML{_position(error.problem_mark)}") from None
    except (yaml.YAMLError, RecursionError):
        raise SettingsError(f"{path}: is not valid YAML") from None
    if data is None:
        raise SettingsError(f"{path}: is empty; write {{}} for neither TLS nor passwords")
    return data


def _position(mark: yaml.Mark | None) -> str:
    return f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _problem(details: ErrorDetails) -> str:
    names = [str(part) for part in details["loc"]]
    where = ".".join(name if PLAIN_NAME.fullmatch(name) else "(name not shown)" for name in names)
    what = _MESSAGES.get(details["type"], "has a value of the wrong kind")
    if details["type"] == "value_error":
        what = details["msg"].removeprefix("Value error, ")
    if details["type"] == "greater_than_equal":
        what = f"must be at least {details['ctx']['ge']}"
    if details["type"] == "literal_error":
        what = f"must be one of {details['ctx']['expected']}"
    return f"{where}: {what}" if where else what


class Reloading(Generic[T]):
    """A value built from files, and rebuilt when they change. If that fails, the last good value stays."""

    def __init__(
        self, source: str, fingerprint: Callable[[], object], build: Callable[[T | None], T], on_reload: OnReload
    ) -> None:
        """`fingerprint` returns something else when files change. `build` gets the previous value, None at first.

        Raises SettingsError if the first build does.
        """
        self._source, self._fingerprint, self._build, self._on_reload = source, fingerprint, build, on_reload
        self._seen = fingerprint()
        self._value = build(None)

    def get(self) -> T:
        """Return the value for the current files, or the last good one. Never raises SettingsError."""
        seen = self._fingerprint()
        if seen != self._seen:
            self._seen = seen
            self._rebuild()
        return self._value

    def reload(self) -> None:
        """Build the value again, whether the files have changed or not. Raises SettingsError if that fails."""
        self._seen = self._fingerprint()
        if error := self._rebuild():
            raise error

    def _rebuild(self) -> SettingsError | None:
        try:
            self._value = self._build(self._value)
        except SettingsError as error:
            log.error("reload failed, the previous configuration stays", source=self._source, reason=str(error))  # noqa: TRY400 - one line
            self._on_reload("refused")
            return error
        log.info("configuration reloaded", source=self._source)
        self._on_reload("applied")
        return None


def file_digest(path: Path | None) -> object:
    """Return something that changes with the content of a file, or with the reason why it cannot be read."""
    if path is None:
        return None
    try:
        return hashlib.blake2b(_read(path)).digest()
    except (OSError, SettingsError) as error:
        return str(error)


class WebConfigFile:
    """The web configuration, as its file says now. Not thread-safe."""

    def __init__(self, path: Path, on_reload: OnReload = lambda _: None) -> None:
        """Read the file for the first time. Raises SettingsError."""
        self._path = path
        self._config = Reloading(str(path), lambda: file_digest(path), self._load, on_reload)

    def reload(self) -> None:
        """Read the file again. Raises SettingsError if it cannot be used; the last good one stays."""
        self._config.reload()

    @property
    def config(self) -> WebConfig:
        """The current configuration."""
        return self._config.get()

    def users(self) -> Mapping[str, str]:
        """Return the current user names and bcrypt hashes."""
        return self.config.users()

    def headers(self) -> Mapping[str, str]:
        """Return the current response headers; an empty value means that none is sent."""
        return self.config.http_server_config.headers

    def rate_limit(self) -> RateLimitConfig:
        """Return the current rate limit."""
        return self.config.rate_limit

    def _load(self, previous: WebConfig | None) -> WebConfig:
        config = load(self._path)
        if previous is not None:
            _refuse_weaker(self._path, previous, config)
        for warning in config.warnings():
            log.warning("web configuration adjusted", reason=warning)
        return config


def _refuse_weaker(path: Path, previous: WebConfig, config: WebConfig) -> None:
    """Raise SettingsError if less access control is configured: the file may be half written."""
    old, new = previous.tls_server_config, config.tls_server_config
    if previous.basic_auth_users and not config.basic_auth_users:
        raise SettingsError(f"{path}: removing the last user of basic_auth_users needs a restart")
    if old is None or new is None:
        if old is not new:
            raise SettingsError(f"{path}: switching TLS on or off needs a restart")
        return
    if (new.verifies_clients, new.requires_clients) < (old.verifies_clients, old.requires_clients):
        raise SettingsError(f"{path}: weakening client_auth_type needs a restart")
    if old.client_allowed_sans and not new.client_allowed_sans:
        raise SettingsError(f"{path}: removing client_allowed_sans needs a restart")
