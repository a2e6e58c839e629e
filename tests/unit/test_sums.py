"""Sums by key. That they are exact and that subtraction leaves nothing behind is tested in `property/test_sums.py`."""

from decimal import Decimal
from operator import attrgetter

import pytest

from exporter.reports.sums import ByDay, Group, add, by_key, check, gone, grouped, merge, subtract
from tests.bodies import ANA, BO, CI, TODAY, day, record, usage_rows


def test_a_key_without_cost_stays_as_long_as_it_has_a_row() -> None:
    """Rows are counted, not money: 0 cents is a number, and no absence."""
    groups: dict[str, Group] = {}
    add(groups, "free", (1, 2))
    add(groups, "free", (10, 20))
    add(groups, "free", cents=Decimal(5))
    assert groups == {"free": Group(3, (11, 22), Decimal(5))}
    subtract(groups, "free", (10, 20))
    subtract(groups, "free", cents=Decimal(5))
    assert groups == {"free": Group(1, (1, 2), Decimal(0))}
    subtract(groups, "free", (1, 2))
    assert groups == {}


def test_merged_groups_are_copies() -> None:
    """What is merged stays as it is, and rows are counted."""
    groups, more = {"a": Group(1, (1,), Decimal(1))}, {"a": Group(2, (2,), Decimal(2)), "b": Group(3, (3,))}
    merge(groups, more)
    merge(groups, more)
    assert groups == {"a": Group(5, (5,), Decimal(5)), "b": Group(6, (6,))}
    assert more == {"a": Group(2, (2,), Decimal(2)), "b": Group(3, (3,))}


def test_many_rows_are_grouped_in_steps() -> None:
    """A key that is in several of them has one group."""
    many = [("often", number) for number in range(2500)] + [("once", 7)]
    groups = grouped(many, lambda row: row[0], lambda row: (row[1],), lambda row: Decimal(row[1]) / 10)
    assert groups == {"often": Group(2500, (3_123_750,), Decimal("312375.0")), "once": Group(1, (7,), Decimal("0.7"))}


def test_groups_of_rows_without_counts_or_money() -> None:
    """Both are optional."""
    by_length = grouped(["a", "b", "cc"], len)
    assert by_key(by_length) == [(1, Group(2, ())), (2, Group(1, ()))]
    with pytest.raises(ValueError, match="zip"):
        grouped([(1,), (1, 2)], bool, counts=tuple)
    with pytest.raises(ArithmeticError):
        grouped([Decimal("NaN")], bool, cents=lambda cents: cents)


def test_the_days_that_have_changed_are_told_once() -> None:
    """In the order of the days, and a removed one as None."""
    days = ByDay[int](lambda of, number: {"family": [((str(of),), number)]})
    days.put(TODAY, 1)
    days.put(day(1), 2)
    shown = {f"day {of}": {"family": [((str(of),), number)]} for of, number in ((day(1), 2), (TODAY, 1))}
    assert list(days.changes().items()) == list(shown.items())
    days.put(TODAY, None)
    days.put(day(2), None)
    assert days.changes() == {f"day {TODAY}": None, f"day {day(2)}": None}
    assert days.changes() == {}
    days.load({day(3): 3})
    assert days.changes() == {f"day {day(1)}": None, f"day {day(3)}": {"family": [((str(day(3)),), 3)]}}


def test_rows_that_differ() -> None:
    """Equal rows are neither subtracted nor added, whatever their order."""
    key = attrgetter("actor")
    old = usage_rows(record(ANA), record(BO), record(CI))
    new = usage_rows(record(ANA), record(CI, 2))
    come = {row.actor: row for row in new}
    assert [(row.actor, row.sessions) for row in gone(iter(old), come, key)] == [(CI, 1), (BO, 1)]
    assert [(row.actor, row.sessions) for row in come.values()] == [(CI, 2)]
    assert list(gone(old, {}, key)) == old


@pytest.mark.parametrize(
    ("counts", "amounts"),
    [([10**40], []), ([1, 10**50], []), ([], ["NaN"]), ([], ["-Infinity"]), ([], ["0", "1e40"]), ([], ["-1e40"])],
)
def test_sums_that_are_no_numbers_are_refused(counts: list[int], amounts: list[str]) -> None:
    """Stored rows may be damaged."""
    with pytest.raises((ValueError, ArithmeticError)):
        check(counts, map(Decimal, amounts))


def test_sums_of_what_was_read_pass() -> None:
    """Each number is below the bounds of a body; so are millions of them."""
    check([0, 2**63 * 10**9], map(Decimal, ["0", "-0.5", "1e-30", "999999999999999999e6"]))
    with pytest.raises(ArithmeticError):
        check([], [Decimal("1e-200")])
