"""`check`: try the key once against each listing and report, and say which of them work."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from exporter import reports
from exporter.api.paging import pages
from exporter.api.transport import Transport
from exporter.errors import ApiError
from exporter.model import DAY
from exporter.reports.report import Listing, Report

Say = Callable[[str], None]


async def check(api: Transport, today: date, say: Say) -> bool:
    """Return whether everything works; `say` is called with a line for each thing that is tried."""
    yesterday = today - DAY
    attempts = [
        *((f"{listing.name} listing", _listing(api, listing)) for listing in reports.listings()),
        *((f"{report.name} report for {yesterday}", _day(api, report, yesterday)) for report in reports.reports()),
    ]
    works = all([await _works(what, attempt, say) for what, attempt in attempts])
    say("All reports can be read." if works else "Not everything can be read: see above.")
    return works


async def _works(what: str, attempt: Awaitable[str], say: Say) -> bool:
    try:
        found = await attempt
    except ApiError as error:
        say(f"FAIL  {what}: {error}")
        return False
    say(f"ok    {what}: {found}")
    return True


async def _listing(api: Transport, listing: Listing[Any]) -> str:
    samples = listing.samples(await listing.fetch(api))
    return ", ".join(f"{len(found)} {family}" for family, found in samples.items())


async def _day(api: Transport, report: Report[Any], day: date) -> str:
    answer = await pages(api, report.source.request(day, day), report.name)
    rows = report.source.read(answer.bodies, day, day).get(day, [])
    if isinstance(rows, ApiError):
        raise rows
    return f"{len(rows)} rows" if rows else "readable, nothing on this day"
