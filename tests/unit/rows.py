"""Rows and pages in few words, for tests."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from exporter.model import Actor, CostRow, ModelUse, ToolUse, UsageRow

TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ANA = Actor("user", "ana@example.test")
BO = Actor("user", "bo@example.test")
CI = Actor("api_key", "ci")


def day(age: int) -> date:
    """Return the day `age` days before TODAY."""
    return date.fromordinal(TODAY.toordinal() - age)


def use(cents: str = "0", *, tokens: int = 0) -> ModelUse:
    """Return a model's use: `tokens` of input, twice as many of output, and so on."""
    return ModelUse(tokens, 2 * tokens, 3 * tokens, 4 * tokens, Decimal(cents))


def row(
    actor: Actor = ANA,
    sessions: int = 1,
    *,
    lines: tuple[int, int] = (0, 0),
    commits: int = 0,
    pull_requests: int = 0,
    tools: Mapping[str, tuple[int, int]] | None = None,
    models: Mapping[str, ModelUse] | None = None,
) -> UsageRow:
    """Return a row of usage."""
    used = {name: ToolUse(*numbers) for name, numbers in (tools or {}).items()}
    return UsageRow(actor, sessions, *lines, commits, pull_requests, used, models or {})


def bill(
    cents: str,
    *,
    workspace: str = "default",
    model: str = "opus",
    cost_type: str = "tokens",
    token_type: str = "output",
) -> CostRow:
    """Return a billed line."""
    return CostRow(workspace, model, cost_type, token_type, Decimal(cents))


def record(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a record of usage_report/claude_code of TODAY, with these fields in the place of its own."""
    return {
        "date": f"{TODAY}T00:00:00Z",
        "actor": {"type": "user_actor", "email_address": "ana@example.test"},
        "organization_id": "org",
        "customer_type": "api",
        "terminal_type": "vscode",
        "core_metrics": {
            "num_sessions": 1,
            "lines_of_code": {"added": 2, "removed": 3},
            "commits_by_claude_code": 4,
            "pull_requests_by_claude_code": 5,
        },
        "tool_actions": {"edit_tool": {"accepted": 6, "rejected": 7}},
        "model_breakdown": [
            {
                "model": "opus",
                "tokens": {"input": 8, "output": 9, "cache_read": 10, "cache_creation": 11},
                "estimated_cost": {"currency": "USD", "amount": 141},
            }
        ],
        **changes,
    }


def result(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a result of cost_report with these fields in the place of its own."""
    return {
        "amount": "123.45",
        "currency": "USD",
        "model": "opus",
        "cost_type": "tokens",
        "token_type": "output_tokens",
        "workspace_id": "wrkspc_1",
        **changes,
    }


def cost_day(of: date, *results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of one day of cost_report."""
    tomorrow = date.fromordinal(of.toordinal() + 1)
    return {"starting_at": f"{of}T00:00:00Z", "ending_at": f"{tomorrow}T00:00:00Z", "results": list(results)}


def page(*data: Any, has_more: bool = False, next_page: str | None = None) -> bytes:  # noqa: ANN401 - JSON
    """Return a page's body."""
    return json.dumps({"data": data, "has_more": has_more, "next_page": next_page}).encode()
