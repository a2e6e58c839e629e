"""More about cost: by workspace, service and token type, billed against estimated, per active user, and the cache."""

from collections.abc import Mapping

from exporter.palette import MODELS, NONE, OTHER
from grafana.panels import (
    BLUE,
    BY_ORDER,
    GREEN,
    MONEY,
    ORANGE,
    SHARE,
    Grid,
    Panel,
    bars,
    chart_options,
    fixed,
    lines,
    only,
    override,
    table_query,
    unseen,
)
from grafana.promql import MODEL, SCALE, by_name, daily, known, named, ratio, stacked
from grafana.transforms import day_matrix, single_day_series, stacked_matrix
from grafana.words import BILLED, BILLED_TOKENS, CLAUDE_CODE, ESTIMATED, SERVICES

_ESTIMATE = "anthropic_claude_code_estimated_cost_usd"
_TOKENS = "anthropic_claude_code_tokens"


def cost_details(y: int) -> list[Panel]:
    """Return the panels, placed from the row `y` on."""
    return [
        _workspaces(y),
        _by_label(y, "cost_type", "Spend by service", SERVICES, "service, such as tokens or web search"),
        _by_label(y + 8, "token_type", "Spend by token type", BILLED_TOKENS, "token type"),
        _billed_and_estimated(y + 8),
        _per_user(y + 16),
        _cache(y + 16),
    ]


def _workspaces(y: int) -> Panel:
    cost = by_name("workspace", "anthropic_workspace_cost_usd", chosen="workspace")
    return Panel(
        kind="timeseries",
        title="Spend by workspace",
        description="Billed cost by UTC day and workspace; `default` is the default workspace. A workspace whose "
        f"name is not known goes by its id. {BILLED}",
        at=Grid(0, y, 12, 8),
        targets=[table_query(stacked(daily(cost, "workspace_name"), "workspace_name"))],
        steps=stacked_matrix("workspace_name"),
        options=chart_options(sums=True),
        defaults={**MONEY, "color": BY_ORDER, "custom": bars(), "links": only("workspace", "__field.name")},
        overrides=[unseen(SCALE)],
    )


_COLOURS = (*MODELS.values(), OTHER)


def _by_label(y: int, label: str, title: str, names: Mapping[str, str], meaning: str) -> Panel:
    """Return the chart of billed cost by a label, in colours of the table that all can tell apart."""
    coloured = zip(names.items(), (*_COLOURS[: len(names) - 1], NONE), strict=True)
    return Panel(
        kind="timeseries",
        title=title,
        description=f"Billed cost of the chosen models by UTC day and {meaning}. {BILLED}",
        at=Grid(12 if label == "cost_type" else 0, y, 12, 8),
        targets=[table_query(stacked(daily(known("anthropic_cost_usd", MODEL), label), label))],
        steps=stacked_matrix(label),
        options=chart_options(sums=True),
        defaults={**MONEY, "color": BY_ORDER, "custom": bars()},
        overrides=[
            *(override(name, displayName=shown, color=fixed(colour)) for (name, shown), colour in coloured),
            unseen(SCALE),
        ],
    )


def _billed_and_estimated(y: int) -> Panel:
    billed, estimated = "Billed, whole organisation", "Estimated, Claude Code"
    shown = (
        named(daily(known("anthropic_cost_usd", MODEL)), billed),
        named(daily(known(_ESTIMATE, MODEL)), estimated),
    )
    return Panel(
        kind="timeseries",
        title="Billed against estimated cost",
        description="The bill of the whole organisation beside Claude Code's estimate, by UTC day. The two overlap: "
        f"never add them. {ESTIMATED} {BILLED}",
        at=Grid(12, y, 12, 8),
        targets=[table_query(" or ".join(shown))],
        steps=day_matrix("series", empty="null"),
        options=chart_options(sort="none"),
        defaults={**MONEY, "color": BY_ORDER, "custom": lines()},
        overrides=[override(billed, color=fixed(BLUE)), override(estimated, color=fixed(ORANGE))],
    )


def _per_user(y: int) -> Panel:
    users = daily(known("anthropic_claude_code_daily_active_users"))
    return Panel(
        kind="timeseries",
        title="Cost per active user",
        description="Claude Code's estimated cost of a UTC day divided by its distinct users of that day, API keys "
        f"among them. {ESTIMATED} {CLAUDE_CODE}",
        at=Grid(0, y, 12, 8),
        targets=[table_query(ratio(daily(known(_ESTIMATE)), users))],
        steps=single_day_series("Cost per active user"),
        options=chart_options(),
        defaults={**MONEY, "min": 0, "color": fixed(BLUE), "custom": lines()},
    )


def _cache(y: int) -> Panel:
    read = daily(known(_TOKENS, MODEL, 'token_type="cache_read"'))
    prompt = daily(known(_TOKENS, MODEL, 'token_type!="output"'))
    return Panel(
        kind="timeseries",
        title="Cache-read share",
        description="Of the tokens sent to the chosen models by Claude Code on a UTC day, the share that was read "
        f"from the prompt cache, which is cheaper than fresh input. {CLAUDE_CODE}",
        at=Grid(12, y, 12, 8),
        targets=[table_query(ratio(read, prompt))],
        steps=single_day_series("Cache-read share"),
        options=chart_options(),
        defaults={**SHARE, "color": fixed(GREEN), "custom": lines()},
    )
