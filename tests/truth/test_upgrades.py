"""Upgrades: stores that older releases wrote, and days that a corrected reader reads again."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.days.database import FILE
from exporter.demo.organization import Organization
from exporter.model import DAY
from exporter.reports.claude_code import ClaudeCodeUsage
from tests.support import TODAY, Api, MovableTime, api_of, matching
from tests.truth.test_privacy import HASH_KEY, digest

pytestmark = pytest.mark.anyio
STORES = Path(__file__).parent.parent / "fixtures" / "stores"
OTHER_FORMAT = "stored days have another format: they will be fetched again"


@pytest.fixture
async def api(time: MovableTime) -> AsyncIterator[Api]:
    """Yield the API of the organisation whose days are in the fixtures."""
    async with api_of(Organization(TODAY, people=3), time, exporter_window_days=3) as running:
        yield running


def old_store(folder: Path, label: str) -> None:
    """Write the store of release 0.1 with this user label, beside the copy of one that was set aside."""
    for name in (FILE, f"{FILE}.aside-1"):
        with closing(sqlite3.connect(folder / name)) as db:
            db.executescript((STORES / f"{label}.sql").read_text(encoding="utf-8"))


def content(folder: Path) -> bytes:
    """Return every byte of a folder, and the names of its files."""
    return b" ".join(path.name.encode() for path in folder.iterdir()) + b"".join(
        path.read_bytes() for path in sorted(folder.iterdir())
    )


def view(label: str) -> dict[str, Any]:
    """Return the oracle's argument for a user label."""
    return {"user_label": digest(HASH_KEY.encode()) if label == "hash" else label}


@pytest.mark.parametrize("old", ["email", "hash", "none"])
@pytest.mark.parametrize("new", ["email", "hash", "none"])
async def test_a_store_of_release_0_1(api: Api, tmp_path: Path, old: str, new: str) -> None:
    """Its days are fetched again, with the user label of then or another; nothing is called damaged.

    No address is in the folder before the first request, unless addresses are asked for; afterwards all is right.
    """
    old_store(tmp_path, old)
    assert (b"ana.lopez@example.test" in content(tmp_path)) == (old == "email")
    api.given |= {"exporter_user_label": new, "exporter_user_hash_key": HASH_KEY}
    with capture_logs() as lines:
        async with api.exporter(tmp_path) as exporter:
            assert exporter.health("report_coverage_ratio", "cost") == 0
            stored = await asyncio.to_thread(content, tmp_path)
            assert b"example.test" not in stored
            assert b"aside" not in stored
            await exporter.fill()
            assert api.wrong(exporter, **view(new)) == []
    assert {line["log_level"] for line in lines} == {"info"}
    assert [line["event"] for line in lines[:2]] == ["deleted the copy of a damaged store", "day store migrated"]
    assert [line["report"] for line in matching(lines, event=OTHER_FORMAT)] == ["claude_code", "cost"]
    api.log.clear()
    async with api.exporter(tmp_path) as exporter:
        assert api.wrong(exporter, **view(new)) == []
    assert (new != "email") == (b"example.test" not in content(tmp_path))
    assert len(api.log) == 0


async def test_rows_of_an_older_format_of_one_report(api: Api, tmp_path: Path) -> None:
    """They alone are fetched again; the other report is shown meanwhile."""
    async with api.exporter(tmp_path) as exporter:
        await exporter.fill()
    with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        db.execute("UPDATE day SET format = '0', rows = x'00' WHERE report = 'claude_code'")
    api.log.clear()
    with capture_logs() as lines:
        async with api.exporter(tmp_path) as exporter:
            assert exporter.health("report_coverage_ratio", "claude_code") == 0
            assert exporter.health("report_coverage_ratio", "cost") == 1
            await exporter.fill()
            assert api.wrong(exporter) == []
    assert [line["report"] for line in matching(lines, event=OTHER_FORMAT, log_level="info")] == ["claude_code"]
    assert not matching(lines, log_level="warning")
    assert len(api.log.to("claude_code")) == 3


async def test_a_corrected_reader(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that were read wrongly are shown until the same bytes were read again; then all are right."""
    right = ClaudeCodeUsage.read
    with monkeypatch.context() as patch:
        patch.setattr(ClaudeCodeUsage, "read", lambda *given: {given[2]: right(*given)[given[2]][:1]})
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            wrong = exporter.shown()
            assert api.wrong(exporter)
    monkeypatch.setattr(ClaudeCodeUsage, "revision", ClaudeCodeUsage.revision + 1)
    async with api.exporter(tmp_path) as exporter:
        sessions = [key for key in wrong if key[0] == "anthropic_claude_code_sessions"]
        assert {key: exporter.shown()[key] for key in sessions} == {key: wrong[key] for key in sessions}
        api.log.clear()
        await exporter.fill()
        assert api.wrong(exporter) == []
        assert len(api.log.to("claude_code")) == 3
    api.log.clear()
    async with api.exporter(tmp_path) as exporter:
        assert api.wrong(exporter) == []
        exporter.time.advance(DAY / 1000)
        await exporter.fill()
    assert len(api.log) == 0
