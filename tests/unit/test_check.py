"""`check` without the API: web configuration, data folder and port, before `serve` would stumble over them."""

import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from exporter import check
from exporter.api.transport import Transport
from exporter.days.database import FILE
from exporter.days.store import Store
from exporter.errors import SettingsError, StoreError
from exporter.settings import load
from exporter.telemetry import Telemetry


def findings(folder: Path, **flags: object) -> list[tuple[str, str, int]]:
    """Return state, detail and exit code of the web configuration, the data folder and the port."""
    given = {"exporter_data_dir": folder / "data", "exporter_listen_address": "127.0.0.1:0", **flags}
    found = list(check.local(load(None, {name: str(value) for name, value in given.items()})))
    assert [one.what for one in found] == ["web configuration", "data folder", "port"]
    return [(one.state, one.detail, one.exit_code) for one in found]


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """A folder that does not exist is not made, if it could be."""
    folder = tmp_path / "data"
    assert findings(tmp_path)[1] == ("ok", f"{folder} can be written, and holds no days yet", 0)
    assert list(tmp_path.iterdir()) == []
    Store(folder).close()
    assert findings(tmp_path)[1] == ("ok", f"{folder} can be written", 0)


def test_a_web_configuration_that_cannot_be_used(tmp_path: Path) -> None:
    """A wrong file, and a certificate that does not exist; a good file is summed up."""
    path = tmp_path / "web.yml"
    path.write_text("basic_auth_users: [")
    state, detail, code = findings(tmp_path, exporter_web_config_file=path)[0]
    assert (state, detail[: len(str(path)) + 19], code) == ("FAIL", f"{path}: is not valid YAML", 2)
    path.write_text("tls_server_config: {cert_file: none.crt, key_file: none.key}")
    state, detail, code = findings(tmp_path, exporter_web_config_file=path)[0]
    assert (state, code) == ("FAIL", 2)
    assert detail.endswith("none.crt cannot be read: No such file or directory")
    path.write_text("{}")
    assert findings(tmp_path, exporter_web_config_file=path)[0] == ("ok", f"{path}, no TLS, 0 users", 0)


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """Not writable, used by another process, of another program: the words and the exit code of `serve`."""
    (tmp_path / "file").write_text("")
    Store(tmp_path / "newer").close()
    with closing(sqlite3.connect(tmp_path / "newer" / FILE)) as db:
        db.execute("PRAGMA user_version = 99")
    used = Store(tmp_path / "used")
    try:
        for folder in (tmp_path / "file" / "data", tmp_path / "newer", tmp_path / "used"):
            with pytest.raises(StoreError) as caught:
                Store(folder)
            assert findings(tmp_path, exporter_data_dir=folder)[1] == ("FAIL", str(caught.value), 1)
    finally:
        used.close()


def test_a_port_in_use_by_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the folder is in use, if the program is no exporter."""
    monkeypatch.setattr(check, "PROBE_SECONDS", 0.05)
    with closing(Store(tmp_path / "data")), socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        found = findings(tmp_path, exporter_listen_address=address)[2]
    assert found == ("FAIL", f"EXPORTER_LISTEN_ADDRESS: {address} cannot be listened on: it is in use", 2)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("SSL_CERT_FILE", "/nowhere.pem", "SSL_CERT_FILE: /nowhere.pem cannot be used: No such file or directory"),
        ("SSL_CERT_FILE", "/dev/null", "SSL_CERT_FILE: /dev/null cannot be used: has no certificate in PEM format"),
        (
            "HTTPS_PROXY",
            "ftp://ana:secret@x",
            "HTTPS_PROXY: must be the URL of an HTTP proxy, such as http://proxy.test:3128",
        ),
        (
            "HTTPS_PROXY",
            "socks5://x:1",
            "HTTPS_PROXY: must be the URL of an HTTP proxy, such as http://proxy.test:3128",
        ),
    ],
)
def test_a_proxy_or_ca_that_cannot_be_used_is_a_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    """Not a traceback of a library, and no password."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        Transport(
            base_url="https://api.example.test",
            version="2023-06-01",
            key=str,
            requests_per_minute=60,
            telemetry=Telemetry([]),
        )
    assert str(caught.value) == line
