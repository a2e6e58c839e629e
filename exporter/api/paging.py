"""Read every page of an answer by following its cursors. Knows no report."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, NamedTuple, Protocol

from msgspec import Meta, Struct

from exporter.api.bodies import Decoder, Text
from exporter.errors import ApiShapeChanged

LARGEST_ANSWER = 256 * 1024 * 1024
"""Bytes. Rows are no measure: `/analytics/cost` gives several for each one that `limit` counts."""


class Request(NamedTuple):
    """What to request: the path below `/v1/organizations`, the query, and headers such as `anthropic-beta`."""

    path: str
    query: Mapping[str, str | Sequence[str]] = {}
    headers: Mapping[str, str] = {}


class Answer(NamedTuple):
    """The bodies of all pages, and a digest of request and bodies: an equal digest means that nothing has changed."""

    bodies: list[bytes]
    digest: str
    refreshed_at: datetime | None = None
    """Until when the API's own data reaches, where it says so."""


class Getter(Protocol):
    """Sends one request. `transport.Transport` implements it."""

    async def get(self, request: Request, report: str, cursor: str | None = None) -> bytes:
        """Return the body of a 200. Raises ApiError."""


class _Page(Struct):
    has_more: bool
    next_page: Text | None = None
    data_refreshed_at: Annotated[datetime, Meta(tz=True)] | None = None


class _ListPage(Struct):
    has_more: bool
    last_id: Text | None = None


_decode_page, _decode_list_page = Decoder(_Page), Decoder(_ListPage)


async def pages(api: Getter, request: Request, report: str) -> Answer:
    """Return all pages. Raises ApiError, also for an answer that would fill the memory."""
    bodies: list[bytes] = []
    cursors: set[str] = set()
    digest = hashlib.blake2b(repr(request).encode(), digest_size=16)
    cursor: str | None = None
    while True:
        bodies.append(await api.get(request, report, cursor))
        digest.update(bodies[-1])
        page = _decode_page(bodies[-1])
        if not page.has_more:  # the last page may carry a cursor too
            return Answer(bodies, digest.hexdigest(), page.data_refreshed_at)
        if sum(map(len, bodies)) > LARGEST_ANSWER:
            raise ApiShapeChanged(f"the answer has more than {LARGEST_ANSWER} bytes")
        cursor = _next(page.next_page, "next_page", cursors)


async def listed(api: Getter, request: Request, report: str) -> AsyncIterator[bytes]:
    """Yield the pages of a list that is paged by object id. `last_id` is set on the last page too. Raises ApiError."""
    cursors: set[str] = set()
    while True:
        body = await api.get(request, report)
        page = _decode_list_page(body)
        yield body
        if not page.has_more:
            return
        after = _next(page.last_id, "last_id", cursors)
        request = request._replace(query={**request.query, "after_id": after})


def _next(cursor: str | None, field: str, seen: set[str]) -> str:
    """Return the cursor of the next page; raises ApiShapeChanged when paging could not end."""
    if not cursor:
        raise ApiShapeChanged(f"has_more is true and {field} is empty")
    if cursor in seen:
        raise ApiShapeChanged(f"{field} repeats: paging would never end")
    seen.add(cursor)
    return cursor
