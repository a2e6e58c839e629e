"""Worlds for the proof: pages of real exporters, put into a database as its history, and what is true of them.

The simulated organisations and the exporters run in this process with a clock that stands still at `NOW`, so a world
is the same at each run. A page is written under a job and an instance, at the times of its scrapes.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest

from exporter.demo.organization import Organization
from exporter.demo.story import View
from exporter.reports import messages
from tests.dashboard.history import History
from tests.oracle import Samples, expected_samples
from tests.support import AFTERNOON, TODAY, Exporter, MovableTime, api_of

ROOT = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads(
    (ROOT / "grafana" / "dashboards" / "claude-usage.json").read_text(encoding="utf-8")
)

NOW = AFTERNOON
SECONDS_AGO = tuple(timedelta(seconds=age) for age in (10, 5, 0))
"""When a Prometheus that was started ten seconds ago has scraped."""
JOB = "anthropic-exporter"
FIRST, SECOND = "Sim Org", "Second & Co."
INSTANCES = {FIRST: "first:10918", SECOND: "second:10918"}
NEWLINE = "docs\nbot"

ABSENT_AT_FIRST = timedelta(days=30)
DEAD_SINCE = timedelta(days=2)


class SecondOrganization(Organization):
    """Another organisation, smaller; one of its API keys has a newline in its name."""

    def __init__(self) -> None:
        super().__init__(TODAY, people=30, seed=11)

    def me(self) -> dict[str, Any]:
        """Return `/v1/organizations/me`."""
        return {**super().me(), "id": "00000000-0000-4000-8000-000000000002", "name": SECOND}

    def usage_of(self, view: View) -> list[dict[str, Any]]:
        """Return the Claude Code records of a view, `docs-bot` being called otherwise."""
        return [_renamed(record) for record in super().usage_of(view)]


def _renamed(record: dict[str, Any]) -> dict[str, Any]:
    if record["actor"].get("api_key_name") != "docs-bot":
        return record
    return {**record, "actor": {**record["actor"], "api_key_name": NEWLINE}}


@dataclass(frozen=True)
class Page:
    """A page of an exporter, and the samples that it must show."""

    text: str
    samples: Samples


@dataclass(frozen=True)
class Pages:
    """The pages of which worlds are made."""

    first: Page
    second: Page
    second_before: Page
    """The second organisation's page of two days ago."""
    filling: Page
    """The first organisation's, 30 of 90 days being read."""
    failing: Page
    """The first organisation's, its key being refused for the cost report."""
    started: Page
    """Of an exporter that has read nothing, its key being refused."""
    withheld: Page
    """The first organisation's, of an exporter whose key may not read the report on messages."""


def pages() -> Pages:
    """Return the pages, from exporters that were filled from the simulated API."""
    first, second = Organization(TODAY), SecondOrganization()
    page, failing = asyncio.run(_filled(first, NOW))
    return Pages(
        page,
        asyncio.run(_filled(second, NOW))[0],
        asyncio.run(_filled(second, NOW - DEAD_SINCE))[0],
        _filling(page),
        failing,
        asyncio.run(_refused(first)),
        asyncio.run(_withheld(page)),
    )


async def _filled(organization: Organization, at: datetime) -> tuple[Page, Page]:
    """Return the page of a full exporter, and the page after its key was refused for the cost report."""
    time, samples = MovableTime(at), expected_samples(organization, at)
    async with api_of(organization, time) as api, api.exporter(None) as exporter:
        await exporter.fill()
        full = _text(exporter)
        api.faults.add(kind="401", path="cost_report")
        time.seconds += 3600  # the page is old by the other clock alone, so that its numbers stay
        await exporter.scrape()
        return Page(full, samples), Page(_text(exporter), samples)


async def _refused(organization: Organization) -> Page:
    async with api_of(organization, MovableTime(NOW)) as api, api.exporter(None) as exporter:
        api.faults.add(kind="401")
        await exporter.scrape()
        return Page(_text(exporter), {})


