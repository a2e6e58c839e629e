"""Reading the web configuration file, at the start and whenever it changes.

exporter-toolkit reads the file and the certificates at each request and each handshake; so do we. The bytes are
compared, not the time stamps: a file of the same size written within the same clock tick, or put back with its old
time, would be missed, and the files are small. What can not be used is logged once, and the last good one stays.
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

LARGEST_FILE: Final = 1_048_576
"""Bytes that a web configuration may have; a real one has a few thousand."""

OnReload = Callable[[Literal["applied", "refused"]], None]
"""Told of each change that was taken up or refused, for a counter."""

T = TypeVar("T")
_SENTENCES: Final = {
    "extra_forbidden": "is no key of this file",
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "string_type": "must be text",
}
_STRICTNESS: Final = {"VerifyClientCertIfGiven": 1, "RequireAndVerifyClientCert": 2}

log = structlog.get_logger()


def load(path: Path) -> WebConfig:
    """Return what the file at `path` says; its relative paths are joined to its folder. Certificates are not read here.

    Raises SettingsError, whose one line names the file and everything that is wrong in it.
    """
    try:
        text = _bounded(path).decode()
    except OSError as error:
        raise SettingsError(f"{path}: can not be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is not UTF-8 text") from None
    data = _parsed(path, text)
    try:
        return WebConfig.model_validate(data, context={"folder": path.parent})
    except ValidationError as error:
        problems = "; ".join(_sentence(found) for found in error.errors(include_input=False, include_url=False))
    raise SettingsError(f"{path}: {problems}")


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise SettingsError(f"{path}: is larger than {LARGEST_FILE} bytes")
    return content


class _Strings(yaml.BaseLoader):
    """YAML in which scalars stay text, so that a user called `123` or `no` keeps that name, and keys are unique."""

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:  # noqa: ANN401 - PyYAML's own signature
        if node.style is None and node.value in {"", "~", "null", "Null", "NULL"}:
            return None
        return super().construct_scalar(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - as above
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(keys) != len(set(keys)):
            raise yaml.constructor.ConstructorError(problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def _parsed(path: Path, text: str) -> object:
    """Return mappings, lists, text and None. PyYAML's messages quote the file, so only the place is kept of them."""
    try:
        loader = _Strings(text)
        try:
            data = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.constructor.ConstructorError as error:
        raise SettingsError(f"{path}: a key stands twice, or refers to itself,{_place(error.problem_mark)}") from None
    except yaml.MarkedYAMLError as error:
        raise SettingsError(f"{path}: is not YAML{_place(error.problem_mark)}") from None
    except (yaml.YAMLError, RecursionError):
        raise SettingsError(f"{path}: is not YAML") from None
    if data is None:
        raise SettingsError(f"{path}: is empty; write {{}} for neither TLS nor passwords")
    if not isinstance(data, dict):
        raise SettingsError(f"{path}: must be a mapping")
    return data


def _place(mark: yaml.Mark | None) -> str:
    return f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _sentence(found: ErrorDetails) -> str:
    parts = [str(part) for part in found["loc"]]
    where = ".".join(part if PLAIN_NAME.fullmatch(part) else "(name not shown)" for part in parts)
    what = _SENTENCES.get(found["type"], found["msg"].removeprefix("Value error, "))
    if found["type"] == "literal_error":
        what = f"must be one of {found['ctx']['expected']}"
    return f"{where}: {what}" if where else what


class LastGood(Generic[T]):
    """A value made from files, made again when they change; while they can not be used, the last good one stays."""

    def __init__(self, what: str, mark: Callable[[], object], make: Callable[[T | None], T], told: OnReload) -> None:
        """`mark` changes when the files do. `make` gets the former value, first None, and may raise SettingsError."""
        self._what, self._read_mark, self._make, self._told = what, mark, make, told
        self._mark = mark()
        self._value = make(None)

    def get(self) -> T:
        """Return the value as the files say it now, or the last that could be used. Raises nothing."""
        mark = self._read_mark()
        if mark != self._mark:
            self._mark = mark
            self._renew()
        return self._value

    def _renew(self) -> None:
        try:
            self._value = self._make(self._value)
        except SettingsError as error:
            log.error("changed files can not be used, the former ones stay", what=self._what, reason=str(error))  # noqa: TRY400 - one line
            self._told("refused")
        else:
            log.info("changed files are used from now on", what=self._what)
            self._told("applied")


def digest(path: Path | None) -> object:
    """Return something that changes when the content of `path` does, or the reason why it can not be read."""
    if path is None:
        return None
    try:
        return hashlib.blake2b(_bounded(path)).digest()
    except OSError as error:
        return error.errno
    except SettingsError as error:
        return str(error)


class WebConfigFile:
    """The web configuration as its file says it now. Not for several threads."""

    def __init__(self, path: Path, told: OnReload = lambda _: None) -> None:
        """Read `path` for the first time. Raises SettingsError."""
        self._path = path
        self._config = LastGood(str(path), lambda: digest(path), self._read, told)

    @property
    def config(self) -> WebConfig:
        """The configuration now."""
        return self._config.get()

    def users(self) -> Mapping[str, str]:
        """Return user names and bcrypt hashes as they are now."""
        return self.config.users()

    def headers(self) -> Mapping[str, str]:
        """Return the headers that the file sets now; an empty value means none of that name."""
        return self.config.http_server_config.headers

    def rate_limit(self) -> RateLimitConfig:
        """Return the rate limit as it is now."""
        return self.config.rate_limit

    def _read(self, former: WebConfig | None) -> WebConfig:
        config = load(self._path)
        if former is not None:
            _refuse_weaker(self._path, former, config)
        for warning in config.warnings():
            log.warning("the web configuration asks for something that is done otherwise", what=warning)
        return config


def _refuse_weaker(path: Path, former: WebConfig, now: WebConfig) -> None:
    """Refuse to drop what keeps people out: a file caught half written may lack its last lines."""
    old, new = former.tls_server_config, now.tls_server_config
    if (old is None) != (new is None):
        raise SettingsError(f"{path}: TLS is switched on or off by a restart only")
    if former.basic_auth_users and not now.basic_auth_users:
        raise SettingsError(f"{path}: the last user of basic_auth_users is removed by a restart only")
    if old is None or new is None:
        return
    if _STRICTNESS.get(new.client_auth_type, 0) < _STRICTNESS.get(old.client_auth_type, 0):
        raise SettingsError(f"{path}: client_auth_type is weakened by a restart only")
    if old.client_allowed_sans and not new.client_allowed_sans:
        raise SettingsError(f"{path}: client_allowed_sans is removed by a restart only")
