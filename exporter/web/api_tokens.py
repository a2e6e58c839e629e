"""Tokens of the whole API over a range of days: by API key, workspace, model and service tier, and the cache. Pure.

The prompt cache saved what its tokens would have cost as uncached input, less what cache reads and writes did cost.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from exporter.model import ZERO, dollars
from exporter.reports import cost, messages
from exporter.reports.sums import Group, add, merge
from exporter.web.report import Coverage, Query

UNCACHED, OUTPUT, READ = (
    messages.TOKEN_TYPES.index(f"{name}_tokens") for name in ("uncached_input", "output", "cache_read_input")
)
CACHED = [place for place, name in enumerate(messages.TOKEN_TYPES) if name.startswith("cache_")]
Counts = Sequence[int]
"""Tokens in the order of `messages.TOKEN_TYPES`."""


class Use(NamedTuple):
    """The dimensions by which tokens are counted. Null is `none`, and the null workspace `default`."""

    api_key_id: str
    workspace_id: str
    model: str
    service_tier: str


class ApiTokens(NamedTuple):
    """Tokens of a range, the dollars saved by model, and the names of workspaces and keys by id."""

    coverage: Coverage
    tokens: Mapping[Use, Group]
    saved: Mapping[str, float]
    """Of each model that has a price."""
    workspaces: Mapping[str, str] = {}
    api_keys: Mapping[str, str] = {}

    def by(self, dimension: str) -> list[tuple[str, Counts]]:
        """Return the tokens by a dimension, the most first."""
        sums: dict[str, Group] = {}
        for use, group in self.tokens.items():
            add(sums, getattr(use, dimension), group.counts)
        return sorted(((name, group.counts) for name, group in sums.items()), key=lambda of: (-sum(of[1]), of[0]))


def add_day(tokens: dict[Use, Group], rows: Iterable[messages.Row], query: Query) -> None:
    """Add the rows of a day, without the models that the query filters out."""
    for row in rows:
        if query.counts(row.model):
            add(tokens, Use(row.api_key_id, row.workspace_id, row.model, row.service_tier), row.tokens)


def saved(query: Query, used: Mapping[date, messages.Day], bills: Mapping[date, cost.Day]) -> dict[str, float]:
    """Return the dollars that caching saved by model, without the models that have no price.

    The price is that of the range: a day with little uncached input has a noisy price or none. A day counts if its
    tokens were read and its bill has lines.
    """
    counts: dict[str, Group] = {}
    cents: dict[tuple[str, str, str], Group] = {}
    for day in query.span.dates():
        if day in used and day in bills and bills[day].lines:
            merge(counts, used[day].models)
            merge(cents, bills[day].lines)
    of_models = {model: _saved(model, group.counts, cents) for model, group in counts.items() if query.counts(model)}
    return {model: dollars(found) for model, found in of_models.items() if found is not None}


def _saved(model: str, counts: Counts, cents: Mapping[tuple[str, str, str], Group]) -> Decimal | None:
    """Return the cents that a model saved, None where it has no price."""
    billed = [cents[of].cents if (of := (model, "tokens", kind)) in cents else ZERO for kind in messages.TOKEN_TYPES]
    if counts[UNCACHED] <= 0 or billed[UNCACHED] <= 0:
        return None
    uncached = sum(counts[place] for place in CACHED) * billed[UNCACHED] / counts[UNCACHED]
    return uncached - sum((billed[place] for place in CACHED), ZERO)


def cache_read_share(counts: Counts) -> float | None:
    """Return the share of the input that was read from the cache, None without input."""
    prompt = sum(counts) - counts[OUTPUT]
    return counts[READ] / prompt if prompt else None


def total(uses: Iterable[Counts]) -> Counts:
    """Return the sums of counts."""
    return [sum(of) for of in zip(*uses, strict=True)] or [0] * len(messages.TOKEN_TYPES)
