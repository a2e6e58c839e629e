"""The days in the store, in the sums and on the page, kept in step. Used from one thread at a time.

A day that changed is taken out of the sums with its old rows and put in with its new ones; its piece of the page is
rendered again, and those of the users it touches. Everything else stays as it is.
"""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from exporter import snapshot
from exporter.api.transport import UsageDay
from exporter.days.store import SUMS, Store
from exporter.errors import StoreError
from exporter.exposition.encoder import Page, Pieces
from exporter.model import DAY, Actor, CostRow, Directory, Organization, Report, UsageRow, Window
from exporter.refresh.plan import DIRECTORY_AGE, coverage
from exporter.reports import sums
from exporter.reports.sums import Checkpoint, CostSums, DaySums, UserBook
from exporter.snapshot import ReportHealth
from exporter.web import headlines

DIRECTORY = "directory"
ROOM = timedelta(days=400)
"""How far the clock may step back before the users' sums are made anew; and ten times as far forward."""
SETTLED = 2 * DAY
"""The age from which a day seldom changes: the API restates a day for about 30 hours."""


class Published(NamedTuple):
    """A page, what it was made of, and the number of users without a name of their own on it."""

    page: Page
    health: Mapping[Report, ReportHealth]
    headlines: list[tuple[str, str]]
    folded: int


