"""The days of a report that are on the page: their sums, kept in step with the store. Used from one thread at a time.

When a day changes, its old rows are subtracted from the sums of the report's view and its new rows are added; what the
view says has changed is rendered again. Everything else stays as it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from functools import partial
from typing import Any

import structlog

from exporter.days import kept_sums
from exporter.days.kept_sums import KeptSums
from exporter.days.store import SUMS_OF, Store
from exporter.days.stored_rows import StoredRows
from exporter.errors import StoreError
from exporter.exposition.pieces import Pieces
from exporter.model import DAY, Window
from exporter.reports.report import Changes, KeepsSums, Report

SETTLED = 2 * DAY
"""The age from which a day rarely changes: the API restates a day for about 30 hours."""
_MISFIT = (ArithmeticError, LookupError, ValueError)
"""What a view raises when its sums do not hold the rows that are subtracted from them."""
log = structlog.get_logger()


class ShownDays:
    """The days of one report on the page. It starts without any."""

    def __init__(self, report: Report[Any], store: Store, rows: StoredRows, pieces: Pieces) -> None:
        self._report = report
        self._store = store
        self._rows = rows
        self._pieces = pieces
        self.version = 0
        """Changes with every change of a day that is shown."""
        self.start_over()

    def start_over(self) -> None:
        """Forget all sums; the next page adds up again what is stored."""
        self.version += 1
        self.view: Any = self._report.view()
        """The `View` of the report."""
        self._days: set[date] = set()
        self._kept: Mapping[date, str] | None = None
        """The rows' digests of the days in the stored sums, None if these are not known to be right."""
        self._restored = False
        """Whether the sums began with stored ones."""
        self._pieces.clear(self._report.families)

    def take(self, day: date, rows: Sequence[Any]) -> None:
        """Replace what is shown of a day, before its new rows are stored."""
        old = self._rows.each(self._report, day) if day in self._days else ()
        with suppress(StoreError), self._forgetting_half_sums():  # what is to be subtracted may be unknown
            self._replace(day, old, rows)

    def render(self, window: Window) -> None:
        """Show the stored days of the window and render what has changed; once more if the stored sums do not fit."""
        restored = self._restored
        with self._forgetting_half_sums():
            self._move(window)
            self._pieces.change(self._report.name, self._changes(window))
        if restored and not self._restored:
            self.render(window)

    def _changes(self, window: Window) -> Changes:
        changes: Changes = self.view.changes(window, self._days)
        return changes

    @contextmanager
    def _forgetting_half_sums(self) -> Iterator[None]:
        """Forget the sums after an error, which may have left half of a day in them; blame stored sums."""
        try:
            yield
        except Exception as error:
            stored = self._restored
            self.start_over()
            if not (stored and isinstance(error, _MISFIT)):
                raise
            log.warning("stored sums do not fit the stored days: adding them up again", report=self._report.name)

    def _move(self, window: Window) -> None:
        """Show the stored days of the window and hide all others: at the start, after midnight, after a clock step."""
        while True:
            stored = self._store.entries(self._report.name)
            if self._days - stored.keys():  # a day on the page turned out to be damaged
                self.start_over()
            try:
                for day in [day for day in self._days if day not in window]:
                    self._replace(day, self._rows.each(self._report, day), None)
                for day in window.dates():
                    if day in stored and day not in self._days:
                        self._add(day)
            except StoreError:  # the store has forgotten a damaged day, and the sums may contain half of it
                self.start_over()
            else:
                return

    def _add(self, day: date) -> None:
        """Show a stored day. Raises StoreError for a damaged one, such as rows that cannot be added up."""
        rows = self._rows.get(self._report, day) or ()
        try:
            self._replace(day, (), rows)
        except _MISFIT as error:
            if self._restored:  # the stored sums may be to blame
                raise
            raise self._store.damaged(self._report.name, day) from error

    def _replace(self, day: date, old: Iterable[Any], new: Sequence[Any] | None) -> None:
        self.version += 1
        self.view.replace(day, old, new)
        self._days.discard(day) if new is None else self._days.add(day)

    def load_sums(self) -> None:
        """Start from the stored sums if each of their days is still stored as it was then."""
        note = self._store.note(SUMS_OF + self._report.name)
        if not isinstance(self.view, KeepsSums) or note is None:
            return
        kept = kept_sums.unpack(note, self._report.format, self._store.entries(self._report.name))
        if kept is None:
            return
        try:
            days = set(self.view.load(kept.dump))
        except ValueError:
            return
        if days != kept.digests.keys():
            self.start_over()
            return
        self._days, self._kept, self._restored = days, kept.digests, True

    def keep_sums(self, window: Window) -> None:
        """Store the sums of the settled days unless the stored ones are current: adding up 90 days delays a start.

        Does nothing for a view that keeps none. Raises StoreError.
        """
        if not isinstance(self.view, KeepsSums):
            return
        entries = self._store.entries(self._report.name)
        settled = {day for day in self._days if day <= window.last - SETTLED}
        digests = {day: entries[day].rows_digest for day in settled if day in entries}
        if not digests or digests == self._kept or digests.keys() != settled:
            return
        with self._forgetting_half_sums():
            packed = self._packed(digests, window)
        if settled <= self._days:  # not forgotten
            self._store.put_note(SUMS_OF + self._report.name, packed)
            self._kept = digests

    def _packed(self, settled: Mapping[date, str], window: Window) -> str:
        """Return the sums of the settled days as they are stored."""
        self._pieces.change(self._report.name, self._changes(window))
        recent = {day: partial(self._rows.each, self._report, day) for day in self._days - settled.keys()}
        packed = kept_sums.pack(KeptSums(settled, self.view.dump(recent)), self._report.format)
        self._changes(window)  # the page shows them already
        return packed
