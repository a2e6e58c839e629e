"""The SQLite file of the day store, and the lock of its folder: created, checked, migrated."""

import fcntl
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import structlog

from exporter.errors import StoreError

FILE = "days.sqlite"
LOCK = "lock"
APPLICATION_ID = 0x41455831
SCHEMA_VERSION = 2
BUSY_SECONDS = 5.0
"""How long a write waits for another process, such as a backup."""
_SCHEMA = """
CREATE TABLE day (
    report TEXT NOT NULL, date TEXT NOT NULL, read_at REAL NOT NULL, digest TEXT NOT NULL, rows BLOB NOT NULL,
    format TEXT NOT NULL DEFAULT '', revision INTEGER NOT NULL DEFAULT 0, rows_digest TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (report, date)
) STRICT;
CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;
"""
_MIGRATIONS = {
    1: """
ALTER TABLE day RENAME COLUMN marks TO digest;
ALTER TABLE day ADD COLUMN format TEXT NOT NULL DEFAULT '';
ALTER TABLE day ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE day ADD COLUMN rows_digest TEXT NOT NULL DEFAULT '';
DELETE FROM note;
"""
}
"""From each older version to the next one. The format '' is nobody's, so that migrated days are fetched again."""
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
"""Results of SQLite that blame the file: unlike a full disk, a lock or missing permissions."""
log = structlog.get_logger()


def locked(data_dir: Path) -> IO[str]:
    """Return the folder's lock, held until it is closed. Raises StoreError when another process holds it."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (data_dir / LOCK).open("w")
    except OSError as error:
        raise StoreError(f"EXPORTER_DATA_DIR: cannot write to {data_dir}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if isinstance(error, BlockingIOError):
            problem = f"another process uses {data_dir}; give each its own folder"
        else:
            problem = f"cannot lock {data_dir}: {error.strerror}"
        raise StoreError(f"EXPORTER_DATA_DIR: {problem}") from error
    return file


def is_locked(data_dir: Path) -> bool:
    """Return whether a process holds the folder's lock. Creates nothing."""
    try:
        with (data_dir / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def examine(data_dir: Path) -> str:
    """Return the state of the folder in words, without changing it. Raises StoreError if it cannot be used."""
    if is_locked(data_dir):
        raise StoreError(f"EXPORTER_DATA_DIR: another process uses {data_dir}; give each its own folder")
    found = next(folder for folder in (data_dir.absolute(), *data_dir.absolute().parents) if folder.exists())
    try:
        TemporaryFile(dir=found).close()  # a file without a name
        for name in (LOCK, FILE):
            if (data_dir / name).exists():
                (data_dir / name).open("r+b").close()
    except OSError as error:
        raise StoreError(f"EXPORTER_DATA_DIR: cannot write to {data_dir}: {error.strerror}") from error
    path = data_dir / FILE
    if not path.is_file():
        return f"{data_dir} can be written, and holds no days yet"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            _refuse_foreign(db, path)
    except sqlite3.Error:
        return f"{data_dir} can be written; its database is damaged and will be replaced"
    return f"{data_dir} can be written"


def opened(path: Path | None) -> sqlite3.Connection:
    """Return the database at `path`, or one in memory. A damaged file is replaced by an empty one.

    Raises StoreError for the database of another application or of a newer exporter, and for a folder that cannot be
    used.
    """
    try:
        if path is not None:
            _delete_copies(path)
        return _connected(path)
    except (OSError, sqlite3.Error, UnicodeDecodeError) as error:  # a message of SQLite may quote a damaged schema
        if path is None or not is_damage(error):
            raise StoreError(f"cannot open {path}: {error}") from error
    return replaced(path)


def is_damage(error: Exception) -> bool:
    """Return whether an error blames the content of the file. Text that is not UTF-8 has no result of SQLite."""
    return (
        not isinstance(error, OSError) and getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _DAMAGE
    )


def replaced(path: Path) -> sqlite3.Connection:
    """Delete a damaged database, and return a new one in its place. Raises StoreError.

    The store holds only what the API can give again; a copy would keep names that nobody looks after.
    """
    log.warning("day store is damaged: starting with an empty one, all days will be fetched again", file=str(path))
    try:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return _connected(path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"cannot replace {path}: {error}") from error


def _delete_copies(path: Path) -> None:
    """Delete the copies of damaged files that releases before 0.2 kept, with names in them."""
    for copy in path.parent.glob(f"{path.name}.aside-*"):
        copy.unlink(missing_ok=True)
        log.info("deleted the copy of a damaged store", file=str(copy))


def _connected(path: Path | None) -> sqlite3.Connection:
    db = sqlite3.connect(path or ":memory:", BUSY_SECONDS, check_same_thread=False)
    try:
        db.execute("PRAGMA secure_delete = ON")  # deleted names are overwritten
        db.execute("PRAGMA temp_store = MEMORY")  # VACUUM copies names, and a container may have no writable /tmp
        _prepare(db, path)  # before anything is written: another application's file stays as it is
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path | None) -> None:
    """Create the schema in an empty file, migrate an older one, and refuse any other file."""
    version = _refuse_foreign(db, path)
    if version is None:
        _execute(db, f"{_SCHEMA} PRAGMA application_id = {APPLICATION_ID};")
        return
    (problem,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if problem != "ok" or version < min(_MIGRATIONS):
        raise sqlite3.DatabaseError(f"malformed: {problem}")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # a killed process may have left deleted names in the log
    if version < SCHEMA_VERSION:
        _execute(db, "".join(_MIGRATIONS[step] for step in range(version, SCHEMA_VERSION)))
        log.info("day store migrated", from_version=version, to_version=SCHEMA_VERSION)


def _refuse_foreign(db: sqlite3.Connection, path: Path | None) -> int | None:
    """Return the version of the schema, None for an empty file. Raises StoreError for a file of another program."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        return None
    if application != APPLICATION_ID:
        raise StoreError(f"{path} belongs to another application: give another EXPORTER_DATA_DIR")
    if version > SCHEMA_VERSION:
        raise StoreError(f"{path} was written by a newer exporter: start that one, or give another EXPORTER_DATA_DIR")
    return int(version)


def _execute(db: sqlite3.Connection, script: str) -> None:
    db.executescript(f"BEGIN; {script} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
