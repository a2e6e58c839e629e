"""Settings: one bad value per rule with its exact line, every source of the key, and no secret shown anywhere."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import settings
from exporter.errors import SettingsError
from exporter.settings import ListenAddress, Settings, described, load, unknown_names

KEY = "sk-ant-admin01-a-test-key"
ADDRESS = "must be host:port or :port, such as :10918, 127.0.0.1:10918 or [::1]:10918"
URL = "must be an address such as https://api.anthropic.com"
HTTPS = "must be https: over plain http the Admin key could be read on the way"
DURATION = "must be seconds, or a duration such as 60s, 5m or 1h"
WHOLE = "Input should be a valid integer, unable to parse string as an integer"

BAD = [
    ("ANTHROPIC_VERSION", "latest", "String should match pattern '^\\d{4}-\\d{2}-\\d{2}$' (it is 'latest')"),
    ("ANTHROPIC_BASE_URL", "ftp://x.example.test", f"{URL} (it is 'ftp://x.example.test')"),
    ("ANTHROPIC_BASE_URL", "api.example.test", f"{URL} (it is 'api.example.test')"),
    ("ANTHROPIC_BASE_URL", "https://", f"{URL} (it is 'https://')"),
    ("ANTHROPIC_BASE_URL", "https://x.example.test/?a=1", f"{URL} (it is 'https://x.example.test/?a=1')"),
    ("ANTHROPIC_BASE_URL", "https://x.example.test/#a", f"{URL} (it is 'https://x.example.test/#a')"),
    ("ANTHROPIC_BASE_URL", "https://x.example.test:0", f"{URL} (it is 'https://x.example.test:0')"),
    ("ANTHROPIC_BASE_URL", "https://x\ty.example.test", f"{URL} (it is 'https://x\\ty.example.test')"),
    ("ANTHROPIC_BASE_URL", "http://api.example.test", f"{HTTPS} (it is 'http://api.example.test')"),
    ("ANTHROPIC_BASE_URL", "http://192.0.2.1", f"{HTTPS} (it is 'http://192.0.2.1')"),
    ("ANTHROPIC_BASE_URL", "https://ana:secret@x.example.test", "must not hold a user name or a password"),
    ("EXPORTER_LISTEN_ADDRESS", "10918", f"{ADDRESS} (it is '10918')"),
    ("EXPORTER_LISTEN_ADDRESS", "::1:10918", f"{ADDRESS} (it is '::1:10918')"),
    ("EXPORTER_LISTEN_ADDRESS", ":70000", "the port must be at most 65535 (it is ':70000')"),
    ("EXPORTER_WINDOW_DAYS", "0", "Input should be greater than or equal to 1 (it is '0')"),
    ("EXPORTER_WINDOW_DAYS", "366", "Input should be less than or equal to 365 (it is '366')"),
    ("EXPORTER_WINDOW_DAYS", "ninety", f"{WHOLE} (it is 'ninety')"),
    ("EXPORTER_CACHE_TTL", "1d", f"{DURATION} (it is '1d')"),
    ("EXPORTER_CACHE_TTL", "-5", f"{DURATION} (it is '-5')"),
    ("EXPORTER_CACHE_TTL", "0", "Input should be greater than or equal to 1 (it is 0.0)"),
    ("EXPORTER_CACHE_TTL", "25h", "Input should be less than or equal to 86400 (it is 90000.0)"),
    ("EXPORTER_REQUESTS_PER_MINUTE", "0", "Input should be greater than or equal to 1 (it is '0')"),
    ("EXPORTER_REQUESTS_PER_MINUTE", "200000", "Input should be less than or equal to 100000 (it is '200000')"),
    ("EXPORTER_USER_LABEL", "name", "Input should be 'email', 'hash' or 'none' (it is 'name')"),
    ("EXPORTER_MAX_USERS", "-1", "Input should be greater than or equal to 0 (it is '-1')"),
    ("EXPORTER_MAX_USERS", "2000000", "Input should be less than or equal to 1000000 (it is '2000000')"),
    ("EXPORTER_LOG_LEVEL", "trace", "Input should be 'debug', 'info', 'warning' or 'error' (it is 'trace')"),
    ("EXPORTER_LOG_FORMAT", "xml", "Input should be 'logfmt' or 'json' (it is 'xml')"),
]
GOOD = [
    ("ANTHROPIC_BASE_URL", "https://x.example.test/proxy/", "https://x.example.test/proxy"),
    ("ANTHROPIC_BASE_URL", "http://localhost:8080", "http://localhost:8080"),
    ("ANTHROPIC_BASE_URL", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ("ANTHROPIC_BASE_URL", "http://[::1]:8080", "http://[::1]:8080"),
    ("EXPORTER_CACHE_TTL", "90", 90),
    ("EXPORTER_CACHE_TTL", "90s", 90),
    ("EXPORTER_CACHE_TTL", "1.5m", 90),
    ("EXPORTER_CACHE_TTL", " 1 h ", 3600),
    ("EXPORTER_USER_LABEL", "HASH", "hash"),
    ("EXPORTER_LOG_LEVEL", "Warning", "warning"),
    ("EXPORTER_LOG_FORMAT", "JSON", "json"),
    ("EXPORTER_WINDOW_DAYS", "", 90),
]


@pytest.mark.parametrize(("name", "value", "line"), BAD, ids=lambda value: str(value)[:40])
def test_a_wrong_value_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str) -> None:
    """The line names the variable and the rule; the value is shown, unless it may hold a secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load(None)
    assert str(caught.value) == f"{name}: {line}"


def test_every_wrong_value_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two mistakes are two lines."""
    monkeypatch.setenv("EXPORTER_WINDOW_DAYS", "0")
    monkeypatch.setenv("EXPORTER_LOG_FORMAT", "xml")
    with pytest.raises(SettingsError) as caught:
        load(None)
    names = [line.partition(":")[0] for line in str(caught.value).splitlines()]
    assert names == ["EXPORTER_WINDOW_DAYS", "EXPORTER_LOG_FORMAT"]


@pytest.mark.parametrize("value", ["https://x.example.test:port", "https://x.example.test:99999", "https://[::1"])
def test_an_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """The standard library finds what is wrong with a port or a bracket; it is a line, and no traceback."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", value)
    with pytest.raises(SettingsError, match=r"^ANTHROPIC_BASE_URL: .+ \(it is "):
        load(None)


@pytest.mark.parametrize(("name", "value", "expected"), GOOD, ids=lambda value: str(value)[:40])
def test_values_are_read_as_people_write_them(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: object
) -> None:
    """Durations have units, words any case, and an empty value is the default."""
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
    """An empty host is every interface; brackets belong to the notation, not to the address."""
    monkeypatch.setenv("EXPORTER_LISTEN_ADDRESS", f" {text} ")
    address = load(None).exporter_listen_address
    assert (address, address.host, address.port) == (text, host, port)


def test_the_defaults_are_those_of_the_reference() -> None:
    """With an empty environment every setting has the value that the reference names."""
    defaults = load(None)
    assert (defaults.exporter_window_days, defaults.exporter_cache_ttl, defaults.exporter_max_users) == (90, 60, 2000)
    assert (defaults.anthropic_version, defaults.exporter_listen_address) == ("2023-06-01", ":10918")
    assert ("EXPORTER_CACHE_TTL", "60", "A scrape refreshes a page older than this: seconds, or 60s, 5m, 1h.") in list(
        described()
    )


def test_no_description_is_missing() -> None:
    """Each setting says what it means, in a sentence."""
    assert all(meaning.endswith(".") for _, _, meaning in described())


