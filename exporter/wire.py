"""A page of API JSON into rows: with `shapes`, the only place that knows the vendor's field names.

Additions are taken (unknown fields, actors, tools, models, enum values); what is missing or ill-typed is refused with
`ApiShapeChanged`, whose message names the field and never holds a value, since values may be e-mail addresses.
Numbers are parsed from the JSON text itself: no amount passes through a binary float.
"""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from exporter import shapes
from exporter.errors import ApiShapeChanged
from exporter.model import DAY, Actor, CostRow, ModelUse, Organization, ToolUse, UsageRow

_T = TypeVar("_T")

NONE = "none"
DEFAULT_WORKSPACE = "default"
_ACTORS = {"user_actor": ("user", "email_address"), "api_actor": ("api_key", "api_key_name")}


class UsagePage(NamedTuple):
    """Rows of one page of one day, one row per record, and the cursor of the next page or None."""

    rows: list[UsageRow]
    next_page: str | None


class CostPage(NamedTuple):
    """What a page says of each day it answers for: its rows (maybe none), or why they can not be read."""

    days: dict[date, list[CostRow] | ApiShapeChanged]
    next_page: str | None


class WorkspacePage(NamedTuple):
    """Workspace names by id, and the id after which the next page begins or None."""

    names: dict[str, str]
    after_id: str | None


def claude_code(body: bytes, day: date) -> UsagePage:
    """Return the rows of a page of usage_report/claude_code that was asked for `day`."""
    page = _validated(shapes.CLAUDE_CODE, body)
    for number, record in enumerate(page["data"]):
        if _day(record["date"], f"data[{number}].date") != day:
            raise ApiShapeChanged(f"data[{number}].date is not the day that was asked for")
    rows = [_usage_row(record, number) for number, record in enumerate(page["data"])]
    return UsagePage(rows, _cursor(page["has_more"], page.get("next_page"), "next_page"))


def cost(body: bytes) -> CostPage:
    """Return a page of cost_report that was grouped by description and workspace_id. A bad day spoils no other."""
    page = _validated(shapes.COST, body)
    days: dict[date, list[CostRow] | ApiShapeChanged] = {}
    for number, bucket in enumerate(page["data"]):
        where = f"data[{number}]"
        day = _day(bucket.get("starting_at") if isinstance(bucket, dict) else None, f"{where}.starting_at")
        if day in days:
            raise ApiShapeChanged(f"{where} is a second entry for {day}")
        try:
            days[day] = _bill(bucket, day, where)
        except ApiShapeChanged as error:
            days[day] = error
    return CostPage(days, _cursor(page["has_more"], page.get("next_page"), "next_page"))


def _bill(bucket: object, day: date, where: str) -> list[CostRow]:
    checked = _checked(shapes.TIME_BUCKET, bucket, where)
    if _day(checked["ending_at"], f"{where}.ending_at") - day != DAY:
        raise ApiShapeChanged(f"{where} is not one UTC day")
    return [_cost_row(result) for result in checked["results"]]


def organization(body: bytes) -> Organization:
    """Return the organisation of /v1/organizations/me."""
    me = _validated(shapes.ME, body)
    return Organization(me["id"], me["name"])


def workspaces(body: bytes) -> WorkspacePage:
    """Return a page of /v1/organizations/workspaces; the default workspace is not listed there."""
    page = _validated(shapes.WORKSPACES, body)
    names = {workspace["id"]: workspace["name"] for workspace in page["data"]}
    return WorkspacePage(names, _cursor(page["has_more"], page.get("last_id"), "last_id"))


def error_message(body: bytes) -> str | None:
    """Return what an error body says, as `type: message`, or None where it is no error of the API."""
    try:
        error = json.loads(body)["error"]
        return f"{error['type']}: {error['message']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _validated(adapter: TypeAdapter[_T], body: bytes) -> _T:
    try:
        parsed = json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        kind = "empty" if not body.strip() else "HTML" if body.lstrip()[:1] == b"<" else "not JSON, or cut off"
        raise ApiShapeChanged(f"the body is {kind}") from None
    return _checked(adapter, parsed)


