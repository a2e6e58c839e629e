"""The days on disk, in SQLite: bytes by report and day. Knows neither rows nor reports.

A write that fails (full or read-only disk) is kept in memory and tried again with the next one, so nothing that was
read is lost while the process lives. Used from one thread at a time. `data_dir=None` keeps everything in memory.
"""

import hashlib
import os
import secrets
import sqlite3
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import structlog

from exporter.days.database import FILE, is_damage, locked, opened, replaced
from exporter.errors import StoreError

HASH_KEY = "user-hash.key"
SUMS_OF = "sums of "
"""Prefix of the note that holds the sums of a report, which may contain names."""
PAGE = "numbers of the page"
"""Name of the note that holds the numbers of the last page, which may contain names."""
EMPTY = len(zlib.compress(b"[]", 1))
"""The size of a day without rows."""
log = structlog.get_logger()


class Entry(NamedTuple):
    """What is known of a stored day without reading its rows."""

    read_at: datetime
    """When the day was last read (UTC)."""
    digest: str
    """The digest of the answer that held the day."""
    format: str
    revision: int
    """The revision of the source that read it."""
    rows_digest: str
    empty: bool


class _Write(NamedTuple):
    entry: Entry
    rows: bytes | None
    """None leaves the stored rows as they are."""


class Store:
    """Days by report. Raises StoreError when the folder cannot be used; a failed write loses nothing."""

    def __init__(self, data_dir: Path | None) -> None:
        self._dir = data_dir
        self._lock = locked(data_dir) if data_dir else None
        self._unsaved: dict[tuple[str, date], _Write] = {}
        self._kept_format: dict[str, str] = {}
        """The format of each report whose days of other formats are still on disk, and are not to be."""
        try:
            self._db, self._entries = _loaded(data_dir / FILE if data_dir else None)
        except BaseException:
            if self._lock:
                self._lock.close()
            raise

    def close(self) -> None:
        """Close the database and unlock the folder."""
        with suppress(sqlite3.Error):
            self._db.close()
        if self._lock:
            self._lock.close()

    def entries(self, report: str) -> Mapping[date, Entry]:
        """Return what is stored of a report, by day."""
        return self._entries.get(report, {})

    def delete_other_formats(self, formats: Mapping[str, Collection[str]]) -> None:
        """Delete every day whose format is not one of those given for its report, and leave no trace in the file.

        A change of format includes a change of user names: names that are no longer wanted must not stay on disk, and
        a digest cannot be turned back into a name. Raises StoreError.
        """
        with self._transaction():
            stored = self._db.execute("SELECT DISTINCT report, format FROM day").fetchall()
        others = [
            (report, stored_format) for report, stored_format in stored if stored_format not in formats.get(report, ())
        ]
        for report in sorted({report for report, _ in others}):
            log.info("stored days have another format: they will be fetched again", report=report)
        if not others:
            return
        with self._transaction():
            self._db.executemany("DELETE FROM day WHERE report = ? AND format = ?", others)
            derived = [(PAGE,), *((SUMS_OF + report,) for report, _ in others)]
            self._db.executemany("DELETE FROM note WHERE name = ?", derived)
        self._scrub()
        self._entries = _entries(self._db)

    def rows(self, report: str, day: date) -> bytes:
        """Return the rows of a stored day. Raises StoreError for a day that cannot be read, and deletes it."""
        unsaved = self._unsaved.get((report, day))
        if unsaved and unsaved.rows is not None:
            return unsaved.rows
        query = "SELECT rows FROM day WHERE report = ? AND date = ?"
        try:
            found = self._db.execute(query, (report, day.isoformat())).fetchone()
        except sqlite3.Error as error:
            raise self.damaged(report, day) from error
        if not found:  # a damaged index can lose a row
            raise self.damaged(report, day)
        return found[0]  # type: ignore[no-any-return]

    def damaged(self, report: str, day: date) -> StoreError:
        """Forget a day that cannot be read, and return the error to raise."""
        self._entries[report].pop(day, None)
        self._unsaved.pop((report, day), None)
        log.warning("stored day is damaged: it will be fetched again", report=report, date=day.isoformat())
        return StoreError(f"{self._dir}: {report} of {day} is damaged")

    def put(self, report: str, day: date, entry: Entry, rows: bytes | None) -> None:
        """Replace a day in memory, until `save` writes it; `rows=None` leaves its rows as they are."""
        earlier = self._unsaved.get((report, day))
        kept = earlier.rows if earlier and rows is None else rows
        self._entries.setdefault(report, {})[day] = entry
        self._unsaved[report, day] = _Write(entry, kept)

    def keep_format(self, report: str, stored_format: str) -> None:
        """Forget the days of a report that have another format; the next `save` deletes them from the disk too."""
        kept = {day: entry for day, entry in self.entries(report).items() if entry.format == stored_format}
        self._entries[report] = kept
        self._unsaved = {key: write for key, write in self._unsaved.items() if key[0] != report or key[1] in kept}
        self._kept_format[report] = stored_format

    def save(self) -> None:
        """Write what is not on disk yet, in one transaction. Raises StoreError when that fails."""
        if not self._unsaved:
            return
        with self._transaction():
            self._db.executemany("DELETE FROM day WHERE report = ? AND format <> ?", self._kept_format.items())
            for (report, day), write in self._unsaved.items():
                self._write(report, day, write)
        self._unsaved.clear()
        self._kept_format.clear()

    def _write(self, report: str, day: date, write: _Write) -> None:
        entry, key = write.entry, (report, day.isoformat())
        read = (entry.read_at.timestamp(), entry.digest, entry.revision)
        if write.rows is None:
            self._db.execute(
                "UPDATE day SET read_at = ?, digest = ?, revision = ? WHERE report = ? AND date = ?", (*read, *key)
            )
        else:
            self._db.execute(
                "INSERT OR REPLACE INTO day (report, date, read_at, digest, revision, format, rows_digest, rows)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, *read, entry.format, entry.rows_digest, write.rows),
            )

    def prune(self, first: date) -> None:
        """Delete the days before `first`. Raises StoreError."""
        if not any(day < first for entries in self._entries.values() for day in entries):
            return
        for report, entries in self._entries.items():
            self._entries[report] = {day: entry for day, entry in entries.items() if day >= first}
        self._unsaved = {key: write for key, write in self._unsaved.items() if key[1] >= first}
        with self._transaction():
            self._db.execute("DELETE FROM day WHERE date < ?", (first.isoformat(),))

    def note(self, name: str) -> str | None:
        """Return a note, or None where there is none or a damaged one: SQLite has no checksums of its own."""
        return stored_note(self._db, name)

    def put_note(self, name: str, text: str) -> None:
        """Replace a note. Raises StoreError."""
        with self._transaction():
            values = name, f"{_checksum(text)} {text}"
            self._db.execute("INSERT OR REPLACE INTO note (name, text) VALUES (?, ?)", values)

    def forget_note(self, name: str) -> None:
        """Delete a note, also a damaged one, and leave no trace of it in the file or on a stored page.

        Raises StoreError.
        """
        with self._transaction():
            deleted = self._db.execute("DELETE FROM note WHERE name = ?", (name,)).rowcount
            if deleted:
                self._db.execute("DELETE FROM note WHERE name = ?", (PAGE,))
        if deleted:
            self._scrub()

    def hash_key(self) -> bytes:
        """Return the key of user digests, created at first use and kept in the data folder with mode 0600."""
        if self._dir is None:
            return secrets.token_bytes(32)
        path = self._dir / HASH_KEY
        try:
            if not path.exists():
                fresh = path.with_suffix(".new")  # renamed when complete: half a key would be another key
                fresh.unlink(missing_ok=True)
                with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                    file.write(secrets.token_hex(32))
                    file.flush()
                    os.fsync(file.fileno())
                fresh.rename(path)
            key = path.read_bytes().strip()
        except OSError as error:
            raise StoreError(f"cannot read or create {path}: {error.strerror}") from error
        if not key:
            raise StoreError(f"{path} is empty: delete it, and a new key is created")
        return key

    def _scrub(self) -> None:
        """Rewrite the file, so that nothing deleted can be read from it. Raises StoreError."""
        try:
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise StoreError(f"{self._dir}: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._db:
                yield
        except sqlite3.Error as error:
            raise StoreError(f"{self._dir}: {error}") from error


def rows_digest(rows: bytes) -> str:
    """Return the digest of a day's rows as they are stored."""
    return hashlib.blake2b(rows, digest_size=16).hexdigest()


def stored_note(db: sqlite3.Connection, name: str) -> str | None:
    """Return a note of a database, or None where there is none or a damaged one."""
    try:
        found = db.execute("SELECT text FROM note WHERE name = ?", (name,)).fetchone()
    except sqlite3.Error:
        return None
    check, _, text = found[0].partition(" ") if found else ("", "", "")
    return text if found and check == _checksum(text) else None


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _loaded(path: Path | None) -> tuple[sqlite3.Connection, dict[str, dict[date, Entry]]]:
    """Return the database and what it holds. A file with an illegible entry is replaced. Raises StoreError."""
    db = opened(path)
    try:
        return db, _entries(db)
    except (ValueError, OverflowError, OSError, sqlite3.Error) as error:
        db.close()
        if path is None or (isinstance(error, sqlite3.Error) and not is_damage(error)):
            raise StoreError(f"cannot read {path}: {error}") from error
    return replaced(path), {}


def _entries(db: sqlite3.Connection) -> dict[str, dict[date, Entry]]:
    """Return what is stored, by report and day. Raises ValueError, OverflowError or OSError for anything else."""
    entries: dict[str, dict[date, Entry]] = {}
    query = "SELECT report, date, read_at, digest, format, revision, rows_digest, length(rows) FROM day"
    for report, day, read_at, digest, stored_format, revision, of_rows, size in db.execute(query):
        read = datetime.fromtimestamp(read_at, UTC)
        entry = Entry(read, digest, stored_format, revision, of_rows, size <= EMPTY)
        entries.setdefault(report, {})[date.fromisoformat(day)] = entry
    return entries
