"""The whole data page of each scenario, byte for byte, from bodies of the API. `GOLDEN_UPDATE=1` writes the files."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.days.ledger import Ledger, Published
from exporter.days.store import Store
from exporter.model import Window
from exporter.reports import listings, reports
from exporter.reports.directory import Directory
from exporter.reports.names import Names
from exporter.reports.usage_rows import Actor
from tests.bodies import ANA, BO, CI, NOW, TODAY, Number, day, record, result, take_cost, take_usage

FOLDER = Path(__file__).parent
WINDOW = Window(TODAY, 3)
WORKED = dict.fromkeys((report.name for report in reports()), True)
HOUR = timedelta(hours=1)


def used(cents: str, name: str = "opus") -> dict[str, object]:
    """Return a model's use whose four counts differ."""
    counts = {"input": 184_000, "output": 41_200, "cache_read": 2_210_400, "cache_creation": 96_300}
    return {"model": name, "tokens": counts, "estimated_cost": {"currency": "USD", "amount": Number(cents)}}


haiku = partial(used, name="haiku")


def put_names(ledger: Ledger, organization: tuple[str, str], workspaces: dict[str, str]) -> None:
    """Put names for ids into a ledger."""
    ledger.listed.take(ledger.listed.listings["directory"], Directory(organization, workspaces), NOW)


def empty(ledger: Ledger) -> Published:
    """Nothing was read, and nothing was tried."""
    return ledger.publish(WINDOW, dict.fromkeys(WORKED))


def one_day(ledger: Ledger) -> Published:
    """Two terminals of a user, an API key and a bill; of three days one was read."""
    first = record(
        ANA, 4, lines=(812, 301), commits=6, pull_requests=1, tools={"edit_tool": (31, 4)}, models=[used("412")]
    )
    second = record(ANA, 2, lines=(96, 12), commits=1, tools={"edit_tool": (5, 0)}, models=[haiku("0.37")])
    take_usage(ledger, TODAY, first, second, record(CI, 37), at=NOW - HOUR)
    searches = result("45.0", model="none", cost_type="web_search")
    take_cost(ledger, TODAY, result("1237.8912", workspace_id="wrkspc_1"), result("310.02"), searches)
    put_names(ledger, ("org_1", "Example Org"), {"default": "default", "wrkspc_1": "Platform"})
    return ledger.publish(WINDOW, WORKED)


def after_failure(ledger: Ledger) -> Published:
    """All days were read; then claude_code failed, and its numbers stay, with an empty day as zeros."""
    take_usage(ledger, day(2), record(ANA, 3, lines=(5, 1)), at=NOW - 30 * HOUR)
    take_usage(ledger, day(1), at=NOW - 30 * HOUR)
    take_usage(ledger, TODAY, record(ANA), at=NOW - 3 * HOUR)
    for age in range(3):
        take_cost(ledger, day(age), *([result("99.5")] if age else []))
    ledger.publish(WINDOW, WORKED)
    return ledger.publish(WINDOW, WORKED | {"claude_code": False})


def folded(ledger: Ledger) -> Published:
    """Four users, of whom two keep their names."""
    take_usage(
        ledger,
        day(1),
        record(ANA, 1, commits=1, models=[used("10")]),
        record(BO, 2, commits=2, tools={"edit_tool": (1, 1)}, models=[used("500")]),
        record(Actor("user", "cy@example.test"), 4, commits=4, models=[used("30"), haiku("1")]),
        at=NOW - HOUR,
    )
    today = record(ANA, 8, commits=8, models=[haiku("5")]), record(CI, 16, models=[used("2")])
    take_usage(ledger, TODAY, *today, at=NOW - HOUR)
    return ledger.publish(WINDOW, WORKED)


def hostile(ledger: Ledger) -> Published:
    """Names with quotes, backslashes, line breaks and other scripts, and an actor type that nobody documented."""
    names = {'say "hi"\\\n': (1, 0), "{}%s\u2603": (0, 1)}
    strange = record(Actor("api_key", 'Ünïcode "key"\nname'), tools=names, models=[used("1", 'm"\\\n')])
    take_usage(ledger, TODAY, strange, record(Actor("service_account_actor", "svac\\n"), 2), at=NOW - HOUR)
    labels = {"workspace_id": 'w"\n', "model": "\\", "cost_type": "{", "token_type": "}"}
    take_cost(ledger, TODAY, result("-50.00", **labels))
    put_names(ledger, ('o"1', "Org\n\\"), {'w"\n': '"'})
    return ledger.publish(WINDOW, WORKED)


def restated(ledger: Ledger) -> Published:
    """Read a day twice: nothing is left of its old numbers, models, tools and users."""
    gone = record(BO, 9, tools={"gone": (9, 9)}, models=[used("999", "gone")])
    take_usage(ledger, TODAY, gone, record(ANA, 9), at=NOW - 2 * HOUR)
    take_cost(ledger, TODAY, result("999", workspace_id="gone", model="gone"), at=NOW - 2 * HOUR)
    ledger.publish(WINDOW, WORKED)
    take_usage(ledger, TODAY, record(ANA, 1, models=[used("141")]), at=NOW - HOUR)
    take_cost(ledger, TODAY, result("141"))
    return ledger.publish(WINDOW, WORKED)


Scenario = Callable[[Ledger], Published]
SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario for scenario in (empty, one_day, after_failure, folded, hostile, restated)
}
EVERY = pytest.mark.parametrize("name", SCENARIOS)


@pytest.fixture
def ledger(name: str) -> Iterator[Ledger]:
    """Yield a ledger with an empty store; with two names for users where users are folded."""
    store = Store(None)
    yield Ledger(store, reports(Names(), max_users=2 if name == "folded" else 2000), listings())
    store.close()


@EVERY
def test_the_page_is_the_golden_one(name: str, ledger: Ledger) -> None:
    """Byte for byte. An intended change is written with `make golden-update` and read in its difference."""
    page = SCENARIOS[name](ledger).page
    path = FOLDER / f"{name}.prom"
    if os.environ.get("GOLDEN_UPDATE") == "1":
        path.write_bytes(page.body)
    assert page.body.decode() == path.read_text(encoding="utf-8")


@EVERY
def test_the_page_is_legal_in_both_formats(name: str, ledger: Ledger) -> None:
    """Both parsers of prometheus-client find the series that the page counts, and no two of one name."""
    page = SCENARIOS[name](ledger).page
    text = page.body.decode()
    for families in (parse_text(text), parse_openmetrics(text + "# EOF\n")):
        series = [(sample.name, tuple(sample.labels.items())) for family in families for sample in family.samples]
        assert len(series) == len(set(series)) == page.series


@EVERY
@pytest.mark.integration
def test_promtool_finds_nothing_to_say(name: str) -> None:
    """Prometheus's own linter prints nothing and ends with 0."""
    promtool = shutil.which("promtool")
    if promtool is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is missing: it comes with Debian's package prometheus")
        pytest.skip("promtool is missing")
    golden = (FOLDER / f"{name}.prom").read_bytes()
    checked = subprocess.run([promtool, "check", "metrics"], input=golden, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_no_golden_page_is_left_over() -> None:
    """Every file belongs to a scenario."""
    assert {path.stem for path in FOLDER.glob("*.prom")} == set(SCENARIOS)
