"""`/metrics`, the probes, and the routes given. Knows a source of pages and the exporter's own metrics.

`/metrics` responds with 200 even if a report fails; the health families say so. Error responses repeat nothing of the
request.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from exporter.exposition.page import Page
from exporter.telemetry import Telemetry

TIMEOUT_HEADER = "x-prometheus-scrape-timeout-seconds"
DEFAULT_TIMEOUT = 10.0
"""Prometheus's default scrape timeout, in seconds."""
TIMEOUT_MARGIN = 0.5
MAX_PATIENCE = 60.0
OWN_METRICS_SECONDS = 1.0
"""How long the exporter's own metrics are not rendered again."""


class PageSource(Protocol):
    """Source of pages, such as `refresh.refresher.Refresher`."""

    @property
    def ready(self) -> bool:
        """Whether there is data for at least one day."""

    async def scrape(self, patience: float) -> Page:
        """Return a page within `patience` seconds."""


class _OwnMetrics:
    """The exporter's own metrics as bytes, rendered at most once a second for each format."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._rendered: dict[str, tuple[float, bytes]] = {}

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the bytes and the content type for an Accept header."""
        encode, content_type = self._telemetry.encoder(accept)
        rendered_at, metrics = self._rendered.get(content_type, (-OWN_METRICS_SECONDS, b""))
        if time.monotonic() - rendered_at >= OWN_METRICS_SECONDS:
            metrics = encode(self._telemetry.registry)
            self._rendered[content_type] = time.monotonic(), metrics
        return metrics, content_type


class _JoinedBody:
    """Page and own metrics as one body, shared by all scrapes that get the same bytes."""

    def __init__(self) -> None:
        self._parts: tuple[Page, bytes, bool] | None = None
        self._body = b""

    def join(self, page: Page, own_metrics: bytes, *, compressed: bool) -> bytes:
        """Return the bytes to send."""
        parts = page, own_metrics, compressed
        if parts != self._parts:
            self._body = page.gzip(own_metrics) if compressed else page.body + own_metrics
            self._parts = parts
        return self._body


def create_app(pages: PageSource, telemetry: Telemetry, routes: Sequence[BaseRoute] = ()) -> Starlette:
    """Return the ASGI application: `/metrics`, the probes, and the routes given."""
    own_metrics, joined = _OwnMetrics(telemetry), _JoinedBody()

    async def metrics(request: Request) -> Response:
        page = await pages.scrape(_patience(request.headers.get(TIMEOUT_HEADER)))
        own, content_type = own_metrics.render(request.headers.get("accept", ""))
        headers = {"content-type": content_type, "vary": "accept, accept-encoding"}
        compressed = _accepts_gzip(request.headers.get("accept-encoding", ""))
        if compressed:
            headers["content-encoding"] = "gzip"
        return Response(joined.join(page, own, compressed=compressed), headers=headers)

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("anthropic-exporter is healthy.\n")

    async def ready(_: Request) -> Response:
        if pages.ready:
            return PlainTextResponse("anthropic-exporter is ready.\n")
        return PlainTextResponse("anthropic-exporter has no data yet.\n", status_code=503)

    app = Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
            *routes,
        ],
        exception_handlers={404: _plain("Not Found"), 405: _plain("Method Not Allowed"), 500: _plain("Internal Error")},
    )
    app.router.redirect_slashes = False  # a redirect would echo the Host header and the query
    return app


def _plain(text: str) -> Callable[[Request, Exception], Response]:
    def respond(_: Request, error: Exception) -> Response:
        headers: Mapping[str, str] | None = getattr(error, "headers", None)
        return PlainTextResponse(f"{text}\n", status_code=getattr(error, "status_code", 500), headers=headers)

    return respond


def _patience(timeout: str | None) -> float:
    """Return how long a scrape may wait: Prometheus's timeout less a margin."""
    try:
        seconds = float(timeout or DEFAULT_TIMEOUT)
    except ValueError:
        seconds = DEFAULT_TIMEOUT
    return min(max(seconds - TIMEOUT_MARGIN, 0.0), MAX_PATIENCE) if seconds == seconds else DEFAULT_TIMEOUT  # noqa: PLR0124 - NaN


def _accepts_gzip(accept_encoding: str) -> bool:
    """Return whether gzip is acceptable (RFC 9110 section 12.5.3)."""
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
