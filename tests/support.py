"""What the tests of the whole share: a clock that the test moves, and the exporter in this process.

The API is the simulated one over real HTTP on loopback; the store is a real folder. None of our code is replaced.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from exporter import service
from exporter.clock import Clock
from exporter.days.store import Store
from exporter.demo.organization import Organization
from exporter.demo.server import make_server
from exporter.refresh.refresher import Refresher
from exporter.reports import NAMES, reports
from exporter.settings import Settings
from exporter.telemetry import Telemetry
from tests.oracle import Samples, differences, expected_samples, scrape_samples
from tests.simulator.api import RequestLog, create_api, running
from tests.simulator.faults import Faults

DAY = timedelta(days=1)
TODAY = date(2026, 11, 20)
"""A Friday."""
AFTERNOON = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
KEY = "sk-ant-admin01-of-the-tests-0123456789"
TTL = 60.0
VERSIONS = ("2023-06-01", "2026-10-21")
"""Of the API: both give the same page."""
REPORTS = tuple(report.name for report in reports())
REPORT_PATHS = {report.name: report.source.request(TODAY, TODAY).path for report in reports()}
FAMILIES_OF = {report.name: tuple(family.name for family in report.families) for report in reports()}
WARM_REQUESTS = sum(-(-2 // report.source.days_per_request) for report in reports()) + 1
"""Today and yesterday of each report, and one request for settled days."""


def fill_requests(days: int) -> int:
    """Return how many requests a first fill of so many days needs."""
    return sum(-(-days // report.source.days_per_request) for report in reports())


@dataclass
class MovableTime:
    """The time of a test: it stands still until the test moves it."""

    at: datetime = AFTERNOON
    seconds: float = 1000.0

    def now(self) -> datetime:
        """Return the time of day."""
        return self.at

    def monotonic(self) -> float:
        """Return seconds that only go forward."""
        return self.seconds

    def advance(self, seconds: float | timedelta) -> None:
        """Let time pass."""
        passed = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        self.at += timedelta(seconds=passed)
        self.seconds += passed

    def step(self, by: timedelta) -> None:
        """Set the clock of the machine, without time passing."""
        self.at += by

    @property
    def clock(self) -> Clock:
        """This time as the exporter takes it."""
        return Clock(self.now, self.monotonic)


@dataclass
class Exporter:
    """A running exporter without its web server, and what a test asks it."""

    refresher: Refresher
    telemetry: Telemetry
    store: Store
    time: MovableTime
    app: Starlette

    async def fill(self) -> None:
        """Let the schedule tick until a refresh has ended."""
        await self.refresher.tick()
        await self.refresher.settle()

    async def scrape(self, patience: float = 30) -> None:
        """Scrape, and let the refresh end."""
        await self.refresher.scrape(patience)
        await self.refresher.settle()

    async def scrape_later(self, seconds: float = TTL + 1) -> None:
        """Let time pass, and scrape."""
        self.time.advance(seconds)
        await self.scrape()

    def shown(self) -> Samples:
        """Return the samples of the page as it is."""
        return scrape_samples(self.refresher.page.body.decode())

    async def get(self, path: str) -> httpx.Response:
        """Return the response to a GET."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(path)

    def up(self) -> set[float | None]:
        """Return the values of `anthropic_up`: {1} if every report is up."""
        return {self.health("up", report) for report in REPORTS}

    def own(self, name: str, **labels: str) -> float | None:
        """Return one of the exporter's own metrics."""
        if name == "users_folded":
            return self.shown_value("anthropic_exporter_users_folded")
        return self.telemetry.registry.get_sample_value(f"anthropic_exporter_{name}", labels)

    def health(self, name: str, report: str) -> float | None:
        """Return a health sample of a report, None where there is none."""
        return self.shown_value(f'anthropic_{name}{{report="{report}"}}')

    def shown_value(self, series: str) -> float | None:
        """Return the value of a series on the page, None where it is missing."""
        begin = f"{series} ".encode()
        values = [line[len(begin) :] for line in self.refresher.page.body.splitlines() if line.startswith(begin)]
        return float(values[0]) if values else None


