"""Rows of a day into sums: of the day, and of each user over the window. Pure and exact.

A user's sums over the window are kept by adding a day and subtracting it again, so that a changed day costs what that
day holds and not what the window holds. Subtraction is exact: counts are integers and money is `Decimal`.
"""

import hashlib
import hmac
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from exporter.model import EXACT, Actor, CostRow, ModelUse, ToolUse, UsageRow

ZERO = Decimal(0)
_Use = TypeVar("_Use", ToolUse, ModelUse)

TOKEN_TYPES = ("input", "output", "cache_read", "cache_creation")


class DaySums(NamedTuple):
    """What one day of usage comes to, whole organisation. Money is in cents."""

    active_users: Mapping[str, int]
    sessions: int
    lines_added: int
    lines_removed: int
    commits: int
    pull_requests: int
    tools: Mapping[str, ToolUse]
    models: Mapping[str, ModelUse]


class CostSums(NamedTuple):
    """What one day of bills comes to, in cents: by (model, cost_type, token_type), and by workspace."""

    lines: Mapping[tuple[str, str, str], Decimal]
    workspaces: Mapping[str, Decimal]


class UserSums:
    """What one user comes to over some days. `dates` has a bit for each day with a record, from `UserBook.base` on."""

    __slots__ = (
        "accepted",
        "cache_creation",
        "cache_read",
        "commits",
        "dates",
        "input",
        "lines_added",
        "lines_removed",
        "models",
        "output",
        "pull_requests",
        "rejected",
        "sessions",
    )

    def __init__(self) -> None:
        self.dates = self.sessions = self.commits = self.pull_requests = 0
        self.lines_added = self.lines_removed = self.accepted = self.rejected = 0
        self.input = self.output = self.cache_read = self.cache_creation = 0
        self.models: dict[str, tuple[int, Decimal]] = {}
        """Days on which the model occurs, and cents, by model."""

    @property
    def cents(self) -> Decimal:
        """The estimated cost over all models."""
        total = ZERO
        for _, cents in self.models.values():
            total = EXACT.add(total, cents)
        return total

    def add(self, row: UsageRow, sign: int = 1) -> None:
        """Add a row, or subtract it with `sign=-1`; the dates are the caller's."""
        self.sessions += sign * row.sessions
        self.commits += sign * row.commits
        self.pull_requests += sign * row.pull_requests
        self.lines_added += sign * row.lines_added
        self.lines_removed += sign * row.lines_removed
        for tool in row.tools.values():
            self.accepted += sign * tool.accepted
            self.rejected += sign * tool.rejected
        for name, use in row.models.items():
            self._add_model(name, use, sign)

    def _add_model(self, name: str, use: ModelUse, sign: int) -> None:
        self.input += sign * use.input
        self.output += sign * use.output
        self.cache_read += sign * use.cache_read
        self.cache_creation += sign * use.cache_creation
        days, cents = self.models.get(name, (0, ZERO))
        total = EXACT.add(cents, use.cents) if sign > 0 else EXACT.subtract(cents, use.cents)
        if days + sign:
            self.models[name] = (days + sign, total)
        else:
            del self.models[name]

    def absorb(self, other: "UserSums") -> None:
        """Add another user's sums, so that several users can be shown as one."""
        self.dates |= other.dates
        self.sessions += other.sessions
        self.commits += other.commits
        self.pull_requests += other.pull_requests
        self.lines_added += other.lines_added
        self.lines_removed += other.lines_removed
        self.accepted += other.accepted
        self.rejected += other.rejected
        self.input += other.input
        self.output += other.output
        self.cache_read += other.cache_read
        self.cache_creation += other.cache_creation
        for model, (days, cents) in other.models.items():
            known_days, known = self.models.get(model, (0, ZERO))
            self.models[model] = (known_days + days, EXACT.add(known, cents))


class UserBook:
    """The sums of every user over the days that were added and not removed again."""

    def __init__(self, base: date) -> None:
        self.base = base
        self.users: dict[Actor, UserSums] = {}

    def add_day(self, day: date, rows: Iterable[UsageRow]) -> set[Actor]:
        """Add a day's rows, one row per actor; return the actors whose sums changed."""
        bit = 1 << (day - self.base).days
        changed = set()
        for row in rows:
            sums = self.users.get(row.actor)
            if sums is None:
                sums = self.users[row.actor] = UserSums()
            sums.dates |= bit
            sums.add(row)
            changed.add(row.actor)
        return changed

    def remove_day(self, day: date, rows: Iterable[UsageRow]) -> set[Actor]:
        """Subtract rows that were added for this day; an actor without a day left is forgotten."""
        bit = 1 << (day - self.base).days
        changed = set()
        for row in rows:
            sums = self.users[row.actor]
            sums.dates &= ~bit
            sums.add(row, sign=-1)
            if not sums.dates:
                del self.users[row.actor]
            changed.add(row.actor)
        return changed


