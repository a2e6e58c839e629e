"""What each panel must show, straight from the organisation's truth. Shares no code with the generator."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

from tests.dashboard.expected_tokens import token_charts, token_values
from tests.dashboard.truth import Chart, Table, Truth, Values, descending, filled, quotients, renamed, single

CC = "anthropic_claude_code_"
PEOPLE = {"user": "People", "api_key": "API keys"}
CHANGES = {"added": "Added", "removed": "Removed"}
TOOLS = {
    "edit_tool": "Edit",
    "multi_edit_tool": "Multi-edit",
    "write_tool": "Write",
    "notebook_edit_tool": "Notebook edit",
}
BILLED_TOKENS = {
    "uncached_input_tokens": "Input",
    "output_tokens": "Output",
    "cache_read_input_tokens": "Cache reads",
    "cache_creation.ephemeral_5m_input_tokens": "Cache writes, 5 minutes",
    "cache_creation.ephemeral_1h_input_tokens": "Cache writes, 1 hour",
    "none": "Not tokens",
}
SERVICES = {
    "tokens": "Tokens",
    "web_search": "Web search",
    "code_execution": "Code execution",
    "session_usage": "Session usage",
    "none": "Not named",
}


@cache
def charts(truth: Truth) -> dict[str, Chart]:
    """Return what the charts over time must show, by title."""
    return {
        "Cost over time": filled(truth.by_day("anthropic_cost_usd", "model")),
        "Lines of code over time": filled(renamed(truth.by_day(f"{CC}lines_of_code", "change"), CHANGES)),
        "User activity over time": _user_activity(truth),
        "Token usage over time": filled(truth.by_day(f"{CC}tokens", "model")),
        "Tool actions distribution": _tool_actions(truth),
        "Spend by workspace": filled(truth.by_workspace("anthropic_workspace_cost_usd")),
        "Spend by token type": filled(renamed(truth.by_day("anthropic_cost_usd", "token_type"), BILLED_TOKENS)),
        "Spend by service": filled(renamed(truth.by_day("anthropic_cost_usd", "cost_type"), SERVICES)),
        "Billed against estimated cost": _billed_and_estimated(truth),
        "Cost per active user": {"Cost per active user": _cost_per_user(truth)},
        "Cache-read share": {"Cache-read share": _cache_share(truth)},
        **token_charts(truth),
    }


@cache
def values(truth: Truth) -> dict[str, Values]:
    """Return what tiles and bar gauges must show, by title; bar gauges from the longest bar on."""
    always = Truth(truth.samples, truth.window)
    people = {"actor_type": "user"}
    yesterday = f"{truth.today - timedelta(days=1)}"
    recent = {
        "Yesterday": always.days_of(f"{CC}daily_active_users", **people)[yesterday],
        "7 days": truth.total(f"{CC}weekly_active_users", **people),
        "30 days": truth.total(f"{CC}monthly_active_users", **people),
    }
    shown = {
        "Spend, month to date": {"Billed": _between(always, truth.today.replace(day=1), truth.today)},
        "Against last month": _against_last_month(always),
        "Total active users (whole window)": renamed(single(truth.sums(f"{CC}active_users", "actor_type")), PEOPLE),
        "Total lines of code accepted": renamed(single(truth.sums(f"{CC}lines_of_code", "change")), CHANGES),
        "Total spend": {"Billed": truth.total("anthropic_cost_usd")} if truth.days else {},
        "People active yesterday, in the last 7 and 30 days": recent,
        "Acceptance rate by tool": renamed(descending(_acceptance(truth)), TOOLS),
        **token_values(truth),
    }
    return {title: {name: float(value) for name, value in found.items()} for title, found in shown.items()}


def _between(truth: Truth, first: date, last: date) -> Decimal:
    """Return what was billed from one day to another, both included."""
    days = truth.days_of("anthropic_cost_usd")
    return sum((value for day, value in days.items() if f"{first}" <= day <= f"{last}"), Decimal())


def _against_last_month(truth: Truth) -> dict[str, Decimal]:
    """Return this month's full days against the same days of the month before; nothing before all days were read."""
    if {*truth.days_of(f"{CC}sessions")} != truth.window:
        return {}
    first = truth.today.replace(day=1)
    before = (first - timedelta(days=1)).replace(day=1)
    yesterday = truth.today - timedelta(days=1)
    same_day = before + (yesterday - first)
    change = _between(truth, first, yesterday) / _between(truth, before, same_day) - 1
    return {f"{'More' if change > 0 else 'Less'} than in the same days": abs(change)}


