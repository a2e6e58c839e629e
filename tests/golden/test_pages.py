"""The whole data page of each scenario, byte for byte; `GOLDEN_UPDATE=1` writes the files anew."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.api.transport import UsageDay
from exporter.days.ledger import Ledger, Published
from exporter.days.store import Store
from exporter.model import Actor, Directory, ModelUse, Organization, Report, UsageRow, Window
from tests.unit.rows import ANA, BO, CI, NOW, TODAY, bill, day, row

FOLDER = Path(__file__).parent
CC, COST = Report.CLAUDE_CODE, Report.COST
WINDOW = Window(TODAY, 3)
WORKED = {CC: True, COST: True}
DIRECTORY = Directory(Organization("org_1", "Example Org"), {"default": "default", "wrkspc_1": "Platform"})


def opus(cents: str) -> ModelUse:
    """Return a model's use whose four counts differ."""
    return ModelUse(184_000, 41_200, 2_210_400, 96_300, Decimal(cents))


def put(ledger: Ledger, age: int, *rows: UsageRow, hours_ago: float = 1) -> None:
    """Put a day of usage that was read some hours ago."""
    ledger.put_usage(day(age), UsageDay(list(rows), (("digest", None),)), NOW - timedelta(hours=hours_ago))


def empty(ledger: Ledger) -> Published:
    """Nothing was read, and nothing was tried."""
    return ledger.publish(WINDOW, {CC: None, COST: None})


def one_day(ledger: Ledger) -> Published:
    """Two terminals of a user, an API key and a bill; of three days one was read."""
    put(
        ledger,
        0,
        row(
            ANA,
            4,
            lines=(812, 301),
            commits=6,
            pull_requests=1,
            tools={"edit_tool": (31, 4)},
            models={"opus": opus("412")},
        ),
        row(ANA, 2, lines=(96, 12), commits=1, tools={"edit_tool": (5, 0)}, models={"haiku": opus("0.37")}),
        row(CI, 37),
    )
    bills = [
        bill("1237.8912", workspace="wrkspc_1"),
        bill("310.02"),
        bill("45.0", model="none", cost_type="web_search"),
    ]
    ledger.put_cost(TODAY, bills, NOW)
    ledger.put_directory(DIRECTORY, NOW)
    return ledger.publish(WINDOW, WORKED)


def after_failure(ledger: Ledger) -> Published:
    """All days were read; then claude_code failed, and its numbers stay, with an empty day as zeros."""
    put(ledger, 2, row(ANA, 3, lines=(5, 1)), hours_ago=30)
    put(ledger, 1, hours_ago=30)
    put(ledger, 0, row(ANA), hours_ago=3)
    for age in range(3):
        ledger.put_cost(day(age), [bill("99.5")] if age else [], NOW)
    ledger.publish(WINDOW, WORKED)
    return ledger.publish(WINDOW, {CC: False, COST: True})


def folded(ledger: Ledger) -> Published:
    """Three users and two names: the most expensive keep theirs, the others are one of each actor type."""
    put(
        ledger,
        1,
        row(ANA, 1, commits=1, models={"opus": opus("10")}),
        row(BO, 2, commits=2, tools={"edit_tool": (1, 1)}, models={"opus": opus("500")}),
        row(Actor("user", "cy@example.test"), 4, commits=4, models={"opus": opus("30"), "haiku": opus("1")}),
    )
    put(ledger, 0, row(ANA, 8, commits=8, models={"haiku": opus("5")}), row(CI, 16, models={"opus": opus("2")}))
    return ledger.publish(WINDOW, WORKED)


def hostile(ledger: Ledger) -> Published:
    """Names with quotes, backslashes, line breaks and other scripts, and an actor type that nobody documented."""
    names = {'say "hi"\\\n': (1, 0), "{}%s\u2603": (0, 1)}
    put(
        ledger,
        0,
        row(Actor("api_key", 'Ünïcode "key"\nname'), tools=names, models={'m"\\\n': opus("1")}),
        row(Actor("service_account_actor", "svac\\n"), 2),
    )
    ledger.put_cost(TODAY, [bill("-50.00", workspace='w"\n', model="\\", cost_type="{", token_type="}")], NOW)
    ledger.put_directory(Directory(Organization('o"1', "Org\n\\"), {'w"\n': '"'}), NOW)
    return ledger.publish(WINDOW, WORKED)


def restated(ledger: Ledger) -> Published:
    """Read a day twice: nothing is left of its old numbers, models, tools and users."""
    put(ledger, 0, row(BO, 9, tools={"gone": (9, 9)}, models={"gone": opus("999")}), row(ANA, 9), hours_ago=2)
    ledger.put_cost(TODAY, [bill("999", workspace="gone", model="gone")], NOW - timedelta(hours=2))
    ledger.publish(WINDOW, WORKED)
    put(ledger, 0, row(ANA, 1, models={"opus": opus("141")}))
    ledger.put_cost(TODAY, [bill("141")], NOW)
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
    yield Ledger(store, max_users=2 if name == "folded" else 2000)
    store.close()


@EVERY
def test_the_page_is_the_golden_one(name: str, ledger: Ledger) -> None:
    """Byte for byte. A change that is meant is written with `make golden-update` and read in its difference."""
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