class Checkpoint(NamedTuple):
    """The sums of some days, and a digest of each of those days as it was stored when it was added."""

    book: UserBook
    days: Mapping[date, DaySums]
    digests: Mapping[date, str]

    def dumped(self) -> str:
        """Return it as text: a line of JSON for the days, and one for each user. Every digit of the money is kept."""
        days = {day.isoformat(): [self.digests[day], *sums] for day, sums in self.days.items()}
        lines = [{"base": self.book.base.isoformat(), "days": days}]
        users = ([*actor, *map(sums.__getattribute__, UserSums.__slots__)] for actor, sums in self.book.users.items())
        return "\n".join(json.dumps(line, default=str) for line in chain(lines, users))

    @classmethod
    def restored(cls, text: str) -> "Checkpoint":
        """Return what was dumped; raises ValueError, TypeError, KeyError or ArithmeticError for anything else."""
        first, *users = text.split("\n")
        head = json.loads(first)
        book = UserBook(date.fromisoformat(head["base"]))
        book.users = dict(map(_restored_user, users))
        days = {date.fromisoformat(day): fields for day, fields in head["days"].items()}
        digests = {day: fields[0] for day, fields in days.items()}
        return cls(book, {day: _restored_day(fields[1:]) for day, fields in days.items()}, digests)


def _restored_user(line: str) -> tuple[Actor, UserSums]:
    actor_type, name, *fields = json.loads(line)
    sums = UserSums()
    for slot, value in zip(UserSums.__slots__, fields, strict=True):
        setattr(sums, slot, value)
    sums.models = {model: (days, Decimal(cents)) for model, (days, cents) in sums.models.items()}
    return Actor(actor_type, name), sums


def _restored_day(fields: list[Any]) -> DaySums:
    active, sessions, added, removed, commits, pull_requests, tools, models = fields
    used = {tool: ToolUse(*use) for tool, use in tools.items()}
    uses = {
        model: ModelUse(read, written, cache_read, cache_creation, Decimal(cents))
        for model, (read, written, cache_read, cache_creation, cents) in models.items()
    }
    return DaySums(Counter(active), sessions, added, removed, commits, pull_requests, used, uses)


def by_actor(rows: Iterable[UsageRow]) -> list[UsageRow]:
    """Return one row per actor, sorted: the API gives one per terminal, customer type and local or remote use."""
    merged: dict[Actor, UsageRow] = {}
    for row in rows:
        merged[row.actor] = _plus(merged[row.actor], row) if row.actor in merged else row
    return [merged[actor] for actor in sorted(merged)]


def day_sums(rows: Iterable[UsageRow]) -> DaySums:
    """Return the sums of a day, given one row per actor."""
    rows = list(rows)
    tools: dict[str, list[int]] = {}
    models: dict[str, list[Any]] = {}
    for row in rows:
        for tool, (accepted, rejected) in row.tools.items():
            total = tools.setdefault(tool, [0, 0])
            total[0] += accepted
            total[1] += rejected
        for model, use in row.models.items():
            _add_use(models.setdefault(model, [0, 0, 0, 0, ZERO]), use)
    return DaySums(
        active_users=Counter(row.actor.actor_type for row in rows),
        sessions=sum(row.sessions for row in rows),
        lines_added=sum(row.lines_added for row in rows),
        lines_removed=sum(row.lines_removed for row in rows),
        commits=sum(row.commits for row in rows),
        pull_requests=sum(row.pull_requests for row in rows),
        tools={tool: ToolUse(*total) for tool, total in tools.items()},
        models={model: ModelUse(*total) for model, total in models.items()},
    )


def _add_use(total: list[Any], use: ModelUse) -> None:
    """Add to a list with the fields of a ModelUse: a new tuple for each row would cost three times as much."""
    total[0] += use.input
    total[1] += use.output
    total[2] += use.cache_read
    total[3] += use.cache_creation
    total[4] = EXACT.add(total[4], use.cents)


def cost_sums(rows: Iterable[CostRow]) -> CostSums:
    """Return the sums of a day's bill."""
    lines: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    workspaces: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        line = (row.model, row.cost_type, row.token_type)
        lines[line] = EXACT.add(lines[line], row.cents)
        workspaces[row.workspace_id] = EXACT.add(workspaces[row.workspace_id], row.cents)
    return CostSums(dict(lines), dict(workspaces))


def pseudonymous(rows: Iterable[UsageRow], key: bytes) -> list[UsageRow]:
    """Return the rows with each actor's name replaced by a keyed digest of it: stable for a key, not reversible."""
    return [row._replace(actor=Actor(row.actor.actor_type, _digest(row.actor, key))) for row in rows]


def _digest(actor: Actor, key: bytes) -> str:
    return hmac.new(key, "\0".join(actor).encode(), hashlib.sha256).hexdigest()[:16]


def _plus(one: UsageRow, other: UsageRow) -> UsageRow:
    tools, models = dict(one.tools), dict(one.models)
    _add_all(tools, other.tools)
    _add_all(models, other.models)
    return UsageRow(
        one.actor,
        one.sessions + other.sessions,
        one.lines_added + other.lines_added,
        one.lines_removed + other.lines_removed,
        one.commits + other.commits,
        one.pull_requests + other.pull_requests,
        tools,
        models,
    )


def _add_all(total: dict[str, _Use], uses: Mapping[str, _Use]) -> None:
    for name, use in uses.items():
        total[name] = total[name].plus(use) if name in total else use
