"""Read a day store that a running exporter writes: read-only, without its lock."""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TypeVar

from exporter.days.database import FILE, SCHEMA_VERSION
from exporter.days.store import HASH_KEY, stored_note
from exporter.errors import StoreError
from exporter.reports.report import Listing

T = TypeVar("T")


class Snapshot:
    """The store at `data_dir` as it was when this was opened. Raises StoreError when there is none to read."""

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir
        path = data_dir / FILE
        if not path.is_file():
            raise StoreError(f"{path} does not exist: start the exporter once, or set EXPORTER_DATA_DIR to its folder")
        self._path = path
        with self._reading():
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            self._db.execute("BEGIN")  # one snapshot for everything that is read
        if version != SCHEMA_VERSION:
            self.close()
            raise StoreError(f"{path} was written by another version of the exporter: start this one on it once")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def days(self, report: str, formats: Collection[str]) -> Collection[date]:
        """Return the days of a report that are stored in one of these formats."""
        query = "SELECT date, format FROM day WHERE report = ? ORDER BY date"
        with self._reading():
            return [date.fromisoformat(day) for day, of in self._db.execute(query, (report,)) if of in formats]

    def rows(self, report: str, day: date) -> bytes:
        """Return the rows of a stored day."""
        query = "SELECT rows FROM day WHERE report = ? AND date = ?"
        with self._reading():
            (rows,) = self._db.execute(query, (report, day.isoformat())).fetchone()
        return bytes(rows)

    def listed(self, listing: Listing[T]) -> T | None:
        """Return what was last listed, or None where nothing legible is stored."""
        try:
            return listing.unpack(stored_note(self._db, listing.name) or "")[0]
        except ValueError:
            return None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Raise StoreError for what cannot be read."""
        try:
            yield
        except (sqlite3.Error, ValueError, TypeError) as error:  # the last two: a damaged date, a lost row
            text = f"cannot read {self._path}: {error}. If it is damaged, the exporter replaces it when it starts"
            raise StoreError(text) from error

    def hash_key(self) -> bytes:
        """Return the key of user digests. Raises StoreError when the exporter has not made one."""
        try:
            return (self._dir / HASH_KEY).read_bytes().strip()
        except OSError as error:
            raise StoreError(f"cannot read {self._dir / HASH_KEY}: {error.strerror}") from error
