"""What the panels on tokens of the whole API must show, straight from the truth. Shares no code with the generator."""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from functools import cache

from tests.dashboard.truth import Chart, Table, Truth, filled, quotients

TOKENS, COST = "anthropic_tokens", "anthropic_cost_usd"
READ, UNCACHED, OUTPUT = "cache_read_input_tokens", "uncached_input_tokens", "output_tokens"


def token_charts(truth: Truth) -> dict[str, Chart]:
    """Return what the charts over time must show, by title."""
    tiers = truth.by_day("anthropic_service_tier_tokens", "service_tier")
    share = {day: float(value) for day, value in _shares(truth, TOKENS, "date").items()}
    return {
        "API tokens by model": filled(truth.by_day(TOKENS, "model")),
        "API tokens by workspace": filled(truth.by_workspace("anthropic_workspace_tokens")),
        "API tokens by service tier": filled(tiers),
        "Cache-read share of API tokens over time": {"Cache-read share": share},
    }


def token_values(truth: Truth) -> dict[str, Mapping[str, Decimal]]:
    """Return what the tile of the share must show; without input it is empty."""
    share = _shares(truth, TOKENS)
    return {"Cache-read share of API tokens": {"Cache reads": share[""]} if share else {}}


@cache
def api_keys(truth: Truth) -> Table:
    """Return what the table of the 20 API keys with the most tokens must show."""
    names = {pair[0]: pair[1] for pair in truth.sums("anthropic_api_key_info", "api_key_id", "api_key_name")}
    tokens = {key: count for (key,), count in truth.sums("anthropic_api_key_tokens", "api_key_id").items()}
    shares, whole = _shares(truth, "anthropic_api_key_tokens", "api_key_id"), sum(tokens.values())
    return {
        (names.get(key, key), key): {
            "Tokens": float(tokens[key]),
            "Share": float(tokens[key] / whole),
            "Cache-read share": float(shares[key]) if key in shares else None,
        }
        for key in sorted(tokens, key=lambda key: -tokens[key])[:20]
    }


def saved(truth: Truth) -> Decimal | None:
    """Return the dollars that one organisation saved by caching, None where no model has a price."""
    read = {day for (day,) in truth.sums("anthropic_web_searches", "date")} & {
        day for (day,) in truth.sums(COST, "date")
    }
    tokens, cost = (_by_model(truth, family, read) for family in (TOKENS, COST))
    found: Decimal | None = None
    for model, counts in tokens.items():
        billed = cost.get(model, {})
        if counts.get(UNCACHED, 0) > 0 and billed.get(UNCACHED, 0) > 0:
            price = billed[UNCACHED] / counts[UNCACHED]
            cached = [kind for kind in counts if kind not in {UNCACHED, OUTPUT}]
            without = sum(counts[kind] for kind in cached) * price
            found = (found or Decimal()) + without - sum((billed.get(kind, Decimal()) for kind in cached), Decimal())
    return found


def _by_model(truth: Truth, family: str, days: set[str]) -> dict[str, dict[str, Decimal]]:
    """Return the sums over some days by model and token type, of cost only that of tokens."""
    found: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    where = {"cost_type": "tokens"} if family == COST else {}
    for (day, model, kind), value in truth.sums(family, "date", "model", "token_type", **where).items():
        if day in days:
            found[model][kind] += value
    return found


def _shares(truth: Truth, family: str, *by: str) -> dict[str, Decimal]:
    """Return the share of cache reads in the input, by a label or in all."""
    reads, prompt = defaultdict[str, Decimal](Decimal), defaultdict[str, Decimal](Decimal)
    for (*keys, kind), tokens in truth.sums(family, *by, "token_type").items():
        key = "".join(keys)
        prompt[key] += 0 if kind == OUTPUT else tokens
        reads[key] += tokens if kind == READ else 0
    return quotients(reads, prompt)
