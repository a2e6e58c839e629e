"""The file of the day store: created, locked, checked, migrated; damaged ones replaced, others' refused."""

import errno
import fcntl
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.days import database
from exporter.errors import StoreError

OURS = f"PRAGMA application_id = {database.APPLICATION_ID};"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of the database in an empty folder."""
    return tmp_path / database.FILE


def names(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def make(path: Path, script: str) -> bytes:
    """Make a database with plain SQLite, and return its bytes."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(script)
    return path.read_bytes()


def rows(path: Path, table: str) -> list[tuple[object, ...]]:
    """Open a database, return the rows of a table, and close it."""
    with closing(database.opened(path)) as db:
        return db.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - a table of this test


def test_a_folder_is_created_for_its_owner_alone_and_locked(tmp_path: Path) -> None:
    """With its parents, and for one process at a time."""
    folder = tmp_path / "a" / "b"
    lock = database.locked(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(StoreError) as caught:
        database.locked(folder)
    assert str(caught.value) == f"EXPORTER_DATA_DIR: another process uses {folder}; give each its own folder"
    lock.close()
    database.locked(folder).close()


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be created, or its file system has no locks."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"^EXPORTER_DATA_DIR: cannot write to .*/file/data: Not a directory$"):
        database.locked(tmp_path / "file" / "data")

    def without_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without_locks)
    with pytest.raises(StoreError) as caught:
        database.locked(tmp_path)
    assert str(caught.value) == f"EXPORTER_DATA_DIR: cannot lock {tmp_path}: No locks available"


def test_a_file_is_opened_again_as_it_is(path: Path) -> None:
    """It is ours and of this version, survives a power cut, overwrites what is deleted, and needs no other folder."""
    with closing(database.opened(path)) as db:
        db.execute("INSERT INTO note VALUES ('x', '1')")
        db.commit()
    with closing(database.opened(path)) as db:
        assert db.execute("SELECT text FROM note").fetchall() == [("1",)]
        pragmas = ("application_id", "user_version", "journal_mode", "synchronous", "secure_delete", "temp_store")
        values = [db.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in pragmas]
        assert values == [0x41455831, 2, "wal", 1, 1, 2]
    assert names(path.parent) == [database.FILE]


def test_a_log_that_a_killed_process_left_is_emptied(path: Path) -> None:
    """Names that were deleted may be in it."""
    with closing(database.opened(path)) as db:
        db.execute("INSERT INTO note VALUES ('x', 'ana@example.test')")
        db.commit()
        db.execute("DELETE FROM note")
        db.commit()
        killed = path.parent / "killed"
        killed.mkdir()
        for suffix in ("", "-wal"):
            (killed / (path.name + suffix)).write_bytes(path.with_name(path.name + suffix).read_bytes())
    with closing(database.opened(killed / path.name)):
        assert not [file for file in killed.iterdir() if b"ana@example.test" in file.read_bytes()]


def rubbish_inside(path: Path) -> None:
    """Make a file whose header is whole and whose pages are not."""
    with closing(database.opened(path)) as db:
        db.executescript("PRAGMA journal_mode = DELETE; INSERT INTO note VALUES ('x', hex(zeroblob(20000)));")
    content = bytearray(path.read_bytes())
    content[8192:16384] = b"\xaa" * 8192
    path.write_bytes(content)


def made(path: Path) -> bytes:
    """Return the bytes of a new database."""
    database.opened(path).close()
    return path.read_bytes()