class TestKey:
    """Where the key comes from, and what is said when it is wrong."""

    def test_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The value is the key, without blanks around it."""
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", f" {KEY}\n")
        assert (load(None).admin_key(), load(None).key_file) == (KEY, None)

    def test_from_a_file_read_anew(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A rotated file gives the new key, with no restart."""
        path = tmp_path / "key"
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY_FILE", str(path))
        path.write_text(f"{KEY}\n")
        config = load(None)
        assert config.admin_key() == KEY
        path.write_text("sk-ant-admin01-another")
        assert config.admin_key() == "sk-ant-admin01-another"

    def test_from_the_secrets_folder(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A container's secret is found by its name, and is the weakest source."""
        monkeypatch.setattr(settings, "SECRETS_DIR", tmp_path)
        (tmp_path / "anthropic_admin_key").write_text(KEY)
        assert load(None).admin_key() == KEY
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "sk-ant-admin01-another")
        assert load(None).admin_key() == "sk-ant-admin01-another"

    def test_from_a_dotenv_file(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """`.env` of the working directory is read; the environment is stronger."""
        (folder / ".env").write_text(f"ANTHROPIC_ADMIN_KEY={KEY}\nEXPORTER_WINDOW_DAYS=7\n")
        assert (load().admin_key(), load().exporter_window_days) == (KEY, 7)
        monkeypatch.setenv("EXPORTER_WINDOW_DAYS", "8")
        assert load().exporter_window_days == 8

    def test_a_dotenv_file_that_is_no_text(self, folder: Path) -> None:
        """One line, and no traceback."""
        (folder / ".env").write_bytes(b"\xff")
        with pytest.raises(SettingsError, match=r"^\.env: is not UTF-8 text$"):
            load()

    def test_not_from_two_places(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A key and a file are a contradiction, and neither is shown."""
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY_FILE", str(tmp_path))
        with pytest.raises(SettingsError) as caught:
            load(None)
        assert str(caught.value) == "give ANTHROPIC_ADMIN_KEY or ANTHROPIC_ADMIN_KEY_FILE, not both"

    @pytest.mark.parametrize("other", ["", "sk-ant-api03-x"])
    def test_none_at_all(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, other: str) -> None:
        """The line says what to give; who gave the Messages key is told that this is another one."""
        monkeypatch.setattr(settings, "SECRETS_DIR", tmp_path)
        monkeypatch.setenv("ANTHROPIC_API_KEY", other)
        with pytest.raises(SettingsError) as caught:
            load(None).admin_key()
        line = "ANTHROPIC_ADMIN_KEY is missing: give an Admin key there, or a file in ANTHROPIC_ADMIN_KEY_FILE"
        more = " (ANTHROPIC_API_KEY is not read: it is for the Messages API)"
        assert str(caught.value) == line + (more if other else "")

    @pytest.mark.parametrize(
        ("content", "problem"),
        [(None, "No such file or directory"), (b"\xff\xfe", "not a text file")],
    )
    def test_a_file_that_can_not_be_read(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, problem: str
    ) -> None:
        """The line names the file and the reason."""
        path = tmp_path / "key"
        if content is not None:
            path.write_bytes(content)
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY_FILE", str(path))
        with pytest.raises(SettingsError) as caught:
            load(None).admin_key()
        assert str(caught.value) == f"ANTHROPIC_ADMIN_KEY_FILE: {path} can not be read: {problem}"

    @pytest.mark.parametrize("wrong", ["short", "two words are no key", "sk-ant-admin01-\u00fc", "x" * 513])
    def test_what_can_not_be_a_key(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: str) -> None:
        """It is refused before it is sent, and not shown: it may be another secret."""
        path = tmp_path / "key"
        path.write_text(wrong)
        rule = "this is no key: 8 to 512 printable characters without spaces are expected"
        for name, value, where in (
            ("ANTHROPIC_ADMIN_KEY", wrong, "ANTHROPIC_ADMIN_KEY"),
            ("ANTHROPIC_ADMIN_KEY_FILE", str(path), str(path)),
        ):
            with monkeypatch.context() as environment:
                environment.setenv(name, value)
                with pytest.raises(SettingsError) as caught:
                    load(None).admin_key()
            assert str(caught.value) == f"{where}: {rule}"

    def test_is_in_no_repr(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither the settings nor their dump show the key or the key of the digests."""
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", KEY)
        monkeypatch.setenv("EXPORTER_USER_HASH_KEY", "a-secret-too")
        shown = f"{load(None)!r} {load(None)} {load(None).model_dump()} {load(None).model_dump_json()}"
        assert KEY not in shown
        assert "a-secret-too" not in shown

    @pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields])
    def test_is_in_no_message_wherever_it_was_put(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """A key pasted into the wrong variable is refused, or taken, and never shown."""
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY_FILE", "x")
        monkeypatch.setenv(name, KEY)
        shown = ""
        try:
            shown = repr(load(None))
        except SettingsError as error:
            shown = str(error)
        assert name == "EXPORTER_DATA_DIR" or name.endswith("_FILE") or KEY not in shown


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("EXPORTER_WINDOW", "EXPORTER_WINDOW is not a setting; did you mean EXPORTER_WINDOW_DAYS?"),
        ("EXPORTER_CACHETTL", "EXPORTER_CACHETTL is not a setting; did you mean EXPORTER_CACHE_TTL?"),
        ("exporter_log", "exporter_log is not a setting; did you mean EXPORTER_LOG_LEVEL?"),
        ("EXPORTER_ZZZZZZZZZZZZZZZZ", "EXPORTER_ZZZZZZZZZZZZZZZZ is not a setting"),
    ],
)
def test_an_unknown_name_is_warned_of(name: str, warning: str) -> None:
    """A name with our prefix that is no setting is told, with the nearest one that is."""
    assert list(unknown_names({name: "1", "PATH": "/bin"})) == [warning]


def test_known_names_and_those_that_kubernetes_injects_are_not_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service called exporter gives every pod beside it these names."""
    injected = {
        "EXPORTER_PORT": "tcp://10.0.0.1:10918",
        "EXPORTER_SERVICE_HOST": "10.0.0.1",
        "EXPORTER_SERVICE_PORT": "10918",
        "EXPORTER_SERVICE_PORT_METRICS": "10918",
        "EXPORTER_PORT_10918_TCP": "tcp://10.0.0.1:10918",
        "EXPORTER_PORT_10918_TCP_ADDR": "10.0.0.1",
        "EXPORTER_WINDOW_DAYS": "30",
        "exporter_max_users": "1",
    }
    assert list(unknown_names(injected)) == []
    for name, value in injected.items():
        monkeypatch.setenv(name, value)
    assert list(unknown_names()) == []
    assert load(None).exporter_window_days == 30


@given(st.text(alphabet=st.characters(exclude_characters="\0"), max_size=40))
def test_no_text_breaks_the_reading_of_durations_and_addresses(text: str) -> None:
    """Any text is a value or a ValueError, which becomes a line."""
    for read in (settings._seconds, settings._address):
        with suppress(ValueError):
            assert isinstance(read(text), float | ListenAddress)
