"""Core types: the window of days, metric families and samples, and exact money. Knows no report.

All days are UTC days.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import NamedTuple

DAY = timedelta(days=1)
DAY_SECONDS = 86400

EXACT = Context(prec=200, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])
"""The decimal context in which money is added: it keeps every digit, or raises."""
ZERO = Decimal(0)


class Window(NamedTuple):
    """The dates that are shown: `days` UTC days of which `last` is the newest (today)."""

    last: date
    days: int

    @property
    def first(self) -> date:
        """The oldest date of the window."""
        return self.last - timedelta(days=self.days - 1)

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last

    def dates(self) -> Iterator[date]:
        """Return each date of the window, oldest first."""
        return (self.first + timedelta(days=offset) for offset in range(self.days))


class Family(NamedTuple):
    """A metric family: its name, its HELP text, and its label names in the order of the page."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: str = "gauge"


Sample = tuple[tuple[str, ...], int | float]
"""Label values in the order of the family's labels, and the value."""
Samples = Mapping[str, Sequence[Sample]]
"""Samples by family name."""


def midnight(day: date) -> datetime:
    """Return 00:00 UTC of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def timestamp(day: date) -> int:
    """Return 00:00 UTC of a day in seconds since the epoch."""
    return (day.toordinal() - 719163) * DAY_SECONDS  # 719163: the ordinal of 1970-01-01


def dollars(cents: Decimal) -> float:
    """Return cents as dollars. This is the only place where money becomes a float."""
    return float(EXACT.scaleb(cents, -2))
