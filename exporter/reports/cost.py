"""Report `cost`: what was billed, by UTC day. Sources: cost_report, and `cost_analytics`.

anthropic_cost_usd{date="2026-11-20",model="claude-opus-5",cost_type="tokens",token_type="output_tokens"} 41.2
anthropic_workspace_cost_usd{date="2026-11-20",workspace_id="default"} 55.1
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from operator import attrgetter

from msgspec import Struct

from exporter.api.bodies import Decoder, Money, Text
from exporter.api.paging import Answer, Getter, Request, pages
from exporter.errors import ApiShapeChanged
from exporter.model import DAY, Family, Samples, dollars
from exporter.reports import buckets
from exporter.reports.report import Changes, Report
from exporter.reports.sums import Daily, Group, Totals, by_key, grouped

NAME = "cost"
SOURCES = {"1 cost_report": "cost_report", "1 analytics": "analytics"}
"""By format of the stored rows."""
_SOURCE = "Source: cost_report or analytics/cost"
_ANALYTICS = "Source: analytics/cost"
FAMILIES = (
    Family(
        "anthropic_cost_usd",
        f"Billed cost on a UTC day, before credits; Priority Tier is left out by the API. {_SOURCE}, amount.",
        ("date", "model", "cost_type", "token_type"),
    ),
    Family(
        "anthropic_workspace_cost_usd",
        f"The same billed cost as anthropic_cost_usd, by workspace. {_SOURCE}, amount.",
        ("date", "workspace_id"),
    ),
    Family(
        "anthropic_product_cost_usd",
        f"The same billed cost as anthropic_cost_usd, by product. {_ANALYTICS}, amount.",
        ("date", "product"),
    ),
    Family(
        "anthropic_list_cost_usd",
        f"Cost on a UTC day at list prices, before discounts. {_ANALYTICS}, list_amount.",
        ("date", "model"),
    ),
    Family(
        "anthropic_api_key_cost_usd",
        f"Billed cost by API key over the whole window. {_ANALYTICS}, amount.",
        ("api_key_id",),
    ),
)


class ByAnalytics(Struct, frozen=True, array_like=True, gc=False):
    """What only `/analytics/cost` knows of an amount. An absent key or product is `none`."""

    api_key_id: str
    product: str
    list_cents: Decimal


class Row(Struct, frozen=True, array_like=True, gc=False):
    """One billed amount of one day. Absent dimensions are `none`; the null workspace is `default`."""

    workspace_id: str
    model: str
    cost_type: str
    token_type: str
    cents: Decimal
    more: ByAnalytics | None = None


class _Result(Money):
    model: Text | None
    cost_type: Text | None
    token_type: Text | None
    workspace_id: Text | None


class _Bucket(buckets.Bucket):
    results: list[_Result]


class CostReport:
    """`cost_report`, grouped by description and workspace: up to 31 days per request."""

    name = "cost_report"
    if_missing = "If the API has retired this report, set EXPORTER_COST_SOURCE=analytics."
    missing_for = DAY
    revision = 1
    days_per_request = buckets.DAYS_PER_REQUEST
    _decode = Decoder(_Bucket)

    def request(self, first: date, last: date) -> Request:
        """Return the request for days, both included."""
        return buckets.request("/cost_report", first, last, ["description", "workspace_id"])

    async def fetch(self, api: Getter, first: date, last: date) -> Answer:
        """Return the answer for days, both included. Raises ApiError."""
        return await pages(api, self.request(first, last), NAME)

    def read(self, bodies: Sequence[bytes], first: date, last: date) -> Mapping[date, list[Row] | ApiShapeChanged]:
        """Return the rows by day."""
        return buckets.days(bodies, first, last, self._decode, _rows)


def _rows(results: Sequence[_Result]) -> list[Row]:
    return sorted(map(_row, results), key=attrgetter(*Row.__struct_fields__[:-1]))


def _row(result: _Result) -> Row:
    return Row(
        result.workspace_id or "default",
        result.model or "none",
        result.cost_type or "none",
        result.token_type or "none",
        result.amount,
    )


_LINE, _WORKSPACE = attrgetter("model", "cost_type", "token_type"), attrgetter("workspace_id")
_CENTS = attrgetter("cents")
_DIMENSIONS = attrgetter("workspace_id", "model", "cost_type", "token_type", "more.api_key_id", "more.product")


class Day(Struct):
    """Totals of one day: by (model, cost_type, token_type), by workspace, by product, and by model at list prices."""

    lines: dict[tuple[str, str, str], Group]
    workspaces: dict[str, Group]
    products: dict[str, Group]
    at_list_price: dict[str, Group]


def day_sums(rows: Sequence[Row]) -> Day:
    """Return the totals of a day."""
    known = _known(rows)
    return Day(
        lines=grouped(rows, _LINE, cents=_CENTS),
        workspaces=grouped(rows, _WORKSPACE, cents=_CENTS),
        products=grouped(known, attrgetter("more.product"), cents=_CENTS),
        at_list_price=grouped(known, attrgetter("model"), cents=attrgetter("more.list_cents")),
    )


def day_samples(day: date, sums: Day) -> Samples:
    """Return the samples of a day."""
    label = day.isoformat()
    return {
        "anthropic_cost_usd": [((label, *line), dollars(group.cents)) for line, group in by_key(sums.lines)],
        "anthropic_workspace_cost_usd": _by_name(label, sums.workspaces),
        "anthropic_product_cost_usd": _by_name(label, sums.products),
        "anthropic_list_cost_usd": _by_name(label, sums.at_list_price),
    }


def _by_name(label: str, groups: Mapping[str, Group]) -> list[tuple[tuple[str, ...], float]]:
    return [((label, name), dollars(group.cents)) for name, group in by_key(groups)]


class Bill(Daily[Row, Day]):
    """The view: totals by day, and by API key over the days that are shown."""

    def __init__(self) -> None:
        super().__init__(day_sums, day_samples)
        self._keys: Totals[Row, str] = Totals(_DIMENSIONS, attrgetter("more.api_key_id"), cents=_CENTS)

    def replace(self, day: date, old: Iterable[Row], new: Sequence[Row] | None) -> None:
        """Replace the rows of a day; None removes the day."""
        super().replace(day, old, new)
        self._keys.replace(_known(old), _known(new or ()))

    def changes(self, *_: object) -> Changes:
        """Return the days that have changed since the last call, and the keys if one of them has."""
        keys = self._keys.changes()
        if keys is None:
            return super().changes()
        costs = [((key,), dollars(group.cents)) for key, group in keys]
        return {**super().changes(), "keys": {"anthropic_api_key_cost_usd": costs}}


def _known(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of which the API key is known."""
    return [row for row in rows if row.more]


def report() -> Report[Row]:
    """Return the report, read from cost_report."""
    return Report(NAME, FAMILIES, CostReport(), Row, "1 cost_report", Bill, SOURCES)
