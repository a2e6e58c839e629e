"""The file of the day store: made, locked, checked, set aside, never deleted."""

import sqlite3
from pathlib import Path

import pytest

from exporter.days import database
from exporter.errors import StoreError


def names(folder: Path) -> list[str]:
    """Return the names of the files in a folder, the companions of an open database left out."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm")))


def made(path: Path, *statements: str) -> None:
    """Make a database with these statements."""
    db = database.opened(path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """With its parents, and held until it is let go."""
    folder = tmp_path / "a" / "b"
    lock = database.locked(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(StoreError) as caught:
        database.locked(folder)
    assert str(caught.value) == (f"EXPORTER_DATA_DIR: another process uses {folder}; give each its own folder")
    lock.close()
    database.locked(folder).close()


def test_a_folder_that_can_not_be_made_is_one_line(tmp_path: Path) -> None:
    """It names the setting."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"^EXPORTER_DATA_DIR: .*/file/data can not be written: Not a directory$"):
        database.locked(tmp_path / "file" / "data")


def test_a_file_is_opened_again_as_it_is(tmp_path: Path) -> None:
    """The tables are made once."""
    path = tmp_path / database.FILE
    made(path, "INSERT INTO note VALUES ('x', '1')")
    db = database.opened(path)
    assert db.execute("SELECT text FROM note").fetchall() == [("1",)]
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()
    assert names(tmp_path) == [database.FILE]


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_set_aside_and_a_new_one_made(tmp_path: Path, content: bytes) -> None:
    """Its bytes are kept, under a name that is free."""
    path = tmp_path / database.FILE
    (tmp_path / "days.sqlite.aside-1").write_bytes(b"earlier")
    path.write_bytes(content)
    db = database.opened(path)
    assert db.execute("SELECT count(*) FROM day").fetchone() == (0,)
    db.close()
    assert (tmp_path / "days.sqlite.aside-2").read_bytes() == content
    assert (tmp_path / "days.sqlite.aside-1").read_bytes() == b"earlier"


def test_a_page_of_rubbish_inside_is_found(tmp_path: Path) -> None:
    """The header is whole, the rest is not: the check at the start finds it."""
    path = tmp_path / database.FILE
    made(path, "PRAGMA journal_mode = DELETE", "INSERT INTO note VALUES ('x', hex(zeroblob(20000)))")
    content = bytearray(path.read_bytes())
    content[8192:16384] = b"\xaa" * 8192
    path.write_bytes(content)
    database.opened(path).close()
    assert "days.sqlite.aside-1" in names(tmp_path)


def test_a_foreign_database_is_set_aside(tmp_path: Path) -> None:
    """It may be somebody's only copy."""
    path = tmp_path / database.FILE
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE theirs (x)")
    foreign.commit()
    foreign.close()
    database.opened(path).close()
    kept = sqlite3.connect(tmp_path / "days.sqlite.aside-1")
    assert kept.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    kept.close()


def test_an_older_schema_is_set_aside_and_a_newer_one_refused(tmp_path: Path) -> None:
    """What is older is read again from the API; what is newer belongs to a newer exporter."""
    path = tmp_path / database.FILE
    made(path, f"PRAGMA user_version = {database.SCHEMA_VERSION - 1}")
    database.opened(path).close()
    assert "days.sqlite.aside-1" in names(tmp_path)
    made(path, f"PRAGMA user_version = {database.SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError) as caught:
        database.opened(path)
    assert str(caught.value) == (
        f"{path} was written by a newer exporter: start that one, or give another EXPORTER_DATA_DIR"
    )


def test_what_is_no_damage_is_told(tmp_path: Path) -> None:
    """A folder in the file's place is the operator's business: nothing is moved."""
    path = tmp_path / database.FILE
    path.mkdir()
    with pytest.raises(StoreError, match="can not be opened: unable to open database file"):
        database.opened(path)
    assert names(tmp_path) == [database.FILE]
