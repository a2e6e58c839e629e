"""Response headers and the rate limit of the web configuration."""

import httpx
import pytest
from starlette.responses import PlainTextResponse

from exporter.web.toolkit.limits import DEFAULT_HEADERS, RateLimit, SecurityHeaders
from exporter.web.toolkit.schema import RateLimitConfig
from exporter.web.toolkit.token_bucket import TokenBucket


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio, as uvicorn does."""
    return "asyncio"


async def fetch(app: SecurityHeaders | RateLimit, path: str = "/metrics") -> httpx.Response:
    """Send one request to `app`."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://exporter.example.test"
    ) as client:
        return await client.get(path)


@pytest.mark.anyio
async def test_every_answer_has_the_headers_and_no_banner() -> None:
    """All default headers are there; a server header is taken away; an application's own choice is kept."""
    inner = PlainTextResponse("x", headers={"server": "a/1.0", "cache-control": "max-age=5"})
    answer = await fetch(SecurityHeaders(inner))
    expected = dict(DEFAULT_HEADERS) | {"Cache-Control": "max-age=5"}
    assert {name: answer.headers[name] for name in DEFAULT_HEADERS} == expected
    assert "server" not in answer.headers


@pytest.mark.anyio
async def test_the_file_s_headers_replace_ours_and_a_blank_one_removes_it() -> None:
    """What `http_server_config.headers` says is sent, as it is at that moment."""
    said = {"X-Frame-Options": "sameorigin", "Content-Security-Policy": ""}
    app = SecurityHeaders(PlainTextResponse("x"), headers=lambda: said)
    answer = await fetch(app)
    assert answer.headers.get_list("x-frame-options") == ["sameorigin"]
    assert "content-security-policy" not in answer.headers
    said["Strict-Transport-Security"] = "max-age=60"
    assert (await fetch(app)).headers["strict-transport-security"] == "max-age=60"


@pytest.mark.anyio
async def test_the_rate_limit_lets_a_burst_through_and_then_one_each_interval() -> None:
    """Two at once and one more every five seconds; the open paths do not count; a changed limit holds at once."""
    now = [0.0]
    limit = [RateLimitConfig.model_validate({"interval": "5s", "burst": 2})]
    app = RateLimit(PlainTextResponse("x"), limit=lambda: limit[0], clock=lambda: now[0])
    assert [(await fetch(app)).status_code for _ in range(3)] == [200, 200, 429]
    assert (await fetch(app)).headers["retry-after"] == "5"
    assert (await fetch(app, "/-/healthy")).status_code == 200
    now[0] = 5.0
    assert [(await fetch(app)).status_code for _ in range(2)] == [200, 429]
    limit[0] = RateLimitConfig.model_validate({"interval": "5s", "burst": 3})
    assert [(await fetch(app)).status_code for _ in range(4)] == [200, 200, 200, 429]
    limit[0] = RateLimitConfig()
    assert [(await fetch(app)).status_code for _ in range(9)] == [200] * 9


def test_a_bucket_is_never_fuller_than_its_burst() -> None:
    """A long pause gives `burst` tokens, not more; a token given back can be taken again."""
    now = [0.0]
    bucket = TokenBucket(0.1, 3, lambda: now[0])
    now[0] = 1000.0
    assert [bucket.take() for _ in range(3)] == [0.0] * 3
    assert bucket.take() == pytest.approx(0.1)
    bucket.give_back()
    assert bucket.take() == 0.0
    assert bucket.take() > 0
