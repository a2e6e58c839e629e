"""The shapes of the API's JSON that this exporter reads, and their validators. `wire` alone uses them.

Fields that are not read are not named here, so that the API may add, rename or drop them.
Source: the Admin API reference (Get Claude Code Usage Report, Get Cost Report, Get Current Organization, List
Workspaces).
"""

from decimal import Decimal
from typing import Annotated, Any, NotRequired

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

_Text = Annotated[str, Field(max_length=4096)]
"""A bounded string; that it has a bound makes pydantic refuse half of a surrogate pair too, which no page can hold."""
_Flag = Annotated[bool, Field(strict=True)]
_Count = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
_Cents = Annotated[Decimal, Field(allow_inf_nan=False, max_digits=48, decimal_places=30)]
_Dollars = Annotated[str, Field(pattern="^USD$")]


class Lines(TypedDict):
    """Lines of code of one record."""

    added: _Count
    removed: _Count


class Core(TypedDict):
    """What one record counts."""

    num_sessions: _Count
    lines_of_code: Lines
    commits_by_claude_code: _Count
    pull_requests_by_claude_code: _Count


class Action(TypedDict):
    """Suggestions of one tool."""

    accepted: _Count
    rejected: _Count


class Tokens(TypedDict):
    """Tokens of one model."""

    input: _Count
    output: _Count
    cache_read: _Count
    cache_creation: _Count


class Estimate(TypedDict):
    """The list-price estimate of one model, in cents."""

    amount: _Cents
    currency: _Dollars


class Model(TypedDict):
    """One model's share of a record."""

    model: _Text | None
    tokens: Tokens
    estimated_cost: Estimate


class Record(TypedDict):
    """One record of usage_report/claude_code: an actor on a day, a terminal, locally or remotely."""

    date: str
    actor: dict[str, Any]
    core_metrics: Core
    tool_actions: dict[str, Action]
    model_breakdown: list[Model]


class Result(TypedDict):
    """One billed amount of cost_report, in cents."""

    amount: _Cents
    currency: _Dollars
    model: _Text | None
    cost_type: _Text | None
    token_type: _Text | None
    workspace_id: _Text | None


class TimeBucket(TypedDict):
    """One UTC day of cost_report."""

    starting_at: str
    ending_at: str
    results: list[Result]


class ClaudeCodePage(TypedDict):
    """A page of usage_report/claude_code."""

    data: list[Record]
    has_more: _Flag
    next_page: NotRequired[_Text | None]


class CostPage(TypedDict):
    """A page of cost_report; each entry is checked by itself as a `TimeBucket`, so that a bad day spoils no other."""

    data: list[Any]
    has_more: _Flag
    next_page: NotRequired[_Text | None]


class Workspace(TypedDict):
    """A workspace of the list."""

    id: _Text
    name: _Text


class WorkspacesPage(TypedDict):
    """A page of the list of workspaces."""

    data: list[Workspace]
    has_more: _Flag
    last_id: NotRequired[_Text | None]


class Me(TypedDict):
    """The organisation that a key belongs to."""

    id: _Text
    name: _Text


CLAUDE_CODE = TypeAdapter(ClaudeCodePage)
COST = TypeAdapter(CostPage)
TIME_BUCKET = TypeAdapter(TimeBucket)
WORKSPACES = TypeAdapter(WorkspacesPage)
ME = TypeAdapter(Me)
