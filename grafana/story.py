"""The ten panels of the story, from general to particular: totals, trends, one row per user.

Each function returns panels. A panel's description says what its number excludes.
"""

from grafana.panels import (
    BLUE,
    BY_NAME,
    COUNT,
    GREEN,
    MONEY,
    ORANGE,
    PLAIN,
    PURPLE,
    RED,
    SHARE,
    TOKENS,
    Grid,
    Panel,
    bars,
    chart_options,
    fixed,
    gauge_options,
    override,
    rename,
    stat_options,
    table_query,
    value_query,
)
from grafana.promql import CHOSEN_KINDS, MODEL, chosen, daily, known, named, ratio, shown_as, total, with_row
from grafana.transforms import day_matrix, one_field_each
from grafana.words import ANY_PART, BILLED, CHANGES, CLAUDE_CODE, PEOPLE, WHOLE_WINDOW

PERSON = 'actor_type="user"'


def headline() -> list[Panel]:
    """Return the three totals."""
    return [_total_active_users(), _total_lines(), _total_spend()]


def trends() -> list[Panel]:
    """Return the charts by day, and the distributions."""
    return [
        _cost_over_time(),
        _lines_over_time(),
        _user_activity(),
        _recent_active_users(),
        _model_distribution(),
        _token_usage(),
        _tool_actions(),
        _acceptance_by_tool(),
    ]


def _total_active_users() -> Panel:
    users = f"sort_desc(sum by (actor_type) ({known('anthropic_claude_code_active_users')}))"
    return Panel(
        kind="stat",
        title="Total active users",
        description=f"Distinct users of Claude Code. {WHOLE_WINDOW}: distinct users of single days cannot be "
        f"added. {CLAUDE_CODE}",
        at=Grid(0, 0, 8, 5),
        targets=[value_query(users, "{{actor_type}}")],
        options=stat_options(size=44),
        defaults={**COUNT, "color": PLAIN},
        overrides=[rename(name, shown) for name, shown in PEOPLE.items()],
    )


def _total_lines() -> Panel:
    targets = [
        value_query(total(known("anthropic_claude_code_lines_of_code", f'change="{change}"')), shown, shown[0])
        for change, shown in CHANGES.items()
    ]
    return Panel(
        kind="stat",
        title="Total lines of code accepted",
        description=f"Lines added and removed by edits of Claude Code that users accepted. {ANY_PART} {CLAUDE_CODE}",
        at=Grid(8, 0, 8, 5),
        targets=targets,
        options=stat_options(size=44),
        defaults={**COUNT, "color": PLAIN},
        overrides=[override("Added", color=fixed(GREEN))],
    )


def _total_spend() -> Panel:
    return Panel(
        kind="stat",
        title="Total spend",
        description=f"Billed cost of the chosen models and days. {ANY_PART} {BILLED}",
        at=Grid(16, 0, 8, 5),
        targets=[value_query(total(known("anthropic_cost_usd", MODEL)), "Billed")],
        options=stat_options(text="value", size=44),
        defaults={**MONEY, "color": PLAIN},
    )


def _cost_over_time() -> Panel:
    return Panel(
        kind="timeseries",
        title="Cost over time",
        description="Billed cost by UTC day and model; today is still growing. Cost that belongs to no model, such "
        f"as web search, is `none`. {BILLED}",
        at=Grid(0, 5, 24, 9),
        targets=[table_query(daily(known("anthropic_cost_usd", MODEL), "model"))],
        steps=day_matrix("model"),
        options=chart_options(),
        defaults={**MONEY, "color": BY_NAME, "custom": bars()},
    )


def _lines_over_time() -> Panel:
    removed = override("Removed", custom__transform="negative-Y", color=fixed(RED))
    return Panel(
        kind="timeseries",
        title="Lines of code over time",
        description="Lines added, and below zero lines removed, by accepted edits of Claude Code, by UTC day. "
        f"{CLAUDE_CODE}",
        at=Grid(0, 14, 12, 11),
        targets=[table_query(daily(known("anthropic_claude_code_lines_of_code"), "change"))],
        steps=day_matrix("change", CHANGES),
        options=chart_options(sort="none"),
        defaults={**COUNT, "color": BY_NAME, "custom": bars()},
        overrides=[override("Added", color=fixed(GREEN)), removed],
    )


