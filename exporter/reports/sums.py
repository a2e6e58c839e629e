"""Exact sums of rows by key, like SQL's GROUP BY, updated by adding and subtracting rows. Pure.

A key is deleted with its last row. Counts are integers and money is `Decimal`, so subtraction is exact.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from datetime import date
from decimal import Decimal
from functools import reduce
from itertools import islice
from typing import Generic, TypeVar

from msgspec import Struct

from exporter.model import EXACT, ZERO, Samples

K = TypeVar("K")
Row = TypeVar("Row")
Sums = TypeVar("Sums")
_plus, _minus = EXACT.add, EXACT.subtract
_MOST, _COARSEST = 10**40, Decimal(10) ** 60
"""Bounds of what EXACT can add up."""
_AT_ONCE = 1000
"""Rows grouped in one step, which holds the interpreter. Larger steps are slower: they exceed the processor's cache."""


class Group(Struct, array_like=True, gc=False):
    """The sums of the rows of one key; `cents` is exact."""

    rows: int
    counts: tuple[int, ...]
    cents: Decimal = ZERO


def _nothing(_row: object) -> tuple[int, ...]:
    return ()


def grouped(
    rows: Iterable[Row],
    key: Callable[[Row], K],
    counts: Callable[[Row], Sequence[int]] = _nothing,
    cents: Callable[[Row], Decimal] | None = None,
) -> dict[K, Group]:
    """Return the groups of rows. For many rows at once this costs a third of calling `add` for each.

    Raises ValueError or ArithmeticError for rows that cannot be added up exactly.
    """
    groups: dict[K, Group] = {}
    rest = iter(rows)
    while some := list(islice(rest, _AT_ONCE)):
        merge(groups, _grouped(some, key, counts, cents))
    for group in groups.values():
        check(group.counts, (group.cents,))
    return groups


def _grouped(
    rows: Sequence[Row],
    key: Callable[[Row], K],
    counts: Callable[[Row], Sequence[int]],
    cents: Callable[[Row], Decimal] | None,
) -> dict[K, Group]:
    of_key: dict[K, list[Row]] = {}
    for row in rows:
        of_key.setdefault(key(row), []).append(row)
    return {
        key: Group(
            len(found),
            tuple(map(sum, zip(*map(counts, found), strict=True))),
            total(map(cents, found)) if cents else ZERO,
        )
        for key, found in of_key.items()
    }


def add(groups: MutableMapping[K, Group], key: K, counts: Sequence[int] = (), cents: Decimal = ZERO) -> None:
    """Add a row to the group of its key."""
    group = groups.get(key)
    if group is None:
        groups[key] = Group(1, tuple(counts), cents)
        return
    group.rows += 1
    if counts:
        group.counts = tuple([held + count for held, count in zip(group.counts, counts, strict=True)])
    if cents is not ZERO:
        group.cents = _plus(group.cents, cents)


def subtract(groups: MutableMapping[K, Group], key: K, counts: Sequence[int] = (), cents: Decimal = ZERO) -> None:
    """Subtract a row that was added."""
    group = groups[key]
    group.rows -= 1
    if not group.rows:
        del groups[key]
        return
    if counts:
        group.counts = tuple([held - count for held, count in zip(group.counts, counts, strict=True)])
    if cents is not ZERO:
        group.cents = _minus(group.cents, cents)


def merge(groups: MutableMapping[K, Group], more: Mapping[K, Group]) -> None:
    """Add the sums of other groups."""
    for key, group in more.items():
        add(groups, key, group.counts, group.cents)
        groups[key].rows += group.rows - 1


def by_key(groups: Mapping[K, Group]) -> list[tuple[K, Group]]:
    """Return the groups sorted by key."""
    return [(key, groups[key]) for key in sorted(groups)]  # type: ignore[type-var]


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum of amounts."""
    return reduce(_plus, amounts, ZERO)


def check(counts: Iterable[int], amounts: Iterable[Decimal] = ()) -> None:
    """Raise ValueError or ArithmeticError for sums of stored rows that are no numbers, such as `NaN`.

    What was read is far below these bounds.
    """
    if any(count >= _MOST for count in counts):
        raise ValueError("not a count")
    if any(not -_MOST < _minus(_plus(cents, _COARSEST), _COARSEST) < _MOST for cents in amounts):
        raise ValueError("not an amount of money")


class ByDay(Generic[Sums]):
    """The sums of single days, and which of them have changed."""

    def __init__(self, samples: Callable[[date, Sums], Samples]) -> None:
        self._samples = samples
        self.sums: dict[date, Sums] = {}
        self._changed: set[date] = set()

    def put(self, day: date, sums: Sums | None) -> None:
        """Replace the sums of a day; None removes the day."""
        self._changed.add(day)
        if sums is None:
            self.sums.pop(day, None)
        else:
            self.sums[day] = sums

    def load(self, sums: dict[date, Sums]) -> None:
        """Replace all days."""
        self._changed |= self.sums.keys() | sums.keys()
        self.sums = sums

    def changes(self) -> dict[str, Samples | None]:
        """Return the samples of the days that have changed since the last call, None for a removed one."""
        changed, self._changed = sorted(self._changed), set()
        return {f"day {day}": self._samples(day, self.sums[day]) if day in self.sums else None for day in changed}


class Daily(Generic[Row, Sums]):
    """A view in which each day is summed on its own."""

    def __init__(self, sum_up: Callable[[Sequence[Row]], Sums], samples: Callable[[date, Sums], Samples]) -> None:
        self._sum_up = sum_up
        self.by_day = ByDay(samples)

    def replace(self, day: date, old: Iterable[Row], new: Sequence[Row] | None) -> None:  # noqa: ARG002 - as of any view
        """Replace the rows of a day; None removes the day."""
        self.by_day.put(day, None if new is None else self._sum_up(new))

    def changes(self, *_: object) -> Mapping[str, Samples | None]:
        """Return the days that have changed since the last call."""
        return self.by_day.changes()


def gone(old: Iterable[Row], new: MutableMapping[K, Row], key: Callable[[Row], K]) -> Iterator[Row]:
    """Yield the old rows that are not among the new ones, and delete from `new`, by key, those that have not changed.

    Of the old rows one at a time is in memory.
    """
    for row in old:
        if new.get(key(row)) == row:
            del new[key(row)]
        else:
            yield row


class Totals(Generic[Row, K]):
    """The sums of all days that are shown, by key. `identity` tells the rows of a day apart."""

    def __init__(
        self,
        identity: Callable[[Row], Hashable],
        key: Callable[[Row], K],
        counts: Callable[[Row], Sequence[int]] = _nothing,
        cents: Callable[[Row], Decimal] = lambda _: ZERO,
    ) -> None:
        self._identity, self._key, self._counts, self._cents = identity, key, counts, cents
        self._groups: dict[K, Group] = {}
        self._changed = False

    def replace(self, old: Iterable[Row], new: Iterable[Row]) -> None:
        """Replace the rows of a day."""
        come = {self._identity(row): row for row in new}
        for row in gone(old, come, self._identity):
            self._changed = True
            subtract(self._groups, self._key(row), self._counts(row), self._cents(row))
        self._changed |= bool(come)
        for row in come.values():
            add(self._groups, self._key(row), self._counts(row), self._cents(row))

    def changes(self, *, always: bool = False) -> list[tuple[K, Group]] | None:
        """Return all groups, sorted by key, or None if nothing has changed since the last call."""
        if not self._changed and not always:
            return None
        self._changed = False
        return by_key(self._groups)
