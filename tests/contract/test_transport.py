"""The transport against recorded responses: headers, refusals, bounds, the budget, and where the key goes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import httpx
import pytest
import respx

from exporter import __version__
from exporter.api import transport
from exporter.api.paging import Request
from exporter.api.transport import Transport
from exporter.errors import (
    ApiCursorRefused,
    ApiError,
    ApiForbidden,
    ApiNotFound,
    ApiRefused,
    ApiShapeChanged,
    ApiThrottled,
    ApiTimeout,
    ApiUnauthorized,
    ApiUnavailable,
    ApiUnreachable,
    SettingsError,
)
from exporter.telemetry import Telemetry
from tests.contract.samples import FOLDER, answer

pytestmark = pytest.mark.anyio

HOST = "https://api.example.test"
WHAT = Request("/a_report", {"limit": "31", "group_by[]": ["x", "y"]}, {"anthropic-beta": "a-beta"})
KEY = "sk-ant-admin01-for-the-tests"
NOW = datetime(2026, 11, 22, 7, 35, 15, tzinfo=UTC)
BODY = b'{"data": []}'


class Keys:
    """A key that can be changed and taken away."""

    def __init__(self) -> None:
        self.now: str | None = KEY

    def read(self) -> str:
        """Return the key as it is now."""
        if self.now is None:
            raise SettingsError("ANTHROPIC_ADMIN_KEY_FILE: key cannot be read")
        return self.now


class Chunks(httpx.AsyncByteStream):
    """A body in pieces, which counts those that were taken and notes that it was closed."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks
        self.sent = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            self.sent += 1
            yield chunk

    async def aclose(self) -> None:
        """Note that the response was closed."""
        self.closed = True


@pytest.fixture
def keys() -> Keys:
    """Return the key that the transport reads."""
    return Keys()


@pytest.fixture
def telemetry() -> Telemetry:
    """Return what the transport counts into."""
    return Telemetry(["a"])


@pytest.fixture
async def api(keys: Keys, telemetry: Telemetry) -> AsyncIterator[Transport]:
    """Yield a transport to an API that answers what `route` says."""
    made = Transport(
        base_url=HOST,
        version="2023-06-01",
        key=keys.read,
        requests_per_minute=100_000,
        telemetry=telemetry,
        now=lambda: NOW,
    )
    yield made
    await made.close()
    assert made._http.is_closed


@pytest.fixture
def route() -> Iterator[respx.Route]:
    """Yield the response; a request to another address is an error."""
    with respx.mock(base_url=HOST, assert_all_called=False) as router:
        yield router.get("/v1/organizations/a_report").mock(return_value=httpx.Response(200, content=BODY))


def count(telemetry: Telemetry, name: str) -> float | None:
    """Return a counter of report `a`."""
    return telemetry.registry.get_sample_value(f"anthropic_exporter_{name}", {"report": "a"})


async def refused(api: Transport, cursor: str | None = None) -> ApiError:
    """Return the error of a request."""
    with pytest.raises(ApiError) as caught:
        await api.get(WHAT, "a", cursor)
    return caught.value


async def test_a_request_has_the_documented_headers(api: Transport, route: respx.Route, telemetry: Telemetry) -> None:
    """The key, the version as the settings give it, who we are, and the report's own; no cookie, no referrer."""
    assert await api.get(WHAT, "a") == BODY
    headers = route.calls[0].request.headers
    assert headers["x-api-key"] == KEY
    assert headers["anthropic-version"] == "2023-06-01"
    assert headers["anthropic-beta"] == "a-beta"
    assert headers["accept"] == "application/json"
    assert headers["user-agent"].startswith(f"anthropic-exporter/{__version__} (https://")
    usual = {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert headers.keys() <= {*usual, "anthropic-version", "anthropic-beta", "x-api-key"}
    assert count(telemetry, "api_requests_total") == count(telemetry, "api_request_duration_seconds_count") == 1


async def test_a_cursor_is_added_to_the_same_query(api: Transport, route: respx.Route) -> None:
    """The API refuses a cursor with another query."""
    await api.get(WHAT, "a")
    await api.get(WHAT, "a", "c1")
    queries = [call.request.url.params.multi_items() for call in route.calls]
    assert queries[0] == [("limit", "31"), ("group_by[]", "x"), ("group_by[]", "y")]
    assert queries[1] == [*queries[0], ("page", "c1")]


ERRORS: dict[str, tuple[type[ApiError], float | None, str]] = {
    "error_400_cursor_mismatch": (ApiCursorRefused, None, "invalid_request_error: cursor does not match"),
    "error_400_date_not_available": (ApiRefused, None, "invalid_request_error: (wording unknown"),
    "error_400_date_range": (ApiRefused, 300, "Invalid date range: ending date must be after starting date"),
    "error_400_group_by_over_5": (ApiRefused, 300, "Cannot specify more than 5 group_by[] dimensions."),
    "error_401": (ApiUnauthorized, 300, "put a new Admin key in ANTHROPIC_ADMIN_KEY or its file."),
    "error_403_scope": (
        ApiForbidden,
        None,
        "Needed: ['read:analytics']; request-id req_011SIM000403). The key lacks a",
    ),
    "error_404_beta_header_missing": (ApiNotFound, None, "Check ANTHROPIC_BASE_URL and ANTHROPIC_VERSION."),
    "error_429_bare": (ApiThrottled, None, "Lower EXPORTER_REQUESTS_PER_MINUTE if this persists"),
    "error_429_no_retry_after": (ApiThrottled, 45, "rate_limit_error: Too many requests"),
    "error_429_with_retry_after": (ApiThrottled, 17, "rate_limit_error: Too many requests"),
    "error_500": (ApiUnavailable, None, "api_error: Internal server error"),
    "error_529": (ApiUnavailable, None, "overloaded_error: Overloaded"),
}


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("error_*.json")))
async def test_each_recorded_refusal(api: Transport, route: respx.Route, name: str) -> None:
    """Its class, the pause that its headers ask for, and a message that says what happened and what to do."""
    kind, pause, said = ERRORS[name]
    route.mock(return_value=answer(name))
    error = await refused(api, "c1" if kind is ApiCursorRefused else None)
    assert (type(error), error.pause) == (kind, pause)
    assert str(error).startswith(f"HTTP {name[6:9]} (")
    assert said in str(error)


