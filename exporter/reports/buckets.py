"""Reports that answer in time buckets of one UTC day, up to 31 of them per request."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, TypeVar

from msgspec import Raw, Struct

from exporter.api.bodies import Decoder
from exporter.api.paging import Request
from exporter.errors import ApiShapeChanged
from exporter.model import DAY, midnight

Row = TypeVar("Row")
DAYS_PER_REQUEST = 31
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(T00:00:00(\.0{1,9})?(Z|\+00:00))?")


class _Page(Struct):
    data: list[Raw]


class _Start(Struct):
    starting_at: str


class Bucket(Struct):
    """The bounds of a bucket. A report adds the type of its results."""

    starting_at: str
    ending_at: str


_decode_page, _decode_start = Decoder(_Page), Decoder(_Start)


def request(path: str, first: date, last: date, group_by: Sequence[str]) -> Request:
    """Return the request for whole days.

    Both bounds are sent, aligned to midnight UTC, the end exclusive: the API refuses other bounds with 400 (Usage and
    Cost API guide, and reports of integrators).
    """
    query = {
        "starting_at": f"{midnight(first):%Y-%m-%dT%H:%M:%SZ}",
        "ending_at": f"{midnight(last + DAY):%Y-%m-%dT%H:%M:%SZ}",
        "bucket_width": "1d",
        "group_by[]": list(group_by),
        "limit": str(DAYS_PER_REQUEST),
    }
    return Request(path, query)


def days(
    bodies: Sequence[bytes], first: date, last: date, decode: Decoder[Any], rows: Callable[[Any], list[Row]]
) -> Mapping[date, "list[Row] | ApiShapeChanged"]:
    """Return the rows of each bucket's results; a day that cannot be read holds the reason and harms no other day.

    Raises ApiShapeChanged when an entry's day is unknown, occurs twice or was not requested.
    """
    found: dict[date, list[Row] | ApiShapeChanged] = {}
    entries = [entry for body in bodies for entry in enumerate(_decode_page(body).data)]
    for number, raw in entries:
        where = f"data[{number}]"
        day = day_of(_decode_start(raw, where).starting_at, f"{where}.starting_at")
        if not first <= day <= last:
            raise ApiShapeChanged(f"{where} is for {day}, which was not requested")
        if day in found:
            raise ApiShapeChanged(f"{where} is a second entry for {day}")
        try:
            found[day] = rows(_one_day(decode(raw, where), day, where).results)
        except ApiShapeChanged as error:
            found[day] = error
    return found


@lru_cache(64)
def day_of(text: str, field: str) -> date:
    """Return the day of `2026-11-20` or `2026-11-20T00:00:00Z`: the reference has documented both forms.

    Raises ApiShapeChanged for anything else, a time of day or another time zone included.
    """
    match = _DAY.fullmatch(text)
    try:
        return date.fromisoformat(match[1] if match else "")
    except ValueError:
        raise ApiShapeChanged(f"{field} is neither a date nor midnight UTC") from None


def _one_day(bucket: Any, day: date, where: str) -> Any:  # noqa: ANN401 - a Bucket with results of any report
    if day_of(bucket.ending_at, f"{where}.ending_at") - day != DAY:
        raise ApiShapeChanged(f"{where} is not one UTC day")
    return bucket
