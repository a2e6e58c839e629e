"""The days on disk, in SQLite: replace a day, read it, prune; one transaction each.

A day is one compressed blob of its rows, with the time it was last read and the marks of its pages. A write that fails
(full or read-only disk) is kept in memory and tried again with the next one: nothing that was read is lost while the
process lives.

The store is used from one thread at a time; `data_dir=None` keeps everything in memory.
"""

import hashlib
import json
import os
import secrets
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from exporter.days.database import FILE, locked, opened, renewed, tell_of_damage
from exporter.errors import StoreError
from exporter.model import Actor, CostRow, ModelUse, Report, ToolUse, UsageRow

HASH_KEY = "user-hash.key"
SUMS = "sums"
"""The note that holds sums of the usage days, with the names of users."""
_ROWS_PER_LINE = 250
Marks = Sequence[tuple[str, str | None]]


class Entry(NamedTuple):
    """When a day was last read (UTC), whether it holds a row, and the marks of its pages."""

    read_at: datetime
    empty: bool
    marks: tuple[tuple[str, str | None], ...]


class _Write(NamedTuple):
    read_at: float
    marks: str
    rows: bytes | None
    """None leaves the rows as they are."""


class Store:
    """The days of every report. Raises StoreError where the folder can not be used; a failed write loses nothing."""

    def __init__(self, data_dir: Path | None) -> None:
        self._dir = data_dir
        self._lock = locked(data_dir) if data_dir else None
        path = data_dir / FILE if data_dir else None
        self._db = opened(path)
        self._unsaved: dict[tuple[Report, date], _Write] = {}
        try:
            self._entries = _entries(self._db)
        except (ValueError, TypeError, OverflowError, sqlite3.Error):
            self._db.close()
            self._db = renewed(path) if path else opened(None)
            self._entries = _entries(self._db)
        self.statements = 0
        """SQL statements since the start: a count for tests and benchmarks."""
        self._db.set_trace_callback(self._count)

    def _count(self, _: str) -> None:
        self.statements += 1

    def close(self) -> None:
        """Close the database and let go of the folder."""
        with suppress(sqlite3.Error):
            self._db.close()
        if self._lock:
            self._lock.close()

    def entries(self, report: Report) -> Mapping[date, Entry]:
        """Return what is kept of a report, by day."""
        return self._entries[report]

    def usage(self, day: date) -> list[UsageRow]:
        """Return the rows of a stored day of usage, one per actor; none for a day that is not stored.

        Raises StoreError for a day that is damaged, and forgets it: it will be read again. So does `cost`.
        """
        return [_usage_row(fields) for fields in self._rows(Report.CLAUDE_CODE, day)]

    def cost(self, day: date) -> list[CostRow]:
        """Return the rows of a stored day of bills; none for a day that is not stored."""
        return [
            CostRow(workspace_id, model, cost_type, token_type, Decimal(cents))
            for workspace_id, model, cost_type, token_type, cents in self._rows(Report.COST, day)
        ]

    def digest(self, report: Report, day: date) -> str:
        """Return a digest of a day's rows as they are stored; raises StoreError as `usage` does."""
        return hashlib.blake2b(self._blob(report, day), digest_size=16).hexdigest()

    def _rows(self, report: Report, day: date) -> Iterator[list]:  # type: ignore[type-arg]  # JSON
        try:
            yield from _unpacked(self._blob(report, day))
        except (zlib.error, ValueError) as error:
            raise self._damage(report, day) from error

    def _blob(self, report: Report, day: date) -> bytes:
        unsaved = self._unsaved.get((report, day))
        if unsaved and unsaved.rows is not None:
            return unsaved.rows
        query = "SELECT rows FROM day WHERE report = ? AND date = ?"
        try:
            found = self._db.execute(query, (report, day.isoformat())).fetchone()
        except sqlite3.Error as error:
            raise self._damage(report, day) from error
        if not found and day in self._entries[report]:  # the index has lost it
            raise self._damage(report, day)
        return found[0] if found else _EMPTY

    def _damage(self, report: Report, day: date) -> StoreError:
        """Forget a day that can not be read, and return the error to raise."""
        self._entries[report].pop(day, None)
        self._unsaved.pop((report, day), None)
        tell_of_damage(report, day)
        return StoreError(f"{self._dir}: {report} of {day} is damaged")

    def replace(
        self, report: Report, day: date, rows: Sequence[UsageRow] | Sequence[CostRow], marks: Marks, read_at: datetime
    ) -> None:
        """Put these rows in the place of the day's; raises StoreError when they are kept in memory only."""
        blob = _packed(rows)
        self._entries[report][day] = Entry(read_at, len(blob) <= len(_EMPTY), tuple(marks))
        self._unsaved[report, day] = _Write(read_at.timestamp(), json.dumps(marks), blob)
        self.save()

    def touch(self, report: Report, day: date, read_at: datetime) -> None:
        """Note that a stored day was read and has not changed; raises StoreError when that is kept in memory only."""
        entry = self._entries[report][day]._replace(read_at=read_at)
        self._entries[report][day] = entry
        earlier = self._unsaved.get((report, day))
        rows = earlier.rows if earlier else None
        self._unsaved[report, day] = _Write(read_at.timestamp(), json.dumps(entry.marks), rows)
        self.save()

    def save(self) -> None:
        """Write what is not on disk yet, a transaction a day; raises StoreError when that fails."""
        for key, write in list(self._unsaved.items()):
            report, day = key
            with self._transaction():
                if write.rows is None:
                    statement = "UPDATE day SET read_at = ?, marks = ? WHERE report = ? AND date = ?"
                    self._db.execute(statement, (write.read_at, write.marks, report, day.isoformat()))
                else:
                    statement = "INSERT OR REPLACE INTO day (report, date, read_at, marks, rows) VALUES (?, ?, ?, ?, ?)"
                    self._db.execute(statement, (report, day.isoformat(), write.read_at, write.marks, write.rows))
            del self._unsaved[key]

    def prune(self, first: date) -> None:
        """Forget the days before `first`; raises StoreError."""
        if not any(day < first for entries in self._entries.values() for day in entries):
            return
        for report, entries in self._entries.items():
            self._entries[report] = {day: entry for day, entry in entries.items() if day >= first}
        self._unsaved = {key: write for key, write in self._unsaved.items() if key[1] >= first}
        with self._transaction():
            self._db.execute("DELETE FROM day WHERE date < ?", (first.isoformat(),))

    def note(self, name: str) -> str | None:
        """Return a note, or None where there is none, or a damaged one: SQLite does not see a bit that was turned."""
        try:
            found = self._db.execute("SELECT text FROM note WHERE name = ?", (name,)).fetchone()
        except sqlite3.Error:
            return None
        check, _, text = found[0].partition(" ") if found else ("", "", "")
        return text if found and check == _checksum(text) else None

    def put_note(self, name: str, text: str) -> None:
        """Keep a note; raises StoreError."""
        with self._transaction():
            values = name, f"{_checksum(text)} {text}"
            self._db.execute("INSERT OR REPLACE INTO note (name, text) VALUES (?, ?)", values)

    def forget(self, report: Report) -> None:
        """Forget every day of a report, and leave no trace of it in the file; raises StoreError."""
        self._entries[report] = {}
        self._unsaved = {key: write for key, write in self._unsaved.items() if key[0] != report}
        with self._transaction():
            self._db.execute("DELETE FROM day WHERE report = ?", (report,))
            self._db.execute("DELETE FROM note WHERE name = ?", (SUMS,))
        self.scrub()

    def scrub(self) -> None:
        """Rewrite the file, so that what was deleted or replaced can not be read from it; raises StoreError."""
        try:
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise StoreError(f"{self._dir}: {error}") from error

    def hash_key(self) -> bytes:
        """Return the key of the user names' digests: made at first use and kept in the data folder, mode 0600."""
        if self._dir is None:
            return secrets.token_bytes(32)
        path = self._dir / HASH_KEY
        try:
            if not path.exists():
                fresh = path.with_suffix(".new")  # renamed when complete: half a key would be another key
                with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                    file.write(secrets.token_hex(32))
                fresh.rename(path)
            return path.read_bytes().strip()
        except OSError as error:
            raise StoreError(f"{path} can not be read or made: {error.strerror}") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._db:
                yield
        except sqlite3.Error as error:
            raise StoreError(f"{self._dir}: {error}") from error


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _packed(rows: Sequence[UsageRow] | Sequence[CostRow]) -> bytes:
    """Return rows as lines of JSON, compressed: a line at a time does not hold up the event loop for long."""
    chunks = (rows[start : start + _ROWS_PER_LINE] for start in range(0, len(rows) or 1, _ROWS_PER_LINE))
    lines = (json.dumps(chunk, default=str, separators=(",", ":")) for chunk in chunks)
    return zlib.compress("\n".join(lines).encode(), 1)


