"""The page of the last run, which a start shows before any stored day is decoded."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from exporter import reports
from exporter.days import kept_page
from exporter.days.database import FILE
from exporter.days.ledger import Ledger, Published
from exporter.days.store import PAGE, Store
from exporter.errors import StoreError
from exporter.model import Window
from exporter.reports.directory import Directory
from exporter.reports.names import Names
from tests.bodies import ANA, BO, NOW, TODAY, day, model, record, result, take_cost, take_usage
from tests.statements import Statements

WINDOW = Window(TODAY, 7)
WORKS = dict.fromkeys((report.name for report in reports.reports()), True)
UNTRIED = dict.fromkeys(WORKS)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Yield a store on disk."""
    store = Store(tmp_path)
    yield store
    store.close()


def started(store: Store, names: Names = Names(), settings: str = "") -> Ledger:  # noqa: B008 - immutable
    """Return a ledger that was just started on a store."""
    return Ledger(store, reports.reports(names), reports.listings(names), settings)


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """Return a ledger whose page is kept: two days of usage, one bill, names of the organisation."""
    ledger = started(store)
    take_usage(ledger, TODAY, record(ANA, 3, models=[model("141", tokens=3)]), record(BO))
    take_usage(ledger, day(1), record(ANA, 5))
    take_cost(ledger, day(1), result("99.5"))
    list_names(ledger, "Org")
    ledger.save()
    ledger.publish(WINDOW, WORKS)
    ledger.keep_page()
    return ledger


def list_names(ledger: Ledger, name: str, hours: int = 0) -> None:
    """Let the names of the organisation be read."""
    ledger.listed.take(ledger.listed.listings["directory"], Directory(("o", name), {"w": "W"}), NOW + hours * HOUR)


def kept(store: Store, window: Window = WINDOW) -> Published | None:
    """Return the page that a start finds."""
    return started(store).kept_page(window, UNTRIED)


