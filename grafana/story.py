"""The ten panels of the story, from general to particular: totals, trends, one row per user.

Each function returns panels. A panel's description says what its number excludes.
"""

from exporter.palette import RULES
from grafana.panels import (
    AS_LINE,
    BLUE,
    BY_ORDER,
    COUNT,
    GREEN,
    MODEL_COLOUR,
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
    model_colours,
    only,
    override,
    rename,
    stat_options,
    table_query,
    unseen,
    value_query,
)
from grafana.promql import (
    CHOSEN_KINDS,
    DATES,
    MODEL,
    SCALE,
    daily,
    known,
    named,
    ratio,
    shown_as,
    stacked,
    total,
    with_row,
    with_scale,
)
from grafana.transforms import day_matrix, one_field_each, one_row_each, stacked_matrix, with_mean
from grafana.words import ANY_PART, BILLED, CHANGES, CLAUDE_CODE, PEOPLE, TOOLS, WHOLE, WHOLE_WINDOW

PERSON = 'actor_type="user"'
_MEAN = "People, mean of 7 days"


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
        title=f"Total active users ({WHOLE})",
        description=f"Distinct users of Claude Code. {WHOLE_WINDOW}: distinct users of single days cannot be "
        f"added. {CLAUDE_CODE}",
        at=Grid(0, 7, 8, 4),
        targets=[value_query(users, "{{actor_type}}")],
        options=stat_options(size=36),
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
        at=Grid(8, 7, 8, 4),
        targets=targets,
        options=stat_options(size=36),
        defaults={**COUNT, "color": PLAIN},
        overrides=[override("Added", color=fixed(GREEN))],
    )


def _total_spend() -> Panel:
    return Panel(
        kind="stat",
        title="Total spend",
        description=f"Billed cost of the chosen models and days. {ANY_PART} {BILLED}",
        at=Grid(16, 7, 8, 4),
        targets=[value_query(total(known("anthropic_cost_usd", MODEL)), "Billed")],
        options=stat_options(text="value", size=36),
        defaults={**MONEY, "color": PLAIN},
    )


def _cost_over_time() -> Panel:
    return Panel(
        kind="timeseries",
        title="Cost over time",
        description="Billed cost by UTC day and model; today is still growing. Cost that belongs to no model, such "
        f"as web search, is `none`. {BILLED}",
        at=Grid(0, 11, 24, 9),
        targets=[table_query(stacked(daily(known("anthropic_cost_usd", MODEL), "model"), "model"))],
        steps=stacked_matrix("model"),
        options=chart_options(totals=True),
        defaults={**MONEY, "color": MODEL_COLOUR, "custom": bars(), "links": only("model", "__field.name")},
        overrides=[*model_colours(), unseen(SCALE)],
    )


def _lines_over_time() -> Panel:
    removed = override("Removed", custom__transform="negative-Y", color=fixed(RED))
    return Panel(
        kind="timeseries",
        title="Lines of code over time",
        description="Lines added, and below zero lines removed, by accepted edits of Claude Code, by UTC day. "
        f"{CLAUDE_CODE}",
        at=Grid(0, 20, 12, 11),
        targets=[table_query(daily(known("anthropic_claude_code_lines_of_code"), "change"))],
        steps=day_matrix("change", CHANGES),
        options=chart_options(sort="none", sums=True),
        defaults={**COUNT, "color": BY_ORDER, "custom": bars()},
        overrides=[override("Added", color=fixed(GREEN)), removed],
    )


def _user_activity() -> Panel:
    users = daily(known("anthropic_claude_code_daily_active_users"), "actor_type")
    users = shown_as(users, "actor_type", PEOPLE)
    sessions = named(daily(known("anthropic_claude_code_sessions")), "Sessions")
    return Panel(
        kind="timeseries",
        title="User activity over time",
        description="Distinct users of Claude Code on each UTC day, the mean of a day's people and those of the six "
        "shown before it, and sessions (right axis). Adoption grows where the mean rises. One person may have several "
        f"sessions. {CLAUDE_CODE}",
        at=Grid(12, 20, 12, 8),
        targets=[table_query(f"{with_scale(users, 'series')} or {sessions}")],
        steps=[*day_matrix("series"), with_mean("People", 7, _MEAN)],
        options=chart_options(sort="none"),
        defaults={**COUNT, "color": BY_ORDER, "custom": bars()},
        overrides=[
            override("People", color=fixed(BLUE)),
            override("API keys", color=fixed(PURPLE)),
            unseen(SCALE),
            override(_MEAN, decimals=1, color=fixed("text"), **AS_LINE),
            override(
                "Sessions", color=fixed(ORANGE), **AS_LINE, custom__axisPlacement="right", custom__axisLabel="Sessions"
            ),
        ],
    )


