"""Reports of `/analytics/cost` and `/analytics/usage` (beta): rows for what was used, by UTC day.

There are no empty buckets. A day without rows is empty only if the API's data reaches beyond it.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from exporter.api.bodies import Decoder, Text
from exporter.api.paging import Answer, Getter, Request, pages
from exporter.errors import ApiShapeChanged
from exporter.model import DAY, midnight
from exporter.reports.buckets import DAYS_PER_REQUEST, day_of
from exporter.reports.report import Days
from exporter.reports.workspaces import Workspaces

NAME = "analytics"
EARLIEST = date(2026, 1, 1)
"""The first day that `/analytics/*` knows (types of the SDK)."""
BETA = {"anthropic-beta": "analytics-usage-cost-2026-08-24"}
Row = TypeVar("Row")


class Beta:
    """What every source of `/analytics/*` has: up to 31 days per request, and a setting that turns it off."""

    name = NAME
    missing_for = timedelta()
    revision = 1
    days_per_request = DAYS_PER_REQUEST

    def __init__(self, other_source: str) -> None:
        """Name the setting that reads the other source, such as `EXPORTER_COST_SOURCE=cost_report`."""
        self.if_missing = f"Its source is a beta, which may not be enabled for this organisation: set {other_source}."


class _Page(Struct):
    data: list[Raw]
    data_refreshed_at: Annotated[datetime, Meta(tz=True)] | None = None


class Bounds(Struct):
    """The bounds of the bucket of a row. A report adds the group and its numbers."""

    starting_at: str
    ending_at: str


class _Group(Struct):
    workspace_id: Text | None = None


class _Grouped(Struct):
    group: _Group


_decode_page, _decode_bounds, _decode_grouped = Decoder(_Page), Decoder(Bounds), Decoder(_Grouped)
_decode_ids: Decoder[list[str]] = Decoder(list[str])


def request(path: str, first: date, last: date, group_by: Sequence[str], **filters: Sequence[str]) -> Request:
    """Return the request for whole days, oldest first: rows ordered by amount would move between pages."""
    query = {
        "starting_at": f"{midnight(first):%Y-%m-%dT%H:%M:%SZ}",
        "ending_at": f"{midnight(last + DAY):%Y-%m-%dT%H:%M:%SZ}",
        "time_bucket_width": "1d",
        "group_by[]": list(group_by),
        **{f"{name}[]": list(values) for name, values in filters.items()},
        "order_by": "time",
        "order": "asc",
        "limit": "1000",
    }
    return Request(path, query, BETA)


async def fetch(
    api: Getter, make_request: Callable[[date, date], Request], first: date, last: date, report: str
) -> Answer:
    """Return all pages of the days that the API knows."""
    if last < EARLIEST:
        return Answer([], "")
    return await pages(api, make_request(max(first, EARLIEST), last), report)


async def with_default(answer: Answer, workspaces: Workspaces, api: Getter, report: str) -> Answer:
    """Return an answer with one more body: the ids of the default workspace among those that occur."""
    ids = {workspace_id for body in answer.bodies for workspace_id in _workspace_ids(body)}
    default = msgspec.json.encode(await workspaces.default_of(ids, api, report))
    return answer._replace(bodies=[*answer.bodies, default], digest=answer.digest + default.decode())


def _workspace_ids(body: bytes) -> Iterator[str]:
    """Yield the workspace of each row; a row that cannot be read is found by `days`."""
    for raw in _decode_page(body).data:
        try:
            workspace_id = _decode_grouped(raw).group.workspace_id
        except ApiShapeChanged:
            continue
        if workspace_id:
            yield workspace_id


def default_workspace(bodies: Sequence[bytes]) -> tuple[Sequence[bytes], Callable[[str | None], str]]:
    """Return the pages of an answer of `with_default`, and a function that names a workspace by its id."""
    default = {*_decode_ids(bodies[-1])}
    return bodies[:-1], lambda of: "default" if not of or of in default else of


def days(
    bodies: Sequence[bytes], first: date, last: date, decode: Decoder[Any], rows: Callable[[list[Any]], list[Row]]
) -> Days[Row]:
    """Return the rows of each day, None for days that the API's data has not reached.

    A row that cannot be read spoils its day and no other. Raises ApiShapeChanged when a row's day is unknown or was not
    requested.
    """
    entries = [entry for body in bodies for entry in enumerate(_decode_page(body).data)]
    of_day: dict[date, list[tuple[str, Raw]]] = {first + DAY * number: [] for number in range((last - first).days + 1)}
    for number, raw in entries:
        where = f"data[{number}]"
        of_day[_day(raw, where, first, last)].append((where, raw))
    until = min((at for body in bodies if (at := _decode_page(body).data_refreshed_at)), default=None)
    found: dict[date, list[Row] | ApiShapeChanged | None] = {}
    for day, raws in of_day.items():
        try:
            found[day] = rows([decode(raw, where) for where, raw in raws]) if raws else _empty(day, last, until)
        except ApiShapeChanged as error:
            found[day] = error
    return found


def _day(raw: Raw, where: str, first: date, last: date) -> date:
    bounds = _decode_bounds(raw, where)
    day = day_of(bounds.starting_at, f"{where}.starting_at")
    if not first <= day <= last:
        raise ApiShapeChanged(f"{where} is for {day}, which was not requested")
    if day_of(bounds.ending_at, f"{where}.ending_at") - day != DAY:
        raise ApiShapeChanged(f"{where} is not one UTC day")
    return day


def _empty(day: date, last: date, until: datetime | None) -> list[Any] | None:
    """Return no rows for a day that is over in the API's data, or has begun if it is the last one; else None."""
    if day < EARLIEST:
        return None
    needed = midnight(day) + (DAY if day < last else timedelta(microseconds=1))
    return [] if until is None or until >= needed else None
