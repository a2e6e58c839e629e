"""Report `claude_code`: who used Claude Code, by UTC day and by user. Source: usage_report/claude_code.

anthropic_claude_code_sessions{date="2026-11-20"} 812
"""

from bisect import bisect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from operator import attrgetter
from sys import intern
from typing import Any

import msgspec
from msgspec import Struct

from exporter.api.bodies import Count, Decoder, Money, Text
from exporter.api.paging import Answer, Getter, Request, pages
from exporter.errors import ApiShapeChanged
from exporter.model import DAY, Window
from exporter.reports import usage_days, users
from exporter.reports.buckets import day_of
from exporter.reports.names import Names
from exporter.reports.report import STEP, Changes, Report
from exporter.reports.sums import ByDay
from exporter.reports.usage_rows import Actor, Model, Row, Tool, by_name
from exporter.reports.user_sums import User

NAME = "claude_code"


class _Lines(Struct, gc=False):
    added: Count
    removed: Count


class _Core(Struct, gc=False):
    num_sessions: Count
    lines_of_code: _Lines
    commits_by_claude_code: Count
    pull_requests_by_claude_code: Count


class _Tool(Struct, gc=False):
    accepted: Count
    rejected: Count


class _Tokens(Struct, gc=False):
    input: Count
    output: Count
    cache_read: Count
    cache_creation: Count


class _Model(Struct, gc=False):
    model: Text | None
    tokens: _Tokens
    estimated_cost: Money


class _Record(Struct, gc=False):
    date: str
    actor: dict[str, Any]
    core_metrics: _Core
    tool_actions: dict[str, _Tool]
    model_breakdown: list[_Model]


_COUNTS = attrgetter(
    "core_metrics.num_sessions",
    "core_metrics.lines_of_code.added",
    "core_metrics.lines_of_code.removed",
    "core_metrics.commits_by_claude_code",
    "core_metrics.pull_requests_by_claude_code",
)


class _Page(Struct, gc=False):
    data: list[_Record]


class ClaudeCodeUsage:
    """`usage_report/claude_code`: one UTC day per request."""

    name = "usage_report"
    if_missing = ""
    missing_for = DAY
    revision = 1
    days_per_request = 1
    _decode = Decoder(_Page)
    _ACTORS: Mapping[str, tuple[str, str]] = {
        "user_actor": ("user", "email_address"),
        "api_actor": ("api_key", "api_key_name"),
    }

    def __init__(self, names: Names) -> None:
        self._names = names

    def request(self, first: date, _last: date) -> Request:
        """Return the request for a day."""
        return Request("/usage_report/claude_code", {"starting_at": first.isoformat(), "limit": "1000"})

    async def fetch(self, api: Getter, first: date, last: date) -> Answer:
        """Return the answer for a day. Raises ApiError."""
        return await pages(api, self.request(first, last), NAME)

    def read(self, bodies: Sequence[bytes], first: date, _last: date) -> Mapping[date, list[Row]]:
        """Return the rows of the day, one per actor: the API has one per terminal, customer type, local or remote."""
        rows: dict[Actor, Row] = {}
        for body in bodies:
            for actor, records in self._records(body, first).items():
                row, before = _row(actor, records), rows.get(actor)
                rows[actor] = row if before is None else before.plus(row)
        return {first: [rows[actor] for actor in _in_order(list(rows))]}

    def _records(self, body: bytes, day: date) -> Mapping[Actor, list[_Record]]:
        """Return the records of a page by actor. Raises ApiShapeChanged."""
        records: dict[Actor, list[_Record]] = {}
        for number, record in enumerate(self._decode(body).data):
            try:
                actor = self._actor(record, day)
            except ApiShapeChanged as error:
                raise ApiShapeChanged(f"data[{number}].{error}") from None
            records.setdefault(actor, []).append(record)
        return records

    def _actor(self, record: _Record, requested: date) -> Actor:
        """Return who the record is about; raises ApiShapeChanged for a record of another day."""
        if day_of(record.date, "date") != requested:
            raise ApiShapeChanged(f"date is not {requested}, which was requested")
        fields = record.actor
        kind = fields.get("type")
        if not isinstance(kind, str):
            raise ApiShapeChanged("actor.type: a string is expected")
        if kind in self._ACTORS:
            actor_type, field = self._ACTORS[kind]
            name = fields.get(field, ...)
            if name is not None and not isinstance(name, str):
                raise ApiShapeChanged(f"actor.{field}: a string is expected")
        else:
            actor_type = kind or "none"
            name = next((text for field, text in fields.items() if field != "type" and isinstance(text, str)), None)
        if actor_type == "user" and name:
            name = name.lower()  # an e-mail address, which the listing of members may spell otherwise
        return Actor(actor_type, self._names.of(actor_type, name or "none"))


