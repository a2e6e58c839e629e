"""`/`, `/metrics`, `/-/healthy`, `/-/ready`. Knows a source of pages and the exporter's own metrics, and nothing else.

The status stays 200 while there is a page; the health families tell the truth about its age. Anything else is 404
without echo.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from exporter.exposition.encoder import Page
from exporter.telemetry import Telemetry

TIMEOUT_HEADER = "x-prometheus-scrape-timeout-seconds"
DEFAULT_TIMEOUT = 10.0
"""Prometheus's own default."""
MARGIN = 0.5
LONGEST_PATIENCE = 60.0
TAIL_AGE = 1.0
"""Seconds for which the exporter's own metrics are not rendered again."""


class PageSource(Protocol):
    """Where pages come from; `refresh.Refresher` is one."""

    @property
    def ready(self) -> bool:
        """Whether any day can be shown."""

    async def scrape(self, patience: float) -> Page:
        """Return a page within `patience` seconds."""


class ReportStatus(NamedTuple):
    """One report as the status page shows it; texts are ready to read."""

    name: str
    state: str
    last_success: str
    newest_date: str
    coverage: str
    error: str


class Status(NamedTuple):
    """What the status page shows."""

    headlines: list[tuple[str, str]]
    reports: list[ReportStatus]
    page: str


class _Tail:
    """The exporter's own metrics as bytes, rendered at most once a second for each format."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._kept: dict[str, tuple[float, bytes, str]] = {}

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the bytes and the content type for an Accept header."""
        encode, content_type = self._telemetry.encoder(accept)
        rendered_at, tail, _ = self._kept.get(content_type, (-TAIL_AGE, b"", ""))
        if time.monotonic() - rendered_at >= TAIL_AGE:
            tail = encode(self._telemetry.registry)
            self._kept[content_type] = (time.monotonic(), tail, content_type)
        return tail, content_type


class _Whole:
    """Page and tail as one body, joined once for all scrapes of a second: fifty of them hold the same bytes."""

    def __init__(self) -> None:
        self._kept: tuple[Page, bytes, bool, bytes] | None = None

    def body(self, page: Page, tail: bytes, *, compressed: bool) -> bytes:
        """Return the bytes to send."""
        kept = self._kept
        if kept and kept[0] is page and kept[1] is tail and kept[2] == compressed:
            return kept[3]
        body = page.gzip(tail) if compressed else page.body + tail
        self._kept = page, tail, compressed, body
        return body


def create_app(pages: PageSource, telemetry: Telemetry, status: Callable[[], Status], version: str) -> Starlette:
    """Return the ASGI application."""
    tail, whole = _Tail(telemetry), _Whole()
    templates = Environment(loader=PackageLoader("exporter.web"), autoescape=True, undefined=StrictUndefined)
    template = templates.get_template("status.html")

    async def metrics(request: Request) -> Response:
        page = await pages.scrape(_patience(request.headers.get(TIMEOUT_HEADER)))
        end, content_type = tail.render(request.headers.get("accept", ""))
        headers = {"content-type": content_type, "vary": "accept, accept-encoding"}
        compressed = _takes_gzip(request.headers.get("accept-encoding", ""))
        if compressed:
            headers["content-encoding"] = "gzip"
        return Response(whole.body(page, end, compressed=compressed), headers=headers)

    async def index(_: Request) -> Response:
        return HTMLResponse(template.render(status=status(), version=version))

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("anthropic-exporter is healthy.\n")

    async def ready(_: Request) -> Response:
        if pages.ready:
            return PlainTextResponse("anthropic-exporter is ready.\n")
        return PlainTextResponse("anthropic-exporter has not read a day yet.\n", status_code=503)

    app = Starlette(
        routes=[
            Route("/", index),
            Route("/metrics", metrics),
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
        ],
        exception_handlers={404: _plain("Not Found"), 405: _plain("Method Not Allowed"), 500: _plain("Internal Error")},
    )
    app.router.redirect_slashes = False  # its redirect would echo the Host header and the query
    return app


def moment(at: datetime | None) -> str:
    """Return a time as the status page shows it."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "never"


def _plain(text: str) -> Callable[[Request, Exception], Response]:
    def respond(_: Request, error: Exception) -> Response:
        headers: Mapping[str, str] | None = getattr(error, "headers", None)
        return PlainTextResponse(f"{text}\n", status_code=getattr(error, "status_code", 500), headers=headers)

    return respond


def _patience(timeout: str | None) -> float:
    """Return how long a scrape may wait: Prometheus's own deadline less half a second."""
    try:
        seconds = float(timeout or DEFAULT_TIMEOUT)
    except ValueError:
        seconds = DEFAULT_TIMEOUT
    return min(max(seconds - MARGIN, 0.0), LONGEST_PATIENCE) if seconds == seconds else DEFAULT_TIMEOUT  # noqa: PLR0124 - NaN


def _takes_gzip(accept_encoding: str) -> bool:
    """Return whether gzip is among the encodings taken (RFC 9110 section 12.5.3)."""
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
