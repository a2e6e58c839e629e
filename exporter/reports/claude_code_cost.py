"""Report `claude_code_cost`: what was billed for Claude Code by user, over the whole window. Source: analytics/cost.

anthropic_claude_code_user_cost_usd{user="ana@example.test",actor_type="user",model="claude-opus-5"} 41.2
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import Any

from msgspec import Struct

from exporter.api.bodies import Decoder, Money, Text
from exporter.api.paging import Answer, Getter, Request
from exporter.errors import ApiShapeChanged
from exporter.model import EXACT, ZERO, Family, Samples, Window, dollars
from exporter.reports import analytics
from exporter.reports.names import Names
from exporter.reports.report import Changes, Days, Report
from exporter.reports.sums import Totals, by_key, check, grouped
from exporter.reports.usage_rows import Actor
from exporter.reports.user_sums import OTHER

NAME = "claude_code_cost"
FAMILY = Family(
    "anthropic_claude_code_user_cost_usd",
    "Billed cost of Claude Code of a user over the whole window. Source: analytics/cost, amount.",
    ("user", "actor_type", "model"),
)


class Row(Struct, frozen=True, array_like=True, gc=False):
    """What was billed for one actor and model on one day. An API key is named by its id."""

    actor: Actor
    model: str
    cents: Decimal


class _Group(Struct):
    actor: dict[str, Any] | None
    model: Text | None


class _Result(analytics.Bounds):
    group: _Group
    cost: Money


class AnalyticsClaudeCodeCost(analytics.Beta):
    """`/analytics/cost` of the product Claude Code, grouped by actor and model."""

    _decode = Decoder(_Result)

    def __init__(self, names: Names) -> None:
        super().__init__("EXPORTER_COST_SOURCE=cost_report")
        self._names = names

    def request(self, first: date, last: date) -> Request:
        """Return the request for days, both included."""
        return analytics.request("/analytics/cost", first, last, ["actor", "model"], products=["claude_code"])

    async def fetch(self, api: Getter, first: date, last: date) -> Answer:
        """Return the answer for days, both included. Raises ApiError."""
        return await analytics.fetch(api, self.request, first, last, NAME)

    def read(self, bodies: Sequence[bytes], first: date, last: date) -> Days[Row]:
        """Return the rows by day, one for each actor and model."""
        return analytics.days(bodies, first, last, self._decode, self._rows)

    def _rows(self, results: Sequence[_Result]) -> list[Row]:
        groups = grouped(
            results,
            lambda of: (_actor(of.group.actor or {"type": None}, self._names), of.group.model or "none"),
            cents=attrgetter("cost.amount"),
        )
        return [Row(*key, group.cents) for key, group in by_key(groups)]


def _actor(fields: Mapping[str, Any], names: Names) -> Actor:
    """Return who is billed: `none` for a null actor, and as the user for an account that was deleted.

    Raises ApiShapeChanged.
    """
    kind = fields.get("type")
    if kind == "user_actor":
        address: Any = None if fields.get("deleted") else fields.get("email_address", ...)
        if address is not None and not isinstance(address, str):
            raise ApiShapeChanged("group.actor.email_address: a string is expected")
        return Actor("user", names.of("user", address.lower()) if address else "none")
    if kind == "api_actor":
        key = fields.get("api_key_id")
        if not isinstance(key, str):
            raise ApiShapeChanged("group.actor.api_key_id: a string is expected")
        return Actor("api_key", key or "none")
    name = next((text for field, text in fields.items() if field != "type" and isinstance(text, str)), "none")
    return Actor(str(kind or "none"), names.of(str(kind), name) if name != "none" else name)


class Users:
    """The view. `key_names` returns the shown names of API keys by id, as they are now."""

    def __init__(self, max_users: int, key_names: Callable[[], Mapping[str, str]]) -> None:
        self._max_users = max_users
        self._key_names = key_names
        self._names: Mapping[str, str] = {}
        of = attrgetter("actor", "model")
        self._totals: Totals[Row, tuple[Actor, str]] = Totals(of, of, cents=attrgetter("cents"))

    def replace(self, _day: date, old: Iterable[Row], new: Sequence[Row] | None) -> None:
        """Replace the rows of a day; None removes the day. Raises an error for amounts that cannot be added up."""
        check((), (row.cents for row in new or ()))
        self._totals.replace(old, new or ())

    def changes(self, _window: Window, _read: Collection[date]) -> Changes:
        """Return all users if one of them, or the name of an API key, has changed."""
        before, self._names = self._names, dict(self._key_names())
        totals = self._totals.changes(always=before != self._names)
        if totals is None:
            return {}
        costs = [(self._named(actor), model, group.cents) for (actor, model), group in totals]
        return {"users": _samples(costs, self._max_users)}

    def _named(self, actor: Actor) -> Actor:
        name = self._names.get(actor.name, "none") if actor.actor_type == "api_key" else "none"
        return actor if name == "none" else actor._replace(name=name)


def _samples(costs: Sequence[tuple[Actor, str, Decimal]], max_users: int) -> Samples:
    """Return the cost of each user; all but the most expensive are `other`, as in the families of Claude Code."""
    of_user: dict[Actor, Decimal] = {}
    for actor, _, cents in costs:
        of_user[actor] = EXACT.add(of_user.get(actor, ZERO), cents)
    ranked = sorted(of_user, key=lambda actor: (-of_user[actor], actor))
    named = {actor for actor in ranked[:max_users] if actor.name != OTHER or len(ranked) <= max_users}
    shown: dict[tuple[str, str, str], Decimal] = {}
    for actor, model, cents in costs:
        key = actor.name if actor in named else OTHER, actor.actor_type, model
        shown[key] = EXACT.add(shown.get(key, ZERO), cents)
    return {FAMILY.name: [(key, dollars(cents)) for key, cents in sorted(shown.items())]}


def report(names: Names, max_users: int, key_names: Callable[[], Mapping[str, str]]) -> Report[Row]:
    """Return the report, with users named as `names` says and at most `max_users` of them by name."""
    return Report(
        name=NAME,
        families=(FAMILY,),
        source=AnalyticsClaudeCodeCost(names),
        row=Row,
        format=f"1 analytics {names.format}",
        view=lambda: Users(max_users, key_names),
    )
