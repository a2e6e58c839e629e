"""The days on disk, in SQLite: replace a day, read it, prune; one transaction each.

A day is one compressed blob of its rows, with the time it was last read and the marks of its pages. A write that fails
(full or read-only disk) is kept in memory and tried again with the next one: nothing that was read is lost while the
process lives.

The store is used from one thread at a time; `data_dir=None` keeps everything in memory.
"""

import json
import os
import secrets
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from exporter.database import FILE, locked, opened
from exporter.errors import StoreError
from exporter.model import Actor, CostRow, ModelUse, Report, ToolUse, UsageRow

HASH_KEY = "user-hash.key"
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
        self._db = opened(data_dir / FILE if data_dir else None)
        self._unsaved: dict[tuple[Report, date], _Write] = {}
        self._entries: dict[Report, dict[date, Entry]] = {report: {} for report in Report}
        for report, day, read_at, marks, size in self._db.execute(
            "SELECT report, date, read_at, marks, length(rows) FROM day"
        ):
            self._entries[Report(report)][date.fromisoformat(day)] = _entry(read_at, marks, size)
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
        """Return the rows of a stored day of usage, one per actor; none for a day that is not stored."""
        return [_usage_row(fields) for fields in self._rows(Report.CLAUDE_CODE, day)]

    def cost(self, day: date) -> list[CostRow]:
        """Return the rows of a stored day of bills; none for a day that is not stored."""
        return [
            CostRow(workspace_id, model, cost_type, token_type, Decimal(cents))
            for workspace_id, model, cost_type, token_type, cents in self._rows(Report.COST, day)
        ]

    def _rows(self, report: Report, day: date) -> list[list]:  # type: ignore[type-arg]  # JSON
        unsaved = self._unsaved.get((report, day))
        if unsaved and unsaved.rows is not None:
            return _unpacked(unsaved.rows)
        query = "SELECT rows FROM day WHERE report = ? AND date = ?"
        found = self._db.execute(query, (report, day.isoformat())).fetchone()
        return _unpacked(found[0]) if found else []

    def replace(
        self, report: Report, day: date, rows: Iterable[UsageRow] | Iterable[CostRow], marks: Marks, read_at: datetime
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
        """Return a note, or None."""
        found = self._db.execute("SELECT text FROM note WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else None

    def put_note(self, name: str, text: str) -> None:
        """Keep a note; raises StoreError."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO note (name, text) VALUES (?, ?)", (name, text))

    def forget(self, report: Report) -> None:
        """Forget every day of a report, and leave no trace of it in the file; raises StoreError."""
        self._entries[report] = {}
        self._unsaved = {key: write for key, write in self._unsaved.items() if key[0] != report}
        with self._transaction():
            self._db.execute("DELETE FROM day WHERE report = ?", (report,))
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
        if not path.exists():
            fresh = path.with_suffix(".new")  # renamed when complete: half a key would be another key
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
            fresh.rename(path)
        return path.read_bytes().strip()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._db:
                yield
        except sqlite3.Error as error:
            raise StoreError(f"{self._dir}: {error}") from error


def _packed(rows: Iterable[UsageRow] | Iterable[CostRow]) -> bytes:
    return zlib.compress(json.dumps(list(rows), default=str, separators=(",", ":")).encode(), 1)


_EMPTY = _packed(())


def _unpacked(blob: bytes) -> list[list]:  # type: ignore[type-arg]  # JSON
    return json.loads(zlib.decompress(blob))  # type: ignore[no-any-return]


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


def _entry(read_at: float, marks: str, size: int) -> Entry:
    pages = tuple((digest, cursor) for digest, cursor in json.loads(marks))
    return Entry(datetime.fromtimestamp(read_at, UTC), size <= len(_EMPTY), pages)
