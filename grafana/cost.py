"""More about cost: by workspace, by token type, billed against estimated, per active user, and the cache."""

from grafana.panels import (
    BLUE,
    BY_NAME,
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
    override,
    table_query,
)
from grafana.promql import MODEL, by_workspace, daily, known, named, ratio
from grafana.transforms import day_matrix, single_day_series
from grafana.words import BILLED, CLAUDE_CODE, ESTIMATED

_ESTIMATE = "anthropic_claude_code_estimated_cost_usd"
_TOKENS = "anthropic_claude_code_tokens"


def cost_details(y: int) -> list[Panel]:
    """Return the panels, placed from the row `y` on."""
    return [_workspaces(y), _token_types(y), _billed_and_estimated(y + 8), _per_user(y + 8), _cache(y + 8)]


def _workspaces(y: int) -> Panel:
    return Panel(
        kind="timeseries",
        title="Spend by workspace",
        description="Billed cost by UTC day and workspace; `default` is the default workspace. A workspace whose "
        f"name is not known goes by its id. {BILLED}",
        at=Grid(0, y, 12, 8),
        targets=[table_query(daily(by_workspace(), "workspace_name"))],
        steps=day_matrix("workspace_name"),
        options=chart_options(),
        defaults={**MONEY, "color": BY_NAME, "custom": bars()},
    )


def _token_types(y: int) -> Panel:
    return Panel(
        kind="timeseries",
        title="Spend by token type",
        description="Billed cost of the chosen models by UTC day and token type; `none` is cost that is not for "
        f"tokens. {BILLED}",
        at=Grid(12, y, 12, 8),
        targets=[table_query(daily(known("anthropic_cost_usd", MODEL), "token_type"))],
        steps=day_matrix("token_type"),
        options=chart_options(),
        defaults={**MONEY, "color": BY_NAME, "custom": bars()},
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
        at=Grid(0, y, 8, 8),
        targets=[table_query(" or ".join(shown))],
        steps=day_matrix("series", empty="null"),
        options=chart_options(sort="none"),
        defaults={**MONEY, "color": BY_NAME, "custom": lines()},
        overrides=[override(billed, color=fixed(BLUE)), override(estimated, color=fixed(ORANGE))],
    )


def _per_user(y: int) -> Panel:
    users = daily(known("anthropic_claude_code_daily_active_users"))
    return Panel(
        kind="timeseries",
        title="Cost per active user",
        description="Claude Code's estimated cost of a UTC day divided by its distinct users of that day, API keys "
        f"among them. {ESTIMATED} {CLAUDE_CODE}",
        at=Grid(8, y, 8, 8),
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
        at=Grid(16, y, 8, 8),
        targets=[table_query(ratio(read, prompt))],
        steps=single_day_series("Cache-read share"),
        options=chart_options(),
        defaults={**SHARE, "color": fixed(GREEN), "custom": lines()},
    )