async def test_only_a_request_with_a_cursor_can_have_its_cursor_refused(api: Transport, route: respx.Route) -> None:
    """Otherwise a first page would be requested again and again."""
    route.mock(return_value=httpx.Response(410))
    assert type(await refused(api)) is ApiNotFound
    assert type(await refused(api, "c1")) is ApiCursorRefused


async def test_a_redirect_is_not_followed(api: Transport, route: respx.Route) -> None:
    """It would carry the key away: the second request would be an error of respx."""
    route.mock(return_value=httpx.Response(302, headers={"location": "https://elsewhere.example.test/"}))
    assert type(await refused(api)) is ApiRefused
    assert route.call_count == 1


async def test_a_body_that_cannot_be_decompressed(api: Transport, route: respx.Route) -> None:
    """As when a proxy cuts a response."""
    chunks = Chunks(b"\x1f\x8bno gzip")
    route.mock(return_value=httpx.Response(200, headers={"content-encoding": "gzip"}, stream=chunks))
    error = await refused(api)
    assert (type(error), str(error)) == (ApiShapeChanged, "the body cannot be decompressed")
    assert chunks.closed


@pytest.mark.parametrize(
    ("failure", "kind", "said"),
    [
        (httpx.ConnectTimeout("x"), ApiTimeout, "timed out (ConnectTimeout)."),
        (httpx.ReadTimeout("x"), ApiTimeout, "timed out (ReadTimeout)."),
        (httpx.ConnectError("[Errno 111] refused"), ApiUnreachable, "connection failed ([Errno 111] refused)."),
        (httpx.ReadError(""), ApiUnreachable, "connection failed (ReadError)."),
        (httpx.RemoteProtocolError(f"bad {KEY}"), ApiUnreachable, "connection failed (bad [key])."),
    ],
)
async def test_a_connection_that_fails(
    api: Transport, route: respx.Route, telemetry: Telemetry, failure: Exception, kind: type[ApiError], said: str
) -> None:
    """A time-out and a broken connection are told apart; the request was sent, so it is counted."""
    route.mock(side_effect=failure)
    error = await refused(api)
    assert (type(error), error.pause) == (kind, None)
    assert str(error) == f"{said} Check the network, the proxy and ANTHROPIC_BASE_URL."
    assert count(telemetry, "api_requests_total") == count(telemetry, "api_request_duration_seconds_count") == 1


