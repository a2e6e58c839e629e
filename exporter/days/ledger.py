"""Keeps the store, the sums and the page in step, for any reports. Used from one thread at a time.

When a day changes, its old rows are subtracted from the sums of its report's view and its new rows are added; what the
view says has changed is rendered again. Everything else stays as it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from typing import Any, NamedTuple

import structlog

from exporter import reports as all_reports
from exporter.api.paging import Answer
from exporter.days import kept_sums
from exporter.days.kept_sums import KeptSums
from exporter.days.listed import Listed
from exporter.days.store import SUMS_OF, Store
from exporter.days.stored_rows import StoredRows
from exporter.errors import ApiShapeChanged, StoreError
from exporter.exposition.pieces import Page, Pieces
from exporter.model import DAY, Window
from exporter.reports import health
from exporter.reports.health import ReportHealth
from exporter.reports.report import STEP, KeepsSums, Listing, Report

SETTLED = 2 * DAY
"""The age from which a day rarely changes: the API restates a day for about 30 hours."""
_MISFIT = (ArithmeticError, LookupError, ValueError)
"""What a view raises when its sums do not hold the rows that are subtracted from them."""
log = structlog.get_logger()


class Published(NamedTuple):
    """A page, its window, and the health of each report on it."""

    page: Page
    window: Window
    health: Mapping[str, ReportHealth]


class Ledger:
    """Days by report, and the page they are shown on."""

    def __init__(self, store: Store, reports: Sequence[Report[Any]], listings: Sequence[Listing[Any]] = ()) -> None:
        self._store = store
        self._rows = StoredRows(store)
        self.reports = {report.name: report for report in reports}
        self._window: Window | None = None
        self.listed = Listed(store, listings)
        self.pieces = Pieces(all_reports.families(reports, listings))
        self.views: dict[str, Any] = {}
        """The `View` of each report, by name."""
        self.version = 0
        """Changes with every change of a day that is shown."""
        self._shown: dict[str, set[date]] = {}
        self._kept_sums: dict[str, Mapping[date, str]] = {}
        """The rows' digests of the days in the stored sums, by report."""
        self._restored: set[str] = set()
        """The reports whose sums began with stored ones."""
        self._not_yet: dict[str, dict[date, datetime]] = {report.name: {} for report in reports}
        """When the API answered that it had nothing of a day yet."""
        self._refreshed_at: dict[str, datetime | None] = {}
        store.delete_other_formats({report.name: report.formats for report in reports})
        for report in reports:
            self._reset(report)

    def read_at(self) -> dict[str, dict[date, datetime]]:
        """Return when each day was last read (UTC), without those that another source or revision read."""
        return {name: {**self._not_yet[name], **self._rows.read_at(report)} for name, report in self.reports.items()}

    def last_read(self, report: str) -> datetime | None:
        """Return when a day of a report was last read (UTC), by whichever source; None if none is stored."""
        return max((entry.read_at for entry in self._store.entries(report).values()), default=None)

    def take(
        self, report: Report[Any], days: Sequence[date], answer: Answer, read_at: datetime
    ) -> Mapping[date, ApiShapeChanged]:
        """Replace days (newest first) by what an answer says of them; return those that cannot be read.

        A day that the answer leaves out is one of these, except today, which may still come. With the first day that
        can be read, those of another source are dropped. Nothing is on disk before `save`. Raises ApiShapeChanged when
        no day of the answer can be read.
        """
        self._refreshed_at[report.name] = answer.refreshed_at or self._refreshed_at.get(report.name)
        if all(self._rows.is_unchanged(report, day, answer) for day in days):
            for day in days:
                self._rows.touch(report, day, answer, read_at)
            return {}
        found = report.source.read(answer.bodies, days[-1], days[0])
        unreadable: dict[date, ApiShapeChanged] = {}
        for day in days:
            rows = found.get(day, None if day >= read_at.date() else ApiShapeChanged("the answer leaves this day out"))
            if rows is None:
                self._not_yet[report.name][day] = read_at
            elif isinstance(rows, ApiShapeChanged):
                unreadable[day] = rows
            else:
                self._drop_other_sources(report)
                self._put(report, day, rows, answer, read_at)
                while rows:  # to free all rows of a large day at once would hold the interpreter
                    del rows[-STEP:]
        return unreadable

    def _drop_other_sources(self, report: Report[Any]) -> None:
        """Forget the days that another source read: numbers of two sources are never added up."""
        if any(entry.format != report.format for entry in self._store.entries(report.name).values()):
            self._store.keep_format(report.name, report.format)
            self._reset(report)

    def _put(self, report: Report[Any], day: date, rows: list[Any], answer: Answer, read_at: datetime) -> None:
        packed = report.pack(rows)
        if self._rows.are_as_stored(report, day, packed):
            self._rows.touch(report, day, answer, read_at)
            return
        if self._window and day in self._window:
            old = self._rows.each(report, day) if day in self._shown[report.name] else ()
            with suppress(StoreError), self._forgetting_half_sums(report):  # what is to be subtracted may be unknown
                self._replace(report, day, old, rows)
        self._rows.put(report, day, packed, answer, read_at)

    def save(self) -> None:
        """Write what was taken. Raises StoreError when it is kept in memory only."""
        self._store.save()

    def publish(self, window: Window, up: Mapping[str, bool | None]) -> Published:
        """Return the page of this window; `up` says of each report that the key may read whether it works.

        Of the others only `anthropic_up` is shown, as 0.
        """
        if self._window is None:
            for report in self.reports.values():
                self._load_sums(report)
        self._window = window
        for report in self.reports.values():
            self._render(report, window)
        for name, listing in self.listed.listings.items():
            if (value := self.listed.value(name)) is None:
                self.pieces.clear(listing.families)
            else:
                self.pieces.put(name, listing.samples(value))
        states = {name: self._health(self.reports[name], window, up=is_up) for name, is_up in up.items()}
        self.pieces.put("health", health.samples(states, window, sorted(self.reports.keys() - up.keys())))
        return Published(self.pieces.page(), window, states)

    def _health(self, report: Report[Any], window: Window, *, up: bool | None) -> ReportHealth:
        return health.health(
            self._store.entries(report.name),
            window,
            up=up,
            source=self._rows.source(report),
            refreshed_at=self._refreshed_at.get(report.name),
        )

    def _render(self, report: Report[Any], window: Window) -> None:
        """Render what has changed of a report; once more if the stored sums turn out not to fit."""
        restored = report.name in self._restored
        with self._forgetting_half_sums(report):
            self._move(report, window)
            self.pieces.change(report.name, self._changes(report, window))
        if restored and report.name not in self._restored:
            self._render(report, window)

    def _changes(self, report: Report[Any], window: Window) -> Any:  # noqa: ANN401 - Changes
        return self.views[report.name].changes(window, self._shown[report.name])

    @contextmanager
    def _forgetting_half_sums(self, report: Report[Any]) -> Iterator[None]:
        """Forget the sums of a report after an error, which may have left half of a day in them; blame stored sums."""
        try:
            yield
        except Exception as error:
            stored = report.name in self._restored
            self._reset(report)
            if not (stored and isinstance(error, _MISFIT)):
                raise
            log.warning("stored sums do not fit the stored days: adding them up again", report=report.name)

    def holds(self, day: date) -> bool:
        """Return whether every report has this day, except optional ones, which the key may not be able to read."""
        return all(day in self._store.entries(name) for name, report in self.reports.items() if not report.optional)

    def prune(self, window: Window) -> None:
        """Delete stored days before the window that are not on the page, and store sums. Raises StoreError."""
        self._store.prune(min(window.first, self._window.first) if self._window else window.first)
        for name, view in self.views.items():
            if isinstance(view, KeepsSums):
                self._keep_sums(self.reports[name], view, window)

    def _keep_sums(self, report: Report[Any], view: Any, window: Window) -> None:  # noqa: ANN401 - View and KeepsSums
        """Store the sums of the settled days unless the stored ones are current: adding up 90 days delays a start."""
        entries, shown = self._store.entries(report.name), self._shown[report.name]
        settled = {day for day in shown if day <= window.last - SETTLED}
        digests = {day: entries[day].rows_digest for day in settled if day in entries}
        if not digests or digests == self._kept_sums.get(report.name) or digests.keys() != settled:
            return
        with self._forgetting_half_sums(report):
            self.pieces.change(report.name, self._changes(report, window))
            for day in shown - settled:
                view.replace(day, self._rows.each(report, day), None)
            packed = kept_sums.pack(KeptSums(digests, view.dump()), report.format)
            for day in shown - settled:
                view.replace(day, (), self._rows.get(report, day) or ())
            self._changes(report, window)  # the page shows them already
        if settled <= self._shown[report.name]:  # not forgotten
            self._store.put_note(SUMS_OF + report.name, packed)
            self._kept_sums[report.name] = digests

    def _load_sums(self, report: Report[Any]) -> None:
        """Start from the stored sums if each of their days is still stored as it was then."""
        view, note = self.views[report.name], self._store.note(SUMS_OF + report.name)
        if not isinstance(view, KeepsSums) or note is None:
            return
        kept = kept_sums.unpack(note, report.format, self._store.entries(report.name))
        if kept is None:
            return
        try:
            days = set(view.load(kept.dump))
        except ValueError:
            return
        if days != kept.digests.keys():
            self._reset(report)
            return
        self._shown[report.name], self._kept_sums[report.name] = days, kept.digests
        self._restored.add(report.name)

    def rows(self, report: str, day: date) -> Sequence[Any]:
        """Return the rows of a day, none where it is not stored or damaged."""
        try:
            return self._rows.get(self.reports[report], day) or ()
        except StoreError:
            return ()

    def _reset(self, report: Report[Any]) -> None:
        """Forget the sums of a report; the next page adds them up again."""
        self.version += 1
        self.views[report.name] = report.view()
        self._shown[report.name] = set()
        self._kept_sums.pop(report.name, None)
        self._restored.discard(report.name)
        self.pieces.clear(report.families)

    def _replace(self, report: Report[Any], day: date, old: Iterable[Any], new: Sequence[Any] | None) -> None:
        self.version += 1
        self.views[report.name].replace(day, old, new)
        shown = self._shown[report.name]
        shown.discard(day) if new is None else shown.add(day)

    def _add(self, report: Report[Any], day: date) -> None:
        """Show a stored day. Raises StoreError for a damaged one, such as rows that cannot be added up."""
        rows = self._rows.get(report, day) or ()
        try:
            self._replace(report, day, (), rows)
        except _MISFIT as error:
            if report.name in self._restored:  # the stored sums may be to blame
                raise
            raise self._store.damaged(report.name, day) from error

    def _move(self, report: Report[Any], window: Window) -> None:
        """Show the stored days of the window and hide all others: at the start, after midnight, after a clock step."""
        while True:
            stored = self._store.entries(report.name)
            if self._shown[report.name] - stored.keys():  # a day on the page turned out to be damaged
                self._reset(report)
            shown = self._shown[report.name]
            try:
                for day in [day for day in shown if day not in window]:
                    self._replace(report, day, self._rows.each(report, day), None)
                for day in window.dates():
                    if day in stored and day not in shown:
                        self._add(report, day)
            except StoreError:  # the store has forgotten a damaged day, and the sums may contain half of it
                self._reset(report)
            else:
                return
