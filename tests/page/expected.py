"""What the page must show of a report: the charts' series and the tables' texts. Shares no code with `exporter/web`."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.report_oracle import Json

Numbers = list[float | None]
NOT_READ = "not read yet"
USER_COLUMNS = (
    "user",
    "actor_type",
    "estimated_cost_usd",
    "tokens",
    "sessions",
    "lines_added",
    "lines_removed",
    "commits",
    "pull_requests",
    "accepted",
    "rejected",
    "active_days",
    "last_active",
)
_SUMMED = USER_COLUMNS[2:-2]


def money(dollars: float) -> str:
    """Return dollars as the page shows them."""
    return f"${dollars:,.2f}"


def series(report: Json) -> dict[str, dict[str, Numbers]]:
    """Return the numbers of each chart by title and series."""
    models = [model["model"] for model in report["models"]]
    used = _used_models(report)
    costs = [day["cost_usd"] for day in report["days"]]
    return {
        "Total Active Users": {"Users": _of(report, "active_users", "user")},
        "Total Lines of Code Accepted": {"Added": _of(report, "lines_of_code", "added")},
        "Total Spend": {"Billed": [None if cost is None else sum(cost.values()) for cost in costs]},
        "Cost Over Time": {model: _of(report, "cost_usd", model) for model in models or ["none"]},
        "Model Usage Distribution": {"Billed cost": [model["cost_usd"] for model in report["models"]]},
        "Lines of Code Over Time": {
            "Added": _of(report, "lines_of_code", "added"),
            "Removed": [None if value is None else -value for value in _of(report, "lines_of_code", "removed")],
        },
        "User Activity Over Time": {
            "Users": _of(report, "active_users", "user"),
            "API keys": _of(report, "active_users", "api_key"),
        },
        "Token Usage Over Time": {model: _of(report, "tokens", model) for model in used or ["none"]},
        "Tool Actions Distribution": {
            "Accepted": _of(report, "tool_actions", "accepted"),
            "Rejected": _of(report, "tool_actions", "rejected"),
        },
    }


def tables(report: Json) -> dict[str, list[list[str]]]:
    """Return the rows, without their head, of the table with the numbers of each chart by day or model."""
    models = [model["model"] for model in report["models"]]
    used = _used_models(report)
    whole = [["Total", money(report["totals"]["cost_usd"]), "100.0%"]] if models else []
    shares = [[model["model"], money(model["cost_usd"]), f"{model['share']:.1%}"] for model in report["models"]]
    return {
        "Cost Over Time": _by_day(report, "cost_usd", models, money, total=True),
        "Model Usage Distribution": [*shares, *whole],
        "Lines of Code Over Time": _by_day(report, "lines_of_code", ["added", "removed"]),
        "Token Usage Over Time": _by_day(report, "tokens", used, total=True),
        "Tool Actions Distribution": _by_day(report, "tool_actions", ["accepted", "rejected"]),
    }


def users(report: Json) -> list[list[str]]:
    """Return the rows of the table of users."""
    return [[_cell(column, user[column]) for column in USER_COLUMNS] for user in report["users"]]


def user_total(report: Json) -> list[str]:
    """Return the last row of the table of users."""
    totals = report["totals"]
    sums: Mapping[str, float] = {
        "estimated_cost_usd": totals["estimated_cost_usd"],
        "lines_added": totals["lines_of_code"]["added"],
        "lines_removed": totals["lines_of_code"]["removed"],
        **totals["tool_actions"],
    }
    cells = {column: _cell(column, sums.get(column, totals.get(column))) for column in _SUMMED}
    return ["Total", *(cells.get(column, "") for column in USER_COLUMNS[1:])]


def _used_models(report: Json) -> list[str]:
    """Return the models with tokens, in the order of the bill."""
    used = {model for day in report["days"] for model in day["tokens"] or ()}
    billed = [model["model"] for model in report["models"] if model["model"] in used]
    return [*billed, *sorted(used - {*billed})]


def _cell(column: str, value: Any) -> str:  # noqa: ANN401 - text or a number
    if column == "estimated_cost_usd":
        return money(value)
    return value if isinstance(value, str) else f"{value:,}"


def _of(report: Json, field: str, name: str) -> Numbers:
    return [None if day[field] is None else day[field].get(name, 0) for day in report["days"]]


def _by_day(
    report: Json, field: str, names: list[str], shown: Callable[[float], str] = "{:,}".format, *, total: bool = False
) -> list[list[str]]:
    rows = []
    for day in report["days"]:
        found = day[field]
        values = [] if found is None else [found.get(name, 0) for name in names]
        values += [sum(values)] if total and found is not None else []
        cells = [shown(value) for value in values] if values else [NOT_READ] * (len(names) + total)
        rows.append([day["date"], *cells])
    return rows
