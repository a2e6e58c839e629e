"""Sums into samples: what each family shows. Pure: the window comes in as an argument.

Each function returns samples by family name. Cents become dollars in `_dollars`, and nowhere else.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from exporter.model import EXACT, Actor, Directory, Report, Sample, Window, timestamp
from exporter.reports.sums import CostSums, DaySums, UserBook, UserSums

Samples = Mapping[str, list[Sample]]
KNOWN_ACTOR_TYPES = ("user", "api_key")
OTHER = "other"
DISTINCT_DAYS = {
    "anthropic_claude_code_weekly_active_users": 7,
    "anthropic_claude_code_monthly_active_users": 30,
}


class ReportHealth(NamedTuple):
    """How a report fares: `up` is None before the first attempt, timestamps are None before the first success."""

    up: bool | None
    last_success: float | None
    newest_date: date | None
    coverage: float


def _dollars(cents: Decimal) -> float:
    return float(EXACT.scaleb(cents, -2))


def day_samples(day: date, sums: DaySums) -> Samples:
    """Return the samples of one day of usage; an empty day is 0 in the families without open labels."""
    label = day.isoformat()
    return {
        "anthropic_claude_code_daily_active_users": [((label, kind), n) for kind, n in sums.active_users.items()],
        "anthropic_claude_code_sessions": [((label,), sums.sessions)],
        "anthropic_claude_code_lines_of_code": [
            ((label, "added"), sums.lines_added),
            ((label, "removed"), sums.lines_removed),
        ],
        "anthropic_claude_code_commits": [((label,), sums.commits)],
        "anthropic_claude_code_pull_requests": [((label,), sums.pull_requests)],
        "anthropic_claude_code_tool_actions": [
            ((label, tool, action), n)
            for tool, use in sorted(sums.tools.items())
            for action, n in zip(("accepted", "rejected"), use, strict=True)
        ],
        "anthropic_claude_code_tokens": [
            ((label, model, token_type), n)
            for model, use in sorted(sums.models.items())
            for token_type, n in (
                ("input", use.input),
                ("output", use.output),
                ("cache_read", use.cache_read),
                ("cache_creation", use.cache_creation),
            )
        ],
        "anthropic_claude_code_estimated_cost_usd": [
            ((label, model), _dollars(use.cents)) for model, use in sorted(sums.models.items())
        ],
    }


def cost_samples(day: date, sums: CostSums) -> Samples:
    """Return the samples of one day's bill."""
    label = day.isoformat()
    return {
        "anthropic_cost_usd": [((label, *line), _dollars(cents)) for line, cents in sorted(sums.lines.items())],
        "anthropic_workspace_cost_usd": [
            ((label, workspace), _dollars(cents)) for workspace, cents in sorted(sums.workspaces.items())
        ],
    }


def user_samples(actor: Actor, sums: UserSums, base: date) -> Samples:
    """Return the samples of one user over the window; `base` is the day of the lowest bit of `sums.dates`."""
    labels = (actor.name, actor.actor_type)
    newest = base + timedelta(days=sums.dates.bit_length() - 1)
    return {
        "anthropic_claude_code_user_sessions": [(labels, sums.sessions)],
        "anthropic_claude_code_user_commits": [(labels, sums.commits)],
        "anthropic_claude_code_user_pull_requests": [(labels, sums.pull_requests)],
        "anthropic_claude_code_user_active_dates": [(labels, sums.dates.bit_count())],
        "anthropic_claude_code_user_last_active_timestamp_seconds": [(labels, timestamp(newest))],
        "anthropic_claude_code_user_lines_of_code": [
            ((*labels, "added"), sums.lines_added),
            ((*labels, "removed"), sums.lines_removed),
        ],
        "anthropic_claude_code_user_tool_actions": [
            ((*labels, "accepted"), sums.accepted),
            ((*labels, "rejected"), sums.rejected),
        ],
        "anthropic_claude_code_user_tokens": [
            ((*labels, "input"), sums.input),
            ((*labels, "output"), sums.output),
            ((*labels, "cache_read"), sums.cache_read),
            ((*labels, "cache_creation"), sums.cache_creation),
        ],
        "anthropic_claude_code_user_estimated_cost_usd": [
            ((*labels, model), _dollars(cents)) for model, (_, cents) in sorted(sums.models.items())
        ],
    }


def folded(users: Mapping[Actor, UserSums], limit: int) -> tuple[set[Actor], dict[Actor, UserSums]]:
    """Return the users that keep their name, and the sums of the rest as `other` of each actor type.

    The `limit` most expensive keep it; equal ones in the order of their names, so that a page does not flicker. A user
    whose name is `other` is one of the rest, as soon as there is a rest.
    """
    if len(users) <= limit:
        return set(users), {}
    ranked = sorted(users, key=lambda actor: (-users[actor].cents, actor))
    named = {actor for actor in ranked[:limit] if actor.name != OTHER}
    rest: dict[Actor, UserSums] = {}
    for actor in ranked:
        if actor not in named:
            rest.setdefault(Actor(actor.actor_type, OTHER), UserSums()).absorb(users[actor])
    return named, rest


def distinct_samples(book: UserBook, window: Window, read: Iterable[date]) -> Samples:
    """Return the distinct users of the window, of its newest 30 and 7 days. A day that was not read is no zero."""
    read = set(read)
    kinds = sorted({*KNOWN_ACTOR_TYPES, *(actor.actor_type for actor in book.users)})
    return {
        name: _distinct(book, Window(window.last, min(days, window.days)), kinds, read)
        for name, days in {"anthropic_claude_code_active_users": window.days, **DISTINCT_DAYS}.items()
    }


def _distinct(book: UserBook, window: Window, kinds: list[str], read: set[date]) -> list[Sample]:
    oldest_bit = (window.first - book.base).days
    active = Counter(actor.actor_type for actor, sums in book.users.items() if sums.dates.bit_length() > oldest_bit)
    complete = all(day in read for day in window.dates())
    return [((kind,), active[kind]) for kind in kinds if active[kind] or complete]


def join_samples(window: Window, directory: Directory) -> Samples:
    """Return the families that others are joined with: dates, the organisation, workspace names."""
    organization = directory.organization
    return {
        "anthropic_date_timestamp_seconds": [((day.isoformat(),), timestamp(day)) for day in window.dates()],
        "anthropic_organization_info": [((organization.organization_id, organization.name), 1)] if organization else [],
        "anthropic_workspace_info": [(pair, 1) for pair in sorted(directory.workspaces.items())],
    }


def health_samples(health: Mapping[Report, ReportHealth]) -> Samples:
    """Return the families that say how far the numbers can be trusted."""
    rows = [((report.value,), state) for report, state in health.items()]
    return {
        "anthropic_up": [(label, int(state.up)) for label, state in rows if state.up is not None],
        "anthropic_report_last_success_timestamp_seconds": [
            (label, state.last_success) for label, state in rows if state.last_success is not None
        ],
        "anthropic_report_newest_date_timestamp_seconds": [
            (label, timestamp(state.newest_date)) for label, state in rows if state.newest_date is not None
        ],
        "anthropic_report_coverage_ratio": [(label, state.coverage) for label, state in rows],
    }
