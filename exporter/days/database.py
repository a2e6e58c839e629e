"""The SQLite file of the day store and the lock of its folder: made, checked, set aside when damaged, never deleted."""

import fcntl
import sqlite3
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import IO

import structlog

from exporter.errors import StoreError

FILE = "days.sqlite"
LOCK = "lock"
APPLICATION_ID = 0x41455831
SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE day (
    report TEXT NOT NULL, date TEXT NOT NULL, read_at REAL NOT NULL, marks TEXT NOT NULL, rows BLOB NOT NULL,
    PRIMARY KEY (report, date)
) STRICT;
CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;
"""
_DAMAGE = ("malformed", "not a database", "corrupt", "file is encrypted")
log = structlog.get_logger()


def locked(data_dir: Path) -> IO[str]:
    """Return the folder's lock, held until it is closed; raises StoreError when another process holds it."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (data_dir / LOCK).open("w")
    except OSError as error:
        raise StoreError(f"EXPORTER_DATA_DIR: {data_dir} can not be written: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise StoreError(f"EXPORTER_DATA_DIR: another process uses {data_dir}; give each its own folder") from error
    return file


def opened(path: Path | None) -> sqlite3.Connection:
    """Return the database at `path`, or one in memory. A damaged or foreign file is set aside and a new one made.

    Raises StoreError for a file of a newer exporter, and for a folder that can not be used.
    """
    if path is None:
        return _connected(None)
    try:
        return _connected(path)
    except sqlite3.DatabaseError as error:
        if not any(word in str(error) for word in _DAMAGE):
            raise StoreError(f"{path} can not be opened: {error}") from error
        return renewed(path)


def renewed(path: Path) -> sqlite3.Connection:
    """Set a damaged database aside, and return a new one in its place."""
    aside = _set_aside(path)
    log.warning("the day store is damaged: it was set aside, and all days are read again", file=str(aside))
    return _connected(path)


def tell_of_damage(report: str, day: date) -> None:
    """Say that one stored day can not be read: it alone is read again."""
    log.warning("a stored day is damaged: it is read again", report=report, date=day.isoformat())


def _connected(path: Path | None) -> sqlite3.Connection:
    db = sqlite3.connect(path or ":memory:", check_same_thread=False)
    try:
        _check(db, path)  # before anything is written: a file that is not ours stays as it is
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA secure_delete = ON")
    except BaseException:
        db.close()
        raise
    return db


def _check(db: sqlite3.Connection, path: Path | None) -> None:
    """Create the schema in an empty file, and refuse one that is damaged, foreign or newer."""
    (problem,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if problem != "ok":
        raise sqlite3.DatabaseError(f"malformed: {problem}")
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        numbers = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
        db.executescript(f"BEGIN; {_SCHEMA} {numbers} COMMIT;")
    elif application != APPLICATION_ID or version < SCHEMA_VERSION:
        raise sqlite3.DatabaseError("not a database of this exporter")
    elif version > SCHEMA_VERSION:
        raise StoreError(f"{path} was written by a newer exporter: start that one, or give another EXPORTER_DATA_DIR")


def _set_aside(path: Path) -> Path:
    """Move a database with its companions out of the way, and return where it is now."""
    number = 1
    while (aside := path.with_name(f"{path.name}.aside-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside
