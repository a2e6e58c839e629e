"""Settings: one wrong value per rule with its exact message, every source of the key, and no secret in any text."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from exporter import misspelt, settings
from exporter.errors import SettingsError
from exporter.settings import Settings, described, effective, flag_of, load
from exporter.values import ListenAddress, listen_address, seconds

KEY = "sk-ant-admin01-a-test-key"
ADDRESS = "must be host:port or :port, such as :10918, 127.0.0.1:10918 or [::1]:10918"
URL = "must be an address such as https://api.anthropic.com"
HTTPS = "must be https, because plain http would expose the Admin key; an example is https://api.anthropic.com"
NOT_A_PATH = "must be a path, such as /etc/anthropic-exporter/key, and this looks like a key"
CREDENTIALS = "must not contain a user name or password, as in https://api.anthropic.com"
DURATION = "must be a duration such as 90, 90s or 1m30s"
TTL = "must be a duration from 1s to 24h, such as 90, 90s or 1m30s"
DAYS = "must be a whole number from 1 to 365, such as 90"
REQUESTS = "must be a whole number from 1 to 100000, such as 60"
USERS = "must be a whole number from 0 to 1000000, such as 2000"
SERIES = "must be a whole number from 1 to 1000000000, such as 100000"

BAD = [
    ("ANTHROPIC_VERSION", "latest", "must be a date, such as 2023-06-01 (it is 'latest')"),
    ("ANTHROPIC_BASE_URL", "ftp://x.example.test", f"{URL} (it is 'ftp://x.example.test')"),
    ("ANTHROPIC_BASE_URL", "api.example.test", f"{URL} (it is 'api.example.test')"),
    ("ANTHROPIC_BASE_URL", "https://", f"{URL} (it is 'https://')"),
    ("ANTHROPIC_BASE_URL", "https://x.example.test/?a=1", f"{URL} (it is 'https://x.example.test/?a=1')"),
    ("ANTHROPIC_BASE_URL", "https://x.example.test/#a", f"{URL} (it is 'https://x.example.test/#a')"),
    ("ANTHROPIC_BASE_URL", "https://x.example.test:0", f"{URL} (it is 'https://x.example.test:0')"),
    ("ANTHROPIC_BASE_URL", "https://x\ty.example.test", f"{URL} (it is 'https://x\\ty.example.test')"),
    ("ANTHROPIC_BASE_URL", "http://api.example.test", f"{HTTPS} (it is 'http://api.example.test')"),
    ("ANTHROPIC_BASE_URL", "http://192.0.2.1", f"{HTTPS} (it is 'http://192.0.2.1')"),
    ("ANTHROPIC_BASE_URL", "https://ana@x.example.test", CREDENTIALS),
    ("ANTHROPIC_BASE_URL", "https://:secret@x.example.test", CREDENTIALS),
    ("ANTHROPIC_ADMIN_KEY_FILE", KEY, NOT_A_PATH),
    ("EXPORTER_DATA_DIR", KEY, NOT_A_PATH),
    ("EXPORTER_WEB_CONFIG_FILE", KEY, NOT_A_PATH),
    ("EXPORTER_LISTEN_ADDRESS", "10918", f"{ADDRESS} (it is '10918')"),
    ("EXPORTER_LISTEN_ADDRESS", "::1:10918", f"{ADDRESS} (it is '::1:10918')"),
    ("EXPORTER_LISTEN_ADDRESS", ":65536", "the port must be at most 65535, as in :10918 (it is ':65536')"),
    ("EXPORTER_WINDOW_DAYS", "0", f"{DAYS} (it is '0')"),
    ("EXPORTER_WINDOW_DAYS", "366", f"{DAYS} (it is '366')"),
    ("EXPORTER_WINDOW_DAYS", "ninety", f"{DAYS} (it is 'ninety')"),
    ("EXPORTER_CACHE_TTL", "1d", f"{DURATION} (it is '1d')"),
    ("EXPORTER_CACHE_TTL", "-5", f"{DURATION} (it is '-5')"),
    ("EXPORTER_CACHE_TTL", "0", f"{TTL} (it is '0')"),
    ("EXPORTER_CACHE_TTL", "25h", f"{TTL} (it is '25h')"),
    ("EXPORTER_REQUESTS_PER_MINUTE", "0", f"{REQUESTS} (it is '0')"),
    ("EXPORTER_REQUESTS_PER_MINUTE", "200000", f"{REQUESTS} (it is '200000')"),
    ("EXPORTER_USER_LABEL", "name", "must be email, hash or none, such as email (it is 'name')"),
    ("EXPORTER_MAX_USERS", "-1", f"{USERS} (it is '-1')"),
    ("EXPORTER_MAX_USERS", "2000000", f"{USERS} (it is '2000000')"),
    ("EXPORTER_MAX_SERIES_WARN", "0", f"{SERIES} (it is '0')"),
    ("EXPORTER_LOG_LEVEL", "trace", "must be debug, info, warning or error, such as info (it is 'trace')"),
    ("EXPORTER_LOG_FORMAT", "xml", "must be logfmt or json, such as logfmt (it is 'xml')"),
]
GOOD = [
    ("ANTHROPIC_BASE_URL", "https://x.example.test/proxy/", "https://x.example.test/proxy"),
    ("ANTHROPIC_BASE_URL", "http://localhost:8080", "http://localhost:8080"),
    ("ANTHROPIC_BASE_URL", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ("ANTHROPIC_BASE_URL", "http://[::1]:8080", "http://[::1]:8080"),
    ("EXPORTER_CACHE_TTL", "90", 90),
    ("EXPORTER_CACHE_TTL", "90s", 90),
    ("EXPORTER_CACHE_TTL", "1.5m", 90),
    ("EXPORTER_CACHE_TTL", " 1h ", 3600),
    ("EXPORTER_CACHE_TTL", "1m30s", 90),
    ("EXPORTER_USER_LABEL", "HASH", "hash"),
    ("EXPORTER_LOG_LEVEL", "Warning", "warning"),
    ("EXPORTER_LOG_FORMAT", "JSON", "json"),
    ("EXPORTER_WINDOW_DAYS", "", 90),
]


@pytest.mark.parametrize(("name", "value", "line"), BAD, ids=lambda value: str(value)[:40])
def test_a_wrong_value_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str) -> None:
    """The line names the variable and the rule, and shows the value unless it may contain a secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load(None)
    assert str(caught.value) == f"{name}: {line}"