class Ledger:
    """Days by report, ready to be shown. `hash_key` is given when users are shown or stored by digest only."""

    def __init__(self, store: Store, *, max_users: int, per_user: bool = True, hash_key: bytes | None = None) -> None:
        self._store = store
        self._max_users = max_users
        self._per_user = per_user
        self._hash_key = hash_key
        self.pieces = Pieces()
        self._window: Window | None = None
        self._directory, self._directory_at = self._kept_directory()
        self._book = UserBook(date.max)
        self._days: dict[date, DaySums] = {}
        self._bills: dict[date, CostSums] = {}
        self._changed: set[Actor] = set()
        self._newest: tuple[date, list[UsageRow]] | None = None
        """The rows of the day that changes most, so that they are not decoded at each refresh."""
        self._kept: set[date] = set()
        """The days in the sums that are kept on disk."""
        self._named: set[Actor] = set()
        self._others: set[Actor] = set()
        self._folded = 0

    def read_at(self) -> dict[Report, dict[date, datetime]]:
        """Return when each stored day was last read (UTC)."""
        return {report: {day: entry.read_at for day, entry in self._store.entries(report).items()} for report in Report}

    def marks(self, day: date) -> tuple[tuple[str, str | None], ...]:
        """Return the marks of a stored day of usage, none for a day that is not stored."""
        entry = self._store.entries(Report.CLAUDE_CODE).get(day)
        return entry.marks if entry else ()

    def put_usage(self, day: date, read: UsageDay, read_at: datetime) -> None:
        """Replace a day of usage; raises StoreError when it is kept in memory only."""
        if read.rows is None:
            self._store.touch(Report.CLAUDE_CODE, day, read_at)
            return
        rows = sums.pseudonymous(read.rows, self._hash_key) if self._hash_key else read.rows
        rows = sums.by_actor(rows)
        self._replace_usage(day, rows)
        self._store.replace(Report.CLAUDE_CODE, day, rows, read.marks, read_at)

    def _replace_usage(self, day: date, rows: list[UsageRow]) -> None:
        if not self._window or day not in self._window:
            return
        try:
            old = self._shown(day) if day in self._days else None
        except StoreError:  # what is to be subtracted is not known any more: the next page is made anew
            self._start_anew(self._window)
            return
        if old is None:
            self._show_usage(day, rows)
        elif old != rows:
            self._restate(day, old, rows)

    def put_cost(self, day: date, rows: list[CostRow], read_at: datetime) -> None:
        """Replace a day of bills; raises StoreError when it is kept in memory only."""
        rows = sorted(rows)
        if self._same_cost(day, rows):
            self._store.touch(Report.COST, day, read_at)
            return
        if self._window and day in self._window:
            self._show_cost(day, rows)
        self._store.replace(Report.COST, day, rows, (), read_at)

    def _same_cost(self, day: date, rows: list[CostRow]) -> bool:
        try:
            return day in self._store.entries(Report.COST) and self._store.cost(day) == rows
        except StoreError:
            return False

    def directory_is_due(self, now: datetime) -> bool:
        """Return whether the names for ids were never read, or a day ago."""
        return not timedelta() <= now - self._directory_at < DIRECTORY_AGE

    def put_directory(self, directory: Directory, read_at: datetime) -> None:
        """Replace the names for ids; raises StoreError when they are kept in memory only."""
        self._directory, self._directory_at = directory, read_at
        organization = directory.organization
        kept = {
            "read_at": read_at.isoformat(),
            "organization": list(organization) if organization else None,
            "workspaces": dict(directory.workspaces),
        }
        self._store.put_note(DIRECTORY, json.dumps(kept))

    def _kept_directory(self) -> tuple[Directory, datetime]:
        """Return the stored names and when they were read; none, read never, where the note is missing or damaged."""
        try:
            kept = json.loads(self._store.note(DIRECTORY) or "")
            organization = Organization(*kept["organization"]) if kept["organization"] else None
            return Directory(organization, dict(kept["workspaces"])), datetime.fromisoformat(kept["read_at"])
        except (ValueError, TypeError, KeyError):
            return Directory(None, {}), datetime.min.replace(tzinfo=UTC)

    def holds_today(self, window: Window) -> bool:
        """Return whether the newest date of the window was read: then the clock is right, and old days may go."""
        return window.last in self._store.entries(Report.CLAUDE_CODE)

    def publish(self, window: Window, up: Mapping[Report, bool | None]) -> Published:
        """Return the page of this window."""
        self._show(window)
        folded = self._render_users()
        read = {report: self._store.entries(report).keys() for report in Report}
        health = {report: self._health(report, window, up[report]) for report in Report}
        self.pieces.put("distinct", snapshot.distinct_samples(self._book, window, read[Report.CLAUDE_CODE]))
        self.pieces.put("joins", snapshot.join_samples(window, self._directory))
        self.pieces.put("health", snapshot.health_samples(health))
        numbers = headlines.headlines(self._days, self._bills, self._book, window.last - DAY)
        return Published(self.pieces.page(), health, numbers, folded)

    def prune(self, window: Window) -> None:
        """Forget the stored days before the window, those on the page excepted; raises StoreError.

        When midnight passes after a page was made, its oldest day is still needed: to be taken out of the sums.
        The sums of the others are kept for the next start.
        """
        self._store.prune(min(window.first, self._window.first) if self._window else window.first)
        self._keep_sums(window)

    def _keep_sums(self, window: Window) -> None:
        """Keep the sums of the settled days, unless what is kept holds: adding 90 days up takes long at a start."""
        usage = self._store.entries(Report.CLAUDE_CODE)
        settled = {day for day in self._days if day <= window.last - SETTLED}
        if settled == self._kept or self._days.keys() - usage.keys():
            return
        recent = [(day, self._shown(day)) for day in self._days.keys() - settled]
        digests = {day: self._store.digest(Report.CLAUDE_CODE, day) for day in settled}
        for day, rows in recent:
            self._book.remove_day(day, rows)
        try:
            text = Checkpoint(self._book, {day: self._days[day] for day in settled}, digests).dumped()
        finally:
            for day, rows in recent:
                self._book.add_day(day, rows)
        self._store.put_note(SUMS, text)
        self._kept = settled

    def _take_kept_sums(self, window: Window) -> None:
        """Start from the sums that are kept, if each of their days is stored as it was then."""
        try:
            kept = Checkpoint.restored(self._store.note(SUMS) or "")
        except (ValueError, TypeError, KeyError, ArithmeticError):
            return
        usage = self._store.entries(Report.CLAUDE_CODE)
        if window.first < kept.book.base or kept.digests.keys() - usage.keys():
            return
        if any(self._store.digest(Report.CLAUDE_CODE, day) != digest for day, digest in kept.digests.items()):
            return
        self._book, self._kept = kept.book, set(kept.days)
        self._changed |= self._book.users.keys()
        for day, day_sums in kept.days.items():
            self._put_day(day, day_sums)

    def _show(self, window: Window) -> None:
        while True:
            try:
                self._move_to(window)
            except StoreError:  # a stored day is damaged: it is forgotten now, and the sums may hold half of it
                self._start_anew(window)
            else:
                return

    def _move_to(self, window: Window) -> None:
        """Show the stored days of the window and hide all others: at the start, after midnight, after a clock step."""
        self._window = window
        if not timedelta() <= window.first - self._book.base <= 10 * ROOM:
            self._start_anew(window)
            self._take_kept_sums(window)
        usage, bills = self._store.entries(Report.CLAUDE_CODE), self._store.entries(Report.COST)
        for day in [day for day in self._days if day not in window]:
            self._hide_usage(day, self._shown(day))
        for day in [day for day in self._bills if day not in window]:
            del self._bills[day]
            self.pieces.drop(f"bill {day}")
        for day in window.dates():
            if day in usage and day not in self._days:
                self._show_usage(day, self._store.usage(day))
            if day in bills and day not in self._bills:
                self._show_cost(day, self._store.cost(day))

    def _start_anew(self, window: Window) -> None:
        self._book = UserBook(window.first - ROOM)
        self._newest = None
        self._kept = set()
        self._days.clear()
        self._bills.clear()
        self._named.clear()
        self._others.clear()
        self._folded = 0
        self.pieces = Pieces()

    def _show_usage(self, day: date, rows: list[UsageRow]) -> None:
        self._changed |= self._book.add_day(day, rows)
        self._note_rows(day, rows)

    def _restate(self, day: date, old: list[UsageRow], rows: list[UsageRow]) -> None:
        """Replace the rows of a day that is shown; most of them are as they were."""
        before, after = ({row.actor: row for row in these} for these in (old, rows))
        self._changed |= self._book.remove_day(day, [row for row in old if after.get(row.actor) != row])
        self._changed |= self._book.add_day(day, [row for row in rows if before.get(row.actor) != row])
        self._note_rows(day, rows)

    def _note_rows(self, day: date, rows: list[UsageRow]) -> None:
        self._put_day(day, sums.day_sums(rows))
        self._kept.discard(day)
        if not self._newest or day >= self._newest[0]:
            self._newest = day, rows

    def _put_day(self, day: date, day_sums: DaySums) -> None:
        self._days[day] = day_sums
        self.pieces.put(f"usage {day}", snapshot.day_samples(day, day_sums))

    def _hide_usage(self, day: date, rows: list[UsageRow]) -> None:
        self._changed |= self._book.remove_day(day, rows)
        if self._newest and self._newest[0] == day:
            self._newest = None
        del self._days[day]
        self.pieces.drop(f"usage {day}")

    def _shown(self, day: date) -> list[UsageRow]:
        """Return the rows of a day that is shown; raises StoreError."""
        if self._newest and self._newest[0] == day:
            return self._newest[1]
        return self._store.usage(day)

    def _show_cost(self, day: date, rows: list[CostRow]) -> None:
        self._bills[day] = sums.cost_sums(rows)
        self.pieces.put(f"bill {day}", snapshot.cost_samples(day, self._bills[day]))

    def _render_users(self) -> int:
        """Render the users whose sums or whose name changed; return how many have no name of their own."""
        if not self._per_user:
            self._changed.clear()
        if not self._changed:
            return self._folded
        users, base = self._book.users, self._book.base
        named, rest = snapshot.folded(users, self._max_users)
        for actor in (self._named | self._others) - named - rest.keys():
            self.pieces.drop(_key(actor))
        shown = {actor: users[actor] for actor in named if actor in self._changed or actor not in self._named} | rest
        self.pieces.put_all({_key(actor): snapshot.user_samples(actor, of, base) for actor, of in shown.items()})
        self._named, self._others = named, set(rest)
        self._folded = len(users) - len(named)
        self._changed.clear()
        return self._folded

    def _health(self, report: Report, window: Window, up: bool | None) -> ReportHealth:  # noqa: FBT001 - a sample
        entries = {day: entry for day, entry in self._store.entries(report).items() if day in window}
        last_success = max((entry.read_at.timestamp() for entry in entries.values()), default=None)
        newest = max((day for day, entry in entries.items() if not entry.empty), default=None)
        return ReportHealth(up, last_success, newest, coverage(window, entries.keys()))


def _key(actor: Actor) -> str:
    """Return the key of a user's piece; keys order the page."""
    return f"user {actor.actor_type}\0{actor.name}"
