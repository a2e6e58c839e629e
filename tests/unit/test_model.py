"""Core types: exact money, the window, and UTC days as seconds."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, Inexact

import pytest

from exporter.model import EXACT, Window, dollars, midnight, timestamp


def test_money_is_exact_or_an_error() -> None:
    """A sum that does not fit into 200 digits raises: it is never rounded in silence."""
    total = EXACT.add(Decimal("1e100"), Decimal("1e-90"))
    assert EXACT.subtract(total, Decimal("1e100")) == Decimal("1e-90")
    with pytest.raises(Inexact):
        EXACT.add(Decimal("1e200"), Decimal("1e-200"))
    assert dollars(Decimal("12345678901234567890.5")) == 123456789012345678.9


@pytest.mark.parametrize(
    ("day", "inside"),
    [
        (date(2026, 11, 22), True),
        (date(2026, 11, 16), True),
        (date(2026, 11, 15), False),
        (date(2026, 11, 23), False),
        ("2026-11-20", False),
    ],
)
def test_the_window_holds_its_days_and_nothing_else(day: object, inside: bool) -> None:  # noqa: FBT001 - a table
    """Seven days end with the last one."""
    assert (day in Window(date(2026, 11, 22), 7)) is inside


def test_the_window_s_dates_are_in_order() -> None:
    """Oldest first, both ends included."""
    dates = list(Window(date(2026, 3, 2), 3).dates())
    assert dates == [date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 2)]
    assert list(Window(date(2026, 3, 2), 1).dates()) == [date(2026, 3, 2)]


@pytest.mark.parametrize("day", [date(1970, 1, 1), date(2026, 11, 22), date(2024, 2, 29), date(1969, 12, 31)])
def test_a_day_s_timestamp_is_its_midnight_in_utc(day: date) -> None:
    """Seconds since the epoch, whatever the machine's time zone."""
    assert timestamp(day) == datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    assert midnight(day).utcoffset() == timedelta()