def test_every_wrong_value_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that one start is enough to find them all."""
    monkeypatch.setenv("EXPORTER_WINDOW_DAYS", "0")
    monkeypatch.setenv("EXPORTER_LOG_FORMAT", "xml")
    with pytest.raises(SettingsError) as caught:
        load(None)
    names = [line.partition(":")[0] for line in str(caught.value).splitlines()]
    assert names == ["EXPORTER_WINDOW_DAYS", "EXPORTER_LOG_FORMAT"]


@pytest.mark.parametrize("value", ["https://x.example.test:port", "https://x.example.test:99999", "https://[::1"])
def test_an_invalid_url_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Of ports and brackets too the message is ours, not that of the standard library."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", value)
    with pytest.raises(SettingsError) as caught:
        load(None)
    assert str(caught.value) == f"ANTHROPIC_BASE_URL: {URL} (it is {value!r})"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_no_message_is_that_of_a_library(name: str) -> None:
    """Whatever a new setting is, its wrong values get a sentence with an example, which may be its default."""
    for value in ("", "?", "-1", "1e9999", "9" * 400, "x" * 20, "https://[", "\u0663"):
        flag, text = flag_of(Settings.model_fields[name]), ""
        try:
            load(None, {name: value})
        except SettingsError as error:
            text = str(error)
        assert not text or re.match(rf"--{flag}: (must be|the port must) .*(such as|as in) \S+", text)


class TestSources:
    """Which source gives a value, and what is said about it."""

    def test_a_flag_is_stronger_than_the_environment_and_that_than_a_file(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The default is last; an empty flag counts as none."""
        (folder / ".env").write_text("EXPORTER_WINDOW_DAYS=1\nEXPORTER_MAX_USERS=1\nEXPORTER_LOG_FORMAT=json\n")
        monkeypatch.setenv("EXPORTER_WINDOW_DAYS", "2")
        monkeypatch.setenv("EXPORTER_MAX_USERS", "2")
        flags = {"exporter_window_days": "3", "exporter_max_users": ""}
        config = load(flags=flags)
        found = {row.name: (row.value, row.source) for row in effective(config, flags)}
        assert found["EXPORTER_WINDOW_DAYS"] == ("3", "flag")
        assert found["EXPORTER_MAX_USERS"] == ("2", "environment")
        assert found["EXPORTER_LOG_FORMAT"] == ("json", ".env")
        assert found["EXPORTER_CACHE_TTL"] == ("60", "default")
        assert (config.exporter_window_days, config.exporter_max_users, config.exporter_log_format) == (3, 2, "json")

    def test_secrets_are_hidden(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A key in the secrets folder is named by its path."""
        monkeypatch.setattr(settings, "SECRETS_DIR", folder)
        (folder / "anthropic_admin_key").write_text(KEY)
        monkeypatch.setenv("EXPORTER_USER_HASH_KEY", "a-secret-too")
        found = {row.name: (row.value, row.source) for row in effective(load(), {})}
        assert found["ANTHROPIC_ADMIN_KEY"] == ("", "default")
        assert found["ANTHROPIC_ADMIN_KEY_FILE"] == (str(folder / "anthropic_admin_key"), "secrets folder")
        assert found["EXPORTER_USER_HASH_KEY"] == ("(hidden)", "environment")

    def test_a_wrong_flag_is_named(self) -> None:
        """Not the environment variable, where nobody would find the value."""
        with pytest.raises(SettingsError, match=r"^--log\.level: must be debug, "):
            load(None, {"exporter_log_level": "loud"})

    def test_every_setting_but_a_secret_has_a_flag(self) -> None:
        """A command line can be read by every user of the machine."""
        without = {row.name for row in described() if not row.flag}
        assert without == {"ANTHROPIC_ADMIN_KEY", "EXPORTER_USER_HASH_KEY"}


@pytest.mark.parametrize(("name", "value", "expected"), GOOD, ids=lambda value: str(value)[:40])
def test_values_are_read_as_people_write_them(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: object
) -> None:
    """Durations have units, case does not matter, and an empty value means the default."""
    monkeypatch.setenv(name, value)
    assert getattr(load(None), name.lower()) == expected


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":10918", "", 10918),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("[::1]:1", "::1", 1),
        ("host.test:65535", "host.test", 65535),
    ],
)
def test_a_listen_address_has_a_host_and_a_port(
    monkeypatch: pytest.MonkeyPatch, text: str, host: str, port: int
) -> None:
    """An empty host means all interfaces; brackets belong to the notation, not to the address."""
    monkeypatch.setenv("EXPORTER_LISTEN_ADDRESS", f" {text} ")
    address = load(None).exporter_listen_address
    assert (address, address.host, address.port) == (text, host, port)


def test_the_defaults_are_as_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting each variable to its described default changes nothing; `tests/test_docs.py` has the reference."""
    defaults = load(None)
    for row in described():
        assert row.meaning.endswith(".")
        monkeypatch.setenv(row.name, row.default)
    assert load(None) == defaults


class TestKey:
    """Where the key comes from, and the messages if it is wrong."""

    def test_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Spaces around it are removed."""
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", f" {KEY}\n")
        assert (load(None).admin_key(), load(None).key_file) == (KEY, None)

    def test_from_a_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A changed file is used without a restart."""
        path = tmp_path / "key"
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY_FILE", str(path))
        path.write_text(f"{KEY}\n")
        config = load(None)
        assert config.admin_key() == KEY
        path.write_text("sk-ant-admin01-another")
        assert config.admin_key() == "sk-ant-admin01-another"

    def test_from_the_secrets_folder(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A container's secret is the default, and the environment takes precedence."""
        assert Path("/run/secrets") == settings.SECRETS_DIR
        monkeypatch.setattr(settings, "SECRETS_DIR", tmp_path)
        (tmp_path / "anthropic_admin_key").write_text(KEY)
        assert load(None).admin_key() == KEY
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "sk-ant-admin01-another")
        assert load(None).admin_key() == "sk-ant-admin01-another"

    def test_from_a_dotenv_file(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """`.env` in the working directory; the environment takes precedence."""
        (folder / ".env").write_text(f"ANTHROPIC_ADMIN_KEY={KEY}\nEXPORTER_WINDOW_DAYS=7\n")
        assert (load().admin_key(), load().exporter_window_days) == (KEY, 7)
        monkeypatch.setenv("EXPORTER_WINDOW_DAYS", "8")
        assert load().exporter_window_days == 8

    def test_a_dotenv_file_must_be_text(self, folder: Path) -> None:
        """The error is a line, not a traceback."""
        (folder / ".env").write_bytes(b"\xff")
        with pytest.raises(SettingsError, match=r"^\.env: is not UTF-8 text$"):
            load()

    def test_not_from_two_places(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Neither the key nor the path is shown."""
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY_FILE", str(tmp_path))
        with pytest.raises(SettingsError) as caught:
            load(None)
        assert str(caught.value) == "set ANTHROPIC_ADMIN_KEY or ANTHROPIC_ADMIN_KEY_FILE (--api.key-file), not both"

    @pytest.mark.parametrize("other", ["", "sk-ant-api03-x"])
    def test_missing(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, other: str) -> None:
        """The message says what to set, and that a key of the Messages API is a different one."""
        monkeypatch.setattr(settings, "SECRETS_DIR", tmp_path)
        monkeypatch.setenv("ANTHROPIC_API_KEY", other)
        with pytest.raises(SettingsError) as caught:
            load(None).admin_key()
        line = "ANTHROPIC_ADMIN_KEY is missing: set it to an Admin key, or ANTHROPIC_ADMIN_KEY_FILE to a file with one"
        more = " (ANTHROPIC_API_KEY is not used; it is for the Messages API)"
        assert str(caught.value) == line + (more if other else "")

    @pytest.mark.parametrize(
        ("content", "problem"),
        [(None, "No such file or directory"), (b"\xff\xfe", "not a text file")],
    )
    def test_a_file_that_cannot_be_read(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, problem: str
    ) -> None:
        """The message names the file and the reason."""
        path = tmp_path / "key"
        if content is not None:
            path.write_bytes(content)
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY_FILE", str(path))
        with pytest.raises(SettingsError) as caught:
            load(None).admin_key()
        assert str(caught.value) == f"ANTHROPIC_ADMIN_KEY_FILE: {path} cannot be read: {problem}"

    @pytest.mark.parametrize("wrong", ["short", "two words are not a key", "sk-ant-admin01-\u00fc", "x" * 513])
    def test_malformed(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: str) -> None:
        """Refused before it is sent, and not shown, because it may be another secret."""
        path = tmp_path / "key"
        path.write_text(wrong)
        rule = "is not a key; expected 8 to 512 printable characters without spaces"
        for name, value, where in (
            ("ANTHROPIC_ADMIN_KEY", wrong, "ANTHROPIC_ADMIN_KEY"),
            ("ANTHROPIC_ADMIN_KEY_FILE", str(path), str(path)),
        ):
            with monkeypatch.context() as environment:
                environment.setenv(name, value)
                with pytest.raises(SettingsError) as caught:
                    load(None).admin_key()
            assert str(caught.value) == f"{where}: {rule}"

    def test_is_in_no_repr_or_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither are other secrets."""
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", KEY)
        monkeypatch.setenv("EXPORTER_USER_HASH_KEY", "a-secret-too")
        shown = f"{load(None)!r} {load(None)} {load(None).model_dump()} {load(None).model_dump_json()}"
        assert KEY not in shown
        assert "a-secret-too" not in shown
        with pytest.raises(ValidationError) as caught:
            Settings(anthropic_version=KEY)
        assert KEY not in str(caught.value)

    @pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields])
    def test_is_in_no_message_wherever_it_was_put(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """A key in the wrong variable is refused or used, and never shown."""
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY_FILE", "x")
        monkeypatch.setenv(name, KEY)
        try:
            shown = repr(load(None))
        except SettingsError as error:
            shown = str(error)
        assert shown
        assert KEY not in shown


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("EXPORTER_WINDOW", "EXPORTER_WINDOW is not a setting; did you mean EXPORTER_WINDOW_DAYS?"),
        ("EXPORTER_CACHETTL", "EXPORTER_CACHETTL is not a setting; did you mean EXPORTER_CACHE_TTL?"),
        ("EXPORTER_LOG", "EXPORTER_LOG is not a setting; did you mean EXPORTER_LOG_LEVEL?"),
        ("ANTHROPIC_ADMIN_API_KEY", "ANTHROPIC_ADMIN_API_KEY is not a setting; did you mean ANTHROPIC_ADMIN_KEY?"),
        ("ANTHROPIC_ADMIN_KEYFILE", "ANTHROPIC_ADMIN_KEYFILE is not a setting; did you mean ANTHROPIC_ADMIN_KEY_FILE?"),
        ("ANTROPIC_BASE_URL", "ANTROPIC_BASE_URL is not a setting; did you mean ANTHROPIC_BASE_URL?"),
        ("EXPORTER_ZZZZZZZZZZZZZZZZ", "EXPORTER_ZZZZZZZZZZZZZZZZ is not a setting"),
    ],
)
def test_an_unknown_name_is_a_warning(folder: Path, name: str, warning: str) -> None:
    """With the most similar setting, if there is one; in `.env` too."""
    assert list(misspelt.warnings([name, "PATH"], folder / ".env")) == [warning]
    (folder / ".env").write_text(f"{name}=1\n")
    assert list(misspelt.warnings([])) == [f".env: {warning}"]