_EMPTY = _packed(())


def _unpacked(blob: bytes) -> Iterator[list]:  # type: ignore[type-arg]  # JSON
    return chain.from_iterable(map(json.loads, zlib.decompress(blob).split(b"\n")))


def _usage_row(fields: list) -> UsageRow:  # type: ignore[type-arg]  # JSON
    actor, sessions, added, removed, commits, pull_requests, tools, models = fields
    return UsageRow(
        Actor(*actor),
        sessions,
        added,
        removed,
        commits,
        pull_requests,
        {tool: ToolUse(*use) for tool, use in tools.items()},
        {
            model: ModelUse(read, written, cache_read, cache_creation, Decimal(cents))
            for model, (read, written, cache_read, cache_creation, cents) in models.items()
        },
    )


def _entries(db: sqlite3.Connection) -> dict[Report, dict[date, Entry]]:
    """Return what is kept, by report and day; raises ValueError, TypeError or OverflowError for what is no entry."""
    entries: dict[Report, dict[date, Entry]] = {report: {} for report in Report}
    for report, day, read_at, marks, size in db.execute("SELECT report, date, read_at, marks, length(rows) FROM day"):
        entries[Report(report)][date.fromisoformat(day)] = _entry(read_at, marks, size)
    return entries


def _entry(read_at: float, marks: str, size: int) -> Entry:
    pages = tuple((digest, cursor) for digest, cursor in json.loads(marks))
    return Entry(datetime.fromtimestamp(read_at, UTC), size <= len(_EMPTY), pages)
