"""The table of metric families: the exporter's public interface. Data, no logic.

`docs/reference/metrics.md` is made from it, and the page shows no family that is not in it. Every data family is a
gauge, since the API restates days downwards too; `sum()` over any family is true, the distinct-user families of
`DISTINCT` excepted, each of which is one number per actor type.
"""

from exporter.model import Family

_CC = "Source: usage_report/claude_code"
_COST = "Source: cost_report"
_USER = "over the whole window"

DAILY = (
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

COST = (
    Family(
        "anthropic_cost_usd",
        f"Billed cost on a UTC day, before credits; Priority Tier is left out by the API. {_COST}, amount.",
        ("date", "model", "cost_type", "token_type"),
    ),
    Family(
        "anthropic_workspace_cost_usd",
        f"The same billed cost as anthropic_cost_usd, by workspace. {_COST}, amount.",
        ("date", "workspace_id"),
    ),
)

DISTINCT = (
    Family(
        "anthropic_claude_code_active_users",
        f"Distinct users of Claude Code {_USER} (90 days by default). {_CC}.",
        ("actor_type",),
    ),
    Family(
        "anthropic_claude_code_monthly_active_users",
        f"Distinct users of Claude Code today and in the 29 days before, UTC. {_CC}.",
        ("actor_type",),
    ),
    Family(
        "anthropic_claude_code_weekly_active_users",
        f"Distinct users of Claude Code today and in the 6 days before, UTC. {_CC}.",
        ("actor_type",),
    ),
)

USERS = (
    Family(
        "anthropic_claude_code_user_sessions",
        f"Claude Code sessions of a user {_USER}. {_CC}.",
        ("user", "actor_type"),
    ),
    Family(
        "anthropic_claude_code_user_commits",
        f"Commits made by Claude Code for a user {_USER}. {_CC}.",
        ("user", "actor_type"),
    ),
    Family(
        "anthropic_claude_code_user_pull_requests",
        f"Pull requests made by Claude Code for a user {_USER}. {_CC}.",
        ("user", "actor_type"),
    ),
    Family(
        "anthropic_claude_code_user_active_dates",
        f"UTC days of the window on which a user used Claude Code. {_CC}.",
        ("user", "actor_type"),
    ),
    Family(
        "anthropic_claude_code_user_last_active_timestamp_seconds",
        f"00:00 UTC of the newest day of the window on which a user used Claude Code. {_CC}.",
        ("user", "actor_type"),
    ),
    Family(
        "anthropic_claude_code_user_lines_of_code",
        f"Lines of code added and removed by accepted Claude Code edits of a user {_USER}. {_CC}.",
        ("user", "actor_type", "change"),
    ),
    Family(
        "anthropic_claude_code_user_tool_actions",
        f"Tool actions that a user accepted or rejected {_USER}. {_CC}.",
        ("user", "actor_type", "action"),
    ),
    Family(
        "anthropic_claude_code_user_tokens",
        f"Tokens used by Claude Code for a user {_USER}. {_CC}.",
        ("user", "actor_type", "token_type"),
    ),
    Family(
        "anthropic_claude_code_user_estimated_cost_usd",
        f"Estimated list-price cost of Claude Code of a user {_USER}; not the bill. {_CC}.",
        ("user", "actor_type", "model"),
    ),
)

JOINS = (
    Family(
        "anthropic_date_timestamp_seconds",
        "00:00 UTC of each date of the window: choose dates by age with it.",
        ("date",),
    ),
    Family(
        "anthropic_organization_info",
        "Always 1. Source: /v1/organizations/me.",
        ("organization_id", "organization_name"),
    ),
    Family(
        "anthropic_workspace_info",
        "Always 1; joins a workspace's name to its id. Source: /v1/organizations/workspaces.",
        ("workspace_id", "workspace_name"),
    ),
)

HEALTH = (
    Family(
        "anthropic_up",
        "1 when the last refresh of this report worked, else 0; absent before the first attempt.",
        ("report",),
    ),
    Family(
        "anthropic_report_last_success_timestamp_seconds",
        "When a day of this report was last read without error.",
        ("report",),
    ),
    Family(
        "anthropic_report_newest_date_timestamp_seconds",
        "00:00 UTC of the newest date for which this report has data: it stands still when upstream stalls.",
        ("report",),
    ),
    Family(
        "anthropic_report_coverage_ratio",
        "Days of the window that were read, divided by the days of the window.",
        ("report",),
    ),
)

EXPORTER = (
    Family(
        "anthropic_exporter_build_info",
        "Always 1; the exporter's version and its Python.",
        ("version", "python"),
    ),
    Family(
        "anthropic_exporter_api_requests_total",
        "Requests sent to the Admin API; report is claude_code, cost or directory.",
        ("report",),
        "counter",
    ),
    Family(
        "anthropic_exporter_api_request_failures_total",
        "Requests to the Admin API that gave no usable answer.",
        ("report", "reason"),
        "counter",
    ),
    Family(
        "anthropic_exporter_api_request_duration_seconds",
        "Time from sending a request to the Admin API until its whole body was read.",
        ("report",),
        "histogram",
    ),
    Family(
        "anthropic_exporter_rate_limit_wait_seconds_total",
        "Time that requests waited for EXPORTER_REQUESTS_PER_MINUTE.",
        (),
        "counter",
    ),
    Family(
        "anthropic_exporter_report_failing",
        "1 for the reason for which the last attempt at this report failed, else 0.",
        ("report", "reason"),
    ),
    Family(
        "anthropic_exporter_report_paused_until_timestamp_seconds",
        "When this report may be asked again after a failure; 0 when it is not paused.",
        ("report",),
    ),
    Family("anthropic_exporter_refresh_duration_seconds", "Duration of the last refresh."),
    Family("anthropic_exporter_page_series", "Series on the data part of the page."),
    Family("anthropic_exporter_page_bytes", "Size of the data part of the page, not compressed."),
    Family("anthropic_exporter_page_timestamp_seconds", "When the data part of the page was rendered."),
    Family(
        "anthropic_exporter_users_folded",
        "Users beyond EXPORTER_MAX_USERS, summed into the user other.",
    ),
    Family(
        "anthropic_exporter_store_failures_total",
        "Writes to the data folder that failed; the page is then served from memory.",
        (),
        "counter",
    ),
    Family(
        "anthropic_exporter_web_auth_failures_total",
        "Requests refused by basic authentication.",
        ("reason",),
        "counter",
    ),
    Family(
        "anthropic_exporter_web_config_reload_failures_total",
        "Changed web configurations, certificates or keys that could not be loaded; the old ones stay in use.",
        (),
        "counter",
    ),
)

DATA = DAILY + COST + DISTINCT + USERS + JOINS + HEALTH
FAMILIES = DATA + EXPORTER
"""Every family of the page, in its order."""