async def test_a_body_without_end_is_cut_off(
    api: Transport, route: respx.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the limit, so that memory stays flat; a body of exactly that size is read."""
    monkeypatch.setattr(transport, "LARGEST_BODY", 1200)
    chunks = Chunks(*[b"x" * 600] * 1000)
    route.mock(return_value=httpx.Response(200, stream=chunks))
    error = await refused(api)
    assert (type(error), str(error)) == (ApiShapeChanged, "the body is larger than 1200 bytes")
    assert (chunks.sent, chunks.closed) == (3, True)
    route.mock(return_value=httpx.Response(200, stream=Chunks(b"x" * 600, b"x" * 600)))
    assert len(await api.get(WHAT, "a")) == 1200


async def test_a_response_that_never_ends_times_out(
    api: Transport, route: respx.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece may be in time: the whole has a limit, which is nothing here."""

    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(transport, "WHOLE_REQUEST", 0.0)
    route.mock(side_effect=never)
    error = await refused(api)
    assert type(error) is ApiTimeout
    assert str(error).startswith("no complete response within 0 s. Check")


async def test_a_new_key_is_sent_without_a_restart(api: Transport, route: respx.Route, keys: Keys) -> None:
    """`key_changed` says that there is one, until it was sent."""
    await api.get(WHAT, "a")
    assert api.key_changed() is False
    keys.now = "sk-ant-admin01-the-next-one"
    assert api.key_changed() is True
    await api.get(WHAT, "a")
    assert route.calls[-1].request.headers["x-api-key"] == "sk-ant-admin01-the-next-one"
    assert api.key_changed() is False


async def test_a_key_that_cannot_be_read_for_a_moment(api: Transport, route: respx.Route, keys: Keys) -> None:
    """The last one is used while its file is replaced; before the first, the error says what is missing."""
    keys.now = None
    error = await refused(api)
    assert (type(error), str(error)) == (ApiUnauthorized, "ANTHROPIC_ADMIN_KEY_FILE: key cannot be read")
    assert not route.called
    keys.now = KEY
    await api.get(WHAT, "a")
    keys.now = None
    await api.get(WHAT, "a")
    assert [call.request.headers["x-api-key"] for call in route.calls] == [KEY, KEY]
    assert api.key_changed() is False


async def test_no_error_contains_the_key(api: Transport, route: respx.Route) -> None:
    """Even when the API sends it back."""
    echo = {"type": "error", "error": {"type": "authentication_error", "message": f"bad key {KEY}"}}
    route.mock(return_value=httpx.Response(401, json=echo))
    error = await refused(api)
    assert KEY not in f"{error} {error!r} {error.__context__!r} {error.__cause__!r}"
    assert "bad key [key]" in str(error)


@pytest.mark.parametrize(
    ("base_url", "proxied"), [(HOST, True), ("http://127.0.0.1:1", False), ("HTTP://[::1]:1", False)]
)
async def test_loopback_is_reached_without_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
    telemetry: Telemetry,
    base_url: str,
    proxied: bool,  # noqa: FBT001 - a table
) -> None:
    """Plain http through a proxy would show it the key."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.test:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.test:3128")
    made = Transport(base_url=base_url, version="2023-06-01", key=str, requests_per_minute=60, telemetry=telemetry)
    assert bool(made._http._mounts) is proxied
    await made.close()


async def test_requests_are_sent_one_at_a_time(api: Transport, route: respx.Route) -> None:
    """The budget belongs to the whole organisation."""
    at_once, most = 0, 0

    async def slow(_: httpx.Request) -> httpx.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        for _turn in range(5):
            await asyncio.sleep(0)
        at_once -= 1
        return httpx.Response(200, content=BODY)

    route.mock(side_effect=slow)
    await asyncio.gather(*(api.get(WHAT, "a") for _ in range(5)))
    assert (most, route.call_count) == (1, 5)


async def test_a_429_halves_the_rate_that_is_shown_and_sent(
    route: respx.Route, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other refusals do not; it recovers with time. All of them count as sent."""
    seconds = 1000.0
    api = Transport(
        base_url=HOST,
        version="1",
        key=lambda: KEY,
        requests_per_minute=60,
        telemetry=telemetry,
        monotonic=lambda: seconds,
    )

    def shown() -> float | None:
        return telemetry.registry.get_sample_value("anthropic_exporter_rate_limit_requests_per_minute")

    route.mock(return_value=answer("error_529"))
    await refused(api)
    assert shown() == 60
    route.mock(return_value=answer("error_429_bare"))
    await refused(api)
    assert shown() == 30
    seconds += 60
    assert (shown(), api.sent) == (36, 2)
    await api.close()


async def test_requests_in_steady_state_are_spread_to_a_quarter(route: respx.Route, telemetry: Telemetry) -> None:
    """The others are not: of 12 a minute, 3 steady ones fit into the minute, and 2 of any kind at once."""
    api = Transport(base_url=HOST, version="1", key=lambda: KEY, requests_per_minute=12, telemetry=telemetry)
    await api.get(WHAT, "a")
    assert len(api._budget._steady._limiters) == 0
    api.steady = True
    await api.get(WHAT, "a")
    assert len(api._budget._steady._limiters) == 1
    await api.close()


async def test_a_request_takes_its_share_of_the_budget_and_times_are_counted(
    route: respx.Route, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait for the budget and the exchange, apart; a request that does not wait counts nothing."""
    seconds = iter([10.0, 10.001, 11.0, 13.0, 20.0, 20.5, 21.0, 22.0])
    monkeypatch.setattr(transport, "time", SimpleNamespace(perf_counter=lambda: next(seconds)))
    api = Transport(base_url=HOST, version="1", key=lambda: KEY, requests_per_minute=12, telemetry=telemetry)
    waited = []
    for _ in range(2):
        assert api._budget._limiter.has_capacity()
        await api.get(WHAT, "a")
        waited.append(telemetry.registry.get_sample_value("anthropic_exporter_rate_limit_wait_seconds_total"))
    assert not api._budget._limiter.has_capacity()
    assert waited == [0, 0.5]
    assert count(telemetry, "api_request_duration_seconds_sum") == 3
    await api.close()
