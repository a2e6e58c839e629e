"""Opaque page cursors. A cursor is bound to its query and carries the data boundary of its pagination."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from starlette.requests import Request

from exporter.demo.refusals import CURSOR_MISMATCH, Refusal

_PREFIX = "page_"


class Cursor(NamedTuple):
    """Where the next page begins, and the data that all pages of one pagination show: that of `boundary` (UTC)."""

    offset: int
    boundary: datetime
    revision: int


def write(request: Request, cursor: Cursor) -> str:
    """Return a cursor as text."""
    parts = [_digest(request), cursor.offset, int(cursor.boundary.timestamp()), cursor.revision]
    return _PREFIX + urlsafe_b64encode(json.dumps(parts).encode()).decode()


def read(request: Request) -> Cursor | None:
    """Return the cursor of a request, None on a first page; one of another query is refused."""
    text = request.query_params.get("page")
    if text is None:
        return None
    try:
        digest, offset, boundary, revision = json.loads(urlsafe_b64decode(text.removeprefix(_PREFIX)))
        if text.startswith(_PREFIX) and digest == _digest(request) and min(offset, revision) >= 0:
            return Cursor(int(offset), datetime.fromtimestamp(boundary, UTC), int(revision))
    except (ValueError, TypeError, OverflowError, OSError):
        pass
    raise Refusal(400, CURSOR_MISMATCH)


def _digest(request: Request) -> str:
    pairs = sorted(pair for pair in request.query_params.multi_items() if pair[0] != "page")
    return sha256(repr((request.url.path, pairs)).encode()).hexdigest()[:16]
