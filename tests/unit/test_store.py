"""The days on disk."""

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.days.store import HASH_KEY, Store
from exporter.errors import StoreError
from exporter.model import Report
from tests.unit.rows import ANA, BO, CI, NOW, TODAY, bill, day, row, use

CC, COST = Report.CLAUDE_CODE, Report.COST
MARKS = (("digest-1", "cursor"), ("digest-2", None))
ROWS = [
    row(ANA, 4, lines=(1, 2), commits=3, pull_requests=4, tools={"edit": (5, 6)}, models={"m": use("0.1", tokens=7)}),
    row(CI, 2**62, models={"n": use("1E+2"), "m": use("-0.000000000000000000000000000001")}),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Yield a store in an empty folder."""
    store = Store(tmp_path)
    yield store
    store.close()


def reopened(store: Store, folder: Path) -> Store:
    """Return the same folder's store after a restart."""
    store.close()
    return Store(folder)


def lock_file(folder: Path) -> sqlite3.Connection:
    """Hold the database so that nobody else can write."""
    blocker = sqlite3.connect(folder / "days.sqlite", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    return blocker


def test_a_day_comes_back_as_it_was_put_also_after_a_restart(store: Store, tmp_path: Path) -> None:
    """Every digit of the money, every count, the marks and the time."""
    bills = [bill("123.78912", workspace="w"), bill("-50.00")]
    store.replace(CC, TODAY, ROWS, MARKS, NOW)
    store.replace(COST, TODAY, bills, (), NOW)
    for held in (store, again := reopened(store, tmp_path)):
        if held is again:
            assert held.usage(TODAY) == ROWS
            assert [str(one.cents) for one in held.cost(TODAY)] == ["123.78912", "-50.00"]
            assert held.cost(TODAY) == bills
        entry = held.entries(CC)[TODAY]
        assert (entry.read_at, entry.empty, entry.marks) == (NOW, False, MARKS)
        assert not held.entries(COST)[TODAY].empty
    again.close()


def test_a_day_that_is_not_there_has_no_rows(store: Store) -> None:
    """And no entry: it was not read."""
    assert (store.usage(TODAY), store.cost(TODAY), dict(store.entries(CC))) == ([], [], {})


def test_an_empty_day_was_read(store: Store, tmp_path: Path) -> None:
    """It has an entry, which says that it is empty; also after a restart."""
    store.replace(CC, TODAY, [], (), NOW)
    assert store.entries(CC)[TODAY].empty
    again = reopened(store, tmp_path)
    assert again.entries(CC)[TODAY].empty
    again.close()


def test_a_replaced_day_has_the_new_rows_alone(store: Store) -> None:
    """Whatever was there."""
    store.replace(CC, TODAY, ROWS, MARKS, NOW)
    store.replace(CC, TODAY, [row(BO)], (), NOW + timedelta(hours=1))
    assert store.usage(TODAY) == [row(BO)]
    assert store.entries(CC)[TODAY] == (NOW + timedelta(hours=1), False, ())


def test_an_unchanged_day_gets_a_new_time(store: Store, tmp_path: Path) -> None:
    """Its rows and marks stay."""
    store.replace(CC, TODAY, ROWS, MARKS, NOW)
    store.touch(CC, TODAY, NOW + timedelta(hours=1))
    again = reopened(store, tmp_path)
    assert again.usage(TODAY) == ROWS
    assert again.entries(CC)[TODAY] == (NOW + timedelta(hours=1), False, MARKS)
    again.close()


def test_a_day_is_one_transaction_and_few_statements(store: Store) -> None:
    """The work of a day does not grow with its rows."""
    before = store.statements
    store.replace(CC, TODAY, [row(ANA._replace(name=str(number))) for number in range(1000)], MARKS, NOW)
    assert store.statements - before <= 3


def test_pruning_forgets_the_days_before(store: Store, tmp_path: Path) -> None:
    """Of both reports; the first day stays, and with nothing to do nothing is written."""
    for age in (0, 89, 90, 91):
        store.replace(CC, day(age), ROWS, (), NOW)
        store.replace(COST, day(age), [bill("1")], (), NOW)
    store.prune(day(89))
    before = store.statements
    store.prune(day(89))
    assert store.statements == before
    again = reopened(store, tmp_path)
    for report in Report:
        assert sorted(again.entries(report)) == [day(89), day(0)]
    assert (again.usage(day(90)), again.cost(day(91))) == ([], [])
    again.close()


def test_notes(store: Store, tmp_path: Path) -> None:
    """A note is kept under its name, and put anew."""
    assert store.note("x") is None
    store.put_note("x", "1")
    store.put_note("x", "2")
    again = reopened(store, tmp_path)
    assert (again.note("x"), again.note("y")) == ("2", None)
    again.close()


class TestAWriteThatFails:
    """A full or read-only disk, here a database that another connection holds."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Return a folder whose store gives up at once when the database is held."""
        return tmp_path

    def test_loses_nothing(self, folder: Path) -> None:
        """Rows are served from memory, and written with the next write that works."""
        store = Store(folder)
        store._db.execute("PRAGMA busy_timeout = 0")
        blocker = lock_file(folder)
        with pytest.raises(StoreError, match="locked"):
            store.replace(CC, TODAY, ROWS, MARKS, NOW)
        with pytest.raises(StoreError, match="locked"):
            store.touch(CC, TODAY, NOW + timedelta(hours=1))
        with pytest.raises(StoreError, match="locked"):
            store.replace(CC, day(1), [row(BO)], (), NOW)
        assert (store.usage(TODAY), store.usage(day(1))) == (ROWS, [row(BO)])
        blocker.close()
        store.replace(COST, TODAY, [bill("1")], (), NOW)
        again = reopened(store, folder)
        assert (again.usage(TODAY), again.usage(day(1)), again.cost(TODAY)) == (ROWS, [row(BO)], [bill("1")])
        assert again.entries(CC)[TODAY] == (NOW + timedelta(hours=1), False, MARKS)
        again.close()

    def test_of_a_touch_keeps_the_stored_rows(self, folder: Path) -> None:
        """Only the time is in memory; the rows are on disk."""
        store = Store(folder)
        store.replace(CC, TODAY, ROWS, MARKS, NOW)
        store._db.execute("PRAGMA busy_timeout = 0")
        blocker = lock_file(folder)
        with pytest.raises(StoreError):
            store.touch(CC, TODAY, NOW + timedelta(hours=1))
        assert store.usage(TODAY) == ROWS
        blocker.close()
        store.save()
        again = reopened(store, folder)
        assert again.entries(CC)[TODAY].read_at == NOW + timedelta(hours=1)
        again.close()

    def test_of_a_pruned_day_is_not_written_later(self, folder: Path) -> None:
        """What left the window, or was forgotten, does not come back."""
        store = Store(folder)
        store._db.execute("PRAGMA busy_timeout = 0")
        blocker = lock_file(folder)
        for age, report in ((90, COST), (0, CC)):
            with pytest.raises(StoreError):
                store.replace(report, day(age), [], (), NOW)
        with pytest.raises(StoreError):
            store.prune(day(89))
        with pytest.raises(StoreError):
            store.forget(CC)
        blocker.close()
        store.save()
        again = reopened(store, folder)
        assert (dict(again.entries(COST)), dict(again.entries(CC))) == ({}, {})
        again.close()

    def test_of_a_scrub_is_told(self, folder: Path) -> None:
        """The caller decides."""
        store = Store(folder)
        store._db.execute("PRAGMA busy_timeout = 0")
        blocker = lock_file(folder)
        with pytest.raises(StoreError, match="locked"):
            store.scrub()
        blocker.close()
        store.close()


def test_what_is_forgotten_is_not_in_the_file_any_more(store: Store, tmp_path: Path) -> None:
    """Names that must not be stored are not found in any byte of the folder; bills stay."""
    names = [row(ANA._replace(name=f"{number}-ana@example.test")) for number in range(500)]
    for age in range(10):
        store.replace(CC, day(age), names, (), NOW)
    store.replace(COST, TODAY, [bill("1")], (), NOW)
    blob = store._db.execute("SELECT rows FROM day WHERE report = 'claude_code' LIMIT 1").fetchone()[0]
    store.forget(CC)
    assert dict(store.entries(CC)) == {}
    assert store.cost(TODAY) == [bill("1")]
    assert not [path for path in tmp_path.iterdir() if blob[100:200] in path.read_bytes()]


def test_the_key_of_the_digests_is_made_once(store: Store, tmp_path: Path) -> None:
    """Stable over restarts, readable by the owner alone; in memory it lives as long as the process."""
    key = store.hash_key()
    assert len(key) == 64
    assert store.hash_key() == key
    assert (tmp_path / HASH_KEY).stat().st_mode & 0o777 == 0o600
    again = reopened(store, tmp_path)
    assert again.hash_key() == key
    again.close()
    memory = Store(None)
    assert len(memory.hash_key()) == 32
    memory.close()


def test_a_store_in_memory_leaves_no_file(folder: Path) -> None:
    """It holds days like any other."""
    store = Store(None)
    store.replace(CC, TODAY, ROWS, MARKS, NOW)
    assert store.usage(TODAY) == ROWS
    store.scrub()
    store.close()
    assert list(folder.iterdir()) == []


def test_money_on_disk_is_text(store: Store) -> None:
    """No amount passes through a binary float on its way to disk and back."""
    tenths = [bill(f"0.{'1' * 30}"), bill("0.1")]
    store.replace(COST, TODAY, tenths, (), NOW)
    store._unsaved.clear()
    assert sum((one.cents for one in store.cost(TODAY)), Decimal()) == Decimal("0.1") + Decimal(f"0.{'1' * 30}")