@dataclass
class Api:
    """The simulated organisation and its API at an address."""

    organization: Organization
    time: MovableTime
    app: Starlette
    url: str
    faults: Faults
    given: dict[str, Any]
    """Settings of each exporter that is started, by field name."""
    stop: Callable[[], Awaitable[None]]
    """Ends the server: from then on connections are refused."""

    @property
    def log(self) -> RequestLog:
        """The requests so far."""
        log: RequestLog = self.app.state.log
        return log

    def requests(self, *reports: str) -> int:
        """Return how many requests there were so far for days of some reports, of all by default; none of names."""
        return sum(len(self.log.to(REPORT_PATHS[report])) for report in reports or REPORTS)

    def settings(self, folder: Path | None) -> Settings:
        """Return the settings of an exporter of this API."""
        given = {
            "anthropic_admin_key": KEY,
            "anthropic_base_url": self.url,
            "exporter_requests_per_minute": 100_000,
            "exporter_data_dir": folder or Path("nowhere"),
            **self.given,
        }
        return Settings(_env_file=None, **given)

    @asynccontextmanager
    async def exporter(self, folder: Path | None, time: MovableTime | None = None) -> AsyncIterator[Exporter]:
        """Yield an exporter on a data folder; None keeps its days in memory. Its clock is the API's, or its own."""
        telemetry, store, time = Telemetry(NAMES), Store(folder), time or self.time
        try:
            settings = self.settings(folder)
            async with service.refreshing(settings, store, telemetry, time.clock) as refresher:
                await loaded(refresher)
                app = service.make_app(refresher, settings, store, telemetry)
                yield Exporter(refresher, telemetry, store, time, app)
        finally:
            store.close()

    def wrong(self, exporter: Exporter, **view: Any) -> list[str]:  # noqa: ANN401 - the oracle's own arguments
        """Return a line for each sample on the page that is not the organisation's truth now."""
        days = self.given.get("exporter_window_days", 90)
        for name in ("cost_source", "usage_source"):
            view.setdefault(name, self.given.get(f"exporter_{name}", ""))
        expected = expected_samples(self.organization, self.time.now(), window_days=days, **view)
        return differences(expected, exporter.shown())


async def loaded(refresher: Refresher) -> None:
    """Let the stored days be added up: a page that was kept is that of these days, unless one is damaged."""
    kept = refresher.published
    await refresher.loaded()
    if refresher.published.health == kept.health:
        assert refresher.published == kept


@asynccontextmanager
async def api_of(organization: Organization, time: MovableTime, **given: Any) -> AsyncIterator[Api]:  # noqa: ANN401
    """Yield the API of an organisation, over HTTP in this event loop; `given` are settings of its exporters."""
    faults = Faults()
    app = create_api(organization, now=time.now, key=KEY, faults=faults)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(running(app))
        yield Api(organization, time, app, url, faults, given, stack.aclose)


@asynccontextmanager
async def answering_again(app: Starlette, url: str) -> AsyncIterator[None]:
    """Serve an application at the address where it was served before."""
    running_again = make_server(app)
    with socket.create_server(("127.0.0.1", int(url.rpartition(":")[2]))) as listener:
        task = asyncio.create_task(running_again.serve(sockets=[listener]))
        try:
            yield
        finally:
            running_again.should_exit = True
            await task


def of_report(samples: Samples, report: str) -> Samples:
    """Return the samples that come from one report."""
    return {key: value for key, value in samples.items() if key[0] in FAMILIES_OF[report]}


def dates_of(samples: Samples, family: str) -> set[date]:
    """Return the dates for which a family has a sample."""
    return {date.fromisoformat(dict(labels)["date"]) for name, labels in samples if name == family}


def matching(lines: Iterable[Any], **fields: object) -> list[Any]:
    """Return the captured log lines that have these fields."""
    return [line for line in lines if all(line.get(name) == value for name, value in fields.items())]
