"""Report `cost`: what was billed, by UTC day. Source: cost_report.

anthropic_cost_usd{date="2026-11-20",model="claude-opus-5",cost_type="tokens",token_type="output_tokens"} 41.2
anthropic_workspace_cost_usd{date="2026-11-20",workspace_id="default"} 55.1
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from operator import attrgetter

from msgspec import Struct

from exporter.api.bodies import Decoder, Money, Text
from exporter.api.paging import Request
from exporter.errors import ApiShapeChanged
from exporter.model import Family, Samples, dollars
from exporter.reports import buckets
from exporter.reports.report import Report
from exporter.reports.sums import Daily, Group, by_key, grouped

NAME = "cost"
_SOURCE = "Source: cost_report"
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
)


class Row(Struct, frozen=True, array_like=True, gc=False, order=True):
    """One billed amount of one day. Absent dimensions are `none`; the null workspace is `default`."""

    workspace_id: str
    model: str
    cost_type: str
    token_type: str
    cents: Decimal


class _Result(Money):
    model: Text | None
    cost_type: Text | None
    token_type: Text | None
    workspace_id: Text | None


class _Bucket(buckets.Bucket):
    results: list[_Result]


class CostReport:
    """`cost_report`, grouped by description and workspace: up to 31 days per request."""

    revision = 1
    days_per_request = buckets.DAYS_PER_REQUEST
    _decode = Decoder(_Bucket)

    def request(self, first: date, last: date) -> Request:
        """Return the request for days, both included."""
        return buckets.request("/cost_report", first, last, ["description", "workspace_id"])

    def read(self, bodies: Sequence[bytes], first: date, last: date) -> Mapping[date, list[Row] | ApiShapeChanged]:
        """Return the rows by day."""
        return buckets.days(bodies, first, last, self._decode, lambda results: sorted(map(_row, results)))


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


class Day(Struct):
    """Totals of one day: by (model, cost_type, token_type), and by workspace."""

    lines: dict[tuple[str, str, str], Group]
    workspaces: dict[str, Group]


def day_sums(rows: Sequence[Row]) -> Day:
    """Return the totals of a day."""
    return Day(grouped(rows, _LINE, cents=_CENTS), grouped(rows, _WORKSPACE, cents=_CENTS))


def day_samples(day: date, sums: Day) -> Samples:
    """Return the samples of a day."""
    label = day.isoformat()
    return {
        "anthropic_cost_usd": [((label, *line), dollars(group.cents)) for line, group in by_key(sums.lines)],
        "anthropic_workspace_cost_usd": [
            ((label, workspace), dollars(group.cents)) for workspace, group in by_key(sums.workspaces)
        ],
    }


def report() -> Report[Row]:
    """Return the report."""
    return Report(NAME, FAMILIES, CostReport(), Row, "1 cost_report", lambda: Daily(day_sums, day_samples))