def bit_in_an_index(path: Path) -> None:
    """Make a file in which a key differs from its row."""
    with closing(database.opened(path)) as db:
        db.execute("INSERT INTO day (report, date, read_at, digest, rows) VALUES ('report', 'date', 1.5, 'x', x'00')")
        db.commit()
    path.write_bytes(path.read_bytes().replace(b"reportdate", b"resortdate", 1))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("date,amount\n" * 500),
    "header": lambda path: path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000),
    "page": rubbish_inside,
    "index": bit_in_an_index,
    "schema": lambda path: path.write_bytes(made(path).replace(b"TEXT", b"TEX\xd4")),
    "no version": lambda path: make(path, OURS + "PRAGMA user_version = 0; CREATE TABLE day (x);"),
    "another table": lambda path: make(path, OURS + "PRAGMA user_version = 1; CREATE TABLE day (x);"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_replaced(path: Path, damage: str) -> None:
    """By an empty one, with one line; no copy stays."""
    DAMAGE[damage](path)
    path.with_name(f"{path.name}-wal").write_bytes(b"of the damaged file")
    with capture_logs() as lines, closing(database.opened(path)) as db:
        assert db.execute("SELECT * FROM day").fetchall() == []
        assert b"of the damaged file" not in b"".join(file.read_bytes() for file in path.parent.iterdir())
    (line,) = lines
    event = "day store is damaged: starting with an empty one, all days will be fetched again"
    assert line == {"log_level": "warning", "event": event, "file": str(path)}
    assert names(path.parent) == [database.FILE]
    assert rows(path, "note") == []


def test_copies_that_older_releases_kept_are_deleted(path: Path) -> None:
    """They hold names; so do their companions. One line each."""
    for name in ("aside-1", "aside-1-wal", "aside-12"):
        path.with_name(f"{path.name}.{name}").write_text("ana@example.test")
    with capture_logs() as lines:
        database.opened(path).close()
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("info", "deleted the copy of a damaged store")
    ] * 3
    assert {Path(line["file"]).name for line in lines} == {
        f"{path.name}.{n}" for n in ("aside-1", "aside-1-wal", "aside-12")
    }
    assert names(path.parent) == [database.FILE]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("CREATE TABLE day (name TEXT)", "belongs to another application: give another EXPORTER_DATA_DIR"),
        (
            OURS + "PRAGMA user_version = 3; CREATE TABLE day (x)",
            "was written by a newer exporter: start that one, or give another EXPORTER_DATA_DIR",
        ),
    ],
)
def test_a_file_of_others_is_refused(path: Path, script: str, problem: str) -> None:
    """It may be the only copy: not a byte of it changes."""
    content = make(path, script)
    with pytest.raises(StoreError) as caught:
        database.opened(path)
    assert str(caught.value) == f"{path} {problem}"
    assert path.read_bytes() == content
    assert names(path.parent) == [database.FILE]


def test_schema_1_is_migrated_in_place(path: Path) -> None:
    """Its days stay until their report says otherwise, in a format that is nobody's; its notes go. One line."""
    make(path, OURS + "PRAGMA user_version = 1;")
    make(
        path,
        """CREATE TABLE day (report TEXT NOT NULL, date TEXT NOT NULL, read_at REAL NOT NULL, marks TEXT NOT NULL,
            rows BLOB NOT NULL, PRIMARY KEY (report, date)) STRICT;
        CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;
        INSERT INTO day VALUES ('cost', '2026-11-20', 5.5, '[]', x'00');
        INSERT INTO note VALUES ('sums', 'ana@example.test');""",
    )
    with capture_logs() as lines:
        assert rows(path, "day") == [("cost", "2026-11-20", 5.5, "[]", b"\0", "", 0, "")]
    assert lines == [{"log_level": "info", "event": "day store migrated", "from_version": 1, "to_version": 2}]
    with capture_logs() as lines:
        assert rows(path, "note") == []
    assert lines == []
    assert b"ana@example.test" not in path.read_bytes()


def test_a_file_that_is_not_damaged_is_not_deleted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in its place, a full disk, another process: the operator's business, in one line."""
    path.mkdir()
    with pytest.raises(StoreError) as caught:
        database.opened(path)
    assert str(caught.value) == f"cannot open {path}: unable to open database file"
    path.rmdir()
    monkeypatch.setattr(database, "BUSY_SECONDS", 0)
    make(path, OURS + "PRAGMA user_version = 1; CREATE TABLE day (marks)")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match=r"database is locked$"):
            database.opened(path)
    assert path.stat().st_size


def test_what_cannot_be_deleted_is_one_line(path: Path) -> None:
    """A copy of a damaged store, or a companion of one."""
    copy = path.with_name(f"{path.name}.aside-1")
    copy.mkdir()
    with pytest.raises(StoreError, match=f"^cannot open {path}: .*Is a directory: '{copy}'$"):
        database.opened(path)
    copy.rmdir()
    path.write_text("damaged" * 100)
    path.with_name(f"{path.name}-shm").mkdir()
    with pytest.raises(StoreError, match=f"^cannot replace {path}: "):
        database.opened(path)
