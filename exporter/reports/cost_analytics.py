"""The second source of report `cost`: `/analytics/cost` (beta), which also knows API keys, products and list prices."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from operator import attrgetter

from msgspec import Struct

from exporter.api.bodies import Decoder, ListedMoney, Text
from exporter.api.paging import Answer, Getter, Request
from exporter.reports import analytics, cost
from exporter.reports.cost import ByAnalytics, Row
from exporter.reports.report import Days, Report
from exporter.reports.sums import by_key, grouped
from exporter.reports.workspaces import Workspaces


class _Group(Struct):
    workspace_id: Text | None
    model: Text | None
    cost_type: Text | None
    token_type: Text | None
    api_key_id: Text | None
    product: Text | None


class _Result(analytics.Bounds):
    group: _Group
    cost: ListedMoney


class AnalyticsCost(analytics.Beta):
    """`/analytics/cost`, grouped by the dimensions of a row."""

    _decode = Decoder(_Result)

    def __init__(self, workspaces: Workspaces) -> None:
        super().__init__("EXPORTER_COST_SOURCE=cost_report")
        self._workspaces = workspaces

    def request(self, first: date, last: date) -> Request:
        """Return the request for days, both included.

        `token_type` without `cost_type` would leave out what is not tokens. The API counts neither as a dimension.
        """
        dimensions = ["workspace_id", "model", "api_key_id", "product", "cost_type", "token_type"]
        return analytics.request("/analytics/cost", first, last, dimensions)

    async def fetch(self, api: Getter, first: date, last: date) -> Answer:
        """Return the answer for days, both included. Raises ApiError."""
        answer = await analytics.fetch(api, self.request, first, last, cost.NAME)
        return await analytics.with_default(answer, self._workspaces, api, cost.NAME)

    def read(self, bodies: Sequence[bytes], first: date, last: date) -> Days[Row]:
        """Return the rows by day, one for each combination of dimensions."""
        pages, workspace = analytics.default_workspace(bodies)
        return analytics.days(pages, first, last, self._decode, partial(_rows, workspace))


def _rows(workspace: Callable[[str | None], str], results: Sequence[_Result]) -> list[Row]:
    def dimensions(result: _Result) -> tuple[tuple[str, str, str, str], tuple[str, str]]:
        of = result.group
        line = workspace(of.workspace_id), of.model or "none", of.cost_type or "none", of.token_type or "none"
        return line, (of.api_key_id or "none", of.product or "none")

    amounts = grouped(results, dimensions, cents=attrgetter("cost.amount"))
    at_list_price = grouped(results, dimensions, cents=attrgetter("cost.list_amount"))
    return [
        Row(*line, group.cents, ByAnalytics(*more, at_list_price[line, more].cents))
        for (line, more), group in by_key(amounts)
    ]


def report(workspaces: Workspaces) -> Report[Row]:
    """Return the report, read from `/analytics/cost`."""
    return replace(cost.report(), source=AnalyticsCost(workspaces), format="1 analytics")
