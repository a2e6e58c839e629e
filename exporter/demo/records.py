"""Sessions and billed lines in the shapes of the Admin API: records and results."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from exporter.demo import prices
from exporter.demo.people import Source
from exporter.demo.sessions import FINAL, Session
from exporter.demo.traffic import Line, Use, grains

ORGANIZATION_ID = "7c1f0e52-3a6b-4d0e-9f3e-2b8c55d0a911"
_TOOLS = ("edit_tool", "multi_edit_tool", "write_tool", "notebook_edit_tool")
_KINDS = {
    prices.UNCACHED: "Input Tokens",
    prices.OUTPUT: "Output Tokens",
    prices.CACHE_READ: "Cache Read",
    prices.CACHE_1H: "Cache Write (1h)",
    prices.CACHE_5M: "Cache Write (5m)",
}
_MODELS = {
    prices.OPUS: "Claude Opus 5",
    prices.NEWCOMER: "Claude Opus 5.5",
    prices.SONNET: "Claude Sonnet 5",
    prices.HAIKU: "Claude Haiku 4.5",
}

Record = dict[str, Any]


class Sums:
    """The numbers of one source on one day: `counts` as in a session, `tools` and `models` by name."""

    __slots__ = ("counts", "models", "tools")

    def __init__(self) -> None:
        self.counts = [0, 0, 0, 0, 0]
        self.tools: dict[str, list[int]] = {}
        self.models: dict[str, list[int]] = {}

    def add(self, session: Session, permille: int) -> None:
        """Add a session, of which `permille` thousandths are shown."""
        _add(self.counts, session.counts, permille)
        for tool, accepted, rejected in session.tools:
            _add(self.tools.setdefault(tool, [0, 0]), (accepted, rejected), permille)
        for model, tokens in session.usage:
            _add(self.models.setdefault(model, [0, 0, 0, 0]), tokens, permille)

    def multiply(self, factor: Decimal) -> None:
        """Multiply every number by a factor, rounded half up."""
        ratio = Fraction(factor)
        for numbers in (self.counts, *self.tools.values(), *self.models.values()):
            numbers[:] = [int(number * ratio + Fraction(1, 2)) for number in numbers]


def usage_records(day: date, sessions: Iterable[Session], *, final: bool, factor: Decimal) -> list[Record]:
    """Return the Claude Code records of a day from those of its sessions that are shown, one record per source."""
    sums: dict[Source, Sums] = {}
    for session in sessions:
        if permille := FINAL if final else session.early:
            if session.source not in sums:
                sums[session.source] = Sums()
            sums[session.source].add(session, permille)
    if factor != 1:
        for total in sums.values():
            total.multiply(factor)
    return [_usage_record(day, source, total) for source, total in sums.items()]


def cost_result(line: Line, units: int, factor: Decimal) -> Record:
    """Return one result of `cost_report`, grouped by description and workspace."""
    return {
        "amount": prices.cents_text(units * grains(line), factor),
        "currency": "USD",
        "description": _description(line),
        "cost_type": line.cost_type,
        "model": line.model,
        "token_type": line.token_type,
        "service_tier": line.service_tier,
        "context_window": line.context_window,
        "inference_geo": line.inference_geo,
        "workspace_id": line.workspace_id,
    }


def messages_results(used: Mapping[Use, int], factor: Decimal) -> list[Record]:
    """Return the results of `usage_report/messages`, grouped by key, workspace, model and tier.

    Each context window has a result of its own. Web searches were made by Sonnet.
    """
    groups: dict[tuple[str | None, ...], dict[str, int]] = {}
    for (key, line, _), units in used.items():
        model = prices.SONNET if line.cost_type == "web_search" else line.model
        if model is None:
            continue
        group = groups.setdefault(
            (key, line.workspace_id, model, line.service_tier or "standard", line.context_window), {}
        )
        kind = line.token_type or line.cost_type
        group[kind] = group.get(kind, 0) + counted(units, factor)
    ordered = sorted(groups.items(), key=lambda item: tuple(part or "" for part in item[0]))
    return [_messages_result(key, units) for key, units in ordered if any(units.values())]


def counted(units: int, factor: Decimal) -> int:
    """Return units of a day that was restated by a factor, rounded half up."""
    return units if factor == 1 else int(units * Fraction(factor) + Fraction(1, 2))


def _messages_result(key: tuple[str | None, ...], units: Mapping[str, int]) -> Record:
    def count(kind: str) -> int:
        return units.get(kind, 0)

    return {
        "uncached_input_tokens": count(prices.UNCACHED),
        "cache_creation": {
            "ephemeral_1h_input_tokens": count(prices.CACHE_1H),
            "ephemeral_5m_input_tokens": count(prices.CACHE_5M),
        },
        "cache_read_input_tokens": count(prices.CACHE_READ),
        "output_tokens": count(prices.OUTPUT),
        "server_tool_use": {"web_search_requests": count("web_search")},
        "api_key_id": key[0],
        "workspace_id": key[1],
        "model": key[2],
        "service_tier": key[3],
        "context_window": None,
        "inference_geo": None,
        "account_id": None,
        "service_account_id": None,
    }


def _add(totals: list[int], numbers: tuple[int, ...], permille: int) -> None:
    for place, number in enumerate(numbers):
        totals[place] += number if permille == FINAL else (number * permille + 500) // 1000


def _usage_record(day: date, source: Source, sums: Sums) -> Record:
    key = "email_address" if source.actor_type == "user_actor" else "api_key_name"
    sessions, added, removed, commits, pull_requests = sums.counts
    return {
        "date": f"{day.isoformat()}T00:00:00Z",
        "actor": {"type": source.actor_type, key: source.name},
        "organization_id": ORGANIZATION_ID,
        "customer_type": source.customer_type,
        "subscription_type": source.subscription_type,
        "is_remote": source.is_remote,
        "terminal_type": source.terminal_type,
        "core_metrics": {
            "num_sessions": sessions,
            "lines_of_code": {"added": added, "removed": removed},
            "commits_by_claude_code": commits,
            "pull_requests_by_claude_code": pull_requests,
        },
        "tool_actions": _tool_actions(source, sums.tools),
        "model_breakdown": [_model_entry(model, tokens, source.decimals) for model, tokens in sums.models.items()],
    }


def _tool_actions(source: Source, tools: dict[str, list[int]]) -> Record:
    names = _TOOLS if source.all_tools else [tool for tool in _TOOLS if tool in tools]
    pairs = ((tool, tools.get(tool, (0, 0))) for tool in names)
    return {tool: {"accepted": accepted, "rejected": rejected} for tool, (accepted, rejected) in pairs}


def _model_entry(model: str, tokens: list[int], decimals: int) -> Record:
    uncached, output, cache_read, cache_creation = tokens
    numbers = (uncached, output, cache_read, cache_creation)
    names = ("input", "output", "cache_read", "cache_creation")
    return {
        "model": model,
        "tokens": dict(zip(names, numbers, strict=True)),
        "estimated_cost": {
            "currency": "USD",
            "amount": prices.estimated_cents(model, numbers, decimals),
        },
    }


def _description(line: Line) -> str:
    if line.model is None or line.token_type is None:
        return f"{line.cost_type.replace('_', ' ').title()} Usage"
    suffix = ", Batch" if line.service_tier == "batch" else ""
    return f"{_MODELS[line.model]} Usage - {_KINDS[line.token_type]}{suffix}"
