"""The rows of Claude Code's usage: one for each actor and UTC day. Money is in cents."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple, TypeVar

from msgspec import Struct

from exporter.model import EXACT
from exporter.reports.report import Count

TOKEN_TYPES = ("input", "output", "cache_read", "cache_creation")


class Actor(NamedTuple):
    """Who used Claude Code. `actor_type` is the label: `user`, `api_key`, or the API's own word."""

    actor_type: str
    name: str


class Tool(Struct, frozen=True, array_like=True, gc=False):
    """Suggestions of one tool that were accepted and rejected."""

    name: str
    accepted: Count
    rejected: Count

    def plus(self, other: "Tool") -> "Tool":
        """Return the sum with the same tool of another record."""
        return Tool(self.name, self.accepted + other.accepted, self.rejected + other.rejected)


class Model(Struct, frozen=True, array_like=True, gc=False):
    """Tokens of one model, and their cost by the API's estimate."""

    name: str
    input: Count
    output: Count
    cache_read: Count
    cache_creation: Count
    cents: Decimal

    def plus(self, other: "Model") -> "Model":
        """Return the sum with the same model of another record."""
        return Model(
            self.name,
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_creation + other.cache_creation,
            EXACT.add(self.cents, other.cents),
        )


class Row(Struct, frozen=True, array_like=True, gc=False):
    """One actor's use of Claude Code on one UTC day. Tools and models are sorted by name and occur once."""

    actor: Actor
    sessions: Count
    lines_added: Count
    lines_removed: Count
    commits: Count
    pull_requests: Count
    tools: tuple[Tool, ...] = ()
    models: tuple[Model, ...] = ()

    def plus(self, other: "Row") -> "Row":
        """Return the sum with other records of the same actor and day."""
        return Row(
            self.actor,
            self.sessions + other.sessions,
            self.lines_added + other.lines_added,
            self.lines_removed + other.lines_removed,
            self.commits + other.commits,
            self.pull_requests + other.pull_requests,
            by_name((*self.tools, *other.tools)),
            by_name((*self.models, *other.models)),
        )


Entry = TypeVar("Entry", Tool, Model)


def by_name(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the entries sorted by name, those of one name summed."""
    found: dict[str, Entry] = {}
    for entry in entries:
        same = found.get(entry.name)
        found[entry.name] = entry if same is None else same.plus(entry)
    return tuple([found[name] for name in sorted(found)])
