"""The variables offer what the organisation has, and the hidden one finds the newest scrape."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.dashboard import library
from tests.dashboard.asking import (
    Json,
    Picked,
    Prometheus,
    answers,
    as_of_sample,
    panels,
    variable,
    with_as_of,
)
from tests.dashboard.lint import label_values
from tests.dashboard.servers import prometheus
from tests.dashboard.world import DASHBOARD, World

pytestmark = pytest.mark.integration

MINUTE = timedelta(minutes=1)


def offered(world: World, name: str) -> set[str]:
    """Return the values that a variable offers."""
    selector, label = label_values(world.pick(90).fill(variable(DASHBOARD, name)["query"]["query"]))
    return set(world.prometheus.ask(f"label/{label}/values", **{"match[]": selector}))


@pytest.mark.parametrize(
    ("name", "families", "label"),
    [
        ("model", {"anthropic_cost_usd", "anthropic_claude_code_tokens"}, "model"),
        ("token_type", {"anthropic_claude_code_tokens"}, "token_type"),
        ("workspace", {"anthropic_workspace_info"}, "workspace_name"),
        ("user", {"anthropic_claude_code_user_sessions"}, "user"),
    ],
)
def test_a_variable_offers_every_value(world: World, name: str, families: set[str], label: str) -> None:
    """Each variable offers all values of its label that the organisation has, and no other."""
    true = {dict(labels)[label] for family, labels in world.samples if family in families}
    assert offered(world, name) == true


def test_job_and_instance(world: World) -> None:
    """Job and instance offer the one exporter."""
    assert offered(world, "job") == {"anthropic-exporter"}
    assert len(offered(world, "instance")) == 1


def test_grafana_reads_the_hidden_variable(world: World, proof: Path, tmp_path: Path) -> None:
    """Grafana's own data source asks the query of `as_of`, and its expression takes the value from the answer."""
    picked = world.pick(90)
    sample = as_of_sample(DASHBOARD, picked, world.prometheus)
    found = variable(DASHBOARD, "as_of")
    query = picked.fill(found["query"]["query"])
    answer = {"resultType": "vector", "result": [sample]}
    script = library.bundle_for_node("variable.mjs", tmp_path)
    work = {"query": query, "regex": found["regex"], "answer": answer}
    said = library.run_script(script, work, "UTC")
    assert said == {"asked": query.removeprefix("query_result(").removesuffix(")"), "value": picked.chosen["as_of"]}


def history(first: datetime, last: datetime) -> str:
    """Return an OpenMetrics text of one scrape a minute, in which the cost of yesterday grows by a dollar each time."""
    day = f"{first - timedelta(days=1):%Y-%m-%d}"
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
    times = [(first + step * MINUTE).timestamp() for step in range((last - first) // MINUTE + 1)]
    scope = 'job="j",instance="i"'
    families = {
        f'anthropic_report_last_success_timestamp_seconds{{{scope},report="cost"}}': times,
        f'anthropic_date_timestamp_seconds{{{scope},date="{day}"}}': [midnight] * len(times),
        f'anthropic_cost_usd{{{scope},date="{day}",model="m",token_type="t",cost_type="c"}}': range(1, len(times) + 1),
    }
    lines = []
    for series, values in families.items():
        lines.append(f"# TYPE {series.partition('{')[0]} gauge")
        lines += [f"{series} {value} {time}" for time, value in zip(times, values, strict=True)]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def now() -> datetime:
    """Return the moment of these tests, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory, now: datetime) -> Iterator[Prometheus]:
    """Yield a Prometheus that scraped an exporter from 20 to 10 hours ago, which is down since."""
    library.require(program="prometheus")
    folder = tmp_path_factory.mktemp("silent")
    text = folder / "history.om"
    text.write_text(history(now - timedelta(hours=20), now - timedelta(hours=10)))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(folder / "tsdb")]
    subprocess.run(command, check=True, capture_output=True)
    with prometheus(folder, "127.0.0.1:9") as asked:
        yield asked


@pytest.mark.parametrize(
    ("last", "found"),
    [
        (timedelta(0), timedelta(hours=10)),
        (timedelta(hours=15), timedelta(hours=10)),
        (timedelta(days=80), timedelta(hours=10)),
    ],
    ids=["now, while the exporter is down", "in its history", "before its history"],
)
def test_as_of_is_the_newest_scrape(silent: Prometheus, now: datetime, last: timedelta, found: timedelta) -> None:
    """Wherever the picker ends, the newest scrape is found, or one at most 5 minutes before it."""
    picked = with_as_of(DASHBOARD, Picked(now - timedelta(days=90), now - last), silent)
    newest = (now - found).timestamp()
    assert newest - 300 < float(picked.chosen["as_of"]) <= newest


@pytest.mark.parametrize("hours", [0, 15], ids=["now", "in the past"])
def test_days_as_known_at_the_newest_scrape(silent: Prometheus, now: datetime, hours: int) -> None:
    """A range that ends in the past shows a restated day as it is known now, and a dead exporter's days stay."""
    picked = with_as_of(DASHBOARD, Picked(now - timedelta(days=30), now - timedelta(hours=hours)), silent)
    (spend,) = [panel for panel in panels(DASHBOARD) if panel["title"] == "Total spend"]
    (sample,) = answers(spend, picked, silent)["A"]["result"]
    assert 595 < float(sample["value"][1]) <= 601


def test_without_a_scrape_it_is_the_right_edge(silent: Prometheus, now: datetime) -> None:
    """Where Prometheus knows nothing, the variable still has a value, so that no query is malformed."""
    picked = with_as_of(DASHBOARD, Picked(now - timedelta(days=200), now - timedelta(days=120)), silent)
    assert float(picked.chosen["as_of"]) == picked.end.timestamp()


def test_the_sketch_of_the_option_is_grafana_s(dashboard: Json) -> None:
    """The expression that the tests use is the variable's."""
    assert variable(dashboard, "as_of")["regex"] == "/ ([0-9.]+) /"
