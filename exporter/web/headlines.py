"""The ten numbers of the status page as text. Pure."""

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from exporter.model import DAY, Window
from exporter.reports import claude_code, cost
from exporter.reports.sums import Group, merge, total
from exporter.reports.usage_days import Day
from exporter.reports.usage_rows import Actor

NOT_READ = "not read yet"


def headlines(views: Mapping[str, Any], window: Window) -> list[tuple[str, str]]:
    """Return (title, text) of the ten metrics over the days shown; a number that was not read says so."""
    usage, bills, yesterday = views[claude_code.NAME], views[cost.NAME].by_day.sums, window.last - DAY
    days: Mapping[date, Day] = usage.by_day.sums
    users = usage.users.sums
    return [*_totals(days, bills, users), *_yesterdays(days.get(yesterday), bills.get(yesterday)), *_mixes(days, users)]


def _totals(
    days: Mapping[date, Day], bills: Mapping[date, cost.Day], users: Collection[Actor]
) -> list[tuple[str, str]]:
    added = sum(day.lines_added for day in days.values())
    removed = sum(day.lines_removed for day in days.values())
    spend = total(group.cents for bill in bills.values() for group in bill.lines.values())
    people = sum(actor.actor_type == "user" for actor in users)
    return [
        ("Total active users", f"{people:,} users, {len(users) - people:,} API keys" if days else NOT_READ),
        ("Lines of code accepted", f"{added:,} added, {removed:,} removed" if days else NOT_READ),
        ("Total spend", _dollars(spend) if bills else NOT_READ),
    ]


def _yesterdays(day: Day | None, bill: cost.Day | None) -> list[tuple[str, str]]:
    spend = _dollars(total(group.cents for group in bill.lines.values())) if bill else NOT_READ
    active = f"{sum(day.active_users.values()):,} users; {day.sessions:,} sessions" if day else NOT_READ
    return [
        ("Cost yesterday", spend),
        ("Lines of code yesterday", f"{day.lines_added:,} added, {day.lines_removed:,} removed" if day else NOT_READ),
        ("Active yesterday", active),
    ]


def _mixes(days: Mapping[date, Day], users: Collection[Actor]) -> list[tuple[str, str]]:
    tools: dict[str, Group] = {}
    models: dict[str, Group] = {}
    for day in days.values():
        merge(tools, day.tools)
        merge(models, day.models)
    accepted, rejected = (sum(tool.counts[side] for tool in tools.values()) for side in (0, 1))
    tokens = sum(sum(model.counts) for model in models.values())
    estimate = total(model.cents for model in models.values())
    top = max(models, key=lambda model: models[model].cents, default="")
    per_user = estimate / len(users) if users else Decimal(0)
    return [
        ("Model used most", f"{top}, {_share(models[top].cents, estimate)} of the estimated cost" if top else NOT_READ),
        ("Tokens", f"{tokens:,}" if days else NOT_READ),
        (
            "Tool actions",
            f"{accepted + rejected:,}, {_share(accepted, accepted + rejected)} accepted" if days else NOT_READ,
        ),
        ("Estimated cost per user", _dollars(per_user) if days else NOT_READ),
    ]


def _share(part: Decimal | int, whole: Decimal | int) -> str:
    return f"{part / whole:.0%}" if whole else "nothing"


def _dollars(cents: Decimal) -> str:
    return f"${cents / 100:,.2f}"
