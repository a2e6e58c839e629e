"""The series of a wide organisation are those that docs/explanation/scaling.md says, family by family."""

import itertools
import math
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bench import wide_api
from bench.wide_api import Wide
from exporter import reports, service
from exporter.days.store import Store
from exporter.demo.server import serve_in_thread
from exporter.model import Window
from exporter.reports import claude_code_cost, cost, messages
from exporter.reports.usage_rows import Actor
from exporter.settings import Settings
from exporter.telemetry import Telemetry
from tests.support import KEY, TODAY, MovableTime

pytestmark = pytest.mark.anyio
DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "scaling.md"
IN_THE_DOCUMENT = Wide(workspaces=1000, models=40, days=365, users=2000, keys=1000)
SMALL = Wide(workspaces=11, models=7, days=8, users=13, keys=9)
"""No two numbers are equal, so that a formula with the wrong letter gives another number."""

ONE = Decimal(1)


def series(formula: str, wide: Wide) -> int:
    """Return what a formula such as `D * M * 5 + D * 2` gives for an organisation."""
    letters = {name[0].upper(): number for name, number in wide._asdict().items()}
    factors = [[letters.get(one) or int(one) for one in term.split(" * ")] for term in formula.split(" + ")]
    return sum(map(math.prod, factors))


def table() -> list[tuple[list[str], str, int]]:
    """Return families, formula and number of each row of the table of series; of "all others" there are no families."""
    rows = re.findall(
        r"^\| (.+) \| `([A-Z\d *+]+)` \| ([\d,]+) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )
    return [
        (re.findall(r"`(\w+)`", families), formula, int(number.replace(",", ""))) for families, formula, number in rows
    ]


async def page_of(wide: Wide, **given: Any) -> Counter[str]:  # noqa: ANN401 - settings
    """Return the series by family of the page that a real exporter makes of an organisation."""
    time = MovableTime()
    with serve_in_thread(wide_api.app(wide, TODAY)) as url:
        settings = Settings(
            _env_file=None,
            anthropic_admin_key=KEY,
            anthropic_base_url=url,
            exporter_requests_per_minute=100_000,
            exporter_window_days=wide.days,
            **given,
        )
        store, telemetry = Store(None), Telemetry(reports.NAMES)
        async with service.refreshing(settings, store, telemetry, time.clock) as refresher:
            await refresher.tick()
            await refresher.settle()
            page = refresher.page.body.decode()
        store.close()
    return Counter(re.findall(r"^(\w+)", page, re.MULTILINE))


async def test_every_formula_is_that_of_a_real_page() -> None:
    """Of a small organisation that is as wide in every respect: each family has exactly the series of its formula."""
    page = await page_of(SMALL)
    others = sum(page.values())
    for families, formula, _ in table():
        for family in families:
            assert page[family] == series(formula, SMALL), family
            others -= page[family]
    (rest,) = [number for families, _, number in table() if not families]
    assert others == rest


def test_every_number_is_that_of_its_formula() -> None:
    """For the organisation that the document is about; the sum, and what a day brings, are in the text."""
    rows = table()
    for families, formula, number in rows:
        assert number == series(formula, IN_THE_DOCUMENT) * max(1, len(families)), families
    dated = sum(number for _, formula, number in rows if "D" in formula)
    assert f"{dated // IN_THE_DOCUMENT.days:,} new series" in DOCUMENT.read_text(encoding="utf-8")
    assert f"{sum(number for _, _, number in rows):,} series" in DOCUMENT.read_text(encoding="utf-8")


def test_the_formulas_of_the_other_sources() -> None:
    """From rows of `/analytics/*` with every combination, day by day; the document has them in its text."""
    formulas = re.findall(r"`([A-Z\d *]+)`\s+for\s+`(\w+)`", DOCUMENT.read_text(encoding="utf-8"))
    views: list[Any] = [cost.Bill(), messages.Usage(), claude_code_cost.Users(2000, dict)]
    for day in Window(TODAY, SMALL.days).dates():
        for view, rows in zip(views, analytics_rows(SMALL), strict=True):
            view.replace(day, (), rows)
    found: Counter[str] = Counter()
    for view in views:
        for samples in view.changes(Window(TODAY, SMALL.days), ()).values():
            found.update({family: len(of) for family, of in samples.items()})
    only = {family.name for family in reports.FAMILIES} - {name for families, *_ in table() for name in families}
    shown = {name: number for name, number in found.items() if name in only}
    assert shown == {family: series(formula, SMALL) for formula, family in formulas}


def analytics_rows(wide: Wide) -> tuple[list[Any], list[Any], list[Any]]:
    """Return a day's rows of cost, messages and claude_code_cost."""
    models, keys, products = (range(number) for number in (wide.models, wide.keys, 4))
    bill = [
        cost.Row("default", f"m{model}", "tokens", "x", ONE, cost.ByAnalytics(f"k{key}", f"p{product}", ONE))
        for model, key, product in itertools.product(models, keys, products)
    ]
    used = [messages.Row("k", "default", f"m{model}", "standard", (1, 1, 1, 1, 1), 0, 1) for model in models]
    of_users = [
        claude_code_cost.Row(Actor("user", f"u{user}"), f"m{model}", ONE)
        for user, model in itertools.product(range(wide.users), models)
    ]
    return bill, used, of_users


async def test_the_warning_names_the_largest_families() -> None:
    """With the limit of the setting. An organisation with many workspaces has those that the document puts first."""
    with capture_logs() as lines:
        page = await page_of(SMALL._replace(workspaces=60), exporter_max_series_warn=1000)
    (line,) = [line for line in lines if line["log_level"] == "warning"]
    assert (line["series"], line["limit"]) == (sum(page.values()), 1000)
    assert line["largest"].startswith(
        f"{table()[0][0][0]} {SMALL.days * 60 * 5}, {table()[1][0][0]} {SMALL.days * 60}, "
    )


def test_no_family_is_forgotten() -> None:
    """A new family with a label that grows needs a row, or a word about it in the text on other sources."""
    growing = {"date", "workspace_id", "model", "user", "api_key_id"}
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [
        family.name for family in reports.FAMILIES if growing & {*family.labels} and f"`{family.name}`" not in text
    ] == []
