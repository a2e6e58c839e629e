"""Days in the store, in the sums and on the page, kept in step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter import reports
from exporter.days.ledger import Ledger
from exporter.days.store import Store, rows_digest
from exporter.errors import ApiShapeChanged, StoreError
from exporter.model import Window
from exporter.reports import claude_code
from exporter.reports.directory import Directory
from exporter.reports.names import Names
from tests import stored_sums
from tests.bodies import (
    ANA,
    BO,
    NOW,
    TODAY,
    answer,
    bucket,
    day,
    model,
    page,
    record,
    result,
    take_cost,
    take_usage,
    usage_page,
)
from tests.statements import Statements

UP = dict.fromkeys((report.name for report in reports.reports()), True)
WINDOW = Window(TODAY, 7)
HOUR = timedelta(hours=1)
ALWAYS = 3
"""Pieces that are rendered for every page: distinct users, names, dates."""
SUMS = stored_sums.NAME


@pytest.fixture
def store() -> Iterator[Store]:
    """Yield a store in memory."""
    store = Store(None)
    yield store
    store.close()


def started(store: Store, max_users: int = 2000, names: Names = Names()) -> Ledger:  # noqa: B008 - immutable
    """Return a ledger of every report on a store."""
    return Ledger(store, reports.reports(names, max_users), reports.listings())


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """Return a ledger of that store."""
    return started(store)


def shown(ledger: Ledger, window: Window = WINDOW) -> list[str]:
    """Return the sample lines of the page."""
    return [line for line in ledger.publish(window, UP).page.body.decode().splitlines() if not line.startswith("#")]


def fresh(store: Store, window: Window = WINDOW) -> list[str]:
    """Return the sample lines of a ledger that was just started on the store, and adds up every day."""
    kept = store.note(SUMS)
    store.put_note(SUMS, "")
    lines = shown(started(store), window)
    store.put_note(SUMS, kept or "")
    return lines


def spoil(store: Store, age: int) -> None:
    """Let the disk forget what a day of usage held, while the exporter runs."""
    store.save()
    store._db.execute("UPDATE day SET rows = x'00' WHERE date = ? AND report = 'claude_code'", (str(day(age)),))


def test_a_page_is_the_same_before_and_after_a_restart(ledger: Ledger, tmp_path: Path) -> None:
    """The store holds all that the page shows, as soon as it was saved."""
    store = Store(tmp_path)
    ledger = started(store)
    take_usage(ledger, TODAY, record(ANA, models=[model("141", tokens=3)]), record(BO, tools={"edit": (1, 2)}))
    ledger.publish(WINDOW, UP)
    take_usage(ledger, day(1), record(ANA, 5))
    take_cost(ledger, day(1), result("99.5"))
    ledger.listed.take(ledger.listed.listings["directory"], Directory(("o", "Org"), {"w": "W"}), NOW)
    ledger.save()
    lines = shown(ledger)
    store.close()
    store = Store(tmp_path)
    assert fresh(store) == lines
    assert 'anthropic_organization_info{organization_id="o",organization_name="Org"} 1.0' in lines
    store.close()


def test_a_restated_day_leaves_nothing_of_the_old_one(ledger: Ledger, store: Store) -> None:
    """On the page it is as if it had never been different; only what changed is rendered again."""
    take_usage(ledger, TODAY, record(ANA, 9, models=[model("5", name="gone")]), record(BO))
    take_usage(ledger, day(1), record(BO))
    ledger.publish(WINDOW, UP)
    before = ledger.pieces.rendered
    take_usage(ledger, TODAY, record(ANA, 1), record(BO))
    lines = shown(ledger)
    assert lines == fresh(store)
    assert not [line for line in lines if "gone" in line]
    assert ledger.pieces.rendered - before == ALWAYS - 1 + 2  # no names were read; the day, and one user


def test_days_of_another_format_are_deleted_at_the_start(ledger: Ledger, store: Store) -> None:
    """Those of that report alone: here, names that are not wanted any more."""
    take_usage(ledger, TODAY, record(ANA))
    take_cost(ledger, TODAY, result("1"))
    ledger.save()
    started(store, names=Names(b"key"))
    assert (list(store.entries("claude_code")), list(store.entries("cost"))) == ([], [TODAY])


class TestWhatAnAnswerCosts:
    """An answer is read when its digest or the source's revision differs, and rendered when its rows differ."""

    def read(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> list[date]:
        """Return a list that gets each day whose answer is read."""
        source, days = ledger.reports["claude_code"].source, list[date]()

        def noted(bodies: Sequence[bytes], first: date, last: date) -> Mapping[date, Any]:
            days.append(first)
            return type(source).read(source, bodies, first, last)

        monkeypatch.setattr(source, "read", noted)
        return days

    def test_the_same_bytes(self, ledger: Ledger, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """A time stamp, after a restart too."""
        read = self.read(ledger, monkeypatch)
        take_usage(ledger, TODAY, record(ANA, 7))
        rows = store.rows("claude_code", TODAY)
        entry = store.entries("claude_code")[TODAY]
        assert take_usage(ledger, TODAY, record(ANA, 7), at=NOW + HOUR) == {}
        assert read == [TODAY]
        assert store.rows("claude_code", TODAY) is rows
        assert store.entries("claude_code")[TODAY] == entry._replace(read_at=NOW + HOUR)
        assert ledger.read_at() == {"claude_code": {TODAY: NOW + HOUR}, "cost": {}, "messages": {}}

    def test_the_same_rows(self, ledger: Ledger, store: Store) -> None:
        """In another order, or with other fields beside: a time stamp and a digest, and no piece of the page."""
        take_usage(ledger, TODAY, record(ANA, 1), record(BO, 2))
        take_cost(ledger, TODAY, result("1"), result("2", workspace_id="w"))
        ledger.publish(WINDOW, UP)
        before, rendered = store.entries("claude_code")[TODAY], ledger.pieces.rendered
        take_usage(ledger, TODAY, record(BO, 2, subscription_type="team"), record(ANA, 1), at=NOW + HOUR)
        take_cost(ledger, TODAY, result("2", workspace_id="w"), result("1"), at=NOW + HOUR)
        ledger.publish(WINDOW, UP)
        after = store.entries("claude_code")[TODAY]
        assert ledger.pieces.rendered - rendered == ALWAYS - 1
        assert ledger.read_at()["cost"] == {TODAY: NOW + HOUR}
        assert after == before._replace(read_at=NOW + HOUR, digest=after.digest)
        assert after.digest != before.digest

    def test_the_bodies_are_let_go_of(self, ledger: Ledger) -> None:
        """Once they are read: those of a large day are as big as its rows."""
        of_today = answer(usage_page(TODAY, record(ANA)))
        ledger.take(ledger.reports["claude_code"], [TODAY], of_today, NOW)
        assert of_today.bodies == []

    def test_another_revision(self, ledger: Ledger, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """A corrected reader: stored days are shown, count as never read, and are read from the same bytes again."""
        take_usage(ledger, TODAY, record(ANA, 7))
        take_cost(ledger, TODAY, result("9"))
        ledger.save()
        monkeypatch.setattr(claude_code.ClaudeCodeUsage, "revision", 2)
        corrected = started(store)
        assert corrected.read_at() == {"claude_code": {}, "cost": {TODAY: NOW}, "messages": {}}
        assert f'anthropic_claude_code_sessions{{date="{TODAY}"}} 7.0' in shown(corrected)
        read = self.read(corrected, monkeypatch)
        for _ in range(2):
            take_usage(corrected, TODAY, record(ANA, 7))
        assert read == [TODAY]
        assert corrected.read_at()["claude_code"] == {TODAY: NOW}
        assert store.entries("claude_code")[TODAY].revision == 2


class TestDaysThatCannotBeRead:
    """One bad day harms no other, and is never shown as zero."""

    def take(self, ledger: Ledger, *entries: Any) -> Mapping[date, ApiShapeChanged]:  # noqa: ANN401 - JSON
        """Put an answer for the last three days of cost."""
        days = [day(age) for age in range(3)]
        return ledger.take(ledger.reports["cost"], days, answer(page(*entries)), NOW)

    def test_are_returned(self, ledger: Ledger) -> None:
        """Damaged, or left out; today may be left out, because it may have nothing yet."""
        unreadable = self.take(ledger, bucket(day(2), result("no money")))
        assert {day: str(error).partition(":")[0] for day, error in unreadable.items()} == {
            day(1): "the answer leaves this day out",
            day(2): "data[0].results[0].amount",
        }
        assert not [line for line in shown(ledger) if line.startswith("anthropic_cost_usd")]
        assert list(self.take(ledger, bucket(TODAY, result("no money")), bucket(day(1)))) == [TODAY, day(2)]

    def test_leave_the_others(self, ledger: Ledger) -> None:
        """And their own last good numbers."""
        assert not self.take(ledger, *(bucket(day(age), result("100")) for age in range(3)))
        assert list(self.take(ledger, bucket(TODAY, result("200")), bucket(day(2)))) == [day(1)]
        bills = [line for line in shown(ledger) if line.startswith("anthropic_workspace_cost_usd")]
        assert [line[-3:] for line in bills] == ["1.0", "2.0"]


@pytest.mark.parametrize("last", [date(2026, 11, 23), date(2026, 12, 30), date(2026, 11, 20), date(2025, 1, 1)])
def test_the_window_moves_with_the_clock(ledger: Ledger, store: Store, last: date) -> None:
    """Midnight, a month away, and a clock put back by days or years: the page is that of a fresh start."""
    for age in range(7):
        take_usage(ledger, day(age), record(ANA, age + 1), *([record(BO)] if age == 6 else []))
        take_cost(ledger, day(age), result("1"))
    ledger.publish(WINDOW, UP)
    moved = Window(last, 7)
    assert shown(ledger, moved) == fresh(store, moved)
    assert shown(ledger) == fresh(store)


def test_a_day_outside_the_window_is_stored_and_not_shown(ledger: Ledger, store: Store) -> None:
    """As when midnight came between the request and the answer. It is deleted as soon as no page needs it."""
    ledger.publish(WINDOW, UP)
    take_usage(ledger, day(9), record(ANA, 9))
    take_cost(ledger, day(9), result("9"))
    assert not [line for line in shown(ledger) if str(day(9)) in line]
    ledger.publish(Window(day(3), 7), UP)
    ledger.prune(WINDOW)
    assert day(9) in store.entries("cost")
    ledger.publish(WINDOW, UP)
    ledger.prune(WINDOW)
    assert day(9) not in store.entries("cost")
    unpublished = started(store)
    unpublished.prune(Window(TODAY + timedelta(days=9), 7))
    assert store.entries("cost") == {}


def test_without_names_there_is_no_family_per_user(store: Store) -> None:
    """And no name in the store; distinct users are counted all the same."""
    ledger = started(store, names=Names(b"key", shown=False))
    take_usage(ledger, TODAY, record(ANA), record(BO))
    lines = shown(ledger)
    assert not [line for line in lines if "_user_" in line or "example.test" in line]
    assert {'anthropic_claude_code_active_users{actor_type="user"} 2.0', "anthropic_exporter_users_folded 0.0"} <= {
        *lines
    }
    assert "example.test" not in str(ledger.reports["claude_code"].unpack(store.rows("claude_code", TODAY)))


def test_health_is_of_the_window(ledger: Ledger) -> None:
    """The newest date with data, not the newest that was read; days before the window do not count."""
    take_usage(ledger, day(9), record(ANA), at=NOW + HOUR)
    take_usage(ledger, day(3), record(ANA), at=NOW - HOUR)
    take_usage(ledger, TODAY)
    health = ledger.publish(WINDOW, {"claude_code": False, "cost": None, "messages": None}).health
    assert health["claude_code"].coverage == 2 / 7
    assert health["claude_code"] == (False, NOW.timestamp(), day(3), 2, 7, "usage_report", None)
    assert health["cost"] == (None, None, None, 0, 7, "cost_report", None)


def test_until_when_the_data_reaches_stays_known(ledger: Ledger) -> None:
    """An answer that does not say so, such as one for days before the API's first, does not make it unknown."""
    for refreshed in (NOW, None):
        bill = answer(page(bucket(TODAY, result())))._replace(refreshed_at=refreshed)
        ledger.take(ledger.reports["cost"], [TODAY], bill, NOW)
        assert ledger.publish(WINDOW, UP).health["cost"].refreshed_at == NOW


def test_a_listing_is_kept_and_due_once_a_day(ledger: Ledger, store: Store) -> None:
    """Never read is due; a clock that was put back is due; a damaged note is as if it were not there."""
    directory = ledger.listed.listings["directory"]
    assert ledger.listed.is_due(directory, NOW)
    ledger.listed.take(directory, Directory(("o", "Org"), {"w": "W"}), NOW)
    for one in (ledger, started(store)):
        assert not one.listed.is_due(directory, NOW)
        assert not one.listed.is_due(directory, NOW + timedelta(hours=23, minutes=59))
        assert one.listed.is_due(directory, NOW + timedelta(days=1))
        assert one.listed.is_due(directory, NOW - HOUR)
    for text in ('{"organization": 5}', f'["{NOW.isoformat()}", {{}}]', "["):
        store.put_note("directory", text)
        damaged = started(store)
        assert damaged.listed.is_due(directory, NOW)
        assert not [line for line in shown(damaged) if "organization_info" in line]


def test_a_day_is_held_when_every_required_report_has_it(ledger: Ledger) -> None:
    """Then the clock is right, and old days may go, although this key may not read messages."""
    take_usage(ledger, TODAY)
    assert not ledger.holds(TODAY)
    take_cost(ledger, TODAY)
    assert ledger.holds(TODAY)
    assert not ledger.holds(day(1))


class TestDaysThatAreDamagedOnDisk:
    """A day whose rows are gone is not shown; no sum keeps anything of it, and nothing waits for it."""

    @pytest.fixture(autouse=True)
    def full(self, ledger: Ledger) -> Ledger:
        """Return a ledger whose page shows the whole window, of which one user is on every second day."""
        for age in range(7):
            take_usage(ledger, day(age), record(ANA, 10**age), *([record(BO, 5)] if age % 2 else []))
            take_cost(ledger, day(age), result("100"))
        ledger.publish(WINDOW, UP)
        ledger.save()
        return ledger

    def test_at_a_start(self, store: Store) -> None:
        """The others are shown, one line tells of it, and the page says how much it covers."""
        spoil(store, 3)
        again = started(store)
        with capture_logs() as lines:
            health = again.publish(WINDOW, UP).health["claude_code"]
        assert (health.days_read, day(3) in again.read_at()["claude_code"]) == (6, False)
        assert [(line["report"], line["date"]) for line in lines] == [("claude_code", str(day(3)))]
        assert 'anthropic_claude_code_user_sessions{user="ana@example.test",actor_type="user"} 1110111.0' in [
            line.replace("1.110111e+06", "1110111.0") for line in shown(again)
        ]

    @pytest.mark.parametrize("age", [0, 6])
    def test_when_it_is_restated(self, full: Ledger, store: Store, age: int) -> None:
        """What is to be subtracted is unknown, so the sums are added up again."""
        spoil(store, age)
        take_usage(full, day(age), record(ANA, 7))
        assert shown(full) == fresh(store)
        assert len(store.entries("claude_code")) == 7

    @pytest.mark.parametrize("ages", [[6], [6, 0], [0]])
    def test_when_the_window_moves(self, full: Ledger, store: Store, ages: list[int]) -> None:
        """Midnight: the day that leaves the page cannot be subtracted, or one that stays turns out to be damaged."""
        for age in ages:
            spoil(store, age)
        if 0 in ages:
            with pytest.raises(StoreError):
                store_rows(full, TODAY)
        moved = Window(TODAY + timedelta(days=1), 7)
        assert shown(full, moved) == fresh(store, moved)

    def test_when_sums_are_stored(self, full: Ledger, store: Store) -> None:
        """Pruning says so, and the next page is right."""
        spoil(store, 1)
        with pytest.raises(StoreError, match="is damaged"):
            full.prune(WINDOW)
        assert shown(full) == fresh(store)
        assert full.publish(WINDOW, UP).health["claude_code"].days_read == 6

    def test_although_they_can_be_unpacked(self, full: Ledger, store: Store) -> None:
        """Rows of another shape, rows that cannot be added up, and rows of another day."""
        report = full.reports["claude_code"]
        for age, packed in enumerate((store.rows("claude_code", day(5)), report.pack([]), report.pack(["no row"]))):
            store._db.execute(
                "UPDATE day SET rows = ? WHERE report = 'claude_code' AND date = ?", (packed, str(day(age)))
            )
        assert started(store).publish(WINDOW, UP).health["claude_code"].days_read == 4

    @pytest.mark.parametrize(
        ("name", "row"),
        [
            ("cost", ["w", "m", "t", "o", "NaN"]),
            ("cost", ["w", "m", "t", "o", "-Infinity"]),
            ("cost", ["w", "m", "t", "o", "1E+40"]),
            ("cost", ["w", "m", "t", "o", "1E-999"]),
            ("claude_code", [["user", "ana"], -1, 0, 0, 0, 0]),
            ("claude_code", [["user", "ana"], 10**40, 0, 0, 0, 0]),
            ("claude_code", [["user", "ana"], 0, 0, 0, 0, 0, [["edit", 10**40, 0]]]),
            ("claude_code", [["user", "ana"], 0, 0, 0, 0, 0, [], [["opus", 0, 0, 0, 0, "NaN"]]]),
        ],
    )
    def test_although_their_digest_is_right(self, full: Ledger, store: Store, name: str, row: list[Any]) -> None:
        """No reader gives such rows; one that did must not stop the exporter, or show what is no number."""
        packed = full.reports[name].pack([row])
        for age in (0, 4):
            entry = store.entries(name)[day(age)]._replace(rows_digest=rows_digest(packed))
            store.put(name, day(age), entry, packed)
        assert started(store).publish(WINDOW, UP).health[name].days_read == 5


def store_rows(ledger: Ledger, of: date) -> None:
    """Read the rows of a day, as something else than the page does."""
    ledger._rows.get(ledger.reports["claude_code"], of)


class TestStoredSums:
    """The sums of settled days are stored, so that a start need not add up every day; and never trusted blindly."""

    @pytest.fixture
    def kept(self, ledger: Ledger, store: Store) -> Store:
        """Return a store with seven days and the sums of the settled ones."""
        for age in range(7):
            used = [model("0.1", tokens=age)]
            take_usage(ledger, day(age), record(ANA, age + 1, models=used), *([record(BO)] if age == 5 else []))
        ledger.publish(WINDOW, UP)
        ledger.save()
        ledger.prune(WINDOW)
        assert len(self.digests(store)) == 5
        return store

    def digests(self, store: Store) -> dict[str, str]:
        """Return the digests of the days in the stored sums."""
        return dict(stored_sums.parts(store.note(SUMS))[1])

    def added_up(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Return the days that a start reads."""
        read, rows = list[str](), Store.rows
        monkeypatch.setattr(store, "rows", lambda report, of: read.append(str(of)) or rows(store, report, of))
        started(store).publish(WINDOW, UP)
        return sorted(read)

    def test_spare_a_start_all_but_the_recent_days(self, kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """Today and yesterday change with every refresh."""
        assert self.added_up(kept, monkeypatch) == [str(day(1)), str(TODAY)]

    def test_are_of_one_release(self, kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """The next one may add up the same rows in another way."""
        monkeypatch.setattr("exporter.days.kept_sums.__version__", "99")
        assert len(self.added_up(kept, monkeypatch)) == 7

    @pytest.mark.parametrize("last", [TODAY, TODAY + timedelta(days=1), TODAY + timedelta(days=5), day(2), day(300)])
    def test_give_the_same_page(self, kept: Store, last: date) -> None:
        """Today, after midnight, after days without us, and with a clock put back."""
        window = Window(last, 7)
        assert shown(started(kept), window) == fresh(kept, window)

    def test_leave_the_running_page_as_it_is(self, ledger: Ledger, kept: Store) -> None:
        """To store them, the recent days are subtracted and added again: the next change finds them there."""
        assert shown(ledger) == fresh(kept)
        take_usage(ledger, day(5), record(ANA, 50))
        take_usage(ledger, TODAY, record(BO, 3))
        assert shown(ledger) == fresh(kept)

    def test_cost_no_rendering(self, ledger: Ledger, kept: Store) -> None:
        """What was pending before they were stored is rendered, and nothing else."""
        kept.put_note(SUMS, "")
        ledger.shown["claude_code"]._kept = None
        take_usage(ledger, TODAY, record(BO, 3))
        ledger.prune(WINDOW)
        assert kept.note(SUMS)
        before = ledger.pieces.rendered
        assert shown(ledger) == fresh(kept)
        assert ledger.pieces.rendered - before == ALWAYS - 1

    @pytest.mark.parametrize("age", [5, 6])
    def test_are_not_used_when_a_day_has_changed_since(self, ledger: Ledger, kept: Store, age: int) -> None:
        """Whichever day it is: the page is that of the stored rows."""
        take_usage(ledger, day(age), record(BO, 99))
        assert shown(started(kept)) == fresh(kept)
        assert any(line.endswith(" 99.0") for line in fresh(kept))

    def test_are_stored_again_when_a_settled_day_has_changed(self, ledger: Ledger, kept: Store) -> None:
        """And only then: not with each refresh, and not before every settled day is there."""
        take_usage(ledger, TODAY, record(BO, 98))
        ledger.publish(WINDOW, UP)
        statements = Statements(kept)
        ledger.prune(WINDOW)
        assert statements.number == 0
        take_usage(ledger, day(5), record(BO, 99))
        ledger.publish(WINDOW, UP)
        ledger.prune(WINDOW)
        assert self.digests(kept)[str(day(5))] == kept.entries("claude_code")[day(5)].rows_digest

    def test_are_tried_again_when_they_cannot_be_stored(self, ledger: Ledger, kept: Store) -> None:
        """With the next refresh; the page is as it was."""
        take_usage(ledger, day(5), record(BO, 99))
        lines = shown(ledger)
        kept._db.execute("PRAGMA query_only = ON")
        for _ in range(2):
            with pytest.raises(StoreError, match="readonly"):
                ledger.prune(WINDOW)
        assert shown(ledger) == lines
        kept._db.execute("PRAGMA query_only = OFF")
        ledger.prune(WINDOW)
        assert self.digests(kept)[str(day(5))] == kept.entries("claude_code")[day(5)].rows_digest

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", '["1", {}]', '["1", {"no date": ""}]', "{head}\nA", "{head}\nAAAA"]
    )
    def test_are_not_used_when_they_are_damaged(self, kept: Store, text: str) -> None:
        """The days are added up again."""
        head, _, _ = (kept.note(SUMS) or "").partition("\n")
        kept.put_note(SUMS, text.replace("{head}", head))
        assert shown(started(kept)) == fresh(kept)

    def test_that_are_short_of_a_day_are_not_used(self, kept: Store) -> None:
        """One is on disk no more, or the sums are of others than they say."""
        note = kept.note(SUMS) or ""
        form, digests, sums = stored_sums.parts(kept.note(SUMS))
        kept.put_note(SUMS, stored_sums.note(form, digests, {**sums, "days": {}}))
        assert shown(started(kept)) == fresh(kept)
        kept.put_note(SUMS, note)
        kept._entries["claude_code"].pop(day(4))
        assert shown(started(kept)) == fresh(kept)
        assert not [line for line in fresh(kept) if f'sessions{{date="{day(4)}"' in line]

    def test_that_cannot_be_added_to_are_dropped(self, kept: Store) -> None:
        """And not the day that was to be added: it is not to blame."""
        form, digests, sums = stored_sums.parts(kept.note(SUMS))
        (ana,) = [user for user in sums["users"] if user[0] == list(ANA)]
        ana[1][-1]["opus"][-1] = "sNaN"
        kept.put_note(SUMS, stored_sums.note(form, digests, sums))
        with capture_logs() as lines:
            assert shown(started(kept)) == fresh(kept)
        assert [line["event"] for line in lines] == ["stored sums do not fit the stored days: adding them up again"]

    @pytest.mark.parametrize("step", ["start", "restated", "stored", "midnight"])
    def test_that_do_not_fit_are_dropped(self, kept: Store, step: str) -> None:
        """However late it shows: one line, and the days are added up again."""
        form, digests, sums = stored_sums.parts(kept.note(SUMS))
        if step == "start":
            next(iter(sums["days"].values()))["models"]["opus"][1] = [1]
        else:
            sums["users"] = [user for user in sums["users"] if user[0] != list(BO)]
        kept.put_note(SUMS, stored_sums.note(form, digests, sums))
        ledger = started(kept)
        window = {"midnight": Window(TODAY + timedelta(days=2), 7), "stored": Window(day(4), 7)}.get(step, WINDOW)
        with capture_logs() as lines:
            ledger.publish(WINDOW, UP)
            if step == "restated":
                take_usage(ledger, day(5), record(BO, 99))
            elif step == "stored":
                ledger.publish(window, UP)
                ledger.prune(window)
            assert shown(ledger, window) == fresh(kept, window)
            ledger.prune(window)
            shown(started(kept), window)
        event = "stored sums do not fit the stored days: adding them up again"
        assert [(line["event"], line["report"]) for line in lines] == [(event, "claude_code")]


class Halfway:
    """A view that fails on a day after it has added it."""

    def __init__(self, fails_on: date | None) -> None:
        self.days = list[date]()
        self._fails_on = fails_on

    def replace(self, day: date, *_: object) -> None:
        """Add a day."""
        self.days.append(day)
        if day == self._fails_on:
            raise ValueError

    def changes(self, *_: object) -> Mapping[str, Any]:
        """Return the days as samples."""
        if self._fails_on is None:
            raise KeyError
        return {"days": {"anthropic_cost_usd": [((str(day), "", "", ""), 1) for day in self.days]}}


def with_view(store: Store, fails_on: date | None) -> Ledger:
    """Return a ledger of cost alone, with that view."""
    report = reports.reports()[1]
    return Ledger(store, [replace(report, view=lambda: Halfway(fails_on))])


def test_a_day_that_cannot_be_added_up_leaves_nothing(ledger: Ledger, store: Store) -> None:
    """The sums start over without it, and it is fetched again."""
    for age in range(3):
        take_cost(ledger, day(age), result("1"))
    page = with_view(store, day(1)).publish(WINDOW, {"cost": None}).page.body.decode()
    assert [line[25:35] for line in page.splitlines() if line.startswith("anthropic_cost_usd")] == [
        str(day(2)),
        str(TODAY),
    ]
    assert day(1) not in store.entries("cost")


def test_a_day_that_fails_while_it_is_taken_leaves_nothing(store: Store) -> None:
    """The page after it is of the days that are stored, and not of the half that was added."""
    ledger = with_view(store, TODAY)
    take_cost(ledger, day(1), result("1"))
    ledger.publish(WINDOW, {"cost": None})
    with pytest.raises(ValueError, match=r"^$"):
        take_cost(ledger, TODAY, result("1"))
    page = ledger.publish(WINDOW, {"cost": None}).page.body.decode()
    assert [line[25:35] for line in page.splitlines() if line.startswith("anthropic_cost_usd")] == [str(day(1))]


def test_a_defect_of_a_view_is_not_hidden(store: Store) -> None:
    """Only sums that were stored may be dropped: otherwise a wrong view would start over with each page."""
    with pytest.raises(KeyError):
        with_view(store, None).publish(WINDOW, {"cost": None})