async def _withheld(full: Page) -> Page:
    async with api_of(Organization(TODAY), MovableTime(NOW)) as api, api.exporter(None) as exporter:
        api.faults.add(kind="403", path="messages")
        await exporter.fill()
        families = {family.name for family in messages.FAMILIES}
        return Page(_text(exporter), {key: value for key, value in full.samples.items() if key[0] not in families})


def _text(exporter: Exporter) -> str:
    """Return the whole page: the data, and what the exporter says of itself."""
    return exporter.refresher.page.body.decode() + generate_latest(exporter.telemetry.registry).decode()


def _filling(page: Page) -> Page:
    """Return a page as it is while the first fill runs: its older days are not there."""
    first = f"{NOW - ABSENT_AT_FIRST + timedelta(days=1):%Y-%m-%d}"

    def there(day: str | None, name: str) -> bool:
        return day is None or name == "anthropic_date_timestamp_seconds" or day >= first

    lines = (
        line.replace("} 1.0", "} 0.3333333333333333") if "coverage_ratio{" in line else line
        for line in page.text.splitlines()
        if there(_date(line), line.partition("{")[0])
    )
    samples = {key: value for key, value in page.samples.items() if there(dict(key[1]).get("date"), key[0])}
    return Page("\n".join(lines), samples)


def _date(line: str) -> str | None:
    return line.partition('date="')[2][:10] or None


def merged(*pages: Page) -> Samples:
    """Return the samples of several organisations as the dashboard adds them: times and 1s are not summed."""
    found: dict[Any, Decimal] = {}
    for page in pages:
        for key, value in page.samples.items():
            as_maximum = key[0].endswith(("_timestamp_seconds", "_info"))
            found[key] = max(found.get(key, value), value) if as_maximum else found.get(key, Decimal()) + value
    return found


def two_organizations(made: Pages) -> History:
    """Return the history of a Prometheus that was started ten seconds ago and scrapes two exporters."""
    history = History()
    for organization, page in {FIRST: made.first, SECOND: made.second}.items():
        history.scrape(page.text, _at(SECONDS_AGO), job=JOB, instance=INSTANCES[organization])
    history.add(RULES, 1, _at(SECONDS_AGO))
    history.add(ALERT.format(job=JOB, instance=INSTANCES[SECOND]), 1, _at(SECONDS_AGO))
    return history


RULES = 'anthropic:threshold:value{threshold="any"}'
"""A record of our rules: where it is, Prometheus evaluates them."""
ALERT = 'ALERTS{{alertname="AnthropicTest",alertstate="firing",job="{job}",instance="{instance}"}}'


def troubles(made: Pages) -> History:
    """Return the history of exporters with troubles, each under a job: one of two dead, filling, failing, and so on."""
    history = History()
    history.scrape(made.first.text, _at(SECONDS_AGO), job="dead", instance="alive")
    history.scrape(made.second_before.text, [NOW - DEAD_SINCE], job="dead", instance="dead")
    history.up(0, _every_five_minutes(DEAD_SINCE), job="dead", instance="dead")
    history.scrape(made.filling.text, _at(SECONDS_AGO), job="filling", instance="one")
    history.scrape(made.failing.text, _at(SECONDS_AGO), job="failing", instance="one")
    history.scrape(made.second_before.text, [NOW - DEAD_SINCE], job="down", instance="one")
    history.up(0, _every_five_minutes(DEAD_SINCE), job="down", instance="one")
    history.scrape(made.started.text, _at(SECONDS_AGO), job="started", instance="one")
    history.scrape(made.second_before.text, [NOW - DEAD_SINCE], job="known", instance="one")
    history.scrape(made.second.text, _at(SECONDS_AGO), job="known", instance="one")
    history.scrape(made.withheld.text, _at(SECONDS_AGO), job="withheld", instance="one")
    history.add(ALERT.format(job="down", instance="one"), 1, _every_five_minutes(timedelta(days=1)))
    history.add(RULES, 1, [NOW - DEAD_SINCE, *_every_five_minutes(DEAD_SINCE)])
    return history


def _at(ages: Iterable[timedelta]) -> list[datetime]:
    return [NOW - age for age in ages]


def _every_five_minutes(since: timedelta) -> list[datetime]:
    step = timedelta(minutes=5)
    return [NOW - since + number * step for number in range(1, since // step + 1)]
