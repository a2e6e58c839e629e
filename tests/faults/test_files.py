"""Files of the data folder that are damaged, foreign, older, newer, or can not be written."""

import os
import resource
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from structlog.testing import capture_logs

from exporter.days.database import APPLICATION_ID, FILE
from exporter.demo.organization import Organization
from tests.integration.processes import environment, forked, started, upstream, wait_for
from tests.support import DAY, TODAY, Api, MovableTime, api_of, matching

YESTERDAY = TODAY - DAY
OLD = TODAY - 2 * DAY
WINDOW = 3
NO_ROOT = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
"""Root without its powers: file permissions hold for it too."""


def rubbish(path: Path) -> None:
    """Write over the file's head."""
    with path.open("r+b") as file:
        file.write(b"\x00\xff" * 2000)


def cut(path: Path) -> None:
    """Leave half of the file."""
    os.truncate(path, path.stat().st_size // 2)


def text(path: Path) -> None:
    """Put another file in its place."""
    path.write_text("date,amount\n2026-11-20,12.50\n" * 100)


def foreign(path: Path) -> None:
    """Put somebody else's database in its place."""
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE day (name TEXT)")


def older(path: Path) -> None:
    """Make it one of an older schema."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 0")


def bad_date(path: Path) -> None:
    """Let a cell hold what can not be there."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE day SET date = 'the first' WHERE date = ? AND report = 'cost'", (str(TODAY),))


def bad_marks(path: Path) -> None:
    """Let a cell hold half of a JSON text."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE day SET marks = '[[' WHERE date = ?", (str(TODAY),))


def bad_text(path: Path) -> None:
    """Let a cell hold what is no text."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE day SET marks = CAST(x'ff' AS TEXT) WHERE date = ?", (str(TODAY),))


def aside(line: dict[str, str]) -> bytes:
    """Return the content of the file that a log line names."""
    return Path(line["file"]).read_bytes()


