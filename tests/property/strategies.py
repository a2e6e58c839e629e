"""Strategies: rows as the API could mean them, and the JSON that says so."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from exporter.model import Actor, CostRow, ModelUse, ToolUse, UsageRow

TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Any string that UTF-8 can hold: quotes, line breaks, NUL, emoji."""
names = st.sampled_from(
    [
        "a",
        "b",
        "none",
        "default",
        "other",
        "ana@example.test",
        'say "hi"',
        "back\\slash",
        "two\nlines",
        "\0",
        "Ünï\u2028☃",
    ]
)
"""Some names, of which several are trouble: a few, so that they meet each other."""
counts = st.sampled_from([0, 1, 2, 17, 10**6, 2**53 + 1, 2**63 - 1])
cents = st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=6) | st.integers(0, 10**6).map(
    Decimal
)
ages = st.integers(0, 120)
model_uses = st.builds(ModelUse, counts, counts, counts, counts, cents)
tool_uses = st.builds(ToolUse, counts, counts)
actors = st.builds(Actor, st.sampled_from(["user", "api_key"]) | names, st.sampled_from(["ana", "bo"]) | names)
usage_rows = st.builds(
    UsageRow,
    actors,
    counts,
    counts,
    counts,
    counts,
    counts,
    st.dictionaries(names, tool_uses, max_size=2),
    st.dictionaries(st.sampled_from(["opus", "haiku"]) | names, model_uses, max_size=2),
)
cost_rows = st.builds(
    CostRow,
    st.sampled_from(["default", "w1"]) | names,
    st.sampled_from(["none", "opus"]) | names,
    st.sampled_from(["tokens", "web_search"]) | names,
    st.sampled_from(["none", "output"]) | names,
    cents,
)
usage_days = st.lists(usage_rows, max_size=4)
cost_days = st.lists(cost_rows, max_size=6)
moments = st.datetimes(datetime(2026, 8, 1), datetime(2026, 11, 25), timezones=st.just(UTC))  # noqa: DTZ001 - zones come with `timezones`


def day(age: int) -> date:
    """Return the day `age` days before TODAY."""
    return TODAY - timedelta(days=age)


_NUMBER = "\ue000number\ue000"
_MARK = json.dumps(_NUMBER).strip('"')
"""Stands around an amount until the quotes that JSON puts are taken away: so it is a number with all its digits."""


def _actor(actor: Actor) -> dict[str, Any]:
    known = {"user": ("user_actor", "email_address"), "api_key": ("api_actor", "api_key_name")}
    kind, field = known.get(actor.actor_type, (actor.actor_type, "some_id"))
    return {"type": kind, field: actor.name}


def record(row: UsageRow, of: date = TODAY) -> dict[str, Any]:
    """Return the record that says what the row does."""
    return {
        "date": f"{of}T00:00:00Z",
        "actor": _actor(row.actor),
        "terminal_type": "vscode",
        "core_metrics": {
            "num_sessions": row.sessions,
            "lines_of_code": {"added": row.lines_added, "removed": row.lines_removed},
            "commits_by_claude_code": row.commits,
            "pull_requests_by_claude_code": row.pull_requests,
        },
        "tool_actions": {name: {"accepted": use.accepted, "rejected": use.rejected} for name, use in row.tools.items()},
        "model_breakdown": [
            {
                "model": name,
                "tokens": {
                    "input": use.input,
                    "output": use.output,
                    "cache_read": use.cache_read,
                    "cache_creation": use.cache_creation,
                },
                "estimated_cost": {"currency": "USD", "amount": f"{_NUMBER}{use.cents:f}{_NUMBER}"},
            }
            for name, use in row.models.items()
        ],
    }


def result(row: CostRow) -> dict[str, Any]:
    """Return the result of cost_report that says what the row does."""

    def null(value: str, absent: str = "none") -> str | None:
        return None if value == absent else value

    return {
        "amount": str(row.cents),
        "currency": "USD",
        "workspace_id": null(row.workspace_id, "default"),
        "model": null(row.model),
        "cost_type": null(row.cost_type),
        "token_type": null(row.token_type),
    }


def usage_page(rows: Iterable[UsageRow]) -> bytes:
    """Return the page that holds these rows of TODAY; amounts are JSON numbers with all their digits."""
    page = json.dumps({"data": [record(row) for row in rows], "has_more": False, "next_page": None})
    return page.replace(f'"{_MARK}', "").replace(f'{_MARK}"', "").encode()


def cost_page(days: dict[date, list[CostRow]]) -> bytes:
    """Return the page that holds these days of bills."""
    data = [
        {
            "starting_at": f"{of}T00:00:00Z",
            "ending_at": f"{of + timedelta(days=1)}T00:00:00Z",
            "results": [result(row) for row in rows],
        }
        for of, rows in days.items()
    ]
    return json.dumps({"data": data, "has_more": False, "next_page": None}).encode()
