"""The command `export`, beside a running exporter, and its OpenMetrics in real databases."""

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from exporter.days.database import FILE
from exporter.demo.organization import Organization
from exporter.errors import ExporterError
from exporter.export import Wanted, export
from tests.integration.processes import free_port, wait_for
from tests.support import DAY, TODAY, Api, MovableTime, api_of

pytestmark = [pytest.mark.anyio, pytest.mark.integration]
DAYS = 20


@pytest.fixture
async def stored(tmp_path: Path) -> AsyncIterator[tuple[Api, Path]]:
    """Yield an API and the data folder of an exporter that is running and has read all days."""
    time, folder = MovableTime(), tmp_path / "data"
    async with (
        api_of(Organization(TODAY, people=8), time, exporter_window_days=DAYS) as api,
        api.exporter(folder) as exporter,
    ):
        await exporter.fill()
        for name in ("cost", "usage", "users"):
            for form in ("csv", "jsonl"):
                text = (await exporter.get(f"/api/v1/export/{name}.{form}")).text
                (tmp_path / f"{name}.{form}.expected").write_text(text)
        yield api, folder


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("name", ["cost", "usage", "users"])
async def test_files_are_those_of_the_page(stored: tuple[Api, Path], tmp_path: Path, name: str, form: str) -> None:
    """The same bytes as over HTTP, without the lock that the running exporter holds; no unfinished file is left."""
    api, folder = stored
    output = tmp_path / "out" / "file"
    output.parent.mkdir()
    export(api.settings(folder), Wanted(name, None, None, form, output), TODAY)
    assert output.read_text() == (tmp_path / f"{name}.{form}.expected").read_text()
    assert list(output.parent.iterdir()) == [output]


async def test_a_store_of_other_names(stored: tuple[Api, Path]) -> None:
    """Users are stored under their names, so with digests only the bill can be written."""
    api, folder = stored
    api.given["exporter_user_label"] = "hash"
    api.given["exporter_user_hash_key"] = "k" * 32
    export(api.settings(folder), Wanted("cost", TODAY - DAY, TODAY, "csv", folder / "bill"), TODAY)
    assert len((folder / "bill").read_text().splitlines()) > 1
    with pytest.raises(ExporterError, match="no day that fits the settings, such as EXPORTER_USER_LABEL"):
        export(api.settings(folder), Wanted("usage", TODAY - DAY, TODAY, "csv", folder / "file"), TODAY)


