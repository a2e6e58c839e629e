"""The second source of report `messages`: `/analytics/usage` (beta), which also counts requests."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial

from msgspec import Struct

from exporter.api.bodies import Count, Decoder, Text
from exporter.api.paging import Answer, Getter, Request
from exporter.reports import analytics, messages
from exporter.reports.messages import Row, Tokens, counts
from exporter.reports.report import Days, Report
from exporter.reports.sums import by_key, grouped
from exporter.reports.workspaces import Workspaces


class _Group(Struct):
    api_key_id: Text | None
    workspace_id: Text | None
    model: Text | None
    service_tier: Text | None
    product: Text | None


class _Usage(Tokens):
    requests: Count | None


class _Result(analytics.Bounds):
    group: _Group
    usage: _Usage


class AnalyticsUsage(analytics.Beta):
    """`/analytics/usage`, grouped by the dimensions of a row and by product."""

    _decode = Decoder(_Result)

    def __init__(self, workspaces: Workspaces) -> None:
        super().__init__("EXPORTER_USAGE_SOURCE=usage_report")
        self._workspaces = workspaces

    def request(self, first: date, last: date) -> Request:
        """Return the request for days, both included."""
        dimensions = ["api_key_id", "workspace_id", "model", "service_tier", "product"]  # the API accepts five
        return analytics.request("/analytics/usage", first, last, dimensions)

    async def fetch(self, api: Getter, first: date, last: date) -> Answer:
        """Return the answer for days, both included. Raises ApiError."""
        answer = await analytics.fetch(api, self.request, first, last, messages.NAME)
        return await analytics.with_default(answer, self._workspaces, api, messages.NAME)

    def read(self, bodies: Sequence[bytes], first: date, last: date) -> Days[Row]:
        """Return the rows by day, one for each combination of dimensions."""
        pages, workspace = analytics.default_workspace(bodies)
        return analytics.days(pages, first, last, self._decode, partial(_rows, workspace))


def _rows(workspace: Callable[[str | None], str], results: Sequence[_Result]) -> list[Row]:
    def dimensions(result: _Result) -> tuple[str, str, str, str]:
        of = result.group
        return of.api_key_id or "none", workspace(of.workspace_id), of.model or "none", of.service_tier or "none"

    def requests(result: _Result) -> tuple[int, int]:
        """Return the requests, and 1 if they are unknown."""
        return result.usage.requests or 0, int(result.usage.requests is None)

    used = [result for result in results if not _is_code_execution(result)]
    tokens = grouped(used, dimensions, lambda result: counts(result.usage))
    sent = {key: group.counts for key, group in grouped(used, dimensions, requests).items()}
    return [
        Row(*key, tuple(group.counts[:-1]), group.counts[-1], None if sent[key][1] else sent[key][0])  # type: ignore[arg-type]
        for key, group in by_key(tokens)
    ]


def _is_code_execution(result: _Result) -> bool:
    """Return whether a row counts spans of code execution, which are no requests and use no tokens."""
    return result.group.product is None and not any(counts(result.usage))


def report(workspaces: Workspaces) -> Report[Row]:
    """Return the report, read from `/analytics/usage`."""
    return replace(messages.report(), source=AnalyticsUsage(workspaces), format="1 analytics")
