"""Report `messages`: tokens of the whole API, by UTC day, and of each API key.

Sources: usage_report/messages, and `messages_analytics`.

anthropic_tokens{date="2026-11-20",model="claude-opus-5",token_type="output_tokens"} 210000
anthropic_api_key_tokens{api_key_id="none",model="claude-sonnet-5",token_type="uncached_input_tokens"} 90000
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from operator import attrgetter
from typing import TypeVar

from msgspec import Struct

from exporter.api.bodies import Count, Decoder, Text
from exporter.api.paging import Answer, Getter, Request, pages
from exporter.errors import ApiShapeChanged
from exporter.model import DAY, Family, Samples
from exporter.reports import buckets
from exporter.reports.report import Changes, Report
from exporter.reports.report import Count as StoredCount
from exporter.reports.sums import Daily, Group, Totals, by_key, check, grouped

NAME = "messages"
SOURCES = {"1 usage_report": "usage_report", "1 analytics": "analytics"}
"""By format of the stored rows."""
K = TypeVar("K")
_SOURCE = "Source: usage_report/messages or analytics/usage"
FAMILIES = (
    Family(
        "anthropic_tokens",
        f"Tokens of the whole API on a UTC day, those of Claude Code included. {_SOURCE}.",
        ("date", "model", "token_type"),
    ),
    Family(
        "anthropic_workspace_tokens",
        f"The same tokens as anthropic_tokens, by workspace. {_SOURCE}.",
        ("date", "workspace_id", "token_type"),
    ),
    Family(
        "anthropic_service_tier_tokens",
        f"The same tokens as anthropic_tokens, by service tier. {_SOURCE}.",
        ("date", "service_tier"),
    ),
    Family("anthropic_web_searches", f"Web searches on a UTC day. {_SOURCE}, server_tool_use.", ("date",)),
    Family(
        "anthropic_api_key_tokens",
        f"The same tokens as anthropic_tokens, by API key over the whole window. {_SOURCE}.",
        ("api_key_id", "model", "token_type"),
    ),
    Family(
        "anthropic_requests",
        "Requests to the API on a UTC day, without code execution. Source: analytics/usage, requests.",
        ("date", "model"),
    ),
)
TOKEN_TYPES = (
    "uncached_input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens",
)
"""Spelled as in `anthropic_cost_usd`, so that cost divided by tokens is a price."""


class Row(Struct, frozen=True, array_like=True, gc=False):
    """Use of one API key, workspace, model and tier on one day. Tokens are in the order of TOKEN_TYPES.

    `requests` is None where the source does not say.
    """

    api_key_id: str
    workspace_id: str
    model: str
    service_tier: str
    tokens: tuple[StoredCount, StoredCount, StoredCount, StoredCount, StoredCount]
    web_searches: StoredCount
    requests: StoredCount | None = None


class _CacheCreation(Struct):
    ephemeral_5m_input_tokens: Count
    ephemeral_1h_input_tokens: Count


class _ServerTools(Struct):
    web_search_requests: Count


class Tokens(Struct):
    """Tokens and searches, as both sources name them."""

    uncached_input_tokens: Count
    output_tokens: Count
    cache_read_input_tokens: Count
    cache_creation: _CacheCreation
    server_tool_use: _ServerTools


class _Result(Tokens):
    api_key_id: Text | None
    workspace_id: Text | None
    model: Text | None
    service_tier: Text | None


class _Bucket(buckets.Bucket):
    results: list[_Result]


class MessagesUsage:
    """`usage_report/messages`, grouped by the four dimensions of a row: up to 31 days per request."""

    name = "usage_report"
    if_missing = "If the API has retired this report, set EXPORTER_USAGE_SOURCE=analytics."
    missing_for = DAY
    revision = 1
    days_per_request = buckets.DAYS_PER_REQUEST
    _decode = Decoder(_Bucket)

    def request(self, first: date, last: date) -> Request:
        """Return the request for days, both included."""
        dimensions = ["api_key_id", "workspace_id", "model", "service_tier"]  # the API accepts at most five
        return buckets.request("/usage_report/messages", first, last, dimensions)

    async def fetch(self, api: Getter, first: date, last: date) -> Answer:
        """Return the answer for days, both included. Raises ApiError."""
        return await pages(api, self.request(first, last), NAME)

    def read(self, bodies: Sequence[bytes], first: date, last: date) -> Mapping[date, list[Row] | ApiShapeChanged]:
        """Return the rows by day, one for each combination of dimensions."""
        return buckets.days(bodies, first, last, self._decode, _rows)


def _rows(results: Sequence[_Result]) -> list[Row]:
    groups = grouped(results, _dimensions, counts)
    return [Row(*key, tuple(group.counts[:-1]), group.counts[-1]) for key, group in by_key(groups)]  # type: ignore[arg-type]


def _dimensions(result: _Result) -> tuple[str, str, str, str]:
    return (
        result.api_key_id or "none",
        result.workspace_id or "default",
        result.model or "none",
        result.service_tier or "none",
    )


def counts(used: Tokens) -> tuple[int, ...]:
    """Return the tokens in the order of TOKEN_TYPES, and the web searches."""
    return (
        used.uncached_input_tokens,
        used.output_tokens,
        used.cache_read_input_tokens,
        used.cache_creation.ephemeral_5m_input_tokens,
        used.cache_creation.ephemeral_1h_input_tokens,
        used.server_tool_use.web_search_requests,
    )


_TOKENS = attrgetter("tokens")
DIMENSIONS = attrgetter("api_key_id", "workspace_id", "model", "service_tier")


class Day(Struct):
    """Totals of one day: by model, by workspace and by service tier. Counts are in the order of TOKEN_TYPES.

    `requests` are by model, without models of which some are unknown.
    """

    models: dict[str, Group]
    workspaces: dict[str, Group]
    tiers: dict[str, Group]
    web_searches: int
    requests: dict[str, Group]


def day_sums(rows: Sequence[Row]) -> Day:
    """Return the totals of a day. Raises ValueError for rows that cannot be added up exactly."""
    sums = Day(
        models=grouped(rows, attrgetter("model"), _TOKENS),
        workspaces=grouped(rows, attrgetter("workspace_id"), _TOKENS),
        tiers=grouped(rows, attrgetter("service_tier"), _TOKENS),
        web_searches=sum(row.web_searches for row in rows),
        requests=_requests(rows),
    )
    check([sums.web_searches])
    return sums


def _requests(rows: Sequence[Row]) -> dict[str, Group]:
    unknown = {row.model for row in rows if row.requests is None}
    known = [row for row in rows if row.model not in unknown and row.requests]
    return grouped(known, attrgetter("model"), lambda row: (row.requests or 0,))


def day_samples(day: date, sums: Day) -> Samples:
    """Return the samples of a day."""
    label = day.isoformat()
    return {
        "anthropic_tokens": [((label, *key), n) for *key, n in _by_type(by_key(sums.models))],
        "anthropic_workspace_tokens": [((label, *key), n) for *key, n in _by_type(by_key(sums.workspaces))],
        "anthropic_service_tier_tokens": [((label, tier), sum(of.counts)) for tier, of in by_key(sums.tiers)],
        "anthropic_web_searches": [((label,), sums.web_searches)],
        "anthropic_requests": [((label, model), group.counts[0]) for model, group in by_key(sums.requests)],
    }


def _by_type(groups: Iterable[tuple[K, Group]]) -> Iterator[tuple[K, str, int]]:
    """Yield (key, token type, tokens)."""
    for key, group in groups:
        for token_type, count in zip(TOKEN_TYPES, group.counts, strict=True):
            yield key, token_type, count


class Usage(Daily[Row, Day]):
    """The view: totals by day, and tokens by API key over the days that are shown."""

    def __init__(self) -> None:
        super().__init__(day_sums, day_samples)
        self._keys: Totals[Row, tuple[str, str]] = Totals(DIMENSIONS, attrgetter("api_key_id", "model"), _TOKENS)

    def replace(self, day: date, old: Iterable[Row], new: Sequence[Row] | None) -> None:
        """Replace the rows of a day; None removes the day."""
        super().replace(day, old, new)
        self._keys.replace(old, new or ())

    def changes(self, *_: object) -> Changes:
        """Return the days that have changed since the last call, and the keys if one of them has."""
        keys = self._keys.changes()
        if keys is None:
            return super().changes()
        tokens = [((*key, token_type), count) for key, token_type, count in _by_type(keys)]
        return {**super().changes(), "keys": {"anthropic_api_key_tokens": tokens}}


def report() -> Report[Row]:
    """Return the report, read from usage_report/messages."""
    return Report(NAME, FAMILIES, MessagesUsage(), Row, "1 usage_report", Usage, SOURCES, optional=True)
