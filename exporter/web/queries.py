"""The query of `/api/v1/report`, of the page and of the exports: which days, which models. Pure."""

import re
from collections.abc import Sequence
from datetime import date

from exporter.model import Window
from exporter.web.report import Query

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class BadQuery(ValueError):
    """A query that cannot be answered. The message is one sentence for the person who sent it."""


def parse(query: Sequence[tuple[str, str]], window: Window) -> Query:
    """Return what a query string asks for: by default the whole window and every model. Raises BadQuery."""
    first = _date(query, "from", window.first, window)
    last = _date(query, "to", window.last, window)
    if first > last:
        raise BadQuery(f"from ({first}) is after to ({last}).")
    return Query(first, last, frozenset(value for name, value in query if name == "model" and value))


def _date(query: Sequence[tuple[str, str]], field: str, default: date, window: Window) -> date:
    values = [value for name, value in query if name == field]
    if len(values) > 1:
        raise BadQuery(f"{field} is given more than once.")
    if not values:
        return default
    try:
        day = date.fromisoformat(values[0] if _DATE.fullmatch(values[0]) else "")
    except ValueError:
        raise BadQuery(f"{field} is not a date: write it as {window.last}.") from None
    if day not in window:
        raise BadQuery(f"{field} ({day}) is outside the window: choose a date from {window.first} to {window.last}.")
    return day
