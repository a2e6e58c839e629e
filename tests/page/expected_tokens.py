"""What the page must show of the tokens of the whole API. Shares no code with `exporter/`."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from exporter.demo.organization import Organization

Tokens = dict[str, int]
KINDS = ("input", "reads", "writes", "output")


def tables(
    organization: Organization, now: datetime, days: Sequence[date], models: Collection[str] = ()
) -> dict[str, list[list[str]]]:
    """Return the rows, without their head, of each table by its caption; `models` filters, none is all."""
    results = [one for day in days for one in _chosen(organization.messages_results(day, now), models)]
    workspaces = {one["id"]: one["name"] for one in organization.workspaces(include_archived=True)}
    keys = {one["id"]: one["name"] for one in organization.api_keys()}
    saved = _saved(organization, now, days, models)
    by_model, whole = _by(results, "model"), _summed(results)
    money = ["no price" if model not in saved else f"${saved[model]:,.2f}" for model, _ in by_model]
    rows = [[name, *_kinds(tokens), saving] for (name, tokens), saving in zip(by_model, money, strict=True)]
    return {
        "Tokens by model": [*rows, ["Total", *_kinds(whole), f"${sum(saved.values()):,.2f}"]],
        "Tokens by workspace": _named(_by(results, "workspace_id", "default"), workspaces),
        "Tokens by service tier": _named(_by(results, "service_tier"), {}),
        "Tokens by API key": _named(_by(results, "api_key_id", "no API key"), keys),
    }


def _chosen(results: Sequence[Mapping[str, Any]], models: Collection[str]) -> list[Mapping[str, Any]]:
    return [one for one in results if not models or one["model"] in models]


def _tokens(result: Mapping[str, Any]) -> Tokens:
    writes = sum(result["cache_creation"].values())
    reads, output = result["cache_read_input_tokens"], result["output_tokens"]
    return {"input": result["uncached_input_tokens"], "reads": reads, "writes": writes, "output": output}


def _summed(results: Sequence[Mapping[str, Any]]) -> Tokens:
    found = [_tokens(one) for one in results]
    return {kind: sum(one[kind] for one in found) for kind in KINDS}


def _by(results: Sequence[Mapping[str, Any]], label: str, null: str = "none") -> list[tuple[str, Tokens]]:
    of: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in results:
        of[one[label] or null].append(one)
    sums = {name: _summed(found) for name, found in of.items()}
    return sorted(sums.items(), key=lambda one: (-sum(one[1].values()), one[0]))


def _share(tokens: Tokens) -> str:
    prompt = sum(tokens.values()) - tokens["output"]
    return f"{tokens['reads'] / prompt:.1%}" if prompt else "no input"


def _kinds(tokens: Tokens) -> list[str]:
    return [*(f"{tokens[kind]:,}" for kind in KINDS), f"{sum(tokens.values()):,}", _share(tokens)]


def _named(found: Sequence[tuple[str, Tokens]], names: Mapping[str, str]) -> list[list[str]]:
    return [[names.get(name, name), f"{sum(tokens.values()):,}", _share(tokens)] for name, tokens in found]


def _saved(
    organization: Organization, now: datetime, days: Sequence[date], models: Collection[str]
) -> dict[str, Decimal]:
    """Return the dollars saved by model; of the days that have a bill."""
    tokens: dict[str, Tokens] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    cents: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for day in days:
        bill = organization.cost_results(day, now)
        for one in _chosen(organization.messages_results(day, now), models) if bill else ():
            for kind, count in _tokens(one).items():
                tokens[one["model"]][kind] += count
        for one in bill:
            if one["cost_type"] == "tokens":
                kind = "writes" if one["token_type"].startswith("cache_creation") else one["token_type"]
                cents[one["model"], kind] += Decimal(one["amount"])
    found = {}
    for model, counts in tokens.items():
        if counts["input"] and cents[model, "uncached_input_tokens"]:
            price = cents[model, "uncached_input_tokens"] / counts["input"]
            paid = cents[model, "cache_read_input_tokens"] + cents[model, "writes"]
            found[model] = ((counts["reads"] + counts["writes"]) * price - paid) / 100
    return found
