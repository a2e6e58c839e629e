"""Keeps the store and the page in step, for any reports. Used from one thread at a time."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from exporter import reports as all_reports
from exporter.api.paging import Answer
from exporter.days import kept_page
from exporter.days.listed import Listed
from exporter.days.shown import ShownDays
from exporter.days.store import PAGE, Entry, Store
from exporter.days.stored_rows import StoredRows
from exporter.errors import ApiShapeChanged, StoreError
from exporter.exposition import encoder
from exporter.exposition.page import Page, Part
from exporter.exposition.pieces import Pieces
from exporter.model import Window
from exporter.reports import health
from exporter.reports.health import ReportHealth
from exporter.reports.report import STEP, Listing, Report


class Published(NamedTuple):
    """A page, its window, and the health of each report on it."""

    page: Page
    window: Window
    health: Mapping[str, ReportHealth]


class Ledger:
    """Days by report, and the page they are shown on."""

    def __init__(
        self, store: Store, reports: Sequence[Report[Any]], listings: Sequence[Listing[Any]] = (), settings: str = ""
    ) -> None:
        """Start with what the store holds. A page that was kept with other `settings` is not used."""
        self._store = store
        self._settings = settings
        self._rows = StoredRows(store)
        self.reports = {report.name: report for report in reports}
        self._window: Window | None = None
        self.listed = Listed(store, listings)
        self.pieces = Pieces(all_reports.families(reports, listings))
        self.shown = {report.name: ShownDays(report, store, self._rows, self.pieces) for report in reports}
        """What is on the page, by report."""
        self._not_yet: dict[str, dict[date, datetime]] = {report.name: {} for report in reports}
        """When the API answered that it had nothing of a day yet."""
        self._refreshed_at: dict[str, datetime | None] = {}
        self._numbers: tuple[str, Part] | None = None
        """The numbers of the last page, and the digest of what they depend on."""
        self._kept_numbers = ""
        """The digest of the numbers in the store."""
        store.delete_other_formats({report.name: report.formats for report in reports})

    @property
    def version(self) -> int:
        """Changes with every change of a day that is shown."""
        return sum(shown.version for shown in self.shown.values())

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
        can be read, those of another source are dropped. Nothing is on disk before `save`. The answer's bodies are
        dropped once they are read: they take more memory than the rows. Raises ApiShapeChanged when no day of the
        answer can be read.
        """
        self._refreshed_at[report.name] = answer.refreshed_at or self._refreshed_at.get(report.name)
        if all(self._rows.is_unchanged(report, day, answer) for day in days):
            for day in days:
                self._rows.touch(report, day, answer, read_at)
            return {}
        found = report.source.read(answer.bodies, days[-1], days[0])
        answer.bodies.clear()
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
            self.shown[report.name].start_over()

    def _put(self, report: Report[Any], day: date, rows: list[Any], answer: Answer, read_at: datetime) -> None:
        packed = report.pack(rows)
        if self._rows.are_as_stored(report, day, packed):
            self._rows.touch(report, day, answer, read_at)
            return
        if self._window and day in self._window:
            self.shown[report.name].take(day, rows)
        self._rows.put(report, day, packed, answer, read_at)

    def save(self) -> None:
        """Write what was taken. Raises StoreError when it is kept in memory only."""
        self._store.save()

    def publish(self, window: Window, up: Mapping[str, bool | None]) -> Published:
        """Return the page of this window; `up` says of each report that the key may read whether it works.

        Of the others only `anthropic_up` is shown, as 0.
        """
        if self._window is None:
            for shown in self.shown.values():
                shown.load_sums()
        self._window = window
        for shown in self.shown.values():
            shown.render(window)
        for name, listing in self.listed.listings.items():
            if (value := self.listed.value(name)) is None:
                self.pieces.clear(listing.families)
            else:
                self.pieces.put(name, listing.samples(value))
        self.pieces.put("dates", health.dates(window))
        states, of_health = self._states(window, up, self._stored())
        page = self.pieces.page(of_health)
        self._numbers = self._digest(window), page.numbers
        return Published(page, window, states)

    def kept_page(self, window: Window, up: Mapping[str, bool | None]) -> Published | None:
        """Return what `publish` would, from the numbers in the store; None if they are not of what it holds.

        No day is decoded, so it takes no longer for many users.
        """
        digest, (states, of_health) = self._digest(window), self._states(window, up, self._stored())
        page = kept_page.unpack(self._store.note(PAGE) or "", digest, of_health)
        if page is None:
            return None
        self._kept_numbers = digest
        return Published(page, window, states)

    def page_without_days(self, window: Window, up: Mapping[str, bool | None]) -> Published:
        """Return a page without numbers, for as long as the stored days are not added up; its coverage is 0."""
        states, of_health = self._states(window, up, {})
        return Published(Pieces(()).page(of_health), window, states)

    def interrupt(self) -> None:
        """Make the worker thread stop reading stored days. The ledger cannot be used afterwards."""
        self._rows.interrupted = True

    def keep_page(self) -> None:
        """Store the numbers of the last page, unless they are in the store. Raises StoreError."""
        if self._numbers and self._numbers[0] != self._kept_numbers:
            digest, numbers = self._numbers
            self._store.put_note(PAGE, kept_page.pack(numbers, digest))
            self._kept_numbers = digest

    def _stored(self) -> Mapping[str, Mapping[date, Entry]]:
        return {report: self._store.entries(report) for report in self.reports}

    def _digest(self, window: Window) -> str:
        return kept_page.digest(window, self._stored(), self.listed.read_at(), self._settings)

    def _states(
        self, window: Window, up: Mapping[str, bool | None], days: Mapping[str, Mapping[date, Entry]]
    ) -> tuple[Mapping[str, ReportHealth], bytes]:
        """Return the health of each report that the key may read, and the lines of all, with these days on the page."""
        states = {
            name: health.health(
                days.get(name, {}),
                window,
                up=is_up,
                source=self._rows.source(self.reports[name]),
                refreshed_at=self._refreshed_at.get(name),
            )
            for name, is_up in up.items()
        }
        samples = health.samples(states, sorted(self.reports.keys() - up.keys()))
        return states, encoder.text(health.FAMILIES, samples)

    def holds(self, day: date) -> bool:
        """Return whether every report has this day, except optional ones, which the key may not be able to read."""
        return all(day in self._store.entries(name) for name, report in self.reports.items() if not report.optional)

    def prune(self, window: Window) -> None:
        """Delete stored days before the window that are not on the page, and store sums. Raises StoreError."""
        self._store.prune(min(window.first, self._window.first) if self._window else window.first)
        for shown in self.shown.values():
            shown.keep_sums(window)

    def rows(self, report: str, day: date) -> Sequence[Any]:
        """Return the rows of a day, none where it is not stored or damaged."""
        try:
            return self._rows.get(self.reports[report], day) or ()
        except StoreError:
            return ()
