"""The tenth panel of the story: one sortable row per user."""

from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_uppercase

from grafana.panels import COUNT, MONEY, SHARE, TOKENS, Grid, Panel, only, override, table_query
from grafana.promql import USER, known, ratio
from grafana.transforms import Json, one_row_each
from grafana.words import CLAUDE_CODE, ESTIMATED, WHOLE, WHOLE_WINDOW

_FAMILY = "anthropic_claude_code_user_"


@dataclass(frozen=True)
class Column:
    """A column of the table: its title, the query of its values by user and actor type, and its look."""

    title: str
    expr: str
    look: Mapping[str, object]
    width: int = 95


def user_table(at: Grid) -> Panel:
    """Return the table of users, the most expensive first."""
    columns = _columns()
    fields = {f"Value #{ref}": column.title for ref, column in zip(ascii_uppercase, columns, strict=False)}
    return Panel(
        kind="table",
        title=f"User usage breakdown ({WHOLE})",
        description=f"{WHOLE_WINDOW}: the exporter keeps no dates per user. The last row is the total. "
        f"Cost: {ESTIMATED} {CLAUDE_CODE}",
        at=at,
        targets=[table_query(column.expr, ref) for ref, column in zip(ascii_uppercase, columns, strict=False)],
        steps=one_row_each({"user": "User", "actor_type": "Type", **fields}, sort="Estimated cost"),
        options=_OPTIONS,
        defaults={
            "noValue": "",
            "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False},
        },
        overrides=[_user_look(), _type_look(), *(_column_look(column) for column in columns)],
    )


_SUMMED = ["Estimated cost", "Tokens", "Sessions", "Lines added", "Lines removed", "Commits", "Pull requests"]

_OPTIONS: Json = {
    "showHeader": True,
    "cellHeight": "sm",
    "frameIndex": 0,
    "sortBy": [{"displayName": "Estimated cost", "desc": True}],
    "footer": {"show": True, "reducer": ["sum"], "countRows": False, "fields": _SUMMED, "enablePagination": False},
}


def _columns() -> tuple[Column, ...]:
    accepted = _sum("tool_actions", 'action="accepted"')
    newest = f"max by (user, actor_type) ({known(f'{_FAMILY}last_active_timestamp_seconds', USER)}) * 1000"
    return (
        Column("Estimated cost", _sum("estimated_cost_usd"), MONEY, 130),
        Column("Tokens", _sum("tokens"), TOKENS),
        Column("Sessions", _sum("sessions"), COUNT),
        Column("Lines added", _sum("lines_of_code", 'change="added"'), COUNT, 105),
        Column("Lines removed", _sum("lines_of_code", 'change="removed"'), COUNT, 115),
        Column("Commits", _sum("commits"), COUNT),
        Column("Pull requests", _sum("pull_requests"), COUNT, 110),
        Column("Acceptance rate", ratio(accepted, _sum("tool_actions")), SHARE, 125),
        Column("Active days", _sum("active_dates"), COUNT, 100),
        Column("Last active", newest, {"unit": "time:YYYY-MM-DD"}, 110),
    )


def _sum(name: str, *matchers: str) -> str:
    return f"sum by (user, actor_type) ({known(_FAMILY + name, *matchers, USER)})"


def _user_look() -> Json:
    return override("User", custom__minWidth=200, links=only("user", "__value.text"))


def _type_look() -> Json:
    names = {"user": {"index": 0, "text": "Person"}, "api_key": {"index": 1, "text": "API key"}}
    return override("Type", mappings=[{"type": "value", "options": names}], custom__width=80)


def _column_look(column: Column) -> Json:
    return override(column.title, **column.look, custom__width=column.width)
