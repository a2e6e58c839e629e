"""The sums that are kept for the next start: they are right, or they are not used."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from exporter.api.transport import UsageDay
from exporter.days.ledger import Ledger
from exporter.days.store import SUMS, Store
from exporter.model import Report, Window
from exporter.reports.sums import Checkpoint
from tests.guard.conftest import WINDOW_DAYS
from tests.support import AFTERNOON, DAY, TODAY, Api, Exporter, MovableTime
from tests.unit.rows import ANA, row

pytestmark = pytest.mark.anyio


async def body_after_a_start(api: Api, folder: Path, time: MovableTime) -> bytes:
    """Return the page of a new process, before its first request."""
    async with api.exporter(folder, time) as again:
        return _of_days(again.refresher.page.body)


def _of_days(body: bytes) -> bytes:
    """Return a page without what a start forgets: whether the last attempt worked."""
    return b"\n".join(line for line in body.splitlines() if b"anthropic_up" not in line)


@pytest.mark.parametrize("age", [0, 1, 2, 29])
async def test_a_page_is_the_same_with_kept_sums_and_without(
    api: Api, exporter: Exporter, tmp_path: Path, age: int
) -> None:
    """Also after a day of any age was restated and read again, and on the next day."""
    api.organization.restate(TODAY - age * DAY, 3)
    exporter.time.advance(DAY)
    api.time.advance(DAY)
    for _ in range(WINDOW_DAYS):  # settled days are read one by one
        exporter.time.advance(61)
        await exporter.scrape()
    assert api.wrong(exporter) == []
    page = _of_days(exporter.refresher.page.body)
    kept = Checkpoint.restored(exporter.store.note(SUMS) or "").digests
    assert kept == {day: exporter.store.digest(Report.CLAUDE_CODE, day) for day in kept}
    exporter.store.close()
    assert await body_after_a_start(api, tmp_path / "data", exporter.time) == page
    store = Store(tmp_path / "data")
    store.put_note(SUMS, "")
    store.close()
    assert await body_after_a_start(api, tmp_path / "data", exporter.time) == page


async def test_kept_sums_of_another_day_s_rows_are_not_used(api: Api, exporter: Exporter, tmp_path: Path) -> None:
    """A settled day was stored anew, and the process was killed before the sums were kept again."""
    day = TODAY - 9 * DAY
    rows = exporter.store.usage(day)
    exporter.store.replace(Report.CLAUDE_CODE, day, [rows[0]._replace(sessions=1000), *rows[1:]], (), api.time.now())
    exporter.store.close()
    body = await body_after_a_start(api, tmp_path / "data", exporter.time)
    sessions = 1000 + sum(row.sessions for row in rows[1:])
    assert f'anthropic_claude_code_sessions{{date="{day}"}} {sessions}.0\n'.encode() in body


def test_a_day_can_be_restated_again_after_midnight() -> None:
    """Its rows were kept decoded while it was today; what is subtracted is what was added last."""
    up = dict.fromkeys(Report)
    with closing(Store(None)) as store:
        ledger = Ledger(store, max_users=9)
        for last, sessions in ((TODAY, 1), (TODAY + DAY, 2), (TODAY + DAY, 3)):
            ledger.publish(Window(last, 5), up)
            ledger.put_usage(TODAY, UsageDay([row(ANA, sessions)], ()), AFTERNOON)
            ledger.put_usage(TODAY - DAY, UsageDay([row(ANA, 10)], ()), AFTERNOON)
        body = ledger.publish(Window(TODAY + DAY, 5), up).page.body
    assert b'anthropic_claude_code_user_sessions{user="ana@example.test",actor_type="user"} 13.0\n' in body


@pytest.mark.parametrize("text", ["", "{", "[]", '{"base": "2026-01-01", "days": {}}\n[1]', '{"base": 5, "days": {}}'])
async def test_damaged_sums_are_not_used(api: Api, exporter: Exporter, tmp_path: Path, text: str) -> None:
    """The days are added up again, and the page is the same."""
    page = _of_days(exporter.refresher.page.body)
    exporter.store.put_note(SUMS, text)
    exporter.store.close()
    assert await body_after_a_start(api, tmp_path / "data", exporter.time) == page


async def test_no_name_is_left_when_names_are_not_wanted_any_more(exporter: Exporter) -> None:
    """The kept sums hold names: they go with the days."""
    assert "example.test" in (exporter.store.note(SUMS) or "")
    exporter.store.forget(Report.CLAUDE_CODE)
    assert exporter.store.note(SUMS) is None


async def test_sums_are_kept_once_and_not_at_each_refresh(exporter: Exporter) -> None:
    """They hold the settled days only, so that a refresh of today leaves them as they are."""
    before = exporter.store.note(SUMS) or ""
    assert len(json.loads(before.splitlines()[0])["days"]) == 28
    await exporter.scrape_later()
    assert exporter.store.note(SUMS) == before
