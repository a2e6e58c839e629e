"""Bodies of the Admin API in few words, and days relative to a fixed today, for tests."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

from exporter.api.paging import Answer
from exporter.days.ledger import Ledger
from exporter.errors import ApiShapeChanged
from exporter.reports import claude_code, cost, messages
from exporter.reports.names import Names
from exporter.reports.usage_rows import Actor, Row

TODAY = date(2026, 11, 22)
PLAIN = Names()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ANA = Actor("user", "ana@example.test")
BO = Actor("user", "bo@example.test")
CI = Actor("api_key", "ci")
_ACTORS = {"user": ("user_actor", "email_address"), "api_key": ("api_actor", "api_key_name")}


def day(age: int) -> date:
    """Return the day `age` days before TODAY."""
    return TODAY - timedelta(days=age)


def model(cents: float | str = "0", *, tokens: int = 0, name: str = "opus") -> dict[str, Any]:
    """Return an entry of model_breakdown with `tokens` of input, twice as many of output, and so on.

    A string of cents goes into the JSON text digit by digit.
    """
    kinds = ("input", "output", "cache_read", "cache_creation")
    return {
        "model": name,
        "tokens": {kind: tokens * factor for factor, kind in enumerate(kinds, start=1)},
        "estimated_cost": {"currency": "USD", "amount": Number(cents)},
    }


class Number(str):
    """A JSON number with these digits: `page` takes its quotes away. `json` prints a float by its own repr."""

    __slots__ = ()
    MARK = "\ue000"

    def __new__(cls, text: float | str) -> Self:
        """Put a mark around the digits."""
        return super().__new__(cls, f"{cls.MARK}{text}{cls.MARK}")


def record(
    actor: Actor | Mapping[str, Any] = ANA,
    sessions: int = 1,
    *,
    lines: tuple[int, int] = (0, 0),
    commits: int = 0,
    pull_requests: int = 0,
    tools: Mapping[str, tuple[int, int]] | None = None,
    models: Iterable[Mapping[str, Any]] = (),
    **changes: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    """Return a record of usage_report/claude_code without its date; `changes` replace whole fields."""
    if isinstance(actor, Actor):
        kind, field = _ACTORS.get(actor.actor_type, (actor.actor_type, "id"))
        actor = {"type": kind, field: actor.name}
    return {
        "actor": dict(actor),
        "organization_id": "org",
        "customer_type": "api",
        "terminal_type": "vscode",
        "core_metrics": {
            "num_sessions": sessions,
            "lines_of_code": {"added": lines[0], "removed": lines[1]},
            "commits_by_claude_code": commits,
            "pull_requests_by_claude_code": pull_requests,
        },
        "tool_actions": {name: {"accepted": yes, "rejected": no} for name, (yes, no) in (tools or {}).items()},
        "model_breakdown": list(models),
        **changes,
    }


def result(amount: str = "123.45", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a result of cost_report; `changes` replace its fields."""
    return {
        "amount": amount,
        "currency": "USD",
        "model": "opus",
        "cost_type": "tokens",
        "token_type": "output",
        "workspace_id": "default",
        **changes,
    }


def message(output: int = 0, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a result of usage_report/messages with `output` output tokens, twice as many of uncached input, and so on.

    `changes` replace its fields.
    """
    return {
        "uncached_input_tokens": 2 * output,
        "output_tokens": output,
        "cache_read_input_tokens": 3 * output,
        "cache_creation": {"ephemeral_1h_input_tokens": 5 * output, "ephemeral_5m_input_tokens": 4 * output},
        "server_tool_use": {"web_search_requests": 0},
        "api_key_id": "apikey_1",
        "workspace_id": "wrkspc_1",
        "model": "opus",
        "service_tier": "standard",
        **changes,
    }


def bucket(of: date, *results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of one day of cost_report or usage_report/messages."""
    return {
        "starting_at": f"{of}T00:00:00Z",
        "ending_at": f"{of + timedelta(days=1)}T00:00:00Z",
        "results": list(results),
    }


def page(*data: Any, has_more: bool = False, next_page: str | None = None) -> bytes:  # noqa: ANN401 - JSON
    """Return the body of a page."""
    body = json.dumps({"data": data, "has_more": has_more, "next_page": next_page})
    mark = json.dumps(Number.MARK).strip('"')
    return body.replace(f'"{mark}', "").replace(f'{mark}"', "").encode()


def usage_page(of: date, *records: Mapping[str, Any]) -> bytes:
    """Return the body of a page with records of one day."""
    return page(*({"date": f"{of}T00:00:00Z", **one} for one in records))


def usage_rows(*records: Mapping[str, Any], of: date = TODAY, names: Names = PLAIN) -> list[Row]:
    """Return the rows of a page with records of one day."""
    return claude_code.report(names).source.read([usage_page(of, *records)], of, of)[of]  # type: ignore[return-value]


def cost_rows(*results: Mapping[str, Any], of: date = TODAY) -> list[cost.Row]:
    """Return the rows of a page with results of one day."""
    return cost.report().source.read([page(bucket(of, *results))], of, of)[of]  # type: ignore[return-value]


def message_rows(*results: Mapping[str, Any], of: date = TODAY) -> list[messages.Row]:
    """Return the rows of a page with results of one day."""
    return messages.report().source.read([page(bucket(of, *results))], of, of)[of]  # type: ignore[return-value]


def answer(*bodies: bytes) -> Answer:
    """Return bodies as the pages of one answer."""
    return Answer(list(bodies), hashlib.blake2b(b"".join(bodies)).hexdigest())


def take_usage(
    ledger: Ledger, of: date, *records: Mapping[str, Any], at: datetime = NOW
) -> Mapping[date, ApiShapeChanged]:
    """Put a day of claude_code into a ledger; return the days that could not be read."""
    return ledger.take(ledger.reports["claude_code"], [of], answer(usage_page(of, *records)), at)


def take_cost(
    ledger: Ledger, of: date, *results: Mapping[str, Any], at: datetime = NOW
) -> Mapping[date, ApiShapeChanged]:
    """Put a day of cost into a ledger; return the days that could not be read."""
    return ledger.take(ledger.reports["cost"], [of], answer(page(bucket(of, *results))), at)


def take_messages(
    ledger: Ledger, of: date, *results: Mapping[str, Any], at: datetime = NOW
) -> Mapping[date, ApiShapeChanged]:
    """Put a day of messages into a ledger; return the days that could not be read."""
    return ledger.take(ledger.reports["messages"], [of], answer(page(bucket(of, *results))), at)
