"""Claude Code by UTC day, for the whole organisation.

anthropic_claude_code_sessions{date="2026-11-20"} 812
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from operator import attrgetter

from msgspec import Struct

from exporter.model import Family, Samples, dollars
from exporter.reports.sums import Group, by_key, check, grouped
from exporter.reports.usage_rows import TOKEN_TYPES, Row

_CC = "Source: usage_report/claude_code"
FAMILIES = (
    Family(
        "anthropic_claude_code_daily_active_users",
        f"Distinct users of Claude Code on a UTC day. {_CC}.",
        ("date", "actor_type"),
    ),
    Family(
        "anthropic_claude_code_sessions",
        f"Claude Code sessions on a UTC day. {_CC}, num_sessions.",
        ("date",),
    ),
    Family(
        "anthropic_claude_code_lines_of_code",
        f"Lines of code added and removed by accepted Claude Code edits on a UTC day. {_CC}, lines_of_code.",
        ("date", "change"),
    ),
    Family(
        "anthropic_claude_code_commits",
        f"Commits made by Claude Code on a UTC day. {_CC}, commits_by_claude_code.",
        ("date",),
    ),
    Family(
        "anthropic_claude_code_pull_requests",
        f"Pull requests made by Claude Code on a UTC day. {_CC}, pull_requests_by_claude_code.",
        ("date",),
    ),
    Family(
        "anthropic_claude_code_tool_actions",
        f"Tool actions that users accepted or rejected on a UTC day. {_CC}, tool_actions.",
        ("date", "tool", "action"),
    ),
    Family(
        "anthropic_claude_code_tokens",
        f"Tokens used by Claude Code on a UTC day. {_CC}, model_breakdown.tokens.",
        ("date", "model", "token_type"),
    ),
    Family(
        "anthropic_claude_code_estimated_cost_usd",
        f"Estimated list-price cost of Claude Code on a UTC day; not the bill, never add it to anthropic_cost_usd. "
        f"{_CC}, model_breakdown.estimated_cost.",
        ("date", "model"),
    ),
)
_NAME, _CENTS = attrgetter("name"), attrgetter("cents")
_ACTIONS, _TOKENS = attrgetter("accepted", "rejected"), attrgetter(*TOKEN_TYPES)


class Day(Struct):
    """Totals of one day for the whole organisation. `models` counts tokens in the order of TOKEN_TYPES."""

    active_users: dict[str, int]
    sessions: int
    lines_added: int
    lines_removed: int
    commits: int
    pull_requests: int
    tools: dict[str, Group]
    models: dict[str, Group]


def day_sums(rows: Sequence[Row]) -> Day:
    """Return the totals of a day, given one row per actor."""
    tools = grouped([tool for row in rows for tool in row.tools], _NAME, _ACTIONS)
    models = grouped([model for row in rows for model in row.models], _NAME, _TOKENS, _CENTS)
    counts = (
        sum([row.sessions for row in rows]),
        sum([row.lines_added for row in rows]),
        sum([row.lines_removed for row in rows]),
        sum([row.commits for row in rows]),
        sum([row.pull_requests for row in rows]),
    )
    check(counts)
    return Day(dict(Counter([row.actor.actor_type for row in rows])), *counts, tools, models)


def day_samples(day: date, sums: Day) -> Samples:
    """Return the samples of a day. Families without open labels are 0 without use, and so are people.

    A day on which only API keys were used must not look like a day that was not read.
    """
    label = day.isoformat()
    active_users = {"user": 0} | sums.active_users
    return {
        "anthropic_claude_code_daily_active_users": [((label, kind), n) for kind, n in sorted(active_users.items())],
        "anthropic_claude_code_sessions": [((label,), sums.sessions)],
        "anthropic_claude_code_lines_of_code": [
            ((label, "added"), sums.lines_added),
            ((label, "removed"), sums.lines_removed),
        ],
        "anthropic_claude_code_commits": [((label,), sums.commits)],
        "anthropic_claude_code_pull_requests": [((label,), sums.pull_requests)],
        "anthropic_claude_code_tool_actions": [
            ((label, tool, action), count)
            for tool, group in by_key(sums.tools)
            for action, count in zip(("accepted", "rejected"), group.counts, strict=True)
        ],
        "anthropic_claude_code_tokens": [
            ((label, model, token_type), count)
            for model, group in by_key(sums.models)
            for token_type, count in zip(TOKEN_TYPES, group.counts, strict=True)
        ],
        "anthropic_claude_code_estimated_cost_usd": [
            ((label, model), dollars(group.cents)) for model, group in by_key(sums.models)
        ],
    }
