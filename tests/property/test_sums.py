"""Sums of parts equal totals, and what is taken out leaves nothing behind."""

from collections import Counter
from contextlib import suppress
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.encoder import Pieces
from exporter.model import EXACT, Actor, CostRow, ModelUse, UsageRow
from exporter.reports.sums import (
    TOKEN_TYPES,
    Checkpoint,
    UserBook,
    UserSums,
    by_actor,
    cost_sums,
    day_sums,
    pseudonymous,
)
from exporter.snapshot import folded, user_samples
from tests.property.strategies import TODAY, cost_days, day, usage_days

BASE = day(400)


def money(amounts: list[Decimal]) -> Decimal:
    """Return the exact sum."""
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def tokens(use: ModelUse) -> list[int]:
    """Return the four counts in the order of TOKEN_TYPES."""
    return [getattr(use, name) for name in TOKEN_TYPES]


def held(book: UserBook) -> dict[Actor, dict[str, object]]:
    """Return all that a book holds."""
    return {actor: {name: getattr(sums, name) for name in UserSums.__slots__} for actor, sums in book.users.items()}


@given(usage_days)
def test_the_sums_of_a_day_are_those_of_its_records(rows: list[UsageRow]) -> None:
    """Whether records are first summed by actor or not, and in which order they came."""
    merged = by_actor(rows)
    sums = day_sums(merged)
    for field in ("sessions", "lines_added", "lines_removed", "commits", "pull_requests"):
        assert getattr(sums, field) == sum(getattr(row, field) for row in rows)
    assert sum(sums.active_users.values()) == len({row.actor for row in rows}) == len(merged)
    for name in {name for row in rows for name in row.models}:
        parts = [row.models[name] for row in rows if name in row.models]
        assert tokens(sums.models[name]) == [sum(column) for column in zip(*map(tokens, parts), strict=True)]
        assert sums.models[name].cents == money([use.cents for use in parts])
    for name in {name for row in rows for name in row.tools}:
        parts_of_tool = [row.tools[name] for row in rows if name in row.tools]
        assert sums.tools[name] == tuple(sum(column) for column in zip(*parts_of_tool, strict=True))
    assert by_actor(rows[::-1]) == merged


@given(cost_days)
def test_a_bill_by_line_and_by_workspace_is_the_same_money(rows: list[CostRow]) -> None:
    """To the last digit, and no line is lost."""
    sums, total = cost_sums(rows), money([row.cents for row in rows])
    assert money(list(sums.lines.values())) == money(list(sums.workspaces.values())) == total
    assert set(sums.lines) == {(row.model, row.cost_type, row.token_type) for row in rows}
    assert set(sums.workspaces) == {row.workspace_id for row in rows}


@given(st.lists(st.tuples(st.integers(0, 5), usage_days), max_size=8))
def test_a_book_after_any_changes_is_a_fresh_book_of_its_days(changes: list[tuple[int, list[UsageRow]]]) -> None:
    """Days are put, restated and taken away in any order: every sum, model and bit is as if it had never been else."""
    book, days = UserBook(BASE), dict[date, list[UsageRow]]()
    for age, rows in changes:
        of = day(age)
        if of in days:
            book.remove_day(of, days.pop(of))
        if age % 3:
            days[of] = by_actor(rows)
            book.add_day(of, days[of])
    fresh = UserBook(BASE)
    for of, rows in days.items():
        fresh.add_day(of, rows)
    assert held(book) == held(fresh)
    for of, rows in days.items():
        book.remove_day(of, rows)
    assert book.users == {}


@given(usage_days, usage_days)
def test_the_actors_whose_sums_changed_are_told(rows: list[UsageRow], others: list[UsageRow]) -> None:
    """All of them, and nobody else: their pieces of the page are rendered again."""
    book = UserBook(BASE)
    book.add_day(day(1), by_actor(others))
    before = held(book)
    changed = book.add_day(TODAY, by_actor(rows))
    after = held(book)
    assert {actor for actor in after if after[actor] != before.get(actor)} == changed
    assert book.remove_day(TODAY, by_actor(rows)) == changed
    assert held(book) == before


@given(usage_days, st.integers(0, 6))
def test_folding_loses_nothing(rows: list[UsageRow], limit: int) -> None:
    """Every sum over users is the same with any number of names; at most `limit` keep theirs."""
    book = UserBook(BASE)
    book.add_day(TODAY, by_actor(rows))
    named, rest = folded(book.users, limit)
    assert len(named) <= max(limit, 0) or len(book.users) <= limit
    assert not named & rest.keys()
    shown = [book.users[actor] for actor in named] + list(rest.values())
    assert money([user.cents for user in shown]) == money([user.cents for user in book.users.values()])
    for field in ("sessions", "commits", "lines_added", "accepted", "rejected", *TOKEN_TYPES):
        assert sum(getattr(user, field) for user in shown) == sum(getattr(user, field) for user in book.users.values())
    if rest:
        dearest = max(user.cents for user in book.users.values())
        assert limit == 0 or any(book.users[actor].cents == dearest for actor in named) or has_other(book)
    pieces = Pieces()
    for actor, sums in [*((actor, book.users[actor]) for actor in named), *rest.items()]:
        pieces.put(repr(actor), user_samples(actor, sums, BASE))


def has_other(book: UserBook) -> bool:
    """Return whether a user is called `other`, who gives up that name."""
    return any(actor.name == "other" for actor in book.users)


@given(usage_days)
def test_digests_keep_users_apart_and_their_numbers_together(rows: list[UsageRow]) -> None:
    """A page of digests has as many users as one of names, with the same numbers."""
    plain, hashed = by_actor(rows), by_actor(pseudonymous(rows, b"key"))
    assert Counter(repr(row[1:]) for row in hashed) == Counter(repr(row[1:]) for row in plain)
    assert {row.actor.name for row in hashed}.isdisjoint(row.actor.name for row in plain)


@given(st.dictionaries(st.integers(0, 9).map(day), usage_days.map(by_actor), max_size=4))
def test_kept_sums_come_back_as_they_were(days: dict[date, list[UsageRow]]) -> None:
    """Through text: every user, bit, model and digit of the money, so that days are added and removed as before."""
    book = UserBook(BASE)
    for of, rows in days.items():
        book.add_day(of, rows)
    sums = {of: day_sums(rows) for of, rows in days.items()}
    digests = {of: f"digest of {of}" for of in days}
    again = Checkpoint.restored(Checkpoint(book, sums, digests).dumped())
    assert (again.days, again.digests, again.book.base) == (sums, digests, BASE)
    assert held(again.book) == held(book)
    for of, rows in days.items():
        again.book.remove_day(of, rows)
    assert again.book.users == {}


@given(st.text(max_size=60) | st.text('{}[]":,0123456789-basedy\n', max_size=60))
def test_a_damaged_checkpoint_is_one_of_four_errors(text: str) -> None:
    """Those that its reader foresees; it then adds up the days again."""
    with suppress(ValueError, TypeError, KeyError, ArithmeticError):
        Checkpoint.restored(text)
