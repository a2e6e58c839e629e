"""Read a day store that a running exporter writes: read-only, without its lock."""

import sqlite3
from collections.abc import Collection
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
        try:
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            self._db.execute("BEGIN")  # one snapshot for everything that is read
        except sqlite3.Error as error:
            raise StoreError(f"cannot read {path}: {error}") from error
        if version != SCHEMA_VERSION:
            raise StoreError(f"{path} was written by another version of the exporter: start this one on it once")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def days(self, report: str, formats: Collection[str]) -> Collection[date]:
        """Return the days of a report that are stored in one of these formats."""
        query = "SELECT date, format FROM day WHERE report = ? ORDER BY date"
        return [date.fromisoformat(day) for day, of in self._db.execute(query, (report,)) if of in formats]

    def rows(self, report: str, day: date) -> bytes:
        """Return the rows of a stored day."""
        query = "SELECT rows FROM day WHERE report = ? AND date = ?"
        (rows,) = self._db.execute(query, (report, day.isoformat())).fetchone()
        return bytes(rows)

    def listed(self, listing: Listing[T]) -> T | None:
        """Return what was last listed, or None where nothing legible is stored."""
        try:
            return listing.unpack(stored_note(self._db, listing.name) or "")[0]
        except ValueError:
            return None

    def hash_key(self) -> bytes:
        """Return the key of user digests. Raises StoreError when the exporter has not made one."""
        try:
            return (self._dir / HASH_KEY).read_bytes().strip()
        except OSError as error:
            raise StoreError(f"cannot read {self._dir / HASH_KEY}: {error.strerror}") from error
