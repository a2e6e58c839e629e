"""The reports of this exporter. To add one, write a module in this package and name it here."""

from collections.abc import Iterable
from typing import Any

from exporter.model import Family
from exporter.reports import api_keys, claude_code, cost, directory, health, members, messages
from exporter.reports.names import Names
from exporter.reports.report import Listing, Report


def reports(names: Names = Names(), max_users: int = 2000) -> tuple[Report[Any], ...]:  # noqa: B008 - immutable
    """Return every report, with users named as `names` says and at most `max_users` of them by name."""
    return claude_code.report(names, max_users), cost.report(), messages.report()


def listings(names: Names = Names()) -> tuple[Listing[Any], ...]:  # noqa: B008 - immutable
    """Return every listing, with users named as `names` says."""
    return directory.listing(), api_keys.listing(names), members.listing(names)


def families(reports: Iterable[Report[Any]], listings: Iterable[Listing[Any]]) -> tuple[Family, ...]:
    """Return every family of the data page, in its order: reports, dates, listings, health."""
    of_reports = [family for report in reports for family in report.families]
    of_listings = [family for listing in listings for family in listing.families]
    return (*of_reports, health.DATES, *of_listings, *health.FAMILIES)


NAMES = (*(report.name for report in reports()), *(listing.name for listing in listings()))
"""The values of the label `report`."""
FAMILIES = families(reports(), listings())
"""Every family of the data page. The exporter's own are in `telemetry.FAMILIES`."""
