"""The pages that are served: negotiation, deadlines, refusals without echo, and the status page."""

import gzip
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition.encoder import Page, Pieces
from exporter.telemetry import Telemetry
from exporter.web.app import ReportStatus, Status, create_app, moment
from tests.unit.rows import NOW

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
pytestmark = pytest.mark.anyio


class Pages:
    """A source of one page, which notes how long each scrape would have waited."""

    def __init__(self) -> None:
        pieces = Pieces()
        pieces.put("x", {"anthropic_up": [(("cost",), 1)]})
        self.page = pieces.page()
        self.ready = True
        self.patience: list[float] = []

    async def scrape(self, patience: float) -> Page:
        """Return the page at once."""
        self.patience.append(patience)
        return self.page


@pytest.fixture
def pages() -> Pages:
    """Return a source of pages."""
    return Pages()


def shown() -> Status:
    """Return a status with names that try to be HTML."""
    report = ReportStatus("cost", "fails", "never", "none", "0.0%", "<img src=x onerror=alert(1)>")
    return Status([("Model used most", "<script>alert(1)</script> & co")], [report], "1 series, 2 bytes.")


@pytest.fixture
async def browser(pages: Pages) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client that takes no compression unless a test says so."""
    app = create_app(pages, Telemetry(), shown, "9.9.9")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://exporter.example.test", headers={"accept-encoding": "identity"}
    ) as client:
        yield client


async def test_the_text_format_is_the_default(browser: httpx.AsyncClient) -> None:
    """Data first, then the exporter's own metrics; not compressed for who does not ask."""
    answer = await browser.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.headers["vary"] == "accept, accept-encoding"
    assert "content-encoding" not in answer.headers
    names = [family.name for family in parse_text(answer.text)]
    assert names[0] == "anthropic_up"
    assert "anthropic_exporter_build_info" in names


async def test_openmetrics_for_who_asks(browser: httpx.AsyncClient) -> None:
    """The whole page is legal OpenMetrics, with one end."""
    answer = await browser.get("/metrics", headers={"accept": OPENMETRICS})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.count("# EOF\n") == 1
    assert next(iter(parse_openmetrics(answer.text))).name == "anthropic_up"


@pytest.mark.parametrize(
    ("accepts", "compressed"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("x-gzip", False),
        ("", False),
    ],
)
async def test_gzip_for_who_takes_it(browser: httpx.AsyncClient, accepts: str, compressed: bool) -> None:  # noqa: FBT001 - a table
    """The same bytes, but for the counters of the process."""
    async with browser.stream("GET", "/metrics", headers={"accept-encoding": accepts}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert (answer.headers.get("content-encoding") == "gzip") is compressed
    text = gzip.decompress(raw) if compressed else raw
    assert text.startswith(b"# HELP anthropic_up ")
    assert text.endswith(b"\n")


@pytest.mark.parametrize(
    ("header", "patience"),
    [
        (None, 9.5),
        ("10", 9.5),
        ("0.75", 0.25),
        ("0.2", 0),
        ("-5", 0),
        ("86400", 60),
        ("inf", 60),
        ("nan", 10),
        ("soon", 9.5),
        ("", 9.5),
    ],
)
async def test_a_scrape_waits_until_prometheus_s_deadline_less_half_a_second(
    browser: httpx.AsyncClient, pages: Pages, header: str | None, patience: float
) -> None:
    """What can not be read is Prometheus's default; nobody makes us wait for more than a minute."""
    headers = {} if header is None else {"x-prometheus-scrape-timeout-seconds": header}
    await browser.get("/metrics", headers=headers)
    assert pages.patience == [patience]


async def test_the_exporter_s_own_metrics_are_rendered_once_a_second(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each format for itself, so that no scrape gets the other's."""
    telemetry, now = Telemetry(), [100.0]
    monkeypatch.setattr("exporter.web.app.time.monotonic", lambda: now[0])
    app = create_app(pages, telemetry, shown, "9.9.9")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://e.example.test") as client:
        line = "anthropic_exporter_store_failures_total 1.0"
        await client.get("/metrics")
        telemetry.store_failed()
        assert line not in (await client.get("/metrics")).text
        assert line in (await client.get("/metrics", headers={"accept": OPENMETRICS})).text
        now[0] += 1.0
        assert line in (await client.get("/metrics")).text


async def test_health_and_readiness(browser: httpx.AsyncClient, pages: Pages) -> None:
    """Healthy while it answers; ready when a day can be shown."""
    healthy, ready = await browser.get("/-/healthy"), await browser.get("/-/ready")
    assert (healthy.status_code, healthy.text) == (200, "anthropic-exporter is healthy.\n")
    assert (ready.status_code, ready.text) == (200, "anthropic-exporter is ready.\n")
    pages.ready = False
    healthy, ready = await browser.get("/-/healthy"), await browser.get("/-/ready")
    assert healthy.status_code == 200
    assert (ready.status_code, ready.text) == (503, "anthropic-exporter has not read a day yet.\n")


@pytest.mark.parametrize("path", ["/nothing", "/metrics/x", "/<script>", "/..%2f", "/-/reload"])
async def test_an_unknown_path_is_404_without_echo(browser: httpx.AsyncClient, path: str) -> None:
    """What a stranger sends does not come back."""
    answer = await browser.get(path)
    assert (answer.status_code, answer.text) == (404, "Not Found\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_reading_is_allowed(browser: httpx.AsyncClient, method: str) -> None:
    """405 says what is."""
    answer = await browser.request(method, "/metrics", content=b"x")
    assert (answer.status_code, answer.text) == (405, "Method Not Allowed\n")
    assert {word.strip() for word in answer.headers["allow"].split(",")} == {"GET", "HEAD"}


async def test_head_has_headers_and_a_length(browser: httpx.AsyncClient) -> None:
    """As for GET; the server leaves the body away."""
    answer = await browser.head("/metrics")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 0


async def test_a_defect_is_500_without_its_text(pages: Pages) -> None:
    """The traceback goes to the log, and to nobody else."""

    def broken() -> Status:
        raise RuntimeError("secret")

    transport = httpx.ASGITransport(app=create_app(pages, Telemetry(), broken, "9"), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter.example.test") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.text) == (500, "Internal Error\n")


async def test_the_status_page_shows_what_it_is_given_as_text(browser: httpx.AsyncClient) -> None:
    """Names come from outside: nothing of them becomes HTML."""
    answer = await browser.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co" in answer.text
    assert "&lt;img src=x onerror=alert(1)&gt;" in answer.text
    assert "<script" not in answer.text
    assert "<img" not in answer.text
    for text in ("Model used most", "cost", "fails", "1 series, 2 bytes.", "9.9.9"):
        assert text in answer.text


async def test_the_links_of_the_status_page_lead_somewhere(browser: httpx.AsyncClient) -> None:
    """They are relative, so they work behind a proxy's path too."""
    page = (await browser.get("/")).text
    for link in ("metrics", "-/healthy", "-/ready"):
        assert f'href="{link}"' in page
        assert (await browser.get(f"/{link}")).status_code == 200


def test_a_time_that_never_was() -> None:
    """The status page says so."""
    assert (moment(NOW), moment(None)) == ("2026-11-22 12:00:00 UTC", "never")
