"""Claude Code by user over the whole window, and the number of distinct users.

    anthropic_claude_code_user_sessions{user="ana@example.test",actor_type="user"} 41
    anthropic_claude_code_weekly_active_users{actor_type="user"} 120

The sums of a user are updated by adding and subtracting days, so that a changed day costs what that day holds and not
what the window holds.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from operator import attrgetter

from exporter.model import Family, Sample, Samples, Window, dollars, timestamp
from exporter.reports.names import Names
from exporter.reports.report import Changes
from exporter.reports.sums import by_key, gone
from exporter.reports.usage_rows import TOKEN_TYPES, Actor, Row
from exporter.reports.user_sums import User, folded

_CC = "Source: usage_report/claude_code"
_USER = "over the whole window"
DISTINCT = (
    Family(
        "anthropic_claude_code_active_users",
        f"Distinct users of Claude Code {_USER} (90 days by default). {_CC}.",
        ("actor_type",),
    ),
    Family(
        "anthropic_claude_code_monthly_active_users",
        f"Distinct users of Claude Code today and in the 29 days before, UTC. {_CC}.",
        ("actor_type",),
    ),
    Family(
        "anthropic_claude_code_weekly_active_users",
        f"Distinct users of Claude Code today and in the 6 days before, UTC. {_CC}.",
        ("actor_type",),
    ),
)
USERS = (
    Family(
        "anthropic_claude_code_user_sessions",
        f"Claude Code sessions of a user {_USER}. {_CC}.",
        ("user", "actor_type"),
    ),
    Family(
        "anthropic_claude_code_user_commits",
        f"Commits made by Claude Code for a user {_USER}. {_CC}.",
        ("user", "actor_type"),
    ),
    Family(
        "anthropic_claude_code_user_pull_requests",
        f"Pull requests made by Claude Code for a user {_USER}. {_CC}.",
        ("user", "actor_type"),
    ),
    Family(
        "anthropic_claude_code_user_active_dates",
        f"UTC days of the window on which a user used Claude Code. {_CC}.",
        ("user", "actor_type"),
    ),
    Family(
        "anthropic_claude_code_user_last_active_timestamp_seconds",
        f"00:00 UTC of the newest day of the window on which a user used Claude Code. {_CC}.",
        ("user", "actor_type"),
    ),
    Family(
        "anthropic_claude_code_user_lines_of_code",
        f"Lines of code added and removed by accepted Claude Code edits of a user {_USER}. {_CC}.",
        ("user", "actor_type", "change"),
    ),
    Family(
        "anthropic_claude_code_user_tool_actions",
        f"Tool actions that a user accepted or rejected {_USER}. {_CC}.",
        ("user", "actor_type", "action"),
    ),
    Family(
        "anthropic_claude_code_user_tokens",
        f"Tokens used by Claude Code for a user {_USER}. {_CC}.",
        ("user", "actor_type", "token_type"),
    ),
    Family(
        "anthropic_claude_code_user_estimated_cost_usd",
        f"Estimated list-price cost of Claude Code of a user {_USER}; not the bill. {_CC}.",
        ("user", "actor_type", "model"),
    ),
)
FOLDED = Family("anthropic_exporter_users_folded", "Users beyond EXPORTER_MAX_USERS, summed into the user other.")
FAMILIES = (*DISTINCT, *USERS, FOLDED)
KNOWN_ACTOR_TYPES = ("user", "api_key")
DISTINCT_DAYS = {
    "anthropic_claude_code_weekly_active_users": 7,
    "anthropic_claude_code_monthly_active_users": 30,
}
_LONGEST_WINDOW = timedelta(days=400)


class Users:
    """Every user with a row on a day that is shown, and what the page shows of them."""

    def __init__(self, names: Names, max_users: int) -> None:
        self._names = names
        self._max_users = max_users
        self.sums: dict[Actor, User] = {}
        self.base = date.max
        """The day of the lowest bit of `User.dates`."""
        self._changed: set[Actor] = set()
        self._named: set[Actor] = set()
        self._rest: set[Actor] = set()

    def replace(self, day: date, old: Iterable[Row], new: Iterable[Row]) -> None:
        """Subtract the rows of a day that are gone and add the new ones; a user without a day left is deleted."""
        without_day = set()
        come = {row.actor: row for row in new}
        bit = self._bit(day)
        for row in gone(old, come, attrgetter("actor")):
            user = self.sums[row.actor]
            user.dates &= ~bit
            user.change(row, -1)
            without_day.add(row.actor)
        self.add(day, come.values())
        self._changed |= without_day
        for actor in without_day:
            if not self.sums[actor].dates:
                del self.sums[actor]

    def add(self, day: date, rows: Iterable[Row]) -> None:
        """Add rows of a day, of users without a row on it."""
        bit = self._bit(day)
        for row in rows:
            user = self.sums.get(row.actor) or self.sums.setdefault(row.actor, User())
            user.dates |= bit
            user.change(row, 1)
            self._changed.add(row.actor)

    def _bit(self, day: date) -> int:
        if day < self.base:  # the first day, or one before all others: leave space for a whole window before it
            base = day - _LONGEST_WINDOW
            for user in self.sums.values():
                user.dates <<= (self.base - base).days
            self.base = base
        return 1 << (day - self.base).days

    def load(self, base: date, sums: dict[Actor, User]) -> None:
        """Replace all users by stored ones."""
        self.base, self.sums, self._changed = base, sums, set(sums)

    def changes(self) -> Changes:
        """Return the users that have changed since the last call, None for one that left the page."""
        if not self._names.shown or not self._changed:
            return {}
        named, rest = folded(self.sums, self._max_users)
        left = (self._named | self._rest) - named - rest.keys()
        shown = {actor: self.sums[actor] for actor in named if actor in self._changed or actor not in self._named}
        self._named, self._rest, self._changed = named, set(rest), set()
        samples: dict[str, Samples | None] = {_piece(actor): None for actor in left}
        samples.update({_piece(actor): user_samples(actor, user, self.base) for actor, user in (shown | rest).items()})
        return samples

    def distinct(self, window: Window, read: Collection[date]) -> Samples:
        """Return the distinct users of the window and of its newest 30 and 7 days, and how many users are folded."""
        types = sorted({*KNOWN_ACTOR_TYPES, *(actor.actor_type for actor in self.sums)})
        lengths = {"anthropic_claude_code_active_users": window.days, **DISTINCT_DAYS}
        spans = {name: Window(window.last, min(days, window.days)) for name, days in lengths.items()}
        newest = Counter((actor.actor_type, user.dates.bit_length()) for actor, user in self.sums.items())
        samples: dict[str, list[Sample]] = {name: self._active(newest, of, types, read) for name, of in spans.items()}
        hidden = len(self.sums) - len(self._named) if self._names.shown else 0
        return {**samples, FOLDED.name: [((), hidden)]}

    def dates(self, actor: Actor, span: Window) -> int:
        """Return a bit for each of some days of the window on which a user has a row, the first day lowest."""
        user = self.sums.get(actor)
        return user.dates >> (span.first - self.base).days & ((1 << span.days) - 1) if user else 0

    def active(self, span: Window) -> dict[str, int]:
        """Return the number of distinct users on some days of the window, by actor type."""
        counts = Counter(actor.actor_type for actor in self.sums if self.dates(actor, span))
        return dict.fromkeys(KNOWN_ACTOR_TYPES, 0) | counts

    def _active(
        self, newest: Mapping[tuple[str, int], int], window: Window, types: list[str], read: Collection[date]
    ) -> list[Sample]:
        """Return the number of users whose newest day is in the window; `newest` counts them by the bit of that day."""
        oldest, active = (window.first - self.base).days, Counter[str]()
        for (actor_type, bits), number in newest.items():
            active[actor_type] += number if bits > oldest else 0
        complete = all(day in read for day in window.dates())  # a day that was not read is not zero
        return [((actor_type,), active[actor_type]) for actor_type in types if active[actor_type] or complete]


def user_samples(actor: Actor, user: User, base: date) -> Samples:
    """Return the samples of one user over the window."""
    labels = (actor.name, actor.actor_type)
    newest = base + timedelta(days=user.dates.bit_length() - 1)
    tokens = user.input, user.output, user.cache_read, user.cache_creation
    return {
        "anthropic_claude_code_user_sessions": [(labels, user.sessions)],
        "anthropic_claude_code_user_commits": [(labels, user.commits)],
        "anthropic_claude_code_user_pull_requests": [(labels, user.pull_requests)],
        "anthropic_claude_code_user_active_dates": [(labels, user.dates.bit_count())],
        "anthropic_claude_code_user_last_active_timestamp_seconds": [(labels, timestamp(newest))],
        "anthropic_claude_code_user_lines_of_code": [
            ((*labels, "added"), user.lines_added),
            ((*labels, "removed"), user.lines_removed),
        ],
        "anthropic_claude_code_user_tool_actions": [
            ((*labels, "accepted"), user.accepted),
            ((*labels, "rejected"), user.rejected),
        ],
        "anthropic_claude_code_user_tokens": [
            ((*labels, token_type), count) for token_type, count in zip(TOKEN_TYPES, tokens, strict=True)
        ],
        "anthropic_claude_code_user_estimated_cost_usd": [
            ((*labels, model), dollars(group.cents)) for model, group in by_key(user.models)
        ],
    }


def _piece(actor: Actor) -> str:
    return f"user {actor.actor_type}\0{actor.name}"
