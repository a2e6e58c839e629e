"""ASGI middleware for security headers and the rate limit."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.toolkit.schema import OPEN_PATHS, RateLimitConfig
from exporter.web.toolkit.token_bucket import TokenBucket

DEFAULT_HEADERS: Final[Mapping[str, str]] = {
    # The page has its own scripts and styles: nothing inline, nothing from elsewhere, no frames.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    # The pages hold e-mail addresses, and outdated numbers would mislead.
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """ASGI middleware that sets the headers of the web configuration, and `DEFAULT_HEADERS` the response lacks."""

    def __init__(self, app: ASGIApp, *, headers: Callable[[], Mapping[str, str]] = dict) -> None:
        """`headers` returns the configured headers. They replace others of the same name; an empty value removes."""
        self._app, self._headers = app, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; what is not HTTP passes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._set(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, with_headers)

    def _set(self, headers: MutableHeaders) -> None:
        for name, value in DEFAULT_HEADERS.items():
            headers.setdefault(name, value)
        for name, value in self._headers().items():
            if value:
                headers[name] = value
            else:
                del headers[name]
        del headers["server"]


class RateLimit:
    """ASGI middleware that responds with 429 to requests above the `rate_limit` of the web configuration."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit: Callable[[], RateLimitConfig],
        open_paths: tuple[str, ...] = OPEN_PATHS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`limit` returns the current limit; a changed limit starts with a full bucket."""
        self._app, self._limit, self._open_paths, self._clock = app, limit, open_paths, clock
        self._current = limit()
        self._bucket = TokenBucket(self._current.interval, self._current.burst, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; what is not HTTP passes."""
        wait = self._wait() if scope["type"] == "http" and scope["path"] not in self._open_paths else 0.0
        if wait:
            headers = {"retry-after": str(math.ceil(wait))}
            await PlainTextResponse("Too many requests.\n", 429, headers)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _wait(self) -> float:
        limit = self._limit()
        if limit != self._current:
            self._current = limit
            self._bucket = TokenBucket(limit.interval, limit.burst, self._clock)
        return self._bucket.take() if limit.interval else 0.0
