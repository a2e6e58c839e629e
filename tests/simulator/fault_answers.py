"""What each kind of failure sends: whole answers, and true bodies that were spoiled."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Any, NamedTuple

from exporter.demo.refusals import CURSOR_MISMATCH, DATE_RANGE, FINAL_ANSWER, error_body
from tests.simulator.faults import Fault, Kind

_HTML = b"<!DOCTYPE html>\n<html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>"
_LOOP = "page_c2FtZQ=="
_DAY = timedelta(days=1)
_FIRST_FIELDS = {
    "claude_code": "data.0.core_metrics.num_sessions",
    "cost_report": "data.0.results.0.amount",
    "messages": "data.0.results.0.output_tokens",
    "workspaces": "data.0.id",
    "api_keys": "data.0.id",
    "users": "data.0.email",
    "me": "id",
}


class Answer(NamedTuple):
    """A status, headers and a body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Asked(NamedTuple):
    """What a canned answer may depend on: the moment, the key that was sent, the request's id."""

    now: datetime
    key: str
    request_id: str


_RETRY = {"x-should-retry": "true"}
_ERRORS: dict[Kind, tuple[int, str, Mapping[str, str]]] = {
    "401": (401, "invalid x-api-key", FINAL_ANSWER),
    "403": (403, "Missing required scopes. Got: ['api:admin'] Needed: ['read:analytics']", {}),
    "404": (404, "Not found", {}),
    "400_date_range": (400, DATE_RANGE, FINAL_ANSWER),
    "400_cursor_mismatch": (400, CURSOR_MISMATCH, {}),
    "400_date_not_available": (400, "data is not available for this date; the latest is two days ago", {}),
    "429_bare": (429, "Too many requests", {}),
    "500": (500, "Internal server error", _RETRY),
    "529": (529, "Overloaded", _RETRY),
    "cursor_expired": (410, "cursor has expired", {}),
}
_THROTTLES: dict[Kind, Callable[[float, datetime], Mapping[str, str]]] = {
    "429_retry_after": lambda seconds, _now: {"retry-after": f"{seconds:g}"},
    "429_retry_after_ms": lambda seconds, _now: {"retry-after-ms": f"{1000 * seconds:g}"},
    "429_retry_after_date": lambda seconds, now: {"retry-after": _http_date(now + timedelta(seconds=seconds))},
    "429_reset": lambda seconds, now: {
        "anthropic-ratelimit-requests-reset": _rfc_3339(now + timedelta(seconds=seconds))
    },
}


def canned(fault: Fault, asked: Asked) -> Answer | None:
    """Return the answer of a failure that needs no true body, or None for other kinds."""
    if fault.kind in _ERRORS:
        return _error(*_ERRORS[fault.kind], asked)
    if fault.kind in _THROTTLES:
        seconds = fault.options.get("seconds", 17)
        return _error(429, "Too many requests", _THROTTLES[fault.kind](seconds, asked.now), asked)
    if fault.kind == "error_body":
        return _error(fault.options.get("status", 400), f"no organisation for key {asked.key}", {}, asked)
    if fault.kind == "redirect":
        return Answer(302, {"location": fault.options.get("location", "http://elsewhere.example.test/")}, b"")
    if fault.kind == "html":
        return Answer(fault.options.get("status", 200), {"content-type": "text/html; charset=utf-8"}, _HTML)
    plain = {"not_json": b"upstream connect error", "empty_object": b"{}"}.get(fault.kind)
    return None if plain is None else Answer(200, {"content-type": "application/json"}, plain)


def spoiled(fault: Fault, path: str, body: bytes) -> bytes | None:
    """Return a true body spoiled as a failure says, or None for kinds that do not change it."""
    if fault.kind == "truncated":
        return body[: len(body) // 2]
    if fault.kind in {"wrong_shape", "missing_field"}:
        place = fault.options.get("field", _FIRST_FIELDS.get(path.rsplit("/", 1)[-1], "data"))
        return json.dumps(_without(json.loads(body), place, replace=fault.kind == "wrong_shape")).encode()
    if fault.kind == "wrong_date":
        page = json.loads(body)
        return json.dumps({**page, "data": [_day_before(one) for one in page.get("data", ())]}).encode()
    if fault.kind == "cursor_loop":
        page = json.loads(body)
        return json.dumps({**page, "has_more": True, **({} if "last_id" in page else {"next_page": _LOOP})}).encode()
    return None


def _error(status: int, message: str, headers: Mapping[str, str], asked: Asked) -> Answer:
    body = json.dumps(error_body(status, message, asked.request_id)).encode()
    return Answer(status, {"content-type": "application/json", **headers}, body)


def _rfc_3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _without(page: Any, place: str, *, replace: bool) -> Any:  # noqa: ANN401 - any JSON
    """Return a page without the field at a dotted path, or with a list in its stead; an empty page loses its data."""
    try:
        holder = page
        *way, last = [int(part) if part.isdigit() else part for part in place.split(".")]
        for part in way:
            holder = holder[part]
        holder[last] = ["spoiled"] if replace else holder[last]
        if not replace:
            del holder[last]
    except (KeyError, IndexError):
        page["data"] = "spoiled"
    return page


def _day_before(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a record or a cost entry with its dates moved one day back."""
    moved = {name: value for name, value in entry.items() if name in {"date", "starting_at", "ending_at"}}
    return {**entry, **{name: f"{date.fromisoformat(text[:10]) - _DAY}{text[10:]}" for name, text in moved.items()}}
