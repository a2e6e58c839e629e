"""The truth about a range of days: the JSON that `/api/v1/report` must be, in the plainest way from the API's records.

It shares no code with the exporter, the simulated organisation excepted. Money is added as Decimal.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from exporter.demo.organization import Organization

Json = dict[str, Any]
UserLabel = str | Callable[[str], str]
REPORTS = ("claude_code", "cost")
_DAY = timedelta(days=1)
_TYPES = {"user_actor": "user", "api_actor": "api_key"}
_SUMMED = (
    "sessions",
    "lines_added",
    "lines_removed",
    "commits",
    "pull_requests",
    "accepted",
    "rejected",
    "tokens",
    "estimated_cost_usd",
)


def expected_report(  # noqa: PLR0913, PLR0917 - what a report can be asked for, all of it
    organization: Organization,
    now: datetime,
    first: date,
    last: date,
    models: Collection[str] = (),
    window_days: int = 90,
    user_label: UserLabel = "email",
    max_users: int = 2000,
    *,
    unread: Mapping[str, Collection[date]] | None = None,
) -> Json:
    """Return the JSON of the days `first` to `last` at `now` (UTC), as `json.loads` would.

    `models` filters, none is all. `user_label` is `email`, `none`, or a function from a name to its label, as for
    `hash`. `unread` names, by report, the days that were not read; all others were. `as_of` is `now`.
    """
    truth = _Truth(organization, now, models, unread or {})
    today = now.astimezone(UTC).date()
    days = _span(first, last)
    before = [day - len(days) * _DAY for day in days]
    complete = before[0] > today - window_days * _DAY and all(truth.was_read(r, day) for r in REPORTS for day in before)
    me = organization.me()
    return {
        "from": str(first),
        "to": str(last),
        "today": str(today),
        "as_of": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "organization": {"id": me["id"], "name": me["name"]},
        "coverage": {
            report: {"read": sum(truth.was_read(report, day) for day in days), "days": len(days)} for report in REPORTS
        },
        "totals": truth.totals(days),
        "previous": truth.totals(before) if complete else None,
        "days": [truth.day(day) for day in days],
        "models": truth.models(days),
        "tools": truth.tools(days),
        "users": [] if user_label == "none" else truth.users(days, max_users, user_label),
    }


class _Truth:
    """The records of each day that was read, and their sums."""

    def __init__(
        self,
        organization: Organization,
        now: datetime,
        models: Collection[str],
        unread: Mapping[str, Collection[date]],
    ) -> None:
        self._organization = organization
        self._now = now
        self._wanted = models
        self._unread = unread
        self._kept: dict[tuple[str, date], list[Any]] = {}

    def was_read(self, report: str, day: date) -> bool:
        """Return whether a day of a report was read."""
        return day not in self._unread.get(report, ())

    def totals(self, days: Sequence[date]) -> Json:
        """Return the sums of the days that were read, None where there is none."""
        used = [day for day in days if self.was_read("claude_code", day)]
        billed = [day for day in days if self.was_read("cost", day)]
        spend = float(sum((sum(self._cost(day).values(), Decimal()) for day in billed), Decimal())) if billed else None
        rows = [row for day in used for row in self._rows(day)]
        actors = {(row["actor_type"], row["user"]) for row in rows}
        kinds = {"user", "api_key"} | {kind for kind, _ in actors}
        if not used:
            names = ("active_users", "lines_of_code", "estimated_cost_usd", "sessions", "commits", "pull_requests")
            return {**dict.fromkeys((*names, "tokens", "tool_actions")), "cost_usd": spend}
        return {
            "active_users": {kind: sum(of == kind for of, _ in actors) for kind in kinds},
            "lines_of_code": {"added": _sum(rows, "lines_added"), "removed": _sum(rows, "lines_removed")},
            "cost_usd": spend,
            "estimated_cost_usd": float(sum((row["estimated_cost_usd"] for row in rows), Decimal())),
            "sessions": _sum(rows, "sessions"),
            "commits": _sum(rows, "commits"),
            "pull_requests": _sum(rows, "pull_requests"),
            "tokens": _sum(rows, "tokens"),
            "tool_actions": {"accepted": _sum(rows, "accepted"), "rejected": _sum(rows, "rejected")},
        }

    def day(self, day: date) -> Json:
        """Return one day; a value of a report whose day was not read is None."""
        costs = {name: float(cost) for name, cost in self._cost(day).items()} if self.was_read("cost", day) else None
        if not self.was_read("claude_code", day):
            names = ("active_users", "lines_of_code", "estimated_cost_usd", "sessions", "commits", "pull_requests")
            return {"date": str(day), "cost_usd": costs, **dict.fromkeys((*names, "tokens", "tool_actions"))}
        rows = self._rows(day)
        actors = {(row["actor_type"], row["user"]) for row in rows}
        by_model: dict[str, list[Any]] = defaultdict(lambda: [0, Decimal()])
        for row in rows:
            for name, tokens, cost in row["models"]:
                by_model[name][0] += tokens
                by_model[name][1] += cost
        return {
            "date": str(day),
            "cost_usd": costs,
            "estimated_cost_usd": {name: float(cost) for name, (_, cost) in by_model.items()},
            "lines_of_code": {"added": _sum(rows, "lines_added"), "removed": _sum(rows, "lines_removed")},
            "active_users": {kind: sum(of == kind for of, _ in actors) for kind in {kind for kind, _ in actors}},
            "sessions": _sum(rows, "sessions"),
            "commits": _sum(rows, "commits"),
            "pull_requests": _sum(rows, "pull_requests"),
            "tokens": {name: tokens for name, (tokens, _) in by_model.items()},
            "tool_actions": {"accepted": _sum(rows, "accepted"), "rejected": _sum(rows, "rejected")},
        }

    def models(self, days: Iterable[date]) -> list[Json]:
        """Return the bill by model, most expensive first."""
        costs: defaultdict[str, Decimal] = defaultdict(Decimal)
        for day in days:
            for name, cost in self._cost(day).items() if self.was_read("cost", day) else ():
                costs[name] += cost
        whole = sum(costs.values(), Decimal())
        ranked = sorted(costs, key=lambda name: (-costs[name], name))
        return [
            {"model": name, "cost_usd": float(costs[name]), "share": float(costs[name] / whole) if whole else 0.0}
            for name in ranked
        ]

    def tools(self, days: Iterable[date]) -> list[Json]:
        """Return the actions by tool, by name."""
        actions: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        for row in self._read_rows(days):
            for name, (accepted, rejected) in row["tools"].items():
                actions[name][0] += accepted
                actions[name][1] += rejected
        return [{"tool": name, "accepted": actions[name][0], "rejected": actions[name][1]} for name in sorted(actions)]

    def users(self, days: Iterable[date], max_users: int, user_label: UserLabel) -> list[Json]:
        """Return the users, most expensive first, and one `other` for those beyond `max_users`."""
        label = str if user_label == "email" else user_label
        if not callable(label):
            raise TypeError("user_label is email, none, or a function")
        rows: defaultdict[tuple[str, str], list[Json]] = defaultdict(list)
        for row in self._read_rows(days):
            rows[row["actor_type"], label(row["user"])].append(row)
        costs = {who: sum((row["estimated_cost_usd"] for row in of), Decimal()) for who, of in rows.items()}
        ranked = sorted(rows, key=lambda who: (-costs[who], who))
        if ranked[max_users:]:
            kinds = {kind for kind, _ in ranked[max_users:]}
            other = (kinds.pop() if len(kinds) == 1 else "none", "other")
            rows[other] = [row for who in ranked[max_users:] for row in rows[who]]
            costs[other] = sum((costs[who] for who in ranked[max_users:]), Decimal())
            ranked = sorted([*ranked[:max_users], other], key=lambda who: (-costs[who], who))
        return [_user(kind, name, rows[kind, name]) for kind, name in ranked]

    def _read_rows(self, days: Iterable[date]) -> list[Json]:
        return [row for day in days if self.was_read("claude_code", day) for row in self._rows(day)]

    def _cost(self, day: date) -> dict[str, Decimal]:
        """Return the billed dollars of a day by model."""
        costs: defaultdict[str, Decimal] = defaultdict(Decimal)
        for result in self._cached("cost", day, self._organization.cost_results):
            name = result["model"] or "none"
            if not self._wanted or name in self._wanted:
                costs[name] += Decimal(result["amount"]) / 100
        return dict(costs)

    def _rows(self, day: date) -> list[Json]:
        """Return the records of a day as flat rows."""
        records = self._cached("claude_code", day, self._organization.claude_code_records)
        return [self._row(day, record) for record in records]

    def _cached(self, report: str, day: date, read: Callable[[date, datetime], list[Any]]) -> list[Any]:
        if (report, day) not in self._kept:
            self._kept[report, day] = read(day, self._now)
        return self._kept[report, day]

    def _row(self, day: date, record: Mapping[str, Any]) -> Json:
        actor, core = record["actor"], record["core_metrics"]
        models = [
            (
                entry["model"] or "none",
                sum(entry["tokens"].values()),
                Decimal(str(entry["estimated_cost"]["amount"])) / 100,
            )
            for entry in record["model_breakdown"]
            if not self._wanted or (entry["model"] or "none") in self._wanted
        ]
        tools: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        for name, answers in record["tool_actions"].items():
            tools[name or "none"][0] += answers["accepted"]
            tools[name or "none"][1] += answers["rejected"]
        return {
            "day": day,
            "actor_type": _TYPES.get(actor["type"], actor["type"]),
            "user": next(str(value) for field, value in actor.items() if field != "type"),
            "sessions": core["num_sessions"],
            "lines_added": core["lines_of_code"]["added"],
            "lines_removed": core["lines_of_code"]["removed"],
            "commits": core["commits_by_claude_code"],
            "pull_requests": core["pull_requests_by_claude_code"],
            "accepted": sum(accepted for accepted, _ in tools.values()),
            "rejected": sum(rejected for _, rejected in tools.values()),
            "tokens": sum(tokens for _, tokens, _ in models),
            "estimated_cost_usd": sum((cost for _, _, cost in models), Decimal()),
            "models": models,
            "tools": tools,
        }


def _user(actor_type: str, name: str, rows: Sequence[Json]) -> Json:
    dates = {row["day"] for row in rows}
    sums = {column: _sum(rows, column) for column in _SUMMED}
    return {
        "user": name,
        "actor_type": actor_type,
        **sums,
        "estimated_cost_usd": float(sums["estimated_cost_usd"]),
        "active_days": len(dates),
        "last_active": str(max(dates)),
    }


def _sum(rows: Iterable[Json], column: str) -> Any:  # noqa: ANN401 - an int, or a Decimal for money
    return sum(row[column] for row in rows)


def _span(first: date, last: date) -> list[date]:
    return [first + number * _DAY for number in range((last - first).days + 1)]
