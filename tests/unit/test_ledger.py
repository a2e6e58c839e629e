"""Days in the store, in the sums and on the page, kept in step."""

import sqlite3
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from exporter.api.transport import UsageDay
from exporter.days.ledger import Ledger
from exporter.days.store import SUMS, Store
from exporter.errors import StoreError
from exporter.model import Directory, Organization, Report, UsageRow, Window
from tests.unit.rows import ANA, BO, NOW, TODAY, bill, day, row, use

CC, COST = Report.CLAUDE_CODE, Report.COST
UP = {CC: True, COST: True}
WINDOW = Window(TODAY, 7)
MARKS = (("digest", None),)


@pytest.fixture
def store() -> Iterator[Store]:
    """Yield a store in memory."""
    store = Store(None)
    yield store
    store.close()


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """Return a ledger of that store."""
    return Ledger(store, max_users=2000)


def put(ledger: Ledger, age: int, *rows: UsageRow) -> None:
    """Put a day of usage."""
    ledger.put_usage(day(age), UsageDay(list(rows), MARKS), NOW)


def shown(ledger: Ledger, window: Window = WINDOW) -> list[str]:
    """Return the sample lines of the page."""
    return [line for line in ledger.publish(window, UP).page.body.decode().splitlines() if not line.startswith("#")]


def fresh(store: Store, window: Window = WINDOW) -> list[str]:
    """Return the sample lines of a ledger that was just started on the store."""
    return shown(Ledger(store, max_users=2000), window)


def test_a_page_is_the_same_before_and_after_a_restart(ledger: Ledger, store: Store) -> None:
    """The store holds all that the page shows."""
    put(ledger, 0, row(ANA, models={"opus": use("141", tokens=3)}), row(BO, tools={"edit": (1, 2)}))
    ledger.publish(WINDOW, UP)
    put(ledger, 1, row(ANA, 5))
    ledger.put_cost(day(1), [bill("99.5")], NOW)
    ledger.put_directory(Directory(Organization("o", "Org"), {"w": "W"}), NOW)
    assert shown(ledger) == fresh(store)
    assert any("organization_name" in line for line in fresh(store))


def test_a_restated_day_leaves_nothing_of_the_old_one(ledger: Ledger, store: Store) -> None:
    """On the page it is as if it had never been else; only what changed is rendered again."""
    put(ledger, 0, row(ANA, 9, models={"gone": use("5")}), row(BO))
    put(ledger, 1, row(BO))
    ledger.publish(WINDOW, UP)
    before = ledger.pieces.rendered
    put(ledger, 0, row(ANA, 1), row(BO))
    lines = shown(ledger)
    assert lines == fresh(store)
    assert not [line for line in lines if "gone" in line]
    assert ledger.pieces.rendered - before <= 1 + 2 + 3  # the day, its users, and what is rendered with each page


def test_an_equal_day_changes_nothing(ledger: Ledger) -> None:
    """Its rows were read again, in another order: no piece of the page but the daily ones is made."""
    put(ledger, 0, row(ANA, 1), row(BO, 2))
    ledger.put_cost(TODAY, [bill("1"), bill("2", workspace="w")], NOW)
    ledger.publish(WINDOW, UP)
    before = ledger.pieces.rendered
    put(ledger, 0, row(BO, 2), row(ANA, 1))
    ledger.put_cost(TODAY, [bill("2", workspace="w"), bill("1")], NOW + timedelta(hours=1))
    ledger.publish(WINDOW, UP)
    assert ledger.pieces.rendered - before == 3
    assert ledger.read_at()[COST] == {TODAY: NOW + timedelta(hours=1)}


def test_an_unchanged_body_costs_a_time_stamp(ledger: Ledger) -> None:
    """No row is touched; the marks stay."""
    put(ledger, 0, row(ANA, 7))
    ledger.put_usage(TODAY, UsageDay(None, MARKS), NOW + timedelta(hours=1))
    assert ledger.read_at()[CC] == {TODAY: NOW + timedelta(hours=1)}
    assert ledger.marks(TODAY) == MARKS
    assert ledger.marks(day(1)) == ()
    assert any(line.startswith("anthropic_claude_code_sessions") and line.endswith(" 7.0") for line in shown(ledger))


