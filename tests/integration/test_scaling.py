"""What docs/explanation/scaling.md shows works as it is written there, in the real programs."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.integration.processes import (
    ROOT,
    Prometheus,
    Running,
    environment,
    forked,
    free_port,
    prometheus,
    upstream,
    wait_for,
)
from tests.oracle import Samples

pytestmark = pytest.mark.integration
DOCUMENT = ROOT / "docs" / "explanation" / "scaling.md"
FAMILIES = ("anthropic_cost_usd", "anthropic_workspace_tokens", "anthropic_claude_code_user_estimated_cost_usd")


def shown(name: str) -> dict[str, Any]:
    """Return the configuration of Prometheus that the document marks with a name."""
    text = DOCUMENT.read_text(encoding="utf-8")
    (block,) = re.findall(rf"<!-- test: {name} -->\n\n```yaml\n(.*?)```", text, re.DOTALL)
    config: dict[str, Any] = yaml.safe_load(block)
    return config


@pytest.fixture(scope="module")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Yield an exporter that has read everything."""
    folder = tmp_path_factory.mktemp("exporter")
    with (
        upstream(people=20, window_days=30) as api,
        forked(folder, environment(api.url, exporter_window_days=30)) as running,
    ):
        yield running.filled()


def of_families(samples: Samples, *names: str) -> Samples:
    """Return the samples of some families."""
    return {key: value for key, value in samples.items() if key[0] in names}


def test_families_that_are_dropped_are_gone(exporter: Running, tmp_path: Path) -> None:
    """The scrape works and stores every other line of the page; of the families named there is no series."""
    (job,) = shown("drop")["scrape_configs"]
    dropped = job["metric_relabel_configs"][0]["regex"].split("|")
    page = exporter.samples()
    assert all(of_families(page, name) for name in dropped)
    relabel = job["metric_relabel_configs"]
    with prometheus(tmp_path, exporter.address.removeprefix("http://"), metric_relabel_configs=relabel) as server:
        wait_for(lambda: server.query("count_over_time(up[1h]) >= 2"), what="two scrapes")
        assert server.number("up") == 1
        assert server.samples(f'{{__name__=~"{"|".join(dropped)}"}}') == {}
        assert server.samples("anthropic_cost_usd") == of_families(page, "anthropic_cost_usd")
        lost = server.number("scrape_samples_scraped - scrape_samples_post_metric_relabeling")
        assert lost == len(of_families(page, *dropped))


def test_a_limit_below_the_page_refuses_the_whole_scrape(exporter: Running, tmp_path: Path) -> None:
    """`up` is 0 and nothing is stored, with either limit that the document names."""
    target = exporter.address.removeprefix("http://")
    limits: dict[str, object] = {"sample_limit": 100, "body_size_limit": "1KB"}
    for name, limit in limits.items():
        with prometheus(tmp_path / name, target, **{name: limit}) as server:
            wait_for(lambda: server.number("up") is not None, what="a scrape")
            assert server.number("up") == 0
            assert server.query('{__name__=~"anthropic_.+"}') == []


def test_who_uses_what_the_document_drops() -> None:
    """No rule, and the two panels that the document names."""
    (job,) = shown("drop")["scrape_configs"]
    dropped = re.compile(job["metric_relabel_configs"][0]["regex"])
    rules = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "prometheus").rglob("*.yml"))
    assert "anthropic_workspace_cost_usd" in rules
    assert not dropped.search(rules)
    (board,) = (json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "grafana").rglob("claude-usage.json"))
    panels = [panel for row in board["panels"] for panel in (row, *row.get("panels", ()))]
    using = [one["title"] for one in panels if dropped.search(json.dumps(one.get("targets", [])))]
    assert using == ["API tokens by workspace", "API tokens by key (whole window)"]


def test_an_agent_writes_the_page_to_victoria_metrics(exporter: Running, tmp_path: Path) -> None:
    """Each series of some families has the value of the page, and there is no other."""
    page = exporter.samples()
    with victoria_metrics(tmp_path / "vm") as database, agent(tmp_path, exporter.address, database.url):
        wait_for(lambda: database.query("anthropic_up"), what="a sample")
        for name in FAMILIES:
            expected = of_families(page, name)
            wait_for(lambda: len(database.samples(name)) == len(expected), what=name)  # noqa: B023 - called at once
            assert expected
            assert database.samples(name) == expected


@contextmanager
def agent(folder: Path, target: str, database: str) -> Iterator[None]:
    """Run the document's command with its configuration, to other addresses and once a second."""
    config = shown("agent")
    config["scrape_configs"][0].update(scrape_interval="1s", scrape_timeout="1s")
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [target.removeprefix("http://")]
    config["remote_write"][0]["url"] = database + httpx.URL(config["remote_write"][0]["url"]).path
    (folder / "prometheus.yml").write_text(json.dumps(config))
    (command,) = re.findall(r"^    (prometheus .*)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    listen = f"--web.listen-address=127.0.0.1:{free_port()}"
    with program([*command.split(), listen], folder):
        yield


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[Prometheus]:
    """Run a VictoriaMetrics; it answers the queries of a Prometheus."""
    url = f"127.0.0.1:{free_port()}"
    folder.mkdir()
    command = ["victoria-metrics", f"-storageDataPath={folder / 'data'}", f"-httpListenAddr={url}"]
    with program([*command, "-search.latencyOffset=0s"], folder):
        wait_for(lambda: healthy(f"http://{url}"), what="VictoriaMetrics")
        yield Prometheus(f"http://{url}", folder / "log")


@contextmanager
def program(command: list[str], folder: Path) -> Iterator[None]:
    """Run a program in a folder, and end it."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def healthy(url: str) -> bool:
    """Return whether a server is up."""
    try:
        return httpx.get(f"{url}/health").is_success
    except httpx.TransportError:
        return False
