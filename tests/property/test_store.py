"""The store holds exactly what was put, over restarts."""

import tempfile
from datetime import date, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.days.store import Store
from exporter.model import CostRow, Report, UsageRow
from tests.property.strategies import cost_days, day, moments, usage_days

CC, COST = Report.CLAUDE_CODE, Report.COST
marks = st.lists(st.tuples(st.text("abc0", max_size=4), st.none() | st.text(max_size=4)), max_size=2).map(tuple)
Marks = tuple[tuple[str, str | None], ...]


@given(usage_days, cost_days, marks, moments)
@settings(max_examples=20)
def test_a_day_comes_back_after_a_restart(
    rows: list[UsageRow], bills: list[CostRow], known: Marks, at: datetime
) -> None:
    """Every digit, count, name and mark; put twice it is there once."""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            store = Store(Path(folder))
            store.replace(CC, day(0), rows, known, at)
            store.replace(COST, day(0), bills, (), at)
            store.close()
        store = Store(Path(folder))
        assert (store.usage(day(0)), store.cost(day(0))) == (rows, bills)
        assert [str(row.cents) for row in store.cost(day(0))] == [str(row.cents) for row in bills]
        assert dict(store.entries(CC)) == {day(0): (at, not rows, known)}
        store.close()


changes = st.lists(
    st.tuples(st.sampled_from(["put", "touch", "prune", "forget"]), st.integers(0, 9).map(day), cost_days, moments),
    max_size=12,
)


@given(changes)
@settings(max_examples=20)
def test_any_changes_leave_the_last_of_each_day(steps: list[tuple[str, date, list[CostRow], datetime]]) -> None:
    """A dictionary that is changed in the same way says what the store holds, before and after a restart."""
    with tempfile.TemporaryDirectory() as folder:
        store, held = Store(Path(folder)), dict[date, tuple[list[CostRow], datetime]]()
        for step, of, rows, at in steps:
            if step == "put":
                store.replace(COST, of, rows, (), at)
                held[of] = rows, at
            elif step == "touch" and of in held:
                store.touch(COST, of, at)
                held[of] = held[of][0], at
            elif step == "prune":
                store.prune(of)
                held = {kept: value for kept, value in held.items() if kept >= of}
            elif step == "forget":
                store.forget(COST)
                held = {}
        for _ in range(2):
            assert {of: (store.cost(of), entry.read_at) for of, entry in store.entries(COST).items()} == held
            store.close()
            store = Store(Path(folder))
        store.close()
