"""The Admin API of a wide organisation, as a separate process: `python -m bench.wide_api WORKSPACES MODELS ...`.

Every workspace is used on every day, and so is every model with every token type. Over the window every user and every
API key uses every model. That is the most series that the page can have.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporter.demo.server import listening, make_server

PREFIX = "/v1/organizations"
PAGE_RECORDS = 1000
TOKEN_TYPES = (
    "uncached_input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens",
)
OTHER_COST_TYPES = ("web_search", "code_execution")
TIERS = ("standard", "batch", "priority")
TOOLS = ("edit_tool", "multi_edit_tool", "notebook_edit_tool", "write_tool")
ROLES = ("user", "developer", "billing", "admin", "claude_code_user")
Json = dict[str, Any]


class Wide(NamedTuple):
    """A wide organisation. The default workspace is one of `workspaces`, and the first user is an API key."""

    workspaces: int = 1000
    models: int = 40
    days: int = 365
    users: int = 2000
    keys: int = 1000

    def cost(self, age: int) -> Iterator[Json]:
        """Yield the results of `cost_report` of a day: every workspace, and every model with every token type."""
        for number in range(max(self.workspaces, len(TOKEN_TYPES) * self.models)):
            model, token_type = self._model(number // len(TOKEN_TYPES)), TOKEN_TYPES[number % len(TOKEN_TYPES)]
            yield self._amount(number, age, model, "tokens", token_type)
        for number, cost_type in enumerate(OTHER_COST_TYPES):
            yield self._amount(number, age, None, cost_type, None)

    def _amount(self, number: int, age: int, model: str | None, cost_type: str, token_type: str | None) -> Json:
        return {
            "amount": f"{number + age + 1}.25",
            "currency": "USD",
            "model": model,
            "cost_type": cost_type,
            "token_type": token_type,
            "workspace_id": self._workspace(number),
        }

    def messages(self, age: int) -> Iterator[Json]:
        """Yield the results of `usage_report/messages` of a day: every workspace, every model, and some keys."""
        number = max(self.workspaces, self.models, -(-self.keys * self.models // self.days))
        for pair in range(age * number, (age + 1) * number):
            yield {
                "uncached_input_tokens": 1200 + pair,
                "output_tokens": 300 + pair,
                "cache_read_input_tokens": 9000 + pair,
                "cache_creation": {"ephemeral_5m_input_tokens": 70 + pair, "ephemeral_1h_input_tokens": 8 + pair},
                "server_tool_use": {"web_search_requests": 1},
                "api_key_id": f"apikey_01WIDE{pair // self.models % self.keys:05}",
                "workspace_id": self._workspace(pair),
                "model": self._model(pair),
                "service_tier": TIERS[pair % len(TIERS)],
            }

    def claude_code(self, age: int) -> Iterator[Json]:
        """Yield the records of `usage_report/claude_code` of a day: every user, with some models."""
        each = max(2, -(-self.models // self.days))
        for user in range(self.users):
            models = [self._model(user + age * each + more) for more in range(each)]
            yield {
                "actor": _actor(user),
                "organization_id": "org",
                "customer_type": "api",
                "terminal_type": "vscode",
                "core_metrics": {
                    "num_sessions": 1 + user % 7,
                    "lines_of_code": {"added": user + age, "removed": user},
                    "commits_by_claude_code": user % 3,
                    "pull_requests_by_claude_code": user % 2,
                },
                "tool_actions": {tool: {"accepted": user % 9, "rejected": age % 3} for tool in TOOLS},
                "model_breakdown": [_used(model, user + age + 1) for model in models],
            }

    def listing(self, name: str) -> Json:
        """Return the answer of a listing."""
        data = {
            "workspaces": [{"id": self._workspace(n), "name": f"Team {n}"} for n in range(1, self.workspaces)],
            "api_keys": [self._key(number) for number in range(self.keys)],
            "users": [
                {"id": f"user_{n}", "email": _email(n), "role": ROLES[n % len(ROLES)]} for n in range(self.users)
            ],
        }
        return {"data": data[name], "first_id": None, "last_id": None, "has_more": False}

    def _key(self, number: int) -> Json:
        return {
            "id": f"apikey_01WIDE{number:05}",
            "name": f"key-{number}",
            "status": "active",
            "expires_at": "2027-11-20T09:30:00Z",
            "workspace_id": self._workspace(number),
        }

    def _workspace(self, number: int) -> str | None:
        number %= self.workspaces
        return f"wrkspc_01WIDE{number:05}" if number else None

    def _model(self, number: int) -> str:
        return f"claude-model-{number % self.models:02}"


def _email(user: int) -> str:
    return f"person.{user:05}@example.test"


def _actor(user: int) -> Json:
    if user == 0:
        return {"type": "api_actor", "api_key_name": "key-0"}
    return {"type": "user_actor", "email_address": _email(user)}


def _used(model: str, tokens: int) -> Json:
    kinds = ("input", "output", "cache_read", "cache_creation")
    return {
        "model": model,
        "tokens": {kind: tokens * factor for factor, kind in enumerate(kinds, start=1)},
        "estimated_cost": {"currency": "USD", "amount": tokens},
    }


def app(wide: Wide, today: date) -> Starlette:
    """Return the API. Every day before `today` is as long ago as its date says."""

    def buckets(results: Callable[[int], Iterator[Json]], request: Request) -> Response:
        first, after = (date.fromisoformat(request.query_params[name][:10]) for name in ("starting_at", "ending_at"))
        dates = [first + timedelta(days=number) for number in range((after - first).days)]
        data = [{**_bounds(day), "results": list(results((today - day).days))} for day in dates]
        return _json({"data": data, "has_more": False, "next_page": None})

    def usage(request: Request) -> Response:
        day, start = request.query_params["starting_at"], int(request.query_params.get("page", "0"))
        records = list(wide.claude_code((today - date.fromisoformat(day)).days))
        end = start + PAGE_RECORDS
        data = [{"date": f"{day}T00:00:00Z", **record} for record in records[start:end]]
        more = end < len(records)
        return _json({"data": data, "has_more": more, "next_page": str(end) if more else None})

    listings = [
        Route(f"{PREFIX}/{name}", lambda _, of=name: _json(wide.listing(of)))
        for name in ("workspaces", "api_keys", "users")
    ]
    return Starlette(
        routes=[
            Route(f"{PREFIX}/me", lambda _: _json({"id": "org", "type": "organization", "name": "Wide Org"})),
            *listings,
            Route(f"{PREFIX}/usage_report/claude_code", usage),
            Route(f"{PREFIX}/usage_report/messages", lambda request: buckets(wide.messages, request)),
            Route(f"{PREFIX}/cost_report", lambda request: buckets(wide.cost, request)),
        ]
    )


def _bounds(day: date) -> Json:
    return {"starting_at": f"{day}T00:00:00Z", "ending_at": f"{day + timedelta(days=1)}T00:00:00Z"}


def _json(value: object) -> Response:
    return Response(json.dumps(value, separators=(",", ":")), media_type="application/json")


def main() -> None:
    """Serve until the process ends. The first line of standard output is the base URL."""
    application = app(Wide(*map(int, sys.argv[1:])), datetime.now(UTC).date())
    with listening() as (listener, url):
        print(url, flush=True)
        asyncio.run(make_server(application).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