def _checked(adapter: TypeAdapter[_T], parsed: object, where: str = "") -> _T:
    try:
        return adapter.validate_python(parsed)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise ApiShapeChanged(f"{_path(where, first['loc'])}: {first['msg']}") from None


def _refuse_constant(text: str) -> None:
    raise ValueError(text)


def _path(where: str, location: tuple[int | str, ...]) -> str:
    """Return a location as `data[3].actor`. Keys of open maps may stand in it: tool names are no secret."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return (where + text).lstrip(".")[:100] or "the body"


def _cursor(has_more: bool, cursor: str | None, name: str) -> str | None:  # noqa: FBT001 - a field of the page
    """Return the cursor of the next page. `has_more` decides, since a cursor stands on some last pages too."""
    if has_more and not cursor:
        raise ApiShapeChanged(f"has_more is true and {name} is empty")
    return cursor if has_more else None


def _day(text: object, where: str) -> date:
    """Return the day of `2026-11-20` or `2026-11-20T00:00:00Z`: both forms were documented."""
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        raise ApiShapeChanged(f"{where} is no date") from None


def _text(value: object, where: str) -> str:
    """Return a string that can be shown, `none` for null and for an empty one."""
    if value is None:
        return NONE
    try:
        if isinstance(value, str) and value.encode():
            return value
    except UnicodeEncodeError:
        raise ApiShapeChanged(f"{where}: half of a surrogate pair") from None
    if value != "":
        raise ApiShapeChanged(f"{where}: a string is expected")
    return NONE


def _actor(fields: Mapping[str, Any], number: int) -> Actor:
    where = f"data[{number}].actor"
    kind = fields.get("type")
    if not isinstance(kind, str):
        raise ApiShapeChanged(f"{where}.type: a string is expected")
    if kind in _ACTORS:
        actor_type, key = _ACTORS[kind]
        return Actor(actor_type, _text(fields.get(key, ...), f"{where}.{key}"))
    names = (value for key, value in fields.items() if key != "type" and isinstance(value, str))
    return Actor(_text(kind, f"{where}.type"), _text(next(names, None), where))


def _tools(actions: Mapping[str, shapes.Action]) -> dict[str, ToolUse]:
    tools: dict[str, ToolUse] = {}
    for name, action in actions.items():
        tool, use = _text(name, "tool_actions"), ToolUse(action["accepted"], action["rejected"])
        tools[tool] = tools[tool].plus(use) if tool in tools else use
    return tools


def _models(breakdown: list[shapes.Model]) -> dict[str, ModelUse]:
    models: dict[str, ModelUse] = {}
    for entry in breakdown:
        model, tokens, cents = entry["model"] or NONE, entry["tokens"], entry["estimated_cost"]["amount"]
        use = ModelUse(tokens["input"], tokens["output"], tokens["cache_read"], tokens["cache_creation"], cents)
        models[model] = models[model].plus(use) if model in models else use
    return models


def _usage_row(record: shapes.Record, number: int) -> UsageRow:
    core, lines = record["core_metrics"], record["core_metrics"]["lines_of_code"]
    return UsageRow(
        _actor(record["actor"], number),
        core["num_sessions"],
        lines["added"],
        lines["removed"],
        core["commits_by_claude_code"],
        core["pull_requests_by_claude_code"],
        _tools(record["tool_actions"]),
        _models(record["model_breakdown"]),
    )


def _cost_row(result: shapes.Result) -> CostRow:
    return CostRow(
        result["workspace_id"] or DEFAULT_WORKSPACE,
        result["model"] or NONE,
        result["cost_type"] or NONE,
        result["token_type"] or NONE,
        result["amount"],
    )
