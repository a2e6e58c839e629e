"""A real Prometheus scrapes the real process: what it has stored is the organisation's truth; nothing was dropped."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

from tests.integration.processes import (
    Prometheus,
    Running,
    Upstream,
    environment,
    forked,
    prometheus,
    started,
    upstream,
    wait_for,
)
from tests.oracle import Samples, differences

pytestmark = pytest.mark.integration
ALL = '{__name__=~"anthropic_.+"}'


@dataclass
class Scraped:
    """The organisation, the exporter that reads it, and the Prometheus that scrapes that."""

    api: Upstream
    exporter: Running
    prometheus: Prometheus
    truth: Samples

    def total(self, family: str, *names: str) -> dict[tuple[str, ...], float]:
        """Return the truth of a family, summed by some labels."""
        sums: dict[tuple[str, ...], Decimal] = {}
        for (name, labels), value in self.truth.items():
            if name == family:
                key = tuple(dict(labels)[label] for label in names)
                sums[key] = sums.get(key, Decimal(0)) + value
        return {key: float(value) for key, value in sums.items()}

    def asked(self, promql: str, *names: str) -> dict[tuple[str, ...], float]:
        """Return the result of a query by some labels."""
        result = self.prometheus.query(promql)
        return {tuple(row["metric"][label] for label in names): float(row["value"][1]) for row in result}


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    """Fill an exporter with 90 days of the whole organisation, and let Prometheus scrape it."""
    folder = tmp_path_factory.mktemp("scraped")
    with (
        upstream(people=120, window_days=90) as api,
        started(folder / "exporter", environment(api.url, exporter_window_days=90)) as exporter,
    ):
        exporter.filled()
        with prometheus(folder / "prometheus", exporter.address.removeprefix("http://")) as server:
            wait_for(lambda: server.query("count_over_time(up[1h]) >= 2"), what="two scrapes")
            yield Scraped(api, exporter, server, api.expected())


def test_every_sample_that_is_stored_is_the_truth(scraped: Scraped) -> None:
    """Asked over Prometheus's API, each series has the value of the organisation's own sums, and none is missing."""
    assert differences(scraped.truth, scraped.prometheus.samples(ALL)) == []


def test_the_spend_of_the_window(scraped: Scraped) -> None:
    """sum(anthropic_cost_usd) is the organisation's spend."""
    ((), spend), *_ = scraped.total("anthropic_cost_usd").items()
    assert scraped.prometheus.number("sum(anthropic_cost_usd)") == pytest.approx(spend, rel=1e-12)
    assert scraped.prometheus.number("sum(anthropic_workspace_cost_usd)") == pytest.approx(spend, rel=1e-12)


def test_the_daily_chart(scraped: Scraped) -> None:
    """One bar a day, each the spend of that day."""
    chart = scraped.asked("sum by (date) (anthropic_cost_usd)", "date")
    assert chart == pytest.approx(scraped.total("anthropic_cost_usd", "date"), rel=1e-12)
    assert len(chart) >= 85


def test_distinct_users(scraped: Scraped) -> None:
    """The three windows of distinct users, by actor type, are no sums of daily users."""
    for window in ("", "monthly_", "weekly_"):
        family = f"anthropic_claude_code_{window}active_users"
        assert scraped.asked(family, "actor_type") == scraped.total(family, "actor_type")


def test_dates_are_chosen_by_time(scraped: Scraped) -> None:
    """The join of the contract chooses yesterday, and only that."""
    midnight = scraped.api.now.replace(hour=0, minute=0)
    age = f"({midnight.timestamp():.0f} + 43200 - anthropic_date_timestamp_seconds)"
    chosen = scraped.asked(f"sum by (date) (anthropic_cost_usd and on (date) ({age} >= 86400 < 172800))", "date")
    (day,) = chosen
    assert chosen[day] == pytest.approx(scraped.total("anthropic_cost_usd", "date")[day], rel=1e-12)


def test_as_many_series_as_lines(scraped: Scraped) -> None:
    """Prometheus has stored exactly the lines of the page: none was dropped, merged or refused."""
    page = scraped.exporter.get("/metrics").text
    lines = [line for line in page.splitlines() if not line.startswith("#")]
    assert scraped.prometheus.number("scrape_samples_scraped") == len(lines)
    assert scraped.prometheus.number("scrape_samples_post_metric_relabeling") == len(lines)
    own = "up|scrape_.+"
    assert scraped.prometheus.number(f'count({{job="exporter", __name__!~"{own}"}})') == len(lines)
    assert scraped.prometheus.number("up") == 1


def test_prometheus_has_nothing_to_say(scraped: Scraped) -> None:
    """Nothing about samples that were dropped, doubled or out of order; no error and no warning."""
    assert not re.search(r"dropped|duplicate|out.of.order|level=(warn|error)", scraped.prometheus.log, re.IGNORECASE)


def test_promtool_prints_nothing(scraped: Scraped) -> None:
    """`promtool check metrics` finds no fault in names, help texts and types."""
    page = scraped.exporter.get("/metrics", headers={"accept": "text/plain"}).content
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_restart_shows_all_at_once(scraped: Scraped) -> None:
    """A copy of the data folder in a new process: the page is full before any request was made."""
    copy = scraped.exporter.folder.parent / "restarted"
    shutil.copytree(scraped.exporter.folder / "data", copy / "data")
    with forked(copy, environment("http://127.0.0.1:1", exporter_window_days=90)) as again:
        assert again.get("/-/ready").status_code == 200
        assert again.wrong(scraped.api) == []