def test_it_is_the_page_that_adding_up_gives(ledger: Ledger, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its health too, which is that of now: nothing was tried yet. No row is read."""
    fresh = started(store).publish(WINDOW, UNTRIED)
    monkeypatch.delattr(Store, "rows")
    assert kept(store) == fresh
    assert b'anthropic_cost_usd{date="2026-11-21"' in fresh.page.body
    assert b"anthropic_up" not in fresh.page.body
    assert b"anthropic_up" in ledger.publish(WINDOW, WORKS).page.body


def test_it_survives_a_restart(ledger: Ledger, store: Store, tmp_path: Path) -> None:
    """With a day that was restated, which is on disk after the others, and with another day before the window."""
    changed_day(ledger)
    ledger.save()
    take_usage(ledger, TODAY, record(BO))
    take_cost(ledger, day(9), result("1"))
    ledger.save()
    ledger.publish(WINDOW, WORKS)
    ledger.keep_page()
    store.close()
    again = Store(tmp_path)
    assert kept(again) == started(again).publish(WINDOW, UNTRIED)
    again.close()


def test_it_outlives_a_refresh_that_changed_nothing(ledger: Ledger, store: Store) -> None:
    """The health shows when the days were read again; the note is not written again, by the next process either."""
    take_usage(ledger, TODAY, record(ANA, 3, models=[model("141", tokens=3)]), record(BO), at=NOW + HOUR)
    ledger.save()
    found = kept(store)
    assert found
    assert found.health["claude_code"].last_success == (NOW + HOUR).timestamp()
    again = started(store)
    assert again.kept_page(WINDOW, UNTRIED)
    for one in (ledger, again):
        one.publish(WINDOW, WORKS)
        statements = Statements(store)
        one.keep_page()
        assert statements.number == 0


def changed_day(ledger: Ledger) -> None:
    """Restate a day."""
    take_usage(ledger, day(1), record(ANA, 6))


def another_day(ledger: Ledger) -> None:
    """Read one day more."""
    take_cost(ledger, day(2), result("1"))


def renamed(ledger: Ledger) -> None:
    """Read the names of the organisation again."""
    list_names(ledger, "Organisation", hours=24)


@pytest.mark.parametrize("change", [changed_day, another_day, renamed])
def test_it_is_not_used_after_a_change(ledger: Ledger, store: Store, change: Callable[[Ledger], None]) -> None:
    """As when the process ended between the answer and the next page. The next page is kept again."""
    change(ledger)
    ledger.save()
    assert kept(store) is None
    ledger.publish(WINDOW, WORKS)
    ledger.keep_page()
    assert kept(store) == started(store).publish(WINDOW, UNTRIED)


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    "window",
    [Window(TODAY + timedelta(days=1), 7), Window(TODAY + timedelta(days=1), 8), Window(day(1), 7), Window(TODAY, 8)],
)
def test_it_is_of_one_window(store: Store, window: Window) -> None:
    """After midnight, with a clock put back, with another EXPORTER_WINDOW_DAYS, and with two of these."""
    assert kept(store, window) is None


@pytest.mark.usefixtures("ledger")
def test_it_is_of_one_release_and_of_the_same_settings(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another release may show the same rows in another way, and so do settings such as EXPORTER_MAX_USERS."""
    assert started(store, settings="other").kept_page(WINDOW, UNTRIED) is None
    monkeypatch.setattr(kept_page, "__version__", "99")
    assert kept(store) is None


@pytest.mark.usefixtures("ledger")
def test_a_day_that_was_lost_takes_it_along(store: Store) -> None:
    """The numbers would be those of a day that coverage says was not read."""
    store.damaged("cost", day(1))
    assert kept(store) is None


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    "text", ["", "{", "\n", "{digest}", "{digest} x\n", "{digest} 5 5\nAAAA", "{digest} 5\nA", "{digest} 5\n{zeros}"]
)
def test_a_damaged_one_is_not_used(store: Store, text: str) -> None:
    """The stored days are added up."""
    digest, _, _ = (store.note(PAGE) or "").partition(" ")
    store.put_note(PAGE, text.replace("{digest}", digest).replace("{zeros}", b64encode(b"\xff" * 9).decode()))
    assert kept(store) is None


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("names", [Names(b"key"), Names(b"key", shown=False)])
def test_names_that_are_not_wanted_any_more_leave_with_it(store: Store, tmp_path: Path, names: Names) -> None:
    """As with the days that held them; nothing of it is left in the file."""
    begin = (store.note(PAGE) or "")[:1000].encode()
    assert begin in on_disk(tmp_path)
    started(store, names)
    assert store.note(PAGE) is None
    assert begin not in on_disk(tmp_path)


def test_a_listing_that_the_key_may_not_read_any_more_takes_it_along(ledger: Ledger, store: Store) -> None:
    """Members and API keys have names too. A listing that was never read takes nothing along."""
    ledger.listed.drop(ledger.listed.listings["members"])
    assert store.note(PAGE)
    ledger.listed.drop(ledger.listed.listings["directory"])
    assert store.note(PAGE) is None
    ledger.publish(WINDOW, WORKS)
    ledger.keep_page()
    assert kept(store) == started(store).publish(WINDOW, UNTRIED)


def test_one_that_cannot_be_written_is_written_later(ledger: Ledger, store: Store) -> None:
    """A full disk costs a slower start and no number."""
    changed_day(ledger)
    ledger.save()
    ledger.publish(WINDOW, WORKS)
    store._db.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="readonly"):
        ledger.keep_page()
    store._db.execute("PRAGMA query_only = OFF")
    assert kept(store) is None
    ledger.keep_page()
    assert kept(store)


def test_without_a_page_there_is_nothing_to_keep(store: Store) -> None:
    """And a new installation finds none."""
    started(store).keep_page()
    assert (store.note(PAGE), kept(store)) == (None, None)


def on_disk(folder: Path) -> bytes:
    """Return the bytes of the database and its log."""
    return b"".join(path.read_bytes() for path in folder.glob(f"{FILE}*"))
