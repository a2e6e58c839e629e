"""Security headers and the rate limit."""

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.toolkit.basic_auth import BasicAuth
from exporter.web.toolkit.limits import RateLimit, SecurityHeaders
from exporter.web.toolkit.schema import RateLimitConfig

pytestmark = pytest.mark.anyio
DEFAULTS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


async def get(app: ASGIApp, path: str = "/metrics") -> httpx.Response:
    """Send one request to `app`."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter.example.test") as client:
        return await client.get(path)


async def test_every_response_has_the_default_headers_and_no_banner() -> None:
    """What the application set is kept, except for a server header."""
    page = PlainTextResponse("x", headers={"server": "a/1.0", "cache-control": "max-age=5"})
    headers = (await get(SecurityHeaders(page))).headers
    expected = DEFAULTS | {"cache-control": "max-age=5", "content-type": "text/plain; charset=utf-8"}
    assert dict(headers) == expected | {"content-length": "1"}
    assert (await get(SecurityHeaders(PlainTextResponse("x")))).headers["cache-control"] == "no-store"


async def test_configured_headers_replace_the_defaults() -> None:
    """The current configuration counts; an empty value removes a header."""
    configured = {"X-Frame-Options": "sameorigin", "Content-Security-Policy": ""}
    app = SecurityHeaders(PlainTextResponse("x"), headers=lambda: configured)
    headers = (await get(app)).headers
    assert headers.get_list("x-frame-options") == ["sameorigin"]
    assert "content-security-policy" not in headers
    configured["Strict-Transport-Security"] = "max-age=60"
    assert (await get(app)).headers["strict-transport-security"] == "max-age=60"


async def test_the_rate_limit_allows_a_burst_and_then_one_request_per_interval() -> None:
    """Open paths are not counted; a changed limit applies at once."""
    now = 0.0
    limit = RateLimitConfig.model_validate({"interval": "5s", "burst": 2})
    app = RateLimit(PlainTextResponse("x"), limit=lambda: limit, clock=lambda: now)
    assert [(await get(app)).status_code for _ in range(3)] == [200, 200, 429]
    refused = await get(app)
    assert (refused.headers["retry-after"], refused.text) == ("5", "Too many requests.\n")
    assert (await get(app, "/-/healthy")).status_code == 200
    now = 5.0
    assert [(await get(app)).status_code for _ in range(2)] == [200, 429]
    limit = RateLimitConfig.model_validate({"interval": "5s", "burst": 3})
    assert [(await get(app)).status_code for _ in range(4)] == [200, 200, 200, 429]
    limit = RateLimitConfig()
    assert [(await get(app)).status_code for _ in range(9)] == [200] * 9


async def test_connections_other_than_http_pass_all_middleware() -> None:
    """Lifespan messages have neither a path nor headers."""
    passed: list[str] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        passed.append(scope["type"])

    async def receive() -> Message:
        raise AssertionError

    async def send(_: Message) -> None:
        raise AssertionError

    never = RateLimitConfig.model_validate({"interval": "1h", "burst": 1})
    limited = RateLimit(BasicAuth(app, users=lambda: {"a": "x"}, on_failure=passed.append), limit=lambda: never)
    for _ in range(2):
        await SecurityHeaders(limited)({"type": "lifespan"}, receive, send)
    assert passed == ["lifespan"] * 2