@pytest.mark.parametrize("last", [date(2026, 11, 23), date(2026, 12, 30), date(2026, 11, 20), date(2025, 1, 1)])
def test_the_window_moves_with_the_clock(ledger: Ledger, store: Store, last: date) -> None:
    """Midnight, a month away, and a clock put back by days or years: the page is that of a fresh start."""
    for age in range(7):
        put(ledger, age, row(ANA, age + 1), *([row(BO)] if age == 6 else []))
        ledger.put_cost(day(age), [bill("1")], NOW)
    ledger.publish(WINDOW, UP)
    moved = Window(last, 7)
    assert shown(ledger, moved) == fresh(store, moved)
    assert shown(ledger) == fresh(store)


def test_a_day_outside_the_window_is_stored_and_not_shown(ledger: Ledger, store: Store) -> None:
    """As when midnight came between the plan and the answer."""
    ledger.publish(WINDOW, UP)
    put(ledger, 9, row(ANA, 9))
    ledger.put_cost(day(9), [bill("9")], NOW)
    assert not [line for line in shown(ledger) if str(day(9)) in line]
    assert store.usage(day(9)) == [row(ANA, 9)]
    ledger.prune(WINDOW)
    assert store.usage(day(9)) == []


def test_users_are_folded_and_unfolded(store: Store) -> None:
    """Who becomes more expensive gets the name; its old owner's series are gone."""
    ledger = Ledger(store, max_users=1)
    put(ledger, 0, row(ANA, models={"m": use("2")}), row(BO, models={"m": use("1")}))
    assert ledger.publish(WINDOW, UP).folded == 1
    put(ledger, 1, row(BO, models={"m": use("5")}))
    users = {line.split('"')[1] for line in shown(ledger) if "_user_sessions" in line}
    assert users == {BO.name, "other"}
    put(ledger, 1)
    put(ledger, 0, row(ANA, models={"m": use("2")}))
    users = {line.split('"')[1] for line in shown(ledger) if "_user_sessions" in line}
    assert users == {ANA.name}


def test_without_names_there_is_no_family_per_user(store: Store) -> None:
    """And no name in the store; distinct users are counted all the same."""
    ledger = Ledger(store, max_users=2000, per_user=False, hash_key=b"key")
    put(ledger, 0, row(ANA), row(BO))
    assert ledger.publish(WINDOW, UP).folded == 0
    lines = shown(ledger)
    assert not [line for line in lines if "_user_" in line or "example.test" in line]
    assert 'anthropic_claude_code_active_users{actor_type="user"} 2.0' in lines
    assert not [one for one in store.usage(TODAY) if "example" in one.actor.name]


def test_health_is_of_the_window(ledger: Ledger) -> None:
    """The newest date with data, not the newest that was read; days before the window do not count."""
    put(ledger, 9, row(ANA))
    put(ledger, 3, row(ANA))
    put(ledger, 0)
    health = ledger.publish(WINDOW, {CC: False, COST: None}).health
    assert (health[CC].up, health[CC].newest_date, health[CC].coverage) == (False, day(3), 2 / 7)
    assert health[CC].last_success == NOW.timestamp()
    assert (health[COST].up, health[COST].newest_date, health[COST].last_success) == (None, None, None)


def test_the_directory_is_kept_and_due_once_a_day(ledger: Ledger, store: Store) -> None:
    """Never read is due; a clock that was put back is due; a damaged note is as if it were not there."""
    assert ledger.directory_is_due(NOW)
    ledger.put_directory(Directory(None, {"w": "W"}), NOW)
    for one in (ledger, Ledger(store, max_users=1)):
        assert not one.directory_is_due(NOW + timedelta(hours=23))
        assert one.directory_is_due(NOW + timedelta(days=1))
        assert one.directory_is_due(NOW - timedelta(hours=1))
    store.put_note("directory", '{"organization": 5}')
    assert Ledger(store, max_users=1).directory_is_due(NOW)


