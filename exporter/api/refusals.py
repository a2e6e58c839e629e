"""What a response other than 200 means: which error, how long to wait, what the operator can do. Pure.

Status codes and headers: API reference, Errors and Rate limits. Message texts may change and are never matched.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from msgspec import Struct

from exporter.api.bodies import Decoder
from exporter.errors import (
    ApiCursorRefused,
    ApiError,
    ApiForbidden,
    ApiNotFound,
    ApiRefused,
    ApiShapeChanged,
    ApiThrottled,
    ApiUnauthorized,
    ApiUnavailable,
)

LONGEST_WAIT = 3600.0
REFUSED_PAUSE = 300.0
"""Seconds until a request is repeated that the API says not to retry."""
SHORTEST_WAIT = 1.0
_SERVER_ERROR = 500
_KEY = re.compile(r"sk-ant-[A-Za-z0-9_-]+")
_ADVICE = {
    400: "If every request is refused, check ANTHROPIC_VERSION.",
    401: "The key is unknown, expired or revoked: put a new Admin key in ANTHROPIC_ADMIN_KEY or its file.",
    403: "The key lacks a scope: use an Admin API key, created by an admin of the organisation in the Console.",
    404: "Check ANTHROPIC_BASE_URL and ANTHROPIC_VERSION.",
    429: "Lower EXPORTER_REQUESTS_PER_MINUTE if this persists: the budget is shared by the whole organisation.",
}
_OTHER_KEYS = {
    "sk-ant-api": "This looks like a key for the Messages API; an Admin key begins with sk-ant-admin.",
    "sk-ant-oat": "This looks like an OAuth token; an Admin key begins with sk-ant-admin.",
    "sk-ant-ort": "This looks like an OAuth token; an Admin key begins with sk-ant-admin.",
}


class _Error(Struct):
    type: str
    message: str


class _ErrorBody(Struct):
    error: _Error


_decode_error = Decoder(_ErrorBody)


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, *, key: str, now: datetime, with_cursor: bool
) -> ApiError:
    """Return the error for a response with a status other than 200. Its message contains no secret."""
    details = [error_message(body) or "the body is not an API error"]
    if request_id := headers.get("request-id"):
        details.append(f"request-id {request_id}")
    problem = f"HTTP {status} ({'; '.join(scrubbed(detail, key) for detail in details)})"
    message = ". ".join([problem, " ".join(advice(status, key))]).removesuffix(". ")
    return _class_of(status, with_cursor=with_cursor)(message, pause=pause(headers, now))


def error_message(body: bytes) -> str | None:
    """Return `type: message` of an error body, or None where the body is not an API error."""
    try:
        error = _decode_error(body).error
    except ApiShapeChanged:
        return None
    return f"{error.type}: {error.message}"


def advice(status: int, key: str) -> list[str]:
    """Return sentences on what the operator can do about a status; a key of another kind has one of its own."""
    hints = [hint for start, hint in _OTHER_KEYS.items() if key.startswith(start)] if status in (401, 403) else []
    return [_ADVICE[status], *hints] if status in _ADVICE else []


def pause(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that the API asks to wait, bounded to 1 s to 1 h, or None where it does not say."""
    if headers.get("x-should-retry") == "false":
        return REFUSED_PAUSE
    for seconds in (
        _number(headers.get("retry-after-ms"), 1000),
        _number(headers.get("retry-after"), 1),
        _until(headers.get("retry-after"), now, http=True),
        _until(headers.get("anthropic-ratelimit-requests-reset"), now, http=False),
    ):
        if seconds is not None:
            return min(max(seconds, SHORTEST_WAIT), LONGEST_WAIT)
    return None


def scrubbed(text: str, key: str) -> str:
    """Return text of the API as one short printable line, without the key or anything that looks like one."""
    text = _KEY.sub("[key]", text.replace(key, "[key]"))
    return "".join(char if char.isprintable() else " " for char in text)[:300]


def _class_of(status: int, *, with_cursor: bool) -> type[ApiError]:
    if status in (400, 410) and with_cursor:
        return ApiCursorRefused
    known = {
        401: ApiUnauthorized,
        403: ApiForbidden,
        404: ApiNotFound,
        410: ApiNotFound,
        429: ApiThrottled,
        408: ApiUnavailable,
    }
    return known.get(status, ApiUnavailable if status >= _SERVER_ERROR else ApiRefused)


def _number(value: str | None, parts_of_a_second: int) -> float | None:
    return float(value) / parts_of_a_second if value and re.fullmatch(r"\d{1,12}(\.\d{1,9})?", value) else None


def _until(value: str | None, now: datetime, *, http: bool) -> float | None:
    try:
        moment = (parsedate_to_datetime if http else datetime.fromisoformat)(value or "")
    except (ValueError, OverflowError):
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
