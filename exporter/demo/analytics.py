"""Rows of `/analytics/cost` and `/analytics/usage`: the same use as in the classic reports, in other groups.

Rows exist only where there was use; `requests` is null where cost or token types are grouped; the default workspace has
its real id.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from exporter.demo import prices
from exporter.demo.keys import id_of
from exporter.demo.people import DEFAULT_ID, Source
from exporter.demo.records import Record, counted
from exporter.demo.traffic import CLAUDE_CODE, Line, Use, grains, list_grains

TYPES = frozenset({"cost_type", "token_type"})
GROUPS = (
    *("actor", "actor_type", "agent_id", "api_key_id", "claude_tag_category", "claude_tag_user_id", "context_window"),
    *("deployment_id", "environment_id", "inference_geo", "model", "organization_id", "product", "rbac_group_id"),
    *("service_tier", "session_id", "slack_channel_id", "speed", "user_profile_id", "workspace_id"),
)
_TOKENS_OF_A_REQUEST = 800


class Fact(NamedTuple):
    """A number of units of a line of the bill, and the dimensions by which it can be grouped."""

    dimensions: Mapping[str, Any]
    line: Line
    units: int


def facts_of_use(used: Mapping[Use, int]) -> Iterator[Fact]:
    """Yield what was used, by API key and product."""
    for (key, line, product), units in used.items():
        if units:
            yield Fact(_dimensions(line) | {"api_key_id": key, "product": product}, line, units)


def facts_of_actors(used: Mapping[tuple[Source, Line], int], deleted: str) -> Iterator[Fact]:
    """Yield what Claude Code used, by actor; the account with the address `deleted` exists no more."""
    for (source, line), units in used.items():
        if units:
            yield Fact(_dimensions(line) | {"actor": _actor(source, deleted), "product": CLAUDE_CODE}, line, units)


def cost_rows(day: date, facts: Iterable[Fact], group_by: frozenset[str], factor: Decimal) -> list[list[Record]]:
    """Return the rows of a day of `/analytics/cost` by group, the dearest group first."""
    found: dict[str, dict[str, list[Fact]]] = {}
    for fact in facts:
        if group_by & TYPES != {"token_type"} or fact.line.token_type:
            group = _group(fact.dimensions, group_by - TYPES)
            types = {"cost_type": fact.line.cost_type, "token_type": fact.line.token_type}
            found.setdefault(group, {}).setdefault(_group(types, group_by & TYPES), []).append(fact)

    def amount(facts: Iterable[Fact]) -> int:
        return sum(fact.units * grains(fact.line) for fact in facts)

    def row(group: str, types: str, facts: list[Fact]) -> Record:
        at_list_price = sum(fact.units * list_grains(fact.line) for fact in facts)
        cost = {
            "amount": prices.cents_text(amount(facts), factor),
            "list_amount": prices.cents_text(at_list_price, factor),
            "currency": "USD",
            "requests": None if group_by & TYPES else sum(_requests(fact.line, fact.units) for fact in facts),
        }
        keys = dict.fromkeys((*GROUPS, *sorted(TYPES))) | json.loads(group) | json.loads(types)
        return {**_bounds(day), "group": keys, "cost": cost}

    dearest = sorted(found, key=lambda of: (-amount(fact for facts in found[of].values() for fact in facts), of))
    return [[row(group, types, facts) for types, facts in sorted(found[group].items())] for group in dearest]


def usage_rows(day: date, facts: Iterable[Fact], group_by: frozenset[str], factor: Decimal) -> list[list[Record]]:
    """Return the rows of a day of `/analytics/usage`, a list for each: that of the most tokens first."""
    found: dict[str, list[Fact]] = {}
    for fact in facts:
        if fact.line.cost_type != "session_usage":
            counts = fact._replace(units=counted(fact.units, factor))
            found.setdefault(_group(_used_by(fact), group_by), []).append(counts)
    rows = [
        {**_bounds(day), "group": dict.fromkeys(GROUPS) | json.loads(group), "usage": _usage(facts)}
        for group, facts in sorted(found.items())
    ]
    return [[row] for row in sorted(rows, key=lambda row: -row["usage"]["total_tokens"])]


def _usage(facts: Iterable[Fact]) -> Record:
    units: dict[str, int] = {}
    requests = 0
    for _, line, number in facts:
        kind = line.token_type or line.cost_type
        units[kind] = units.get(kind, 0) + number
        requests += _requests(line, number)
    cached = {"ephemeral_1h_input_tokens": prices.CACHE_1H, "ephemeral_5m_input_tokens": prices.CACHE_5M}
    return {
        **{kind: units.get(kind, 0) for kind in (prices.UNCACHED, prices.OUTPUT, prices.CACHE_READ)},
        "cache_creation": {name: units.get(kind, 0) for name, kind in cached.items()},
        "server_tool_use": {"web_search_requests": units.get("web_search", 0)},
        "total_tokens": sum(number for kind, number in units.items() if kind in prices.TOKEN_TYPES),
        "requests": requests,
    }


def _requests(line: Line, units: int) -> int:
    """Return requests, or for code execution spans; both are made up from what was used."""
    if line.cost_type == "code_execution":
        return units
    return -(-units // _TOKENS_OF_A_REQUEST) if line.token_type == prices.OUTPUT else 0


def _dimensions(line: Line) -> dict[str, Any]:
    names = ("model", "service_tier", "context_window", "inference_geo")
    return {name: getattr(line, name) for name in names} | {"workspace_id": line.workspace_id or DEFAULT_ID}


def _used_by(fact: Fact) -> Mapping[str, Any]:
    """Return the dimensions of use. Web searches were made by Sonnet, as in `usage_report/messages`."""
    if fact.line.cost_type != "web_search":
        return fact.dimensions
    return {**fact.dimensions, "model": prices.SONNET, "service_tier": "standard"}


def _group(dimensions: Mapping[str, Any], group_by: Iterable[str]) -> str:
    return json.dumps({name: dimensions.get(name) for name in sorted(group_by)})


def _bounds(day: date) -> Record:
    return {"starting_at": f"{day}T00:00:00Z", "ending_at": f"{day + timedelta(days=1)}T00:00:00Z"}


def _actor(source: Source, deleted: str) -> Record:
    if source.actor_type == "api_actor":
        return {"type": "api_actor", "api_key_id": id_of(source.name)}
    is_deleted = source.name == deleted
    return {
        "type": "user_actor",
        "user_id": f"user_01SIM{source.name.partition('@')[0]}",
        "name": "Deleted User" if is_deleted else source.name.partition("@")[0].replace(".", " ").title(),
        "email_address": None if is_deleted else source.name,
        "deleted": is_deleted,
    }
