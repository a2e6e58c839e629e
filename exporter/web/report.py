"""The numbers of a range of days, as `/api/v1/report` and the page show them. Pure.

They are computed from the same sums and rows as `/metrics`, so that the two cannot differ.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

from exporter.model import DAY, Window, dollars
from exporter.reports import cost, usage_days
from exporter.reports.sums import Group, add, by_key, total

Amounts = dict[str, float]
Counts = dict[str, int]


class Query(NamedTuple):
    """The days from `first` to `last`, both included, and the models that count; an empty set is every model."""

    first: date
    last: date
    models: frozenset[str] = frozenset()

    @property
    def span(self) -> Window:
        """The days as a window."""
        return Window(self.last, (self.last - self.first).days + 1)

    def counts(self, model: str) -> bool:
        """Return whether a model passes the filter."""
        return not self.models or model in self.models

    def before(self) -> "Query":
        """Return the equally long period that ends the day before."""
        length = self.last - self.first
        return self._replace(first=self.first - length - DAY, last=self.first - DAY)


class Organization(Struct):
    """The organisation that the key belongs to."""

    id: str
    name: str


class Coverage(Struct):
    """Days of the range that were read, and days of the range."""

    read: int
    days: int


class Totals(Struct):
    """Sums of the days that were read; None where no day of the report was read."""

    active_users: Counts | None
    lines_of_code: Counts | None
    cost_usd: float | None
    estimated_cost_usd: float | None
    sessions: int | None
    commits: int | None
    pull_requests: int | None
    tokens: int | None
    tool_actions: Counts | None


class Day(Struct):
    """One UTC day; None where the day of the report was not read. Maps are by model, except where named."""

    date: date
    cost_usd: Amounts | None
    estimated_cost_usd: Amounts | None
    lines_of_code: Counts | None
    active_users: Counts | None
    """By actor type."""
    sessions: int | None
    commits: int | None
    pull_requests: int | None
    tokens: Counts | None
    tool_actions: Counts | None


class Model(Struct):
    """Billed cost of a model, and its share of the total."""

    model: str
    cost_usd: float
    share: float


class Tool(Struct):
    """Suggestions of a tool that were accepted and rejected."""

    tool: str
    accepted: int
    rejected: int


class UserUse(Struct):
    """One user over the range; `estimated_cost_usd` and `tokens` obey the model filter."""

    user: str
    actor_type: str
    sessions: int
    lines_added: int
    lines_removed: int
    commits: int
    pull_requests: int
    accepted: int
    rejected: int
    tokens: int
    estimated_cost_usd: float
    active_days: int
    last_active: date


class Report(Struct, rename={"first": "from", "last": "to"}):
    """The body of `/api/v1/report`. Dates are inclusive UTC days; `as_of` is when the older report was last read."""

    first: date
    last: date
    today: date
    as_of: datetime | None
    organization: Organization | None
    coverage: dict[str, Coverage]
    totals: Totals
    previous: Totals | None
    days: list[Day]
    models: list[Model]
    tools: list[Tool]
    users: list[UserUse]


class Sums(NamedTuple):
    """What a report is computed from: the totals of each day that was read, by report, and the days that are shown."""

    window: Window
    usage: Mapping[date, usage_days.Day]
    bills: Mapping[date, cost.Day]


def totals(query: Query, sums: Sums, active_users: Counts) -> Totals:
    """Return the totals of a range, given its distinct users by actor type."""
    usage = [sums.usage[day] for day in query.span.dates() if day in sums.usage]
    bills = [sums.bills[day] for day in query.span.dates() if day in sums.bills]
    spend = dollars(total(cents for bill in bills for cents in _cost(query, bill).values())) if bills else None
    if not usage:
        return Totals(None, None, spend, None, None, None, None, None, None)
    used = [group for day in usage for group in _models(query, day).values()]
    return Totals(
        active_users=active_users,
        lines_of_code=_added_up(map(_lines, usage)),
        cost_usd=spend,
        estimated_cost_usd=dollars(total(group.cents for group in used)),
        sessions=sum(day.sessions for day in usage),
        commits=sum(day.commits for day in usage),
        pull_requests=sum(day.pull_requests for day in usage),
        tokens=sum(sum(group.counts) for group in used),
        tool_actions=_added_up(map(_actions, usage)),
    )


def previous(query: Query, sums: Sums, active_users: Callable[[Window], Counts]) -> Totals | None:
    """Return the totals of the equally long period before, None unless all its days are shown and were read."""
    before = query.before()
    if not all(day in sums.window and day in sums.usage and day in sums.bills for day in before.span.dates()):
        return None
    return totals(before, sums, active_users(before.span))


def days(query: Query, sums: Sums) -> list[Day]:
    """Return each day of a range, oldest first."""
    return [_day(query, day, sums.usage.get(day), sums.bills.get(day)) for day in query.span.dates()]


def models(query: Query, sums: Sums) -> list[Model]:
    """Return the billed cost of each model in a range, most expensive first, with its share of their sum."""
    costs: dict[str, Group] = {}
    for day in query.span.dates():
        for model, cents in _cost(query, sums.bills.get(day)).items():
            add(costs, model, cents=cents)
    spend = total(group.cents for group in costs.values())
    ranked = sorted(costs.items(), key=lambda item: (-item[1].cents, item[0]))
    return [Model(name, dollars(of.cents), float(of.cents / spend) if spend else 0.0) for name, of in ranked]


def tools(query: Query, sums: Sums) -> list[Tool]:
    """Return the actions on suggestions of each tool in a range, by name."""
    actions: dict[str, Group] = {}
    for day in query.span.dates():
        for tool, group in sums.usage[day].tools.items() if day in sums.usage else ():
            add(actions, tool, group.counts)
    return [Tool(name, *group.counts) for name, group in by_key(actions)]


def coverage(query: Query, read: Mapping[str, Iterable[date]]) -> dict[str, Coverage]:
    """Return how many days of a range were read, by report."""
    span = query.span
    return {report: Coverage(sum(day in span for day in of), span.days) for report, of in read.items()}


def _day(query: Query, day: date, usage: usage_days.Day | None, bill: cost.Day | None) -> Day:
    costs = None if bill is None else {model: dollars(cents) for model, cents in sorted(_cost(query, bill).items())}
    if usage is None:
        return Day(day, costs, None, None, None, None, None, None, None, None)
    used = sorted(_models(query, usage).items())
    return Day(
        date=day,
        cost_usd=costs,
        estimated_cost_usd={model: dollars(group.cents) for model, group in used},
        lines_of_code=_lines(usage),
        active_users=usage.active_users,
        sessions=usage.sessions,
        commits=usage.commits,
        pull_requests=usage.pull_requests,
        tokens={model: sum(group.counts) for model, group in used},
        tool_actions=_actions(usage),
    )


def _cost(query: Query, bill: cost.Day | None) -> dict[str, Decimal]:
    """Return the billed cents of a day by model."""
    costs: dict[str, Group] = {}
    for (model, _, _), group in bill.lines.items() if bill else ():
        if query.counts(model):
            add(costs, model, cents=group.cents)
    return {model: group.cents for model, group in costs.items()}


def _models(query: Query, day: usage_days.Day) -> dict[str, Group]:
    return {model: group for model, group in day.models.items() if query.counts(model)}


def _lines(day: usage_days.Day) -> Counts:
    return {"added": day.lines_added, "removed": day.lines_removed}


def _actions(day: usage_days.Day) -> Counts:
    accepted = sum(group.counts[0] for group in day.tools.values())
    return {"accepted": accepted, "rejected": sum(group.counts[1] for group in day.tools.values())}


def _added_up(counts: Iterable[Counts]) -> Counts:
    result: Counter[str] = Counter()
    for one in counts:
        result.update(one)
    return dict(result)
