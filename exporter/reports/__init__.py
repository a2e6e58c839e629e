"""The reports of this exporter. To add one, write a module in this package and name it here."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from exporter.model import Family
from exporter.reports import (
    analytics,
    api_keys,
    claude_code,
    claude_code_cost,
    cost,
    cost_analytics,
    directory,
    health,
    members,
    messages,
    messages_analytics,
)
from exporter.reports.names import Names
from exporter.reports.report import Listing, Report
from exporter.reports.workspaces import WorkspaceIds, Workspaces


class Sources(NamedTuple):
    """Where the bill and the tokens are read: the values of EXPORTER_COST_SOURCE and EXPORTER_USAGE_SOURCE."""

    cost: str = "cost_report"
    usage: str = "usage_report"


def reports(
    names: Names = Names(),  # noqa: B008 - immutable
    max_users: int = 2000,
    sources: Sources = Sources(),  # noqa: B008 - immutable
    workspace_ids: WorkspaceIds = lambda: None,
    key_names: Callable[[], Mapping[str, str]] = dict,
) -> tuple[Report[Any], ...]:
    """Return every report, with users named as `names` says and at most `max_users` of them by name.

    `key_names` returns the shown names of API keys by id.
    """
    workspaces = Workspaces(workspace_ids)
    bill: list[Report[Any]] = [cost.report()]
    used = messages.report()
    if sources.cost == analytics.NAME:
        bill = [cost_analytics.report(workspaces)]
        bill += [claude_code_cost.report(names, max_users, key_names)] if names.shown else []
    if sources.usage == analytics.NAME:
        used = messages_analytics.report(workspaces)
    return claude_code.report(names, max_users), *bill, used


def listings(
    names: Names = Names(),  # noqa: B008 - immutable
    workspace_ids: WorkspaceIds = lambda: None,
) -> tuple[Listing[Any], ...]:
    """Return every listing, with users named as `names` says."""
    return directory.listing(), api_keys.listing(names, workspace_ids), members.listing(names)


def families(reports: Iterable[Report[Any]], listings: Iterable[Listing[Any]]) -> tuple[Family, ...]:
    """Return every family of the numbers on the page, in their order: reports, dates, listings."""
    of_reports = [family for report in reports for family in report.families]
    of_listings = [family for listing in listings for family in listing.families]
    return (*of_reports, health.DATES, *of_listings)


def label_values(sources: Sources = Sources()) -> tuple[str, ...]:  # noqa: B008 - immutable
    """Return the values of the label `report`."""
    return (*(report.name for report in reports(sources=sources)), *(listing.name for listing in listings()))


NAMES = label_values()
"""The values of the label `report` with the default sources."""
FAMILIES = (*families(reports(sources=Sources("analytics", "analytics")), listings()), *health.FAMILIES)
"""Every family that the data page can have, in its order: numbers, then health.

The exporter's own are in `telemetry.FAMILIES`.
"""