def test_today_is_held_when_it_was_read(ledger: Ledger) -> None:
    """Then the clock is right, and old days may go."""
    assert not ledger.holds_today(WINDOW)
    put(ledger, 0)
    assert ledger.holds_today(WINDOW)


def test_a_day_that_is_damaged_on_disk_is_replaced_all_the_same(tmp_path: Path) -> None:
    """What is to be taken out of the sums is not known any more, so they are made anew from what is."""
    store = Store(tmp_path)
    ledger = Ledger(store, max_users=2000)
    put(ledger, 0, row(ANA, 9))
    put(ledger, 1, row(BO))
    ledger.put_cost(TODAY, [bill("9")], NOW)
    ledger.publish(WINDOW, UP)
    with sqlite3.connect(tmp_path / "days.sqlite") as other:
        other.execute("UPDATE day SET rows = x'00' WHERE date = ?", (str(TODAY),))
    other.close()
    with pytest.raises(StoreError, match="is damaged"):
        store.usage(TODAY)
    put(ledger, 0, row(ANA, 1))
    ledger.put_cost(TODAY, [bill("1")], NOW)
    assert shown(ledger) == fresh(store)
    store.close()


class TestKeptSums:
    """The sums of settled days are kept, so that a start need not add up every day; and never trusted blindly."""

    @pytest.fixture
    def kept(self, ledger: Ledger, store: Store) -> Store:
        """Return a store with seven days and the sums of the settled ones."""
        for age in range(7):
            put(
                ledger,
                age,
                row(ANA, age + 1, models={"opus": use("0.1", tokens=age)}),
                *([row(BO)] if age == 5 else []),
            )
        ledger.publish(WINDOW, UP)
        ledger.prune(WINDOW)
        assert store.note(SUMS) is not None
        return store

    def without(self, store: Store, window: Window = WINDOW) -> list[str]:
        """Return the lines of a ledger that has to add up every day."""
        text = store.note(SUMS) or ""
        store.put_note(SUMS, "")
        lines = fresh(store, window)
        store.put_note(SUMS, text)
        return lines

    @pytest.mark.parametrize("last", [TODAY, TODAY + timedelta(days=1), TODAY + timedelta(days=5), day(2), day(300)])
    def test_give_the_same_page(self, kept: Store, last: date) -> None:
        """Today, after midnight, after days without us, and with a clock put back."""
        window = Window(last, 7)
        assert fresh(kept, window) == self.without(kept, window)

    def test_leave_the_running_page_as_it_is(self, ledger: Ledger, kept: Store) -> None:
        """To keep them, the young days are taken out of the sums and put back: the next change finds them there."""
        assert shown(ledger) == self.without(kept)
        put(ledger, 5, row(ANA, 50))
        assert shown(ledger) == self.without(kept)

    @pytest.mark.parametrize("age", [0, 5, 6])
    def test_are_not_used_when_a_day_has_changed_since(self, kept: Store, age: int) -> None:
        """Whichever day it is: the page is that of the stored rows."""
        kept.replace(CC, day(age), [row(BO, 99)], (), NOW)
        assert fresh(kept) == self.without(kept)
        assert any(line.endswith(" 99.0") for line in fresh(kept))

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"base": 5}', '{"base": "2026-01-01", "days": {}}\n[]'])
    def test_are_not_used_when_they_are_damaged(self, kept: Store, text: str) -> None:
        """The days are added up again."""
        expected = self.without(kept)
        kept.put_note(SUMS, text)
        assert fresh(kept) == expected

    def test_go_with_the_names(self, kept: Store) -> None:
        """They hold names: who wants those gone wants these gone."""
        kept.forget(CC)
        assert kept.note(SUMS) is None