async def test_a_gap_is_named_in_what_the_file_needs(
    stored: tuple[Api, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Days of other reports are none of its business."""
    api, folder = stored
    with closing(sqlite3.connect(folder / FILE)) as db, db:
        db.execute("DELETE FROM day WHERE report = 'messages' OR (report = 'cost' AND date = ?)", (str(TODAY - DAY),))
    for name in ("usage", "cost"):
        export(api.settings(folder), Wanted(name, TODAY - 2 * DAY, TODAY, "csv", folder / "file"), TODAY)
    said = [line for line in capsys.readouterr().err.splitlines() if "not stored" in line]
    assert said == [f"cost: 1 of 3 days are not stored, such as {TODAY - DAY}"]


async def test_a_damaged_store(stored: tuple[Api, Path], tmp_path: Path) -> None:
    """It is one sentence, and no file is left."""
    api, folder = stored
    (tmp_path / "copy").mkdir()
    content = (folder / FILE).read_bytes()
    for damaged in (b"no database", content[:4096] + b"x" * (len(content) - 4096)):
        (tmp_path / "copy" / FILE).write_bytes(damaged)
        with pytest.raises(ExporterError, match="the exporter replaces it when it starts"):
            export(api.settings(tmp_path / "copy"), Wanted("cost", None, None, "csv", tmp_path / "file"), TODAY)
    assert not (tmp_path / "file").exists()


async def test_a_reader_that_has_seen_enough(stored: tuple[Api, Path]) -> None:
    """`export ... | head -1` ends without a traceback, as other programs end."""
    _, folder = stored
    command = f"{sys.executable} -m exporter export openmetrics | head -1; echo ${{PIPESTATUS[0]}}"
    environ = {**os.environ, "EXPORTER_DATA_DIR": str(folder), "EXPORTER_WINDOW_DAYS": str(DAYS)}
    done = await asyncio.to_thread(subprocess.run, ["bash", "-c", command], env=environ, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] in {"141", "0"}
    assert "Traceback" not in done.stderr


async def test_no_store(tmp_path: Path) -> None:
    """The message says what to do."""
    async with api_of(Organization(TODAY, people=2), MovableTime()) as api:
        with pytest.raises(ExporterError, match="start the exporter once, or set EXPORTER_DATA_DIR"):
            export(api.settings(tmp_path / "none"), Wanted("cost", None, None, "csv", None), TODAY)


async def test_the_past_goes_into_prometheus(stored: tuple[Api, Path], tmp_path: Path) -> None:
    """Promtool makes blocks of the file; they hold each settled day's truth and nothing younger."""
    api, folder = stored
    text, blocks = tmp_path / "past.om", tmp_path / "blocks"
    export(api.settings(folder), Wanted("openmetrics", None, None, "csv", text), TODAY)
    run("promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(blocks))
    (blocks / "wal").mkdir()  # the dump wants one
    found: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in run("promtool", "tsdb", "dump", str(blocks)).splitlines():
        labels, value, milliseconds = re.fullmatch(r"\{(.*)\} (\S+) (\d+)", line).groups()  # type: ignore[union-attr]
        name = re.search(r'__name__="(\w+)"', labels)[1]  # type: ignore[index]
        found[name, date_of(int(milliseconds) / 1000)] += Decimal(value)
    expected = truth(api)
    for family in ("cost_usd", "sessions", "tokens"):
        name = f"anthropic_daily_{family}"
        totals = {day: float(total) for (of, day), total in found.items() if of == name and total}
        assert totals == pytest.approx(expected[family])


async def test_the_past_goes_into_victoria_metrics(stored: tuple[Api, Path], tmp_path: Path) -> None:
    """The same file by VictoriaMetrics' own import: the same sums come back."""
    api, folder = stored
    text = tmp_path / "past.om"
    export(api.settings(folder), Wanted("openmetrics", None, None, "csv", text), TODAY)
    found: defaultdict[str, float] = defaultdict(float)
    for line in imported(text, tmp_path / "vm", "anthropic_daily_cost_usd").splitlines():
        seconds, value = line.split(",")
        found[date_of(int(seconds))] += float(value)
    assert found == pytest.approx(truth(api)["cost_usd"])


def imported(text: Path, folder: Path, family: str) -> str:
    """Import a file into VictoriaMetrics, and return timestamps and values of a family as CSV."""
    port = free_port()
    command = ["victoria-metrics", f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{port}"]
    query = {"match[]": family, "format": "__timestamp__:unix_s,__value__"}
    with (
        subprocess.Popen([*command, "-retentionPeriod=10y"], stderr=subprocess.DEVNULL) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        try:
            wait_for(lambda: answers(client), what="VictoriaMetrics")
            client.post("/api/v1/import/prometheus", content=text.read_bytes()).raise_for_status()
            client.get("/internal/force_flush").raise_for_status()
            return client.get("/api/v1/export/csv", params=query).text
        finally:
            server.terminate()


def truth(api: Api) -> dict[str, dict[str, float]]:
    """Return the sums of each settled day, by family, from the organisation's records."""
    sums: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for age in range(7, DAYS):
        day = TODAY - age * DAY
        records = api.organization.claude_code_records(day, api.time.now())
        cost = sum(Decimal(result["amount"]) for result in api.organization.cost_results(day, api.time.now())) / 100
        sums["cost_usd"][str(day)] = float(cost)
        sums["sessions"][str(day)] = sum(record["core_metrics"]["num_sessions"] for record in records)
        models = [model for record in records for model in record["model_breakdown"]]
        sums["tokens"][str(day)] = sum(sum(model["tokens"].values()) for model in models)
    return {family: {day: of for day, of in days.items() if of} for family, days in sums.items()}


def date_of(seconds: float) -> str:
    """Return the UTC day of a sample, which is at 00:00."""
    days, rest = divmod(seconds, DAY.total_seconds())
    assert rest == 0
    return str(date(1970, 1, 1) + days * DAY)


def run(*command: str) -> str:
    """Run a program and return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def answers(client: httpx.Client) -> bool:
    """Return whether a server is up."""
    try:
        return client.get("/health").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
