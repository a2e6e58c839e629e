"""HTTP responses: content negotiation, timeouts and errors that repeat nothing."""

import gzip
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporter.exposition.page import Page
from exporter.exposition.pieces import Pieces
from exporter.reports import FAMILIES
from exporter.telemetry import Telemetry
from exporter.web.app import create_app

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
pytestmark = pytest.mark.anyio


class Pages:
    """A source of one page that records how long each scrape would have waited."""

    def __init__(self) -> None:
        pieces = Pieces(FAMILIES)
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
    """Return a page source."""
    return Pages()


@pytest.fixture
async def browser(pages: Pages) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client that accepts no compression by default."""
    app = create_app(pages, Telemetry(["cost"]))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://exporter.example.test", headers={"accept-encoding": "identity"}
    ) as client:
        yield client


async def test_the_text_format_is_the_default(browser: httpx.AsyncClient) -> None:
    """Data comes first, then the exporter's own metrics; nothing is compressed unless requested."""
    answer = await browser.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.headers["vary"] == "accept, accept-encoding"
    assert "content-encoding" not in answer.headers
    names = [family.name for family in parse_text(answer.text)]
    assert names[0] == "anthropic_up"
    assert "anthropic_exporter_build_info" in names


async def test_openmetrics_on_request(browser: httpx.AsyncClient) -> None:
    """The whole page is valid OpenMetrics, with a single `# EOF`."""
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
async def test_gzip_on_request(browser: httpx.AsyncClient, accepts: str, compressed: bool) -> None:  # noqa: FBT001 - a table
    """Unless its weight is zero."""
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
async def test_a_scrape_waits_for_prometheus_s_timeout_less_half_a_second(
    browser: httpx.AsyncClient, pages: Pages, header: str | None, patience: float
) -> None:
    """Invalid values count as Prometheus's default; no client can make a scrape wait for more than a minute."""
    headers = {} if header is None else {"x-prometheus-scrape-timeout-seconds": header}
    await browser.get("/metrics", headers=headers)
    assert pages.patience == [patience]


async def test_own_metrics_are_rendered_at_most_once_a_second(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each format, so that no scrape gets the wrong one."""
    telemetry, now = Telemetry(["cost"]), [100.0]
    monkeypatch.setattr("exporter.web.app.time.monotonic", lambda: now[0])
    app = create_app(pages, telemetry)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://e.example.test") as client:
        line = "anthropic_exporter_store_failures_total 1.0"
        await client.get("/metrics")
        telemetry.store_failed()
        assert line not in (await client.get("/metrics")).text
        assert line in (await client.get("/metrics", headers={"accept": OPENMETRICS})).text
        now[0] += 1.0
        assert line in (await client.get("/metrics")).text


async def test_scrapes_with_the_same_content_share_one_body(
    browser: httpx.AsyncClient, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page and own metrics are joined and compressed once, until either changes or a scrape wants another encoding."""
    monkeypatch.setattr("exporter.web.app.time.monotonic", lambda: 100.0)
    joined: list[bytes] = []

    class CountedPage(Page):
        def gzip(self, tail: bytes) -> bytes:
            joined.append(tail)
            return super().gzip(tail)

    pages.page = CountedPage(*pages.page)
    zipped = {"accept-encoding": "gzip"}
    first = await browser.get("/metrics", headers=zipped)
    assert (await browser.get("/metrics", headers=zipped)).content == first.content
    assert len(joined) == 1
    assert (await browser.get("/metrics")).content == first.content
    assert (await browser.get("/metrics", headers=zipped | {"accept": OPENMETRICS})).text.endswith("# EOF\n")
    pages.page = CountedPage(*Pieces(FAMILIES).page())
    assert "anthropic_up" not in (await browser.get("/metrics", headers=zipped)).text
    assert len(joined) == 3


async def test_health_and_readiness(browser: httpx.AsyncClient, pages: Pages) -> None:
    """Healthy while it responds; ready once there is data for a day."""
    healthy, ready = await browser.get("/-/healthy"), await browser.get("/-/ready")
    assert (healthy.status_code, healthy.text) == (200, "anthropic-exporter is healthy.\n")
    assert (ready.status_code, ready.text) == (200, "anthropic-exporter is ready.\n")
    pages.ready = False
    healthy, ready = await browser.get("/-/healthy"), await browser.get("/-/ready")
    assert healthy.status_code == 200
    assert (ready.status_code, ready.text) == (503, "anthropic-exporter has no data yet.\n")


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/metrics/x", "/<script>", "/..%2f", "/-/reload"])
async def test_an_unknown_path_is_a_plain_404(browser: httpx.AsyncClient, path: str) -> None:
    """No redirect, and nothing of the request in the response."""
    answer = await browser.get(path)
    assert (answer.status_code, answer.text) == (404, "Not Found\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_get_and_head_are_allowed(browser: httpx.AsyncClient, method: str) -> None:
    """The 405 says so."""
    answer = await browser.request(method, "/metrics", content=b"x")
    assert (answer.status_code, answer.text) == (405, "Method Not Allowed\n")
    assert {word.strip() for word in answer.headers["allow"].split(",")} == {"GET", "HEAD"}


async def test_head_has_headers_and_a_length(browser: httpx.AsyncClient) -> None:
    """As for GET; the server omits the body."""
    answer = await browser.head("/metrics")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 0


async def test_an_unexpected_error_is_a_plain_500(pages: Pages) -> None:
    """The traceback goes to the log only."""

    async def broken(_: Request) -> Response:
        raise RuntimeError("secret")

    app = create_app(pages, Telemetry(["cost"]), [Route("/", broken)])
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter.example.test") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.text) == (500, "Internal Error\n")
