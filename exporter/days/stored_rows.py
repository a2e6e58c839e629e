"""The rows of stored days, by report: what the store holds as bytes. Used from one thread at a time."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from exporter.api.paging import Answer
from exporter.days.store import EMPTY, Entry, Store, rows_digest
from exporter.reports.report import Report


class Interrupted(Exception):
    """Stored rows are no longer needed, because the exporter is stopping."""


class StoredRows:
    """Packs and unpacks the rows of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.interrupted = False
        """Set from another thread: reading rows then raises Interrupted."""

    def get(self, report: Report[Any], day: date) -> list[Any] | None:
        """Return the rows of a day, None where it is not stored. Raises StoreError for a damaged day."""
        packed = self._packed(report, day)
        try:
            return None if packed is None else report.unpack(packed)
        except ValueError as error:
            raise self._store.damaged(report.name, day) from error

    def each(self, report: Report[Any], day: date) -> Iterator[Any]:
        """Yield the rows of a day one by one, none where it is not stored. Raises StoreError for a damaged day."""
        packed = self._packed(report, day)
        try:
            yield from () if packed is None else report.each(packed)
        except ValueError as error:
            raise self._store.damaged(report.name, day) from error

    def _packed(self, report: Report[Any], day: date) -> bytes | None:
        """Return the stored bytes of a day, None where it is not stored. Raises StoreError if they have changed."""
        if self.interrupted:
            raise Interrupted
        entry = self._store.entries(report.name).get(day)
        if entry is None:
            return None
        packed = self._store.rows(report.name, day)
        if rows_digest(packed) != entry.rows_digest:
            raise self._store.damaged(report.name, day)
        return packed

    def are_as_stored(self, report: Report[Any], day: date, packed: bytes) -> bool:
        """Return whether a day is stored with these rows."""
        entry = self._store.entries(report.name).get(day)
        return entry is not None and entry.rows_digest == rows_digest(packed)

    def put(self, report: Report[Any], day: date, packed: bytes, answer: Answer, read_at: datetime) -> None:
        """Replace the rows of a day. Nothing is on disk before `save` of the store."""
        digest = rows_digest(packed)
        entry = Entry(read_at, answer.digest, report.format, report.source.revision, digest, len(packed) <= EMPTY)
        self._store.put(report.name, day, entry, packed)

    def touch(self, report: Report[Any], day: date, answer: Answer, read_at: datetime) -> None:
        """Note that a day was read and that its rows are as they were."""
        entry = self._store.entries(report.name)[day]
        entry = entry._replace(read_at=read_at, digest=answer.digest, revision=report.source.revision)
        self._store.put(report.name, day, entry, None)

    def is_unchanged(self, report: Report[Any], day: date, answer: Answer) -> bool:
        """Return whether a day was read from an equal answer, by the same source and revision."""
        entry = self._store.entries(report.name).get(day)
        return entry is not None and entry.digest == answer.digest and _is_current(report, entry)

    def read_at(self, report: Report[Any]) -> Mapping[date, datetime]:
        """Return when each day was last read (UTC), without those that another source or revision read."""
        entries = self._store.entries(report.name)
        return {day: entry.read_at for day, entry in entries.items() if _is_current(report, entry)}

    def source(self, report: Report[Any]) -> str:
        """Return the name of the source of the stored days: never two. Without any it is that of the report."""
        entries = self._store.entries(report.name).values()
        return report.source_of(next((entry.format for entry in entries), report.format))


def _is_current(report: Report[Any], entry: Entry) -> bool:
    return (entry.format, entry.revision) == (report.format, report.source.revision)
