"""How work and memory grow with the number of users: ratios, which do not depend on the machine."""

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from exporter.days.ledger import Ledger
from exporter.days.store import Store
from exporter.model import Window
from exporter.reports import reports
from exporter.reports.usage_rows import Actor
from tests.bodies import NOW, TODAY, answer, day, model, record, take_usage, usage_page

DAYS = 6
WINDOW = Window(TODAY, DAYS)
FEW, MANY = 200, 2000
NAMED = 20
UP = {"claude_code": True}


def used_by(users: int, sessions: int = 1) -> list[dict[str, Any]]:
    """Return a record for each user."""
    models = [model(f"0.{number}", tokens=2**number, name=f"model-{number}") for number in range(3)]
    tools = {"edit": (2, 1), "write": (1, 0)}
    return [
        record(Actor("user", f"user{number}@example.test"), sessions, tools=tools, models=models)
        for number in range(users)
    ]


@contextmanager
def filled(users: int) -> Iterator[Store]:
    """Yield a store of days on which each user had a record, and of the sums of the settled ones."""
    with closing(Store(None)) as store:
        ledger = started(store)
        for age in range(DAYS):
            take_usage(ledger, day(age), *used_by(users))
        ledger.publish(WINDOW, UP)
        ledger.save()
        ledger.prune(WINDOW)
        yield store


def started(store: Store) -> Ledger:
    """Return a ledger of that store with few named users."""
    return Ledger(store, reports(max_users=NAMED))


def calls(work: Callable[[], object]) -> int:
    """Return how many functions the work calls, those in C included."""
    number = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal number
        number += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return number


def peak(work: Callable[[], object]) -> int:
    """Return the most bytes that the work needed at once, beyond what was there before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def calls_of_a_start(users: int) -> int:
    """Return the calls of a start with a full store."""
    with filled(users) as store:
        return calls(lambda: started(store).publish(WINDOW, UP))


def calls_of_a_refresh(users: int) -> int:
    """Return the calls of a refresh in which each user has one more session today."""
    later = answer(usage_page(TODAY, *used_by(users, sessions=2)))
    with filled(users) as store:
        ledger = started(store)
        ledger.publish(WINDOW, UP)
        taken = calls(lambda: ledger.take(ledger.reports["claude_code"], [TODAY], later, NOW))
        return taken + calls(lambda: ledger.publish(WINDOW, UP))


@pytest.mark.parametrize("calls_of", [calls_of_a_start, calls_of_a_refresh])
def test_work_does_not_grow_faster_than_the_users(calls_of: Callable[[int], int]) -> None:
    """Ten times as many users are at most ten times as many calls, although nearly all of them are folded."""
    assert calls_of(MANY) / calls_of(FEW) <= MANY / FEW


def test_the_old_rows_of_a_day_are_not_in_memory_at_once() -> None:
    """Removing a day takes less than its decoded rows do."""
    with filled(MANY) as store:
        ledger = started(store)
        ledger.publish(WINDOW, UP)
        decoded: list[Any] = []
        whole = peak(lambda: decoded.extend(ledger.rows("claude_code", TODAY)))
        assert len(decoded) == MANY
        view, rows = ledger.shown["claude_code"].view, ledger._rows.each(ledger.reports["claude_code"], TODAY)
        assert peak(lambda: view.replace(TODAY, rows, None)) < whole * 0.75


def test_storing_the_sums_holds_no_day() -> None:
    """It takes less than five times the JSON of the sums, as much as the decoded rows of one day."""
    with filled(MANY) as store:
        ledger = started(store)
        ledger.publish(WINDOW, UP)
        ledger.shown["claude_code"]._kept = None
        size = len(ledger.shown["claude_code"].view.dump({}))
        assert peak(lambda: ledger.prune(WINDOW)) / size < 5