@pytest.mark.anyio
@pytest.mark.parametrize("damage", [rubbish, cut, text, foreign, older, bad_date, bad_marks, bad_text])
async def test_a_damaged_file(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """It is set aside as it is, with one line; all days are read again, and every number is right."""
    async with api_of(Organization(TODAY, people=6), MovableTime(), exporter_window_days=WINDOW) as api:
        await fill(api, tmp_path)
        damage(tmp_path / FILE)
        content = (tmp_path / FILE).read_bytes()
        with capture_logs() as lines:
            await fill(api, tmp_path)
        (line,) = matching(lines, log_level="warning")
        assert line["event"] == "the day store is damaged: it was set aside, and all days are read again"
        assert aside(line) == content
        await fill(api, tmp_path)


async def fill(api: Api, folder: Path) -> int:
    """Fill an exporter on a folder; check that all is right; return the number of requests."""
    api.log.clear()
    async with api.exporter(folder) as exporter:
        await exporter.fill()
        await exporter.scrape()
        assert api.wrong(exporter) == []
    return len(api.log)


@pytest.mark.anyio
@pytest.mark.parametrize("report", ["claude_code", "cost"])
async def test_a_damaged_day(tmp_path: Path, report: str) -> None:
    """A day whose content is damaged is not shown, least of all as zero, and it alone is read again."""
    async with api_of(Organization(TODAY, people=6), MovableTime(), exporter_window_days=WINDOW) as api:
        await fill(api, tmp_path)
        with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
            (blob,) = db.execute("SELECT rows FROM day WHERE date = ? AND report = ?", (str(OLD), report)).fetchone()
            spoiled = blob[:30] + bytes([blob[30] ^ 1]) + blob[31:]
            db.execute("UPDATE day SET rows = ? WHERE date = ? AND report = ?", (spoiled, str(OLD), report))
        with capture_logs() as lines:
            async with api.exporter(tmp_path) as exporter:
                assert exporter.health("report_coverage_ratio", report) == pytest.approx(2 / 3)
                families = "anthropic_cost" if report == "cost" else "anthropic_claude_code"
                shown = [key for key in exporter.shown() if key[0].startswith(families)]
                assert not [key for key in shown if ("date", str(OLD)) in key[1]]
                api.log.clear()
                await exporter.fill()
                assert api.wrong(exporter) == []
                assert len(api.log) == 1
        (line,) = matching(lines, log_level="warning")
        assert (line["report"], line["date"]) == (report, str(OLD))


@pytest.mark.anyio
@pytest.mark.parametrize("text", ["'half a note'", "CAST(x'ff' AS TEXT)", "''"])
async def test_damaged_notes(tmp_path: Path, text: str) -> None:
    """What is kept beside the days is read again, or worked out again, when it is damaged."""
    async with api_of(Organization(TODAY, people=6), MovableTime(), exporter_window_days=WINDOW) as api:
        await fill(api, tmp_path)
        with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
            assert db.execute(f"UPDATE note SET text = {text}").rowcount >= 2  # noqa: S608 - ours
        api.log.clear()
        async with api.exporter(tmp_path) as exporter:
            await exporter.scrape_later()
            assert api.wrong(exporter) == []
            assert len(api.log) <= 4 + 2  # a warm refresh, and the organisation's names


@pytest.mark.anyio
async def test_a_day_that_is_damaged_while_it_is_shown(tmp_path: Path) -> None:
    """Disk errors under a running exporter: what must be subtracted is gone, so the sums are made anew."""
    async with api_of(Organization(TODAY, people=6), MovableTime(), exporter_window_days=WINDOW) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            exporter.store._db.execute("UPDATE day SET rows = x'00' WHERE date IN (?, ?)", (str(TODAY), str(YESTERDAY)))
            exporter.store._db.commit()
            for day in (TODAY, YESTERDAY):
                api.organization.restate(day, 2)
            await exporter.scrape_later()
            assert api.wrong(exporter) == []
        assert await fill(api, tmp_path) == 0


@pytest.mark.anyio
async def test_single_bits(tmp_path: Path) -> None:
    """25 times one bit of the file is turned: no number is ever wrong, and the exporter always starts."""
    random = Random(5)  # noqa: S311 - places, not secrets
    async with api_of(Organization(TODAY, people=6), MovableTime(), exporter_window_days=WINDOW) as api:
        await fill(api, tmp_path / "good")
        good = (tmp_path / "good" / FILE).read_bytes()
        for number in range(25):
            folder = tmp_path / str(number)
            folder.mkdir()
            place, bit = random.randrange(len(good)), 1 << random.randrange(8)
            spoiled = good[:place] + bytes([good[place] ^ bit]) + good[place + 1 :]
            (folder / FILE).write_bytes(spoiled)
            async with api.exporter(folder) as exporter:
                await exporter.fill()
                await exporter.scrape_later()
                await exporter.fill()
                assert api.wrong(exporter) == [], (place, bit)
            shutil.rmtree(folder)


def test_a_newer_schema(tmp_path: Path) -> None:
    """The file of a newer exporter is left alone: one line that says what to do, and 1."""
    data = tmp_path / "data"
    data.mkdir()
    with closing(sqlite3.connect(data / FILE)) as db:
        db.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 99; CREATE TABLE day (x);")
    before = (data / FILE).read_bytes()
    with forked(tmp_path, environment("http://127.0.0.1:1")) as exporter:
        assert exporter.process.wait(20) == 1
        assert exporter.log == (
            "anthropic-exporter: data/days.sqlite was written by a newer exporter: start that one, or give another "
            "EXPORTER_DATA_DIR\n"
        )
    assert (data / FILE).read_bytes() == before
    assert {path.name for path in data.iterdir()} <= {FILE, "lock"}


@pytest.mark.parametrize("existing", [True, False])
def test_a_read_only_folder(tmp_path: Path, existing: bool) -> None:  # noqa: FBT001 - a case
    """One line that names the setting, and 1; the same when the folder can not be made."""
    data = tmp_path / "data"
    if existing:
        data.mkdir(mode=0o500)
    else:
        tmp_path.chmod(0o500)
    logs = tmp_path.parent / f"{tmp_path.name}-logs"
    with started(logs, environment("http://127.0.0.1:1", exporter_data_dir=data), wrapper=NO_ROOT) as exporter:
        assert exporter.process.wait(20) == 1
        assert exporter.log == f"anthropic-exporter: EXPORTER_DATA_DIR: {data} can not be written: Permission denied\n"
    tmp_path.chmod(0o700)


@pytest.mark.anyio
async def test_a_full_disk(tmp_path: Path) -> None:
    """Days that can not be written are shown and kept in memory, one line, a counter; written when there is room."""
    async with api_of(Organization(TODAY, people=6), MovableTime(), exporter_window_days=WINDOW) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            db = exporter.store._db
            (pages,) = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count = {pages}")
            with capture_logs() as lines:
                for factor in (30, 40):
                    for day in (TODAY, YESTERDAY):
                        api.organization.restate(day, factor)
                    await exporter.scrape_later()
                    assert api.wrong(exporter) == []
                exporter.time.advance(DAY)
                await exporter.scrape()
                await exporter.fill()
                assert api.wrong(exporter) == []
            assert len(matching(lines, log_level="warning")) == 1
            assert exporter.own("store_failures_total") >= 2  # type: ignore[operator]
            db.execute("PRAGMA max_page_count = 100000")
            await exporter.scrape_later()
            assert api.wrong(exporter) == []
        assert await fill(api, tmp_path) == 0


def test_a_disk_that_is_full_under_the_real_process(tmp_path: Path) -> None:
    """The system refuses every write beyond what is there: the page goes on, and all is on disk once it relents."""
    with upstream() as api:
        environ = environment(api.url, exporter_cache_ttl=1)
        with forked(tmp_path, environ) as exporter:
            exporter.filled()
            allow(exporter.process.pid, 4096)
            api.organization.restate(api.now.date(), 30)
            wait_for(lambda: exporter.wrong(api) == [], 30, "the restated day")
            failures = "anthropic_exporter_store_failures_total", frozenset[tuple[str, str]]()
            wait_for(lambda: exporter.samples()[failures] >= 2, 30, "failed writes")
            assert exporter.get("/-/healthy").status_code == 200
            allow(exporter.process.pid, resource.RLIM_INFINITY)
            seen = exporter.samples()[failures]
            api.app.state.log.clear()
            wait_for(lambda: exporter.samples() and len(api.app.state.log) > 6, 30, "two more refreshes")
            assert exporter.samples()[failures] <= seen + 2
            assert exporter.end() == 0
        with forked(tmp_path, environment("http://127.0.0.1:1")) as again:
            assert again.wrong(api) == []


def allow(pid: int, size: int) -> None:
    """Let a process write files up to this size. Its log is longer than that: its lines are lost, which it survives."""
    hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
