"""Sums of parts equal totals, and what is subtracted leaves nothing behind."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from exporter.exposition.pieces import Pieces
from exporter.model import Window
from exporter.reports import claude_code, cost, families, messages
from exporter.reports.claude_code import Usage
from exporter.reports.names import Names
from exporter.reports.sums import Group, add, grouped, merge, subtract, total
from exporter.reports.usage_rows import Row
from tests.bodies import TODAY, day
from tests.property.strategies import cost_days, messages_days, usage_days

WINDOW = Window(TODAY, 10)
MONEY = st.decimals(-(10**12), 10**12, allow_nan=False, places=20)
entries = st.lists(
    st.tuples(st.sampled_from("abc"), st.tuples(st.integers(0, 9), st.integers(0, 9)), MONEY), max_size=8
)
Entry = tuple[str, tuple[int, int], Decimal]


def exact(amounts: list[Decimal]) -> Fraction:
    """Return the sum by arithmetic of another kind."""
    return sum(map(Fraction, amounts), Fraction())


@given(entries, st.data())
def test_groups_are_the_sums_of_their_rows_however_they_came(rows: list[Entry], data: st.DataObject) -> None:
    """Grouped at once, added one by one, merged, or left over after others were subtracted: the same."""
    more = data.draw(entries)
    groups = grouped(rows, key=lambda row: row[0], counts=lambda row: row[1], cents=lambda row: row[2])
    for key, group in groups.items():
        of_key = [row for row in rows if row[0] == key]
        assert group.rows == len(of_key)
        assert group.counts == tuple(sum(row[1][column] for row in of_key) for column in (0, 1))
        assert Fraction(group.cents) == exact([row[2] for row in of_key])
    assert groups.keys() == {row[0] for row in rows}
    assert Fraction(total(row[2] for row in rows)) == exact([row[2] for row in rows])
    added: dict[str, Group] = {}
    for row in data.draw(st.permutations([*rows, *more])):
        add(added, *row)
    for row in data.draw(st.permutations(more)):
        subtract(added, *row)
    assert added == groups
    halves = [grouped(half, lambda row: row[0], lambda row: row[1], lambda row: row[2]) for half in (rows, more)]
    merged: dict[str, Group] = {}
    for half in halves:
        merge(merged, half)
    both = [*rows, *more]
    assert merged == grouped(both, lambda row: row[0], lambda row: row[1], lambda row: row[2])


@given(cost_days)
def test_a_bill_by_line_and_by_workspace_is_the_same_money(rows: list[cost.Row]) -> None:
    """To the last digit, and no line is lost."""
    sums, money = cost.day_sums(rows), exact([row.cents for row in rows])
    for groups in (sums.lines, sums.workspaces):
        assert exact([group.cents for group in groups.values()]) == money
        assert sum(group.rows for group in groups.values()) == len(rows)
    assert set(sums.lines) == {(row.model, row.cost_type, row.token_type) for row in rows}


def filled(days: dict[date, list[Row]], max_users: int = 2000) -> Usage:
    """Return a view of these days."""
    view = Usage(Names(), max_users)
    for of, rows in days.items():
        view.replace(of, (), rows)
    return view


def page(*views: Usage) -> bytes:
    """Return the page of what has changed in each view, one after the other."""
    pieces = Pieces(families([claude_code.report()], ()))
    for view in views:
        pieces.change("x", view.changes(WINDOW, set(WINDOW.dates())))
    return pieces.page().body


def state(view: Usage) -> tuple[Any, ...]:
    """Return all sums of a view, with the dates of each user counted from the first day of the calendar."""
    first = (view.users.base - date.min).days
    users = {actor: replace(user, dates=user.dates << first) for actor, user in view.users.sums.items()}
    return view.by_day.sums, users


changes = st.lists(st.tuples(st.integers(0, 9), st.none() | usage_days), max_size=8)


@given(changes, st.integers(0, 3))
def test_a_view_after_any_changes_is_a_fresh_view_of_its_days(
    changes: list[tuple[int, list[Row] | None]], max_users: int
) -> None:
    """Days are read, restated and removed in any order: sums and page are as if they had never been different.

    The page is made of changes alone, so every user whose sums have changed is told; folded users included.
    """
    view, days = Usage(Names(), max_users), dict[date, list[Row]]()
    pieces = Pieces(families([claude_code.report()], ()))
    for age, rows in changes:
        view.replace(day(age), days.pop(day(age), ()), rows)
        if rows is not None:
            days[day(age)] = rows
        pieces.change("x", view.changes(WINDOW, set(WINDOW.dates())))
    fresh = filled(days, max_users)
    assert state(view) == state(fresh)
    if changes:
        assert pieces.page().body == page(fresh)
    for of, rows in days.items():
        view.replace(of, rows, None)
    assert state(view) == ({}, {})


@given(st.lists(st.tuples(st.integers(0, 3), st.none() | messages_days), max_size=8))
def test_tokens_by_key_after_any_changes_are_those_of_the_days(changes: list[tuple[int, Any]]) -> None:
    """Days are read, restated and removed in any order: the page is as if they had never been different."""
    view, days = messages.Usage(), dict[date, list[messages.Row]]()
    pieces, fresh = (Pieces(messages.FAMILIES) for _ in range(2))
    for age, rows in changes:
        view.replace(day(age), days.pop(day(age), ()), rows)
        if rows is not None:
            days[day(age)] = rows
        pieces.change("x", view.changes(WINDOW, set()))
    again = messages.Usage()
    for of, rows in days.items():
        again.replace(of, (), rows)
    fresh.change("x", again.changes(WINDOW, set()))
    assert pieces.page().body == fresh.page().body


@given(
    st.dictionaries(st.integers(0, 9).map(day), usage_days, max_size=4),
    st.dictionaries(st.integers(10, 13).map(day), usage_days, max_size=2),
)
def test_kept_sums_come_back_as_they_were(days: dict[date, list[Row]], more: dict[date, list[Row]]) -> None:
    """Through JSON: every user, bit, model and digit of the money, so that days are added and removed as before.

    They are those of a view without the other days; the view itself stays as it is.
    """
    view, whole, again = filled(days), filled(days | more), Usage(Names(), 2000)
    assert set(again.load(whole.dump({of: partial(iter, rows) for of, rows in more.items()}))) == days.keys()
    assert state(whole) == state(filled(days | more))
    assert state(again) == state(view)
    assert page(again) == page(view)
    for of, rows in days.items():
        again.replace(of, rows, None)
    assert state(again) == ({}, {})


@given(usage_days, st.integers(0, 6))
def test_folding_loses_nothing(rows: list[Row], limit: int) -> None:
    """Every sum over users is the same with any number of names, and at most `limit` keep theirs."""
    sums: list[dict[str, float]] = []
    for most in (limit, 2000):
        found: dict[str, float] = defaultdict(int)
        shown = filled({TODAY: rows}, most).changes(WINDOW, set(WINDOW.dates()))
        for key, samples in shown.items():
            for family, of_user in (samples or {}).items() if key.startswith("user ") else ():
                if not family.endswith(("_dates", "_seconds", "_usd")):
                    for labels, value in of_user:
                        found[repr((family, labels[1:]))] += value
        sums.append({key: value for key, value in found.items() if value})
        named = {key for key in shown if key.startswith("user ") and not key.endswith("\0other")}
        assert len(named) <= most
    assert sums[0] == sums[1]
