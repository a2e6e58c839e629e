"""The days on disk: bytes by report and day, kept over restarts and failed writes."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.days import database
from exporter.days.store import HASH_KEY, Entry, Store, rows_digest
from exporter.errors import StoreError
from tests.bodies import NOW, TODAY, day
from tests.statements import Statements

ROWS, OTHER, EMPTY = b"rows of a day", b"other rows of a day", b"x\x01\x8b\x8e\x05\x00\x01\x15\x00\xb9"
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Yield a store in an empty folder, that waits for nobody."""
    store = Store(tmp_path)
    store._db.execute("PRAGMA busy_timeout = 0")
    yield store
    store.close()


def entry(rows: bytes = ROWS, **changes: object) -> Entry:
    """Return the entry of a day with these rows."""
    return Entry(NOW, "digest", "1", 3, rows_digest(rows), empty=rows == EMPTY)._replace(**changes)  # type: ignore[arg-type]


def put(store: Store, report: str = "a", age: int = 0, rows: bytes = ROWS, form: str = "1") -> None:
    """Put a day."""
    store.put(report, day(age), entry(rows, format=form), rows)


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Hold the database, so that no write works: as on a full or read-only disk."""
    blocker = sqlite3.connect(f"{store._dir}/{database.FILE}", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        blocker.close()


@contextmanager
def reopened(store: Store) -> Iterator[Store]:
    """Yield the store of the same folder after a restart."""
    store.close()
    again = Store(store._dir)
    try:
        yield again
    finally:
        again.close()


def test_a_day_comes_back_as_it_was_put(store: Store) -> None:
    """Before it is saved, after, and after a restart; an empty day says so; one that was not put has no entry."""
    put(store)
    put(store, "b", 1, EMPTY)
    for saved in (False, True):
        assert (store.rows("a", TODAY), store.entries("a")) == (ROWS, {TODAY: entry()})
        if not saved:
            store.save()
    with reopened(store) as again:
        assert (again.rows("a", TODAY), again.entries("a")) == (ROWS, {TODAY: entry()})
        assert again.entries("b") == {day(1): entry(EMPTY)}
        assert again.entries("c") == {}


def test_a_day_that_is_put_again_has_the_new_rows_alone(store: Store) -> None:
    """None leaves the rows as they are, on disk or not yet."""
    put(store)
    store.put("a", TODAY, entry(read_at=LATER, digest="new", revision=4), None)
    assert store.rows("a", TODAY) == ROWS
    store.save()
    with reopened(store) as again:
        assert again.entries("a") == {TODAY: entry(read_at=LATER, digest="new", revision=4)}
        again.put("a", TODAY, entry(digest="newer"), None)
        assert again.rows("a", TODAY) == ROWS
        again.save()
        put(again, rows=OTHER)
        again.save()
        assert (again.rows("a", TODAY), again.entries("a")) == (OTHER, {TODAY: entry(OTHER)})


def test_days_are_saved_in_one_transaction(store: Store) -> None:
    """A statement for each; nothing to save is no statement."""
    for age in range(3):
        put(store, age=age)
    statements = Statements(store)
    store.save()
    assert statements.number == 1 + 3 + 1
    store.save()
    assert statements.number == 1 + 3 + 1


def test_days_of_another_format_are_deleted(store: Store, tmp_path: Path) -> None:
    """Report by report, with what was added up of them, and from every byte of the folder; one line for each."""
    for age in range(9):
        put(store, "a", age, b"ana@example.test" * 500)
        put(store, "b", age, OTHER)
    put(store, "gone")
    store.save()
    for name in ("sums of a", "sums of b", "names"):
        store.put_note(name, "ana@example.test" if name == "sums of a" else name)
    with reopened(store) as again, capture_logs() as lines:
        size = (tmp_path / database.FILE).stat().st_size
        again.delete_other_formats({"a": "2", "b": "1"})
        assert (again.entries("a"), again.entries("gone"), len(again.entries("b"))) == ({}, {}, 9)
        assert [again.note(name) for name in ("sums of a", "sums of b", "names")] == [None, "sums of b", "names"]
        assert not [path for path in tmp_path.iterdir() if b"ana@example.test" in path.read_bytes()]
        assert (tmp_path / database.FILE).stat().st_size < size
        statements = Statements(again)
        again.delete_other_formats({"a": "2", "b": "1"})
        assert statements.number == 1
    event = "stored days have another format: they will be fetched again"
    assert lines == [{"log_level": "info", "event": event, "report": report} for report in ("a", "gone")]


def test_pruning_deletes_the_days_before(store: Store) -> None:
    """Of all reports, saved or not; the first day stays. With nothing to do nothing is written."""
    for age in (0, 1, 2, 3):
        put(store, "a", age)
    store.save()
    for age in (1, 2):
        put(store, "b", age)
    store.prune(day(1))
    assert [sorted(store.entries(report)) for report in ("a", "b")] == [[day(1), day(0)], [day(1)]]
    statements = Statements(store)
    store.prune(day(1))
    assert statements.number == 0
    store.save()
    with reopened(store) as again:
        assert [sorted(again.entries(report)) for report in ("a", "b")] == [[day(1), day(0)], [day(1)]]


@pytest.mark.parametrize("damage", ["DELETE FROM day", "DROP TABLE day"])
def test_a_day_that_cannot_be_read_is_forgotten(store: Store, damage: str) -> None:
    """It was not read, then: one line, and it will be fetched again."""
    put(store)
    store.save()
    store._db.execute(damage)
    with capture_logs() as lines, pytest.raises(StoreError, match=rf"/.*: a of {TODAY} is damaged$"):
        store.rows("a", TODAY)
    event = "stored day is damaged: it will be fetched again"
    assert lines == [{"log_level": "warning", "event": event, "report": "a", "date": str(TODAY)}]
    assert store.entries("a") == {}


def test_a_damaged_day_is_not_written_back(store: Store) -> None:
    """As long as it was not fetched again, there is no entry of it to save."""
    put(store)
    store.damaged("a", TODAY)
    store.save()
    with reopened(store) as again:
        assert again.entries("a") == {}


@pytest.mark.parametrize(
    "cell", ["date = 'the first'", "read_at = 9e99", "read_at = 9e15", "digest = CAST(x'ff' AS TEXT)"]
)
def test_a_file_with_an_illegible_entry_is_replaced(store: Store, cell: str) -> None:
    """SQLite checks types only: the rest of such a file is not to be trusted."""
    put(store)
    store.save()
    store._db.execute(f"UPDATE day SET {cell}")  # noqa: S608 - a case of this test
    store._db.commit()
    with capture_logs() as lines, reopened(store) as again:
        assert again.entries("a") == {}
        put(again)
        again.save()
    assert [line["event"].partition(":")[0] for line in lines] == ["day store is damaged"]


def test_a_file_that_cannot_be_read_now_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk error is not damage: one line, and the folder is unlocked."""
    Store(tmp_path).close()
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR

    def failing(_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("exporter.days.store._entries", failing)
        with pytest.raises(StoreError, match=r"^cannot read /.*/days.sqlite: disk I/O error$"):
            Store(tmp_path)
    Store(tmp_path).close()


def test_notes(store: Store) -> None:
    """A note is kept under its name, and replaced. A damaged one is as if it were not there."""
    assert store.note("x") is None
    store.put_note("x", "1 2")
    store.put_note("x", "2 3")
    store.put_note("y", "")
    with reopened(store) as again:
        assert (again.note("x"), again.note("y"), again.note("z")) == ("2 3", "", None)
        again._db.execute("UPDATE note SET text = replace(text, '3', '4') WHERE name = 'x'")
        assert again.note("x") is None
        again._db.execute("UPDATE note SET text = CAST(x'ff' AS TEXT)")
        assert again.note("x") is None


class TestAWriteThatFails:
    """On a full or read-only disk."""

    def test_loses_nothing(self, store: Store) -> None:
        """Rows are served from memory, and written with the next write that works."""
        put(store, age=1)
        store.save()
        with locked(store):
            put(store)
            store.put("a", TODAY, entry(read_at=LATER), None)
            store.put("a", day(1), entry(read_at=LATER), None)
            with pytest.raises(StoreError, match=r"/.*: database is locked$"):
                store.save()
            with pytest.raises(StoreError, match=r"/.*: database is locked$"):
                store.put_note("x", "1")
            assert (store.rows("a", TODAY), store.rows("a", day(1))) == (ROWS, ROWS)
        put(store, "b", 0, OTHER)
        store.save()
        with reopened(store) as again:
            assert again.entries("a") == dict.fromkeys((TODAY, day(1)), entry(read_at=LATER))
            assert [again.rows("a", TODAY), again.rows("a", day(1)), again.rows("b", TODAY)] == [ROWS, ROWS, OTHER]

    def test_of_a_day_that_was_pruned_is_not_written_later(self, store: Store) -> None:
        """What has left the window does not come back; the deletion itself is done at the next start."""
        with locked(store):
            put(store, age=9)
            with pytest.raises(StoreError, match="locked"):
                store.prune(day(8))
        store.save()
        with reopened(store) as again:
            assert again.entries("a") == {}

    def test_of_the_deletion_of_another_format_stops_the_start(self, store: Store) -> None:
        """Names that are not wanted would stay."""
        put(store)
        store.save()
        with locked(store), pytest.raises(StoreError, match="locked"):
            store.delete_other_formats({})
        with reopened(store) as again:
            again.delete_other_formats({})
            again._db.execute("BEGIN")
            with pytest.raises(StoreError, match="cannot VACUUM from within a transaction"):
                again._scrub()


def test_the_key_of_the_digests_is_created_once(store: Store, tmp_path: Path) -> None:
    """Stable over restarts, readable by the owner alone; in memory it lives as long as the process."""
    (tmp_path / "user-hash.new").write_text("half a k")
    key = store.hash_key()
    assert len(key) == 64
    assert (tmp_path / HASH_KEY).stat().st_mode & 0o777 == 0o600
    with reopened(store) as again:
        assert again.hash_key() == key
        (tmp_path / HASH_KEY).write_bytes(b"given\n")
        assert again.hash_key() == b"given"
    memory = Store(None)
    assert len({memory.hash_key(), memory.hash_key()}) == 2
    assert len(memory.hash_key()) == 32
    memory.close()


def test_a_key_of_the_digests_that_cannot_be_used_is_one_line(store: Store, tmp_path: Path) -> None:
    """An empty one would make digests that anybody can make."""
    path = tmp_path / HASH_KEY
    path.write_text("\n")
    with pytest.raises(StoreError) as caught:
        store.hash_key()
    assert str(caught.value) == f"{path} is empty: delete it, and a new key is created"
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError) as caught:
        store.hash_key()
    assert str(caught.value) == f"cannot read or create {path}: Is a directory"


def test_a_store_in_memory_leaves_no_file(folder: Path) -> None:
    """It holds days like any other."""
    store = Store(None)
    put(store)
    store.save()
    assert store.rows("a", TODAY) == ROWS
    store.delete_other_formats({})
    assert store.entries("a") == {}
    store.close()
    assert list(folder.iterdir()) == []
