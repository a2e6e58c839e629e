"""Files of the data folder that are damaged, or cannot be written."""

import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from structlog.testing import capture_logs

from exporter.days.database import FILE
from exporter.demo.organization import Organization
from tests.integration.processes import environment, forked, started, upstream, wait_for
from tests.support import DAY, TODAY, Api, MovableTime, api_of, fill_requests, matching

YESTERDAY = TODAY - DAY
WINDOW = 3
NO_ROOT = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
"""Root without its powers: file permissions hold for it too."""


def rubbish(path: Path) -> None:
    """Overwrite the header of the file."""
    with path.open("r+b") as file:
        file.write(b"\x00\xff" * 2000)


def cut(path: Path) -> None:
    """Leave half of the file."""
    os.truncate(path, path.stat().st_size // 2)


def names(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.anyio
@pytest.mark.parametrize("damage", [rubbish, cut])
async def test_a_damaged_file(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """It is replaced, with one line; all days are fetched again, and every number is right."""
    async with api_of(Organization(TODAY, people=6), MovableTime(), exporter_window_days=WINDOW) as api:
        await fill(api, tmp_path)
        damage(tmp_path / FILE)
        with capture_logs() as lines:
            assert await fill(api, tmp_path) == fill_requests(WINDOW) + 4  # four for names
        (line,) = matching(lines, log_level="warning")
        event = "day store is damaged: starting with an empty one, all days will be fetched again"
        assert (line["event"], line["file"]) == (event, str(tmp_path / FILE))
        assert names(tmp_path) == [FILE, "lock"]


async def fill(api: Api, folder: Path) -> int:
    """Fill an exporter on a folder; check that all is right; return the number of requests."""
    api.log.clear()
    async with api.exporter(folder) as exporter:
        await exporter.fill()
        await exporter.scrape()
        assert api.wrong(exporter) == []
    return len(api.log)


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


@pytest.mark.parametrize("existing", [True, False])
def test_a_read_only_folder(tmp_path: Path, existing: bool) -> None:  # noqa: FBT001 - a case
    """One line that names the setting, and 1; the same when the folder cannot be created."""
    data = tmp_path / "data"
    if existing:
        data.mkdir(mode=0o500)
    else:
        tmp_path.chmod(0o500)
    logs = tmp_path.parent / f"{tmp_path.name}-logs"
    with started(logs, environment("http://127.0.0.1:1", exporter_data_dir=data), wrapper=NO_ROOT) as exporter:
        assert exporter.process.wait(20) == 1
        assert exporter.log == f"anthropic-exporter: EXPORTER_DATA_DIR: cannot write to {data}: Permission denied\n"
    tmp_path.chmod(0o700)


@pytest.mark.anyio
async def test_a_full_disk(tmp_path: Path) -> None:
    """Days that cannot be written are shown and kept in memory, and written later.

    They are counted; a line says when it begins. A day that fits may end it for a moment.
    """
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
            failures = exporter.own("store_failures_total") or 0
            assert failures >= 2
            assert 1 <= len(matching(lines, log_level="warning")) < failures
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