def _recent_active_users() -> Panel:
    days = f"({known(DATES)} == on (job, instance) group_left () max by (job, instance) ({known(DATES)}) - 86400)"
    yesterday = f"{known('anthropic_claude_code_daily_active_users', PERSON)} and on (job, instance, date) {days}"
    windows = {"weekly": "7 days", "monthly": "30 days"}
    targets = [
        value_query(f"sum({known(f'anthropic_claude_code_{name}_active_users', PERSON)})", shown, name[0].upper())
        for name, shown in windows.items()
    ]
    return Panel(
        kind="stat",
        title="People active yesterday, in the last 7 and 30 days",
        description="Distinct people, API keys left out, yesterday, and today with the 6 or 29 days before (UTC), "
        f"whatever the time picker says. {CLAUDE_CODE}",
        at=Grid(12, 28, 12, 3),
        targets=[value_query(f"sum({yesterday})", "Yesterday", "D"), *targets],
        options=stat_options(size=24),
        defaults={**COUNT, "color": PLAIN},
    )


def _model_distribution() -> Panel:
    cost = known("anthropic_cost_usd", MODEL)
    dollars = total(cost, "model")
    colours = [
        {"type": "regex", "options": {"pattern": f"/{pattern or '.*'}/", "result": {"color": colour, "index": index}}}
        for index, (pattern, colour) in enumerate(RULES)
    ]
    model = override(
        "Model",
        mappings=colours,
        custom__cellOptions={"type": "color-text"},
        links=only("model", "__value.text"),
    )
    bar = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
    return Panel(
        kind="table",
        title="Model usage distribution",
        description="Each model's billed cost over the chosen days, and its share. A model has the same colour on "
        f"every panel. {BILLED}",
        at=Grid(0, 31, 8, 9),
        targets=[table_query(dollars), table_query(f"{dollars} / scalar({total(cost)} > 0)", "B")],
        steps=one_row_each({"model": "Model", "Value #A": "Cost", "Value #B": "Share"}, sort="Cost"),
        options={"showHeader": True, "cellHeight": "sm", "frameIndex": 0},
        defaults={"unit": "none", "custom": {"align": "auto"}},
        overrides=[
            model,
            override("Cost", **MONEY, custom__width=120),
            override("Share", **SHARE, color=fixed(BLUE), custom__cellOptions=bar, custom__minWidth=130),
        ],
    )


def _token_usage() -> Panel:
    return Panel(
        kind="timeseries",
        title="Token usage over time",
        description="Tokens used by Claude Code by UTC day and model, of the kinds chosen in the switch Token type. "
        f"Cache reads are most of them, and the cheapest. {CLAUDE_CODE}",
        at=Grid(8, 31, 16, 9),
        targets=[
            table_query(stacked(daily(known("anthropic_claude_code_tokens", MODEL, CHOSEN_KINDS), "model"), "model"))
        ],
        steps=stacked_matrix("model"),
        options=chart_options(totals=True),
        defaults={**TOKENS, "color": MODEL_COLOUR, "custom": bars(), "links": only("model", "__field.name")},
        overrides=[*model_colours(), unseen(SCALE)],
    )


def _tool_actions() -> Panel:
    actions = "anthropic_claude_code_tool_actions"
    accepted = daily(known(actions, 'action="accepted"'))
    rejected = daily(known(actions, 'action="rejected"'))
    shown = [
        with_scale(f"{named(accepted, 'Accepted')} or {named(rejected, 'Rejected')}", "series"),
        named(ratio(accepted, daily(known(actions))), "Acceptance rate"),
    ]
    rate = override(
        "Acceptance rate",
        **{key: SHARE[key] for key in ("unit", "min", "max")},
        decimals=0,
        color=fixed(ORANGE),
        **AS_LINE,
        custom__axisPlacement="right",
    )
    return Panel(
        kind="timeseries",
        title="Tool actions distribution",
        description="Edits proposed by Claude Code's tools that users accepted or rejected, by UTC day, and the "
        f"accepted share (right axis); no share on a day without actions. {CLAUDE_CODE}",
        at=Grid(0, 40, 16, 9),
        targets=[table_query(" or ".join(shown))],
        steps=day_matrix("series", empty="null"),
        options=chart_options(sort="none"),
        defaults={**COUNT, "color": BY_ORDER, "custom": bars()},
        overrides=[
            override("Accepted", color=fixed(GREEN)),
            override("Rejected", color=fixed(RED)),
            rate,
            unseen(SCALE),
        ],
    )


def _acceptance_by_tool() -> Panel:
    actions = "anthropic_claude_code_tool_actions"
    rate = ratio(total(known(actions, 'action="accepted"'), "tool"), total(known(actions), "tool"))
    return Panel(
        kind="bargauge",
        title="Acceptance rate by tool",
        description=f"Accepted actions divided by all actions of a tool, over the chosen days. {CLAUDE_CODE}",
        at=Grid(16, 40, 8, 9),
        targets=[table_query(with_row(rate))],
        steps=one_field_each("tool"),
        options=gauge_options(),
        defaults={**SHARE, "color": fixed(GREEN)},
        overrides=[rename(name, shown) for name, shown in TOOLS.items()],
    )