@pytest.mark.usefixtures("folder")
def test_settings_and_kubernetes_variables_are_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes sets these in every pod of a namespace that has a service called exporter."""
    injected = {
        "EXPORTER_PORT": "tcp://10.0.0.1:10918",
        "EXPORTER_SERVICE_HOST": "10.0.0.1",
        "EXPORTER_SERVICE_PORT": "10918",
        "EXPORTER_SERVICE_PORT_METRICS": "10918",
        "EXPORTER_PORT_10918_TCP": "tcp://10.0.0.1:10918",
        "EXPORTER_PORT_10918_TCP_ADDR": "10.0.0.1",
        "EXPORTER_WINDOW_DAYS": "30",
        "exporter_max_users": "1",
        "ANTHROPIC_API_KEY": "x",
        "ANTHROPIC_AWS_BASE_URL": "https://x.example.test",
        "ANTHROPIC_MODEL": "x",
    }
    assert list(misspelt.warnings(injected)) == []
    for name, value in injected.items():
        monkeypatch.setenv(name, value)
    assert list(misspelt.warnings()) == []
    assert load(None).exporter_window_days == 30


@given(st.text(alphabet=st.characters(exclude_characters="\0"), max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Durations and addresses raise nothing but ValueError, which becomes a message."""
    for read in (seconds, listen_address):
        with suppress(ValueError):
            assert isinstance(read(text), float | ListenAddress)