def _user_activity() -> Panel:
    users = daily(known("anthropic_claude_code_daily_active_users"), "actor_type")
    users = shown_as(users, "actor_type", PEOPLE)
    sessions = named(daily(known("anthropic_claude_code_sessions")), "Sessions")
    on_the_right = override(
        "Sessions",
        color=fixed(ORANGE),
        custom__axisPlacement="right",
        custom__axisLabel="Sessions",
        custom__drawStyle="line",
        custom__lineWidth=2,
        custom__fillOpacity=0,
        custom__stacking={"mode": "none", "group": "B"},
    )
    return Panel(
        kind="timeseries",
        title="User activity over time",
        description="Distinct users of Claude Code on each UTC day, and their sessions (right axis). One person "
        f"may have several sessions. {CLAUDE_CODE}",
        at=Grid(12, 14, 12, 8),
        targets=[table_query(f"{users} or {sessions}")],
        steps=day_matrix("series"),
        options=chart_options(sort="none"),
        defaults={**COUNT, "color": BY_NAME, "custom": bars()},
        overrides=[override("People", color=fixed(BLUE)), override("API keys", color=fixed(PURPLE)), on_the_right],
    )


def _recent_active_users() -> Panel:
    windows = {"weekly": "7 days", "monthly": "30 days"}
    targets = [
        value_query(f"sum({known(f'anthropic_claude_code_{name}_active_users', PERSON)})", shown, name[0].upper())
        for name, shown in windows.items()
    ]
    return Panel(
        kind="stat",
        title="People active in the last 7 and 30 days",
        description="Distinct people, API keys left out, today and in the 6 or 29 days before (UTC), whatever the "
        f"time picker says. {CLAUDE_CODE}",
        at=Grid(12, 22, 12, 3),
        targets=targets,
        options=stat_options(size=28),
        defaults={**COUNT, "color": PLAIN},
    )


def _model_distribution() -> Panel:
    cost = known("anthropic_cost_usd", MODEL)
    share = f"sum by (model) ({chosen(cost)}) / scalar({total(cost)} > 0)"
    return Panel(
        kind="bargauge",
        title="Model usage distribution",
        description="Each model's share of the billed cost of the chosen models and days. A model has the same "
        f"colour on every panel. {BILLED}",
        at=Grid(0, 25, 8, 9),
        targets=[table_query(with_row(share))],
        steps=one_field_each("model"),
        options=gauge_options(),
        defaults={**SHARE, "color": BY_NAME},
    )


def _token_usage() -> Panel:
    return Panel(
        kind="timeseries",
        title="Token usage over time",
        description="Tokens used by Claude Code by UTC day and model, of the kinds chosen in the switch Token type. "
        f"Cache reads are most of them, and the cheapest. {CLAUDE_CODE}",
        at=Grid(8, 25, 16, 9),
        targets=[table_query(daily(known("anthropic_claude_code_tokens", MODEL, CHOSEN_KINDS), "model"))],
        steps=day_matrix("model"),
        options=chart_options(),
        defaults={**TOKENS, "color": BY_NAME, "custom": bars()},
    )


def _tool_actions() -> Panel:
    actions = "anthropic_claude_code_tool_actions"
    accepted = daily(known(actions, 'action="accepted"'))
    shown = [
        named(accepted, "Accepted"),
        named(daily(known(actions, 'action="rejected"')), "Rejected"),
        named(ratio(accepted, daily(known(actions))), "Acceptance rate"),
    ]
    rate = override(
        "Acceptance rate",
        **{key: SHARE[key] for key in ("unit", "min", "max")},
        decimals=0,
        color=fixed(ORANGE),
        custom__axisPlacement="right",
        custom__drawStyle="line",
        custom__lineWidth=2,
        custom__fillOpacity=0,
        custom__stacking={"mode": "none", "group": "B"},
    )
    return Panel(
        kind="timeseries",
        title="Tool actions distribution",
        description="Edits proposed by Claude Code's tools that users accepted or rejected, by UTC day, and the "
        f"accepted share (right axis); no share on a day without actions. {CLAUDE_CODE}",
        at=Grid(0, 34, 16, 9),
        targets=[table_query(" or ".join(shown))],
        steps=day_matrix("series", empty="null"),
        options=chart_options(sort="none"),
        defaults={**COUNT, "color": BY_NAME, "custom": bars()},
        overrides=[override("Accepted", color=fixed(GREEN)), override("Rejected", color=fixed(RED)), rate],
    )


def _acceptance_by_tool() -> Panel:
    actions = "anthropic_claude_code_tool_actions"
    rate = ratio(total(known(actions, 'action="accepted"'), "tool"), total(known(actions), "tool"))
    return Panel(
        kind="bargauge",
        title="Acceptance rate by tool",
        description=f"Accepted actions divided by all actions of a tool, over the chosen days. {CLAUDE_CODE}",
        at=Grid(16, 34, 8, 9),
        targets=[table_query(with_row(rate))],
        steps=one_field_each("tool"),
        options=gauge_options(),
        defaults={**SHARE, "color": BY_NAME},
    )
