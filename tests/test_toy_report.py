"""A report that exists in this file alone is planned, fetched, stored, restarted, restated and shown."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import respx

from exporter.api.paging import Answer, Getter, Request, pages
from exporter.api.transport import Transport
from exporter.days.ledger import Ledger
from exporter.days.store import Store
from exporter.model import DAY, Family
from exporter.refresh.pace import Pace
from exporter.refresh.refresher import Refresher
from exporter.reports.report import Report
from exporter.reports.sums import Daily
from exporter.telemetry import Telemetry
from tests.support import TTL, MovableTime

SNOW = Family("snow_centimetres", "Snow on a UTC day.", ("date", "place"))
Row = msgspec.defstruct("Row", [("place", str), ("snow", int)], array_like=True)
VIEW = partial(Daily[Any, Any], list, lambda day, rows: {SNOW.name: [((str(day), r.place), r.snow) for r in rows]})


class Weather:
    """The source, with 3 days per request."""

    name, if_missing, missing_for = "weather", "", DAY
    revision, days_per_request = 1, 3

    def request(self, first: date, last: date) -> Request:
        """Return the request for days."""
        return Request("/weather", {"first": str(first), "last": str(last)})

    async def fetch(self, api: Getter, first: date, last: date) -> Answer:
        """Return the answer for days."""
        return await pages(api, self.request(first, last), "weather")

    def read(self, bodies: Sequence[bytes], first: date, last: date) -> dict[date, list[Any]]:
        """Return the rows of each day."""
        row = Row("Oslo", msgspec.json.decode(bodies[0])["snow"])
        return {first + DAY * number: [row] for number in range((last - first).days + 1)}


@pytest.mark.anyio
@respx.mock(base_url="https://a.test")
async def test_a_report_is_one_object(respx_mock: respx.Router, tmp_path: Path) -> None:
    """No other file knows it: fetched once, shown at a restart without a request, corrected when it is restated."""
    report = Report("weather", (SNOW,), Weather(), Row, "1", VIEW)
    time, own = MovableTime(), Telemetry(["weather"])
    api = Transport(base_url="https://a.test", version="1", key=str, requests_per_minute=6000, telemetry=own)
    for wait, requests, snow, shown in ((0, 2, 5, "555555"), (0, 2, 9, "555555"), (TTL, 3, 9, "555599")):
        route = respx_mock.get("/v1/organizations/weather").respond(json={"has_more": False, "snow": snow})
        time.advance(wait)
        ledger = Ledger(store := Store(tmp_path), [report])
        pace = Pace(ttl=TTL, requests_per_minute=6000)
        refresher = Refresher(api, ledger, own, time.clock, window_days=6, pace=pace, max_series_warn=100_000)
        await refresher.start()
        page = (await refresher.scrape(10)).body.decode()
        await refresher.settle()
        store.close()
        assert [line[-3] for line in page.splitlines() if line.startswith(SNOW.name)] == list(shown)
        assert route.call_count == requests
