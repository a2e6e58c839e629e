"""The store holds exactly what was put, over restarts; and whatever it holds, the exporter starts."""

import json
import tempfile
import zlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from exporter.days.ledger import Ledger
from exporter.days.store import Entry, Store, rows_digest
from exporter.model import Window
from exporter.reports import listings, reports
from tests import stored_sums
from tests.bodies import ANA, BO, CI, TODAY, day, message, model, record, result, take_cost, take_messages, take_usage

WINDOW = Window(TODAY, 5)
UP = dict.fromkeys((report.name for report in reports()), True)
TOMORROW = Window(TODAY + timedelta(days=1), 5)
moments = st.datetimes(datetime(2026, 8, 1), datetime(2026, 11, 25), timezones=st.just(UTC))  # noqa: DTZ001
changes = st.lists(
    st.tuples(
        st.sampled_from(["put", "touch", "prune", "save", "restart", "format"]),
        st.integers(0, 9).map(day),
        st.binary(max_size=9),
        moments,
    ),
    max_size=12,
)


@given(changes)
@settings(max_examples=20)
def test_any_changes_leave_the_last_of_each_day(steps: list[tuple[str, date, bytes, datetime]]) -> None:
    """A dictionary that is changed in the same way says what the store holds, before and after a restart."""
    with tempfile.TemporaryDirectory() as folder:
        store, held = Store(Path(folder)), dict[date, tuple[bytes, datetime]]()
        for step, of, rows, at in steps:
            if step == "put":
                store.put("a", of, Entry(at, "", "1", 1, rows_digest(rows), empty=len(rows) < 10), rows)
                held[of] = rows, at
            elif step == "touch" and of in held:
                store.put("a", of, store.entries("a")[of]._replace(read_at=at), None)
                held[of] = held[of][0], at
            elif step == "prune":
                store.prune(of)
                held = {kept: value for kept, value in held.items() if kept >= of}
            elif step in {"save", "restart", "format"}:
                store.save()
            if step == "restart":
                store.close()
                store = Store(Path(folder))
            elif step == "format":
                store.delete_other_formats({"a": "2"})
                held = {}
        for _ in range(2):
            assert {of: (store.rows("a", of), entry.read_at) for of, entry in store.entries("a").items()} == held
            store.save()
            store.close()
            store = Store(Path(folder))
        store.close()


def opened(store: Store) -> Ledger:
    """Return a ledger on a store."""
    return Ledger(store, reports(), listings())


def filled() -> Store:
    """Return a store with a page, its days and its sums."""
    store = Store(None)
    ledger = opened(store)
    for age in range(5):
        used = [model("0.1", tokens=age), model("7", name="haiku")]
        someone = record(BO if age % 2 else CI, 2, tools={"edit": (1, 2)})
        take_usage(ledger, day(age), record(ANA, age, models=used), someone)
        take_cost(ledger, day(age), result(str(age)))
        take_messages(ledger, day(age), message(age))
    ledger.publish(WINDOW, UP)
    ledger.save()
    ledger.keep_page()
    ledger.prune(WINDOW)
    return store


def lives(store: Store) -> int:
    """Start on a store, pass midnight, restate a day and store sums; return how many days the start shows."""
    with capture_logs():
        ledger = opened(store)
        ledger.kept_page(WINDOW, UP)
        states = ledger.publish(WINDOW, UP).health
        for last in (TODAY, TODAY, TOMORROW.last):
            take_usage(ledger, day(2), record(ANA, 3), at=datetime.fromisoformat(f"{last}T12:00:00+00:00"))
            take_cost(ledger, day(2), result("3"))
            ledger.publish(Window(last, 5), UP)
            ledger.prune(Window(last, 5))
        store.close()
        return sum(state.days_read for state in states.values())


amounts = st.sampled_from(["NaN", "sNaN", "-Infinity", "1E+999999", "1E-999999", "0.1", "x", "1e40", "-1E+39", ""])
numbers = st.sampled_from([0, 1, -1, 2**63, 2**64, 10**39, 10**41, 10**400, -(10**400), 1.5, True, None, "1"])
names = st.text(max_size=3) | st.sampled_from(["ana@example.test", "\ud800"])
leaves = st.none() | st.booleans() | numbers | amounts | names
trees = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=2))
tools = st.lists(st.tuples(names, numbers, numbers), max_size=2)
models = st.lists(st.tuples(names, numbers, numbers, numbers, numbers, amounts), max_size=2)
usage = st.tuples(st.tuples(names, names), numbers, numbers, numbers, numbers, numbers, tools, models)
bills = st.tuples(names, names, names, names, amounts)
tokens = st.tuples(names, names, names, names, st.lists(numbers, min_size=4, max_size=5), numbers)
stored = (
    st.lists(usage | bills | tokens | trees, max_size=3).map(lambda rows: zlib.compress(json.dumps(rows).encode()))
    | st.text(max_size=30).map(lambda text: zlib.compress(text.encode("utf-8", "surrogatepass")))
    | st.binary(max_size=30)
)


@given(st.sampled_from(sorted(UP)), st.integers(0, 4).map(day), stored, st.booleans())
@settings(max_examples=80)
def test_any_bytes_in_a_day_never_stop_a_start(report: str, of: date, rows: bytes, digest: bool) -> None:  # noqa: FBT001
    """Rows that no reader made count as a damaged day, or are harmless; whether their digest is right or not."""
    store = filled()
    store._db.execute("UPDATE day SET rows = ? WHERE report = ? AND date = ?", (rows, report, str(of)))
    if digest:
        entry = store.entries(report)[of]._replace(rows_digest=rows_digest(rows))
        store._entries[report][of] = entry
    in_sums = report == "claude_code" and of <= day(2)
    assert lives(store) in ((14, 15) if digest else (15,) if in_sums else (14,))


@given(
    st.sampled_from(["directory", "sums of claude_code", "numbers of the page"]),
    trees.map(json.dumps) | st.text(max_size=20),
)
def test_any_text_in_a_note_never_stops_a_start(name: str, text: str) -> None:
    """It is fetched again, or added up again."""
    store = filled()
    store.put_note(name, text.encode("utf-8", "replace").decode())
    assert lives(store) == 15


def paths(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """Return the path of every value inside a JSON value."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [*([path] if path else []), *(deep for key, value in inner for deep in paths(value, (*path, key)))]


SUMS = stored_sums.parts(filled().note(stored_sums.NAME))
PLACES = [path for path in paths(SUMS) if path[0] == 2]


@given(st.sampled_from(PLACES), leaves | trees | st.just("gone"))
@settings(max_examples=100)
def test_any_change_in_stored_sums_never_stops_a_start_or_a_midnight(place: tuple[Any, ...], value: object) -> None:
    """Sums that do not fit are dropped, at the latest when they are changed."""
    note = json.loads(json.dumps(SUMS))
    parent = note
    for key in place[:-1]:
        parent = parent[key]
    if value == "gone":
        del parent[place[-1]]
    else:
        parent[place[-1]] = value
    store = filled()
    store.put_note(stored_sums.NAME, stored_sums.note(*note))
    assert lives(store) == 15
