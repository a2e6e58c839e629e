"""What work may cost, in counts and ratios: they do not depend on the machine. Times are the benchmark's."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from exporter.exposition.encoder import encode, header
from exporter.model import Family, Sample
from exporter.reports import listings
from exporter.reports.claude_code import NAME, ClaudeCodeUsage
from exporter.reports.report import Report
from tests.guard.conftest import WINDOW_DAYS
from tests.statements import Statements
from tests.support import REPORTS, TODAY, WARM_REQUESTS, Api, Exporter, MovableTime

pytestmark = pytest.mark.anyio
DAYS = 2 * len(REPORTS)
"""Days that a warm refresh reads: today and yesterday of each report."""
ALWAYS = 2 + len(listings())
"""Distinct users, listings and health are rendered for every page; a refresh within a second makes one."""


class Calls:
    """How often a method was called on the report or source of claude_code; it does what it did."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        self.number = 0
        original: Callable[..., Any] = getattr(owner, name)

        def counted(of: Any, *arguments: Any) -> Any:  # noqa: ANN401 - stands for any method
            self.number += isinstance(of, ClaudeCodeUsage) or of.name == NAME
            return original(of, *arguments)

        monkeypatch.setattr(owner, name, counted)


def pieces(exporter: Exporter) -> int:
    """Return how many pieces were rendered so far."""
    return exporter.refresher.ledger.pieces.rendered


async def test_a_refresh_in_which_nothing_changed_is_a_few_requests_and_their_digests(
    api: Api, exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No page of usage is parsed, no row of it is stored or decoded, and no piece of a day or a user is rendered."""
    requests, statements, rendered = len(api.log), Statements(exporter.store), pieces(exporter)
    parsed, decoded = Calls(monkeypatch, ClaudeCodeUsage, "read"), Calls(monkeypatch, Report, "each")
    await exporter.scrape_later()
    assert len(api.log) - requests <= WARM_REQUESTS
    assert (parsed.number, decoded.number) == (0, 0)
    assert pieces(exporter) - rendered == ALWAYS
    assert statements.number <= DAYS * 3 + 2  # each day is noted: BEGIN, UPDATE, COMMIT


async def test_a_refresh_in_which_today_changed_costs_today(
    api: Api, exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One page is parsed, one day is decoded, and the users of today are rendered, each once."""
    api.organization.restate(TODAY, 2)
    users_of_today = {str(record["actor"]) for record in api.organization.claude_code_records(TODAY, api.time.now())}
    requests, statements, rendered = len(api.log), Statements(exporter.store), pieces(exporter)
    parsed, decoded = Calls(monkeypatch, ClaudeCodeUsage, "read"), Calls(monkeypatch, Report, "each")
    await exporter.scrape_later()
    assert len(api.log) - requests <= WARM_REQUESTS
    assert (parsed.number, decoded.number) == (1, 1)
    assert pieces(exporter) - rendered <= ALWAYS + 4 + len(
        users_of_today
    )  # today's usage, bill and messages, and API keys
    assert statements.number <= DAYS * 3 + 6


async def test_a_scrape_of_a_fresh_page_costs_nothing(api: Api, exporter: Exporter) -> None:
    """No request, no statement, no piece, and the same page."""
    statements, before = Statements(exporter.store), (len(api.log), pieces(exporter), exporter.refresher.page)
    await exporter.scrape()
    assert (len(api.log), pieces(exporter), exporter.refresher.page) == before
    assert statements.number == 0


async def test_a_start_adds_up_the_days_that_are_not_settled_and_no_others(
    api: Api, exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Today and yesterday; the sums of the others were stored. The page was kept."""
    exporter.store.close()
    decoded = Calls(monkeypatch, Report, "each")
    async with api.exporter(tmp_path / "data", MovableTime()) as again:
        assert decoded.number == 2
        assert again.refresher.ledger._kept_numbers
        assert (
            again.refresher.page.series + len(REPORTS) == exporter.refresher.page.series
        )  # anthropic_up: not tried yet


@pytest.mark.parametrize("days", [20, 60])
async def test_a_refresh_does_not_grow_with_the_days_kept(api: Api, tmp_path: Path, days: int) -> None:
    """The same statements and pieces for 20 days and for 60."""
    api.given["exporter_window_days"] = days
    async with api.exporter(tmp_path / "more", MovableTime()) as exporter:
        await exporter.fill()
        api.organization.restate(TODAY, 2)
        statements, rendered = Statements(exporter.store), pieces(exporter)
        await exporter.scrape_later()
        assert statements.number <= DAYS * 3 + 6
        assert pieces(exporter) - rendered <= ALWAYS + 4 + 40


async def test_the_page_for_people_reads_each_day_once(api: Api, exporter: Exporter) -> None:
    """Of messages, whose rows it needs; asked for again, it reads none until a day has changed."""
    statements = Statements(exporter.store)
    assert (await exporter.get("/")).status_code == 200
    assert statements.number == WINDOW_DAYS
    statements = Statements(exporter.store)
    await exporter.get("/")
    assert statements.number == 0
    api.organization.restate(TODAY, 2)
    await exporter.scrape_later()
    statements = Statements(exporter.store)
    await exporter.get("/")
    assert statements.number == WINDOW_DAYS


async def test_the_page_is_small(exporter: Exporter) -> None:
    """Bytes of a series, plain and compressed."""
    page = exporter.refresher.page
    assert len(page.body) / page.series < 130
    assert len(page.gzip(b"")) / page.series < 15


def test_the_encoder_is_several_times_faster_than_generate_latest() -> None:
    """The same bytes, and at least four times faster in the same process; the benchmark asks for eight."""
    family = Family("family", "Help.", ("actor_type", "token_type", "user"))
    samples: list[Sample] = [
        (("user", kind, f"user{number}@example.test"), number * factor)
        for number in range(2000)
        for kind, factor in (("cache_read", 1_234_567), ("input", 1), ("output", 0.37))
    ]
    metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for values, number in samples:
        metric.add_metric(values, number)
    registry = CollectorRegistry()
    registry.register(_Ready(metric))
    assert header(family) + encode(family, samples) == generate_latest(registry)
    assert _best(lambda: generate_latest(registry)) / _best(lambda: encode(family, samples)) > 4


class _Ready:
    def __init__(self, metric: GaugeMetricFamily) -> None:
        self._metric = metric

    def collect(self) -> list[GaugeMetricFamily]:
        """Return the metric."""
        return [self._metric]


def _best(work: Callable[[], object]) -> float:
    """Return the CPU seconds of the best of five runs."""
    seconds = []
    for _ in range(5):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return min(seconds)