@cache
def models(truth: Truth) -> Table:
    """Return what the distribution of models must show."""
    amounts = truth.sums("anthropic_cost_usd", "model")
    cost = sum(amounts.values())
    return {row: {"Cost": float(amount), "Share": float(amount / cost)} for row, amount in amounts.items()}


@cache
def users(truth: Truth) -> Table:
    """Return what the table of users must show."""
    columns = {
        "Estimated cost": _per_user(truth, "estimated_cost_usd"),
        "Tokens": _per_user(truth, "tokens"),
        "Sessions": _per_user(truth, "sessions"),
        "Lines added": _per_user(truth, "lines_of_code", change="added"),
        "Lines removed": _per_user(truth, "lines_of_code", change="removed"),
        "Commits": _per_user(truth, "commits"),
        "Pull requests": _per_user(truth, "pull_requests"),
        "Acceptance rate": quotients(
            _per_user(truth, "tool_actions", action="accepted"), _per_user(truth, "tool_actions")
        ),
        "Active days": _per_user(truth, "active_dates"),
        "Last active": {key: 1000 * at for key, at in _per_user(truth, "last_active_timestamp_seconds").items()},
    }
    rows = set().union(*columns.values())
    return {
        row: {name: float(column[row]) if row in column else None for name, column in columns.items()} for row in rows
    }


def _per_user(truth: Truth, name: str, **where: str) -> dict[tuple[str, ...], Decimal]:
    sums = truth.sums(f"{CC}user_{name}", "user", "actor_type", **where)
    return {(user, actor): value for (user, actor), value in sums.items()}


def _user_activity(truth: Truth) -> Chart:
    users = renamed(truth.by_day(f"{CC}daily_active_users", "actor_type"), PEOPLE)
    chart = filled({**users, "Sessions": truth.days_of(f"{CC}sessions")})
    days, people = list(chart.get("People", {})), [value or 0 for value in chart.get("People", {}).values()]
    windows = {day: people[max(0, row - 6) : row + 1] for row, day in enumerate(days)}
    means = {day: sum(found) / len(found) for day, found in windows.items()}
    return {**chart, "People, mean of 7 days": means} if means else chart


def _tool_actions(truth: Truth) -> Chart:
    actions = truth.by_day(f"{CC}tool_actions", "action")
    rate = quotients(actions.get("accepted", {}), truth.days_of(f"{CC}tool_actions"))
    shown = {"Accepted": actions.get("accepted", {}), "Rejected": actions.get("rejected", {}), "Acceptance rate": rate}
    return filled(shown, None)


def _acceptance(truth: Truth) -> dict[str, Decimal]:
    accepted = single(truth.sums(f"{CC}tool_actions", "tool", action="accepted"))
    return quotients(accepted, single(truth.sums(f"{CC}tool_actions", "tool")))


def _billed_and_estimated(truth: Truth) -> Chart:
    billed, estimated = truth.days_of("anthropic_cost_usd"), truth.days_of(f"{CC}estimated_cost_usd")
    return filled({"Billed, whole organisation": billed, "Estimated, Claude Code": estimated}, None)


def _cost_per_user(truth: Truth) -> dict[str, float | None]:
    estimated, users = truth.days_of(f"{CC}estimated_cost_usd"), truth.days_of(f"{CC}daily_active_users")
    return {day: float(value) for day, value in quotients(estimated, users).items()}


def _cache_share(truth: Truth) -> dict[str, float | None]:
    by_type = truth.by_day(f"{CC}tokens", "token_type")
    prompt: dict[str, Decimal] = defaultdict(Decimal)
    for token_type, days in by_type.items():
        for day, tokens in days.items():
            prompt[day] += 0 if token_type == "output" else tokens
    return {day: float(value) for day, value in quotients(by_type.get("cache_read", {}), prompt).items()}
