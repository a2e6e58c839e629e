"""The words of this exporter: reports, days, rows, the window, families and samples.

Rows are neutral: they carry no vendor field name, so that another source of the same numbers needs one client method
and one reader, and nothing else. All days are UTC days. Money is exact: `Decimal` cents.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from enum import StrEnum
from typing import NamedTuple

DAY = timedelta(days=1)
DAY_SECONDS = 86400

EXACT = Context(prec=200, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])
"""Money is added in this context: it holds every digit, or raises."""


class Report(StrEnum):
    """What is read day by day. The value is the `report` label."""

    CLAUDE_CODE = "claude_code"
    COST = "cost"


class Actor(NamedTuple):
    """Who used Claude Code: `actor_type` is the label (`user`, `api_key`, or the API's own word), `name` the user."""

    actor_type: str
    name: str


class ToolUse(NamedTuple):
    """Suggestions of one tool that were accepted and rejected."""

    accepted: int
    rejected: int

    def plus(self, other: "ToolUse") -> "ToolUse":
        """Return the sum."""
        return ToolUse(self.accepted + other.accepted, self.rejected + other.rejected)


class ModelUse(NamedTuple):
    """Tokens of one model, and what they cost by the API's estimate."""

    input: int
    output: int
    cache_read: int
    cache_creation: int
    cents: Decimal

    def plus(self, other: "ModelUse") -> "ModelUse":
        """Return the sum; the money is exact."""
        return ModelUse(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_creation + other.cache_creation,
            EXACT.add(self.cents, other.cents),
        )


class UsageRow(NamedTuple):
    """One actor's use of Claude Code in one day."""

    actor: Actor
    sessions: int
    lines_added: int
    lines_removed: int
    commits: int
    pull_requests: int
    tools: Mapping[str, ToolUse]
    models: Mapping[str, ModelUse]


class CostRow(NamedTuple):
    """One billed amount of one day. Absent dimensions are `none`; the null workspace is `default`."""

    workspace_id: str
    model: str
    cost_type: str
    token_type: str
    cents: Decimal


class Organization(NamedTuple):
    """The organisation that the key belongs to."""

    organization_id: str
    name: str


class Directory(NamedTuple):
    """Names for ids: the organisation, and its workspaces (id -> name) with `default` for the null one."""

    organization: Organization | None
    workspaces: Mapping[str, str]


class Window(NamedTuple):
    """The dates that are shown: `days` UTC days of which `last` is the newest (today)."""

    last: date
    days: int

    @property
    def first(self) -> date:
        """The oldest date of the window."""
        return self.last - timedelta(days=self.days - 1)

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last

    def dates(self) -> Iterator[date]:
        """Return each date of the window, oldest first."""
        return (self.first + timedelta(days=offset) for offset in range(self.days))


class Family(NamedTuple):
    """A metric family: its name, its HELP text, and its label names in the order of the page."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: str = "gauge"


Sample = tuple[tuple[str, ...], int | float]
"""Label values in the order of the family's labels, and the value."""


def midnight(day: date) -> datetime:
    """Return 00:00 UTC of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def timestamp(day: date) -> int:
    """Return 00:00 UTC of a day in seconds since the epoch."""
    return (day.toordinal() - 719163) * DAY_SECONDS  # 719163: the ordinal of 1970-01-01
