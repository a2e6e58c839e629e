"""Refusals of the simulated Admin API: error bodies, and queries read strictly.

Message texts are invented where the documentation gives none; nothing may depend on them.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from exporter.demo.analytics import GROUPS, TYPES

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    410: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
DATE_RANGE = "Invalid date range: ending date must be after starting date"
CURSOR_MISMATCH = "cursor does not match current query parameters"
FINAL_ANSWER = {"x-should-retry": "false"}
BETA = "analytics-usage-cost-2026-08-24"
MOST_GROUPS = 5


class Refusal(HTTPException):
    """An error response of the API: status, message, and additional headers."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message, dict(headers or {}))


def error_body(status: int, message: str, request_id: str) -> dict[str, Any]:
    """Return the JSON of an error response."""
    error = {"type": ERROR_TYPES.get(status, "api_error"), "message": message}
    return {"type": "error", "error": error, "request_id": request_id}


async def refuse(request: Request, error: Exception) -> JSONResponse:
    """Return the response for a refusal, and for a path or method that does not exist."""
    if not isinstance(error, HTTPException):  # Starlette calls this for its HTTPException alone
        raise error
    body = error_body(error.status_code, error.detail, getattr(request.state, "request_id", "req_011SIM"))
    return JSONResponse(body, error.status_code, error.headers)


class Query:
    """The parameters of one request. Unknown and repeated parameters are refused."""

    def __init__(self, parameters: QueryParams, names: set[str]) -> None:
        self._parameters = parameters
        unknown = sorted(set(parameters.keys()) - names)
        if unknown:
            raise Refusal(400, f"{unknown[0]}: extra inputs are not permitted")
        repeated = {name for name in parameters if not name.endswith("[]") and len(parameters.getlist(name)) > 1}
        if repeated:
            raise Refusal(400, f"{min(repeated)}: given more than once")

    def text(self, name: str) -> str | None:
        """Return a parameter's text, or None."""
        return self._parameters.get(name)

    def many(self, name: str) -> frozenset[str]:
        """Return the values of a repeated parameter."""
        return frozenset(self._parameters.getlist(name))

    def number(self, name: str, default: int, largest: int) -> int:
        """Return a number from 1 to `largest`."""
        text = self._parameters.get(name, str(default))
        if not re.fullmatch(r"\d{1,6}", text) or not 1 <= int(text) <= largest:
            raise Refusal(400, f"{name}: must be between 1 and {largest}")
        return int(text)

    def flag(self, name: str) -> bool:
        """Return `true` or `false`, which is the default."""
        text = self._parameters.get(name, "false")
        if text not in {"true", "false"}:
            raise Refusal(400, f"{name}: must be true or false")
        return text == "true"

    def day(self, name: str) -> date:
        """Return a required UTC day, which must be given as YYYY-MM-DD."""
        text = self._parameters.get(name, "")
        try:
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        raise Refusal(400, f"{name}: a date as YYYY-MM-DD is required")

    def midnight(self, name: str) -> date | None:
        """Return the day of an RFC 3339 time at 00:00 UTC, or None; other times are refused."""
        text = self._parameters.get(name)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise Refusal(400, f"{name}: an RFC 3339 time is required") from None
        if moment.tzinfo is None:
            raise Refusal(400, f"{name}: a time zone is required")
        if moment.astimezone(UTC).time() != time():
            raise Refusal(400, DATE_RANGE, FINAL_ANSWER)
        return moment.astimezone(UTC).date()


def analytics_query(request: Request) -> Query:
    """Return the query of `/analytics/*`, with its beta header, in the one order in which pages do not overlap."""
    if BETA not in request.headers.get("anthropic-beta", ""):
        raise Refusal(404, "Not found")
    dates = {"starting_at", "ending_at", "time_bucket_width"}
    query = Query(request.query_params, {*dates, "group_by[]", "products[]", "order_by", "order", "limit", "page"})
    wanted = {"time_bucket_width": "1d", "order_by": "time", "order": "asc"}
    for name, value in wanted.items():
        if query.text(name) != value:
            raise Refusal(400, f"{name}: this simulation knows {value} alone")
    dimensions = query.many("group_by[]")
    usage = request.url.path.endswith("usage")
    if len(dimensions - TYPES) > MOST_GROUPS or dimensions - {*GROUPS} - (frozenset() if usage else TYPES):
        raise Refusal(400, f"group_by[]: at most {MOST_GROUPS} known dimensions")
    return query
