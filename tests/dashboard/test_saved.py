"""What caching saved, in states that the simulated organisation does not have: pages are written by hand."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import timedelta

import httpx
import pytest

from tests.dashboard.conftest import Databases
from tests.dashboard.expected_tokens import saved
from tests.dashboard.history import History
from tests.dashboard.judging import KEYS, SAVED
from tests.dashboard.library import Grafana, Seen, State
from tests.dashboard.truth import truth_of
from tests.dashboard.world import DASHBOARD, NOW, ROOT, SECONDS_AGO
from tests.oracle import scrape_samples

pytestmark = pytest.mark.integration

UNCACHED, READ = "uncached_input_tokens", "cache_read_input_tokens"
WRITE, OUTPUT = "cache_creation.ephemeral_5m_input_tokens", "output_tokens"
Line = tuple[int, str, str, float | None, float | None]
"""Age of the day, model, token type, millions of tokens and dollars; None where a report has no such number."""

PAID: list[Line] = [(1, "opus", UNCACHED, 10, 50.0), (1, "opus", READ, 100, 50.0), (1, "opus", WRITE, 4, 25.0)]
CASES: Mapping[str, tuple[list[Line], float | None]] = {
    "reads and writes at five dollars a million": (PAID, 445),
    "output does not count": ([*PAID, (1, "opus", OUTPUT, 9, 200.0)], 445),
    "one price for the range": ([*PAID, (2, "opus", UNCACHED, 10, 150.0), (2, "opus", READ, 0, None)], 965),
    "writes that were never read": ([(1, "opus", UNCACHED, 10, 50.0), (1, "opus", WRITE, 4, 25.0)], -5),
    "nothing was cached": ([(1, "opus", UNCACHED, 10, 50.0), (1, "opus", READ, 0, None)], 0),
    "no uncached input": ([(1, "opus", UNCACHED, 0, None), (1, "opus", READ, 100, 50.0)], None),
    "uncached input that is not on the bill": ([(1, "opus", UNCACHED, 10, None), (1, "opus", READ, 100, 50.0)], None),
    "uncached input that was free": ([(1, "opus", UNCACHED, 10, 0.0), (1, "opus", READ, 100, 50.0)], None),
    "cost of no tokens": ([(1, "opus", UNCACHED, 0, 5.0), (1, "opus", READ, 100, 50.0)], None),
    "another model without a price": ([*PAID, (1, "haiku", READ, 100, 10.0)], 445),
    "two models": ([*PAID, (1, "haiku", UNCACHED, 1, 1.0), (1, "haiku", READ, 10, 1.0)], 454),
    "a day without its bill": ([*PAID, (2, "opus", UNCACHED, 90, None), (2, "opus", READ, 900, None)], 445),
    "a day without its tokens": ([*PAID, (2, "opus", UNCACHED, None, 90.0), (2, "opus", READ, None, 900.0)], 445),
}


def page(lines: list[Line]) -> str:
    """Return the page of an exporter with these numbers."""
    day = {age: f"{NOW - timedelta(days=age):%Y-%m-%d}" for age, *_ in lines}
    midnight = {age: NOW.replace(hour=0, minute=0, second=0) - timedelta(days=age) for age in day}
    texts = [
        'anthropic_exporter_build_info{version="1"} 1',
        f'anthropic_report_last_success_timestamp_seconds{{report="cost"}} {NOW.timestamp()}',
        *(f'anthropic_date_timestamp_seconds{{date="{of}"}} {midnight[age].timestamp()}' for age, of in day.items()),
        *(
            f'anthropic_web_searches{{date="{day[age]}"}} 0'
            for age in {age for age, *_, n, _ in lines if n is not None}
        ),
    ]
    for age, model, kind, tokens, cost in lines:
        labels = f'date="{day[age]}",model="{model}",token_type="{kind}"'
        if tokens is not None:
            texts.append(f"anthropic_tokens{{{labels}}} {tokens * 1e6}")
        if cost is not None:
            texts.append(f'anthropic_cost_usd{{{labels},cost_type="tokens"}} {cost}')
    return "\n".join(texts)


def keys() -> str:
    """Return the page of an exporter with more API keys than are shown."""
    lines = [f'anthropic_api_key_tokens{{api_key_id="{n}",model="opus",token_type="{READ}"}} {n}' for n in range(1, 31)]
    return "\n".join((page(PAID), *lines))


@pytest.fixture(scope="module", name="database", params=["prometheus", "victoria-metrics"])
def a_database(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """Yield the URL of a database that has scraped an exporter for each case, under the name of the case."""
    history = History()
    for case, text in {**{case: page(lines) for case, (lines, _) in CASES.items()}, "keys": keys()}.items():
        history.scrape(text, [NOW - age for age in SECONDS_AGO], job=case, instance="one")
    with databases(request.param, history) as url:
        yield url


@pytest.fixture(scope="module", name="looked")
def what_was_seen(grafana: Grafana, database: str) -> Mapping[str, Seen]:
    """Return the dashboard of the last 7 days in each case."""
    states = {case: State("now-7d", "now", {"job": [case]}) for case in (*CASES, "keys")}
    return grafana.look(database, DASHBOARD, states)


@pytest.mark.parametrize("case", CASES)
def test_what_caching_saved(looked: Mapping[str, Seen], case: str) -> None:
    """The dollars are those that a person works out, and the oracle; without a price there is no number."""
    lines, dollars = CASES[case]
    seen = looked[case]
    truth = saved(truth_of(scrape_samples(page(lines) + "\n"), seen))
    assert (truth if truth is None else float(truth)) == dollars
    shown = [value for frame in seen.frames[SAVED] for field in frame[1:] for value in field.values]
    assert shown == ([] if dollars is None else [pytest.approx(dollars)])


def test_the_largest_keys(looked: Mapping[str, Seen]) -> None:
    """Twenty keys are listed, the largest first, with their share of all of them."""
    (table,) = looked["keys"].frames[KEYS]
    columns = {field.name: field.values for field in table}
    assert columns["Id"] == [str(number) for number in range(30, 10, -1)]
    assert columns["Share"][0] == pytest.approx(30 / sum(range(1, 31)))


def test_the_recipe_of_the_documents(database: str) -> None:
    """It gives the same dollars by model, which add up; a model that never cached has none."""
    text = (ROOT / "docs" / "explanation" / "numbers.md").read_text("utf-8")
    (recipe,) = [block for block in re.findall(r"```promql\n(.*?)```", text, re.DOTALL) if "cost" in block]
    parameters = {"query": recipe, "time": str(NOW.timestamp())}
    answer = httpx.get(f"{database}/api/v1/query", params=parameters).raise_for_status().json()
    sums: dict[str, float] = defaultdict(float)
    for one in answer["data"]["result"]:
        sums[one["metric"]["job"]] += float(one["value"][1])
    assert sums == {
        **{case: pytest.approx(dollars) for case, (_, dollars) in CASES.items() if dollars},
        "keys": pytest.approx(445),
    }
