"""Days as files: the bill, the usage of each user and day, and users summed over days. Pure.

Amounts are exact decimals. Text that a spreadsheet would execute is defused in CSV; JSON lines hold it as it is.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from exporter.model import EXACT, Window
from exporter.reports import claude_code, cost
from exporter.reports.names import Names
from exporter.reports.sums import Group, add, by_key
from exporter.reports.usage_rows import Row
from exporter.reports.user_sums import User
from exporter.reports.users import Users

Cell = str | int | Decimal | date
Record = tuple[Cell, ...]
_COUNTS = (
    *("sessions", "lines_added", "lines_removed", "commits", "pull_requests", "accepted", "rejected"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens"),
)
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "cost": ("date", "workspace_id", "workspace_name", "model", "cost_type", "token_type", "cost_usd"),
    "usage": ("date", "user", "actor_type", *_COUNTS, "estimated_cost_usd"),
    "users": ("user", "actor_type", *_COUNTS, "estimated_cost_usd", "active_days", "last_active"),
}
"""The columns of each file."""
_EXECUTED = ("=", "+", "-", "@", "\t", "\r")


def cost_records(day: date, rows: Iterable[cost.Row], names: Mapping[str, str]) -> list[Record]:
    """Return the bill of a day, equal lines summed; `names` are those of workspaces, by id."""
    sums: dict[tuple[str, str, str, str], Group] = {}
    for row in rows:
        add(sums, (row.workspace_id, row.model, row.cost_type, row.token_type), cents=row.cents)
    return [
        (day, workspace, names.get(workspace, "none"), model, cost_type, token_type, _dollars(group.cents))
        for (workspace, model, cost_type, token_type), group in by_key(sums)
    ]


def usage_records(day: date, rows: Iterable[Row]) -> list[Record]:
    """Return one record for each user of a day."""
    records: list[Record] = []
    for row in rows:
        user = User()
        user.change(row, 1)
        records.append((day, row.actor.name, row.actor.actor_type, *_counts(user), _dollars(user.cents)))
    return records


def users_records(users: Users) -> list[Record]:
    """Return one record for each user, summed over the days that were added, by name."""
    records: list[Record] = []
    for actor, user in sorted(users.sums.items(), key=lambda item: (item[0].name, item[0].actor_type)):
        last_active = users.base + timedelta(days=user.dates.bit_length() - 1)
        sums: Record = (*_counts(user), _dollars(user.cents), user.dates.bit_count())
        records.append((actor.name, actor.actor_type, *sums, last_active))
    return records


class Format(NamedTuple):
    """A file format: its media type, and the text of a header and of records."""

    media_type: str
    header: Callable[[Sequence[str]], str]
    records: Callable[[Sequence[str], Iterable[Record]], str]


def _csv(_columns: Sequence[str], records: Iterable[Record]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_csv_cell(cell) for cell in record] for record in records)
    return text.getvalue()


def _csv_cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_EXECUTED) else cell
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell)


def parts(
    name: str,
    form: Format,
    span: Window,
    rows: Callable[[str, date], Sequence[Any]],
    workspaces: Mapping[str, str],
    *,
    users_shown: bool,
) -> Iterator[str]:
    """Yield the text of a file in parts, a day at a time.

    `rows` returns the rows of a report's day, and `workspaces` names workspaces by id. Without `users_shown` the files
    that name users are empty.
    """
    columns = COLUMNS[name]
    yield form.header(columns)
    if name == "cost":
        for day in span.dates():
            yield form.records(columns, cost_records(day, rows(cost.NAME, day), workspaces))
    elif name == "usage" and users_shown:
        for day in span.dates():
            yield form.records(columns, usage_records(day, rows(claude_code.NAME, day)))
    elif users_shown:
        users = Users(Names(), max_users=0)
        for day in span.dates():
            users.replace(day, (), rows(claude_code.NAME, day))
            yield ""
        yield form.records(columns, users_records(users))


_encode_json = msgspec.json.Encoder(decimal_format="number").encode


def _json_lines(columns: Sequence[str], records: Iterable[Record]) -> str:
    return "".join(_encode_json(dict(zip(columns, record, strict=True))).decode() + "\n" for record in records)


FORMATS: Mapping[str, Format] = {
    "csv": Format("text/csv; charset=utf-8", lambda columns: _csv(columns, [tuple(columns)]), _csv),
    "jsonl": Format("application/jsonl; charset=utf-8", lambda _columns: "", _json_lines),
}


def _counts(user: User) -> tuple[int, ...]:
    return (
        *(user.sessions, user.lines_added, user.lines_removed, user.commits, user.pull_requests),
        *(user.accepted, user.rejected, user.input, user.output, user.cache_read, user.cache_creation),
    )


def _dollars(cents: Decimal) -> Decimal:
    return EXACT.scaleb(cents, -2)
