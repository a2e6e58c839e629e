"""The command `export`, beside a running exporter, and its OpenMetrics in real databases."""

import re
import subprocess
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

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
    wanted = Wanted("usage", TODAY - DAY, TODAY, "csv", folder / "file")
    export(api.settings(folder), wanted, TODAY)
    assert len((folder / "file").read_text().splitlines()) == 1


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