def _in_order(actors: Sequence[Actor]) -> Iterator[Actor]:
    """Yield actors in order, sorted in parts: sorting thousands in one step would hold the interpreter."""
    bounds = sorted(actors[::STEP])
    parts: list[list[Actor]] = [[] for _ in range(len(bounds) + 1)]
    for actor in actors:
        parts[bisect(bounds, actor)].append(actor)
    return chain.from_iterable(map(sorted, parts))


def _row(actor: Actor, records: Sequence[_Record]) -> Row:
    tools = [
        Tool(name or "none", tool.accepted, tool.rejected)
        for record in records
        for name, tool in record.tool_actions.items()
    ]
    models = [_model(model) for record in records for model in record.model_breakdown]
    sessions, added, removed, commits, pull_requests = map(sum, zip(*map(_COUNTS, records), strict=True))
    return Row(actor, sessions, added, removed, commits, pull_requests, by_name(tools), by_name(models))


def _model(model: _Model) -> Model:
    tokens = model.tokens
    return Model(
        intern(model.model or "none"),
        tokens.input,
        tokens.output,
        tokens.cache_read,
        tokens.cache_creation,
        model.estimated_cost.amount,
    )


class Usage:
    """The view: totals by day, and sums by user over the days that are shown."""

    def __init__(self, names: Names, max_users: int) -> None:
        self.by_day: ByDay[usage_days.Day] = ByDay(usage_days.day_samples)
        self.users = users.Users(names, max_users)

    def replace(self, day: date, old: Iterable[Row], new: Sequence[Row] | None) -> None:
        """Replace the rows of a day; None removes the day."""
        self.by_day.put(day, None if new is None else usage_days.day_sums(new))
        self.users.replace(day, old, new or ())

    def changes(self, window: Window, read: Collection[date]) -> Changes:
        """Return the days and users that have changed, and the distinct users of the window."""
        changed = {**self.by_day.changes(), **self.users.changes()}
        return {**changed, "distinct": self.users.distinct(window, read)}

    def dump(self, without: Mapping[date, Callable[[], Iterable[Row]]]) -> bytes:
        """Return the sums as JSON, without some days. Each function returns the rows of its day.

        The days are subtracted and then added again row by row, because a copy of all users would take more memory.
        """
        for day, rows in without.items():
            self.users.replace(day, rows(), ())
        days = {day: sums for day, sums in self.by_day.sums.items() if day not in without}
        kept = msgspec.json.encode(_Kept(self.users.base, days, list(self.users.sums.items())))
        for day, rows in without.items():
            self.users.add(day, rows())
        return kept

    def load(self, kept: bytes) -> Collection[date]:
        """Restore dumped sums and return their days. Raises ValueError for anything else."""
        sums = _decode_kept.decode(kept)
        self.users.load(sums.base, dict(sums.users))
        self.by_day.load(sums.days)
        return sums.days.keys()


class _Kept(Struct):
    base: date
    days: dict[date, usage_days.Day]
    users: list[tuple[Actor, User]]


_decode_kept = msgspec.json.Decoder(_Kept)


def report(names: Names = Names(), max_users: int = 2000) -> Report[Row]:  # noqa: B008 - immutable
    """Return the report, with users named as `names` says and at most `max_users` of them by name."""
    return Report(
        name=NAME,
        families=(*usage_days.FAMILIES, *users.FAMILIES),
        source=ClaudeCodeUsage(names),
        row=Row,
        format=f"2 usage_report {names.format}",
        view=lambda: Usage(names, max_users),
    )
