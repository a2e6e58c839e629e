"""The client against recorded answers: requests as documented, paging, refusals, bounds, and where the key goes."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import httpx
import pytest
import respx

from exporter import __version__
from exporter.api import transport as client
from exporter.api.transport import Client
from exporter.errors import (
    ApiCursorRefused,
    ApiError,
    ApiForbidden,
    ApiRefused,
    ApiShapeChanged,
    ApiThrottled,
    ApiTimeout,
    ApiUnauthorized,
    ApiUnavailable,
    ApiUnreachable,
    SettingsError,
)
from exporter.model import CostRow
from exporter.telemetry import Telemetry
from tests.contract.samples import FOLDER, answer, body

pytestmark = pytest.mark.anyio

HOST = "https://api.example.test"
USAGE = "/v1/organizations/usage_report/claude_code"
COST = "/v1/organizations/cost_report"
DAY = date(2026, 11, 20)
KEY = "sk-ant-admin01-for-the-tests"
NOW = datetime(2026, 11, 22, 7, 35, 15, tzinfo=UTC)
PAGES = ("claude_code_2026-11-20_page1", "claude_code_2026-11-20_page2")
CURSOR = "page_U0lNLWN1cnNvci0wMDE="


class Keys:
    """A key that can be changed and taken away."""

    def __init__(self) -> None:
        self.now: str | None = KEY

    def read(self) -> str:
        """Return the key as it is now."""
        if self.now is None:
            raise SettingsError("ANTHROPIC_ADMIN_KEY_FILE: key cannot be read")
        return self.now


@pytest.fixture
def keys() -> Keys:
    """Return the key that the client reads."""
    return Keys()


@pytest.fixture
def telemetry() -> Telemetry:
    """Return what the client counts into."""
    return Telemetry()


@pytest.fixture
async def api(keys: Keys, telemetry: Telemetry) -> AsyncIterator[Client]:
    """Yield a client of an API that is not there but for `server`."""
    made = Client(
        base_url=HOST,
        version="2023-06-01",
        key=keys.read,
        requests_per_minute=100_000,
        telemetry=telemetry,
        now=lambda: NOW,
    )
    yield made
    await made.close()


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    """Yield the answers; a request without one is an error."""
    with respx.mock(base_url=HOST, assert_all_called=False) as router:
        yield router


def pages(server: respx.MockRouter) -> respx.Route:
    """Serve the two pages of the sample day."""
    return server.get(USAGE).mock(side_effect=[answer(PAGES[0]), answer(PAGES[1])])


def asked(route: respx.Route) -> list[dict[str, str]]:
    """Return the queries of the requests, in their order."""
    return [dict(call.request.url.params) for call in route.calls]


def count(telemetry: Telemetry, name: str, **labels: str) -> float:
    """Return a counter of the exporter's own."""
    value = telemetry.registry.get_sample_value(f"anthropic_exporter_{name}", labels)
    assert value is not None
    return value


async def refused(api: Client, server: respx.MockRouter, response: httpx.Response) -> ApiError:
    """Return the error with which a day fails that is answered like this."""
    server.get(USAGE).mock(return_value=response)
    with pytest.raises(ApiError) as caught:
        await api.claude_code(DAY)
    return caught.value


class TestRequests:
    """What is asked, and with which headers."""

    async def test_a_day_of_usage(self, api: Client, server: respx.MockRouter) -> None:
        """One UTC day, a thousand records a page, then the cursor with the same query."""
        route = pages(server)
        await api.claude_code(DAY)
        query = {"starting_at": "2026-11-20", "limit": "1000"}
        assert asked(route) == [query, {**query, "page": CURSOR}]

    async def test_days_of_bills(self, api: Client, server: respx.MockRouter) -> None:
        """Both bounds at midnight UTC, the end exclusive, grouped by both, 31 days a page."""
        route = server.get(COST).mock(return_value=answer("cost_report_grouped_page2"))
        await api.cost(DAY, DAY)
        (call,) = route.calls
        assert sorted(call.request.url.params.multi_items()) == [
            ("bucket_width", "1d"),
            ("ending_at", "2026-11-21T00:00:00Z"),
            ("group_by[]", "description"),
            ("group_by[]", "workspace_id"),
            ("limit", "31"),
            ("starting_at", "2026-11-20T00:00:00Z"),
        ]

    async def test_headers(self, api: Client, server: respx.MockRouter) -> None:
        """The key, the version as the settings give it, and who we are; no cookie, no referrer."""
        route = pages(server)
        await api.claude_code(DAY)
        headers = route.calls[0].request.headers
        assert headers["x-api-key"] == KEY
        assert headers["anthropic-version"] == "2023-06-01"
        assert headers["accept"] == "application/json"
        assert headers["user-agent"].startswith(f"anthropic-exporter/{__version__} (https://")
        assert set(headers) <= {
            "host",
            "accept",
            "accept-encoding",
            "connection",
            "user-agent",
            "anthropic-version",
            "x-api-key",
        }


class TestPaging:
    """Days of several pages."""

    async def test_all_pages_make_the_day(self, api: Client, server: respx.MockRouter) -> None:
        """The rows of both, in order."""
        pages(server)
        day = await api.claude_code(DAY)
        assert day.rows is not None
        assert [row.sessions for row in day.rows] == [4, 2, 1, 37, 3]
        assert [cursor for _, cursor in day.marks] == [CURSOR, None]

    async def test_a_cursor_on_the_last_page_is_not_followed(self, api: Client, server: respx.MockRouter) -> None:
        """`has_more` decides."""
        last = {"data": [], "has_more": False, "next_page": "page_more"}
        route = server.get(USAGE).mock(return_value=httpx.Response(200, json=last))
        assert (await api.claude_code(DAY)).rows == []
        assert route.call_count == 1

    async def test_an_unchanged_day_is_not_parsed_again(self, api: Client, server: respx.MockRouter) -> None:
        """Its marks are known: all pages are asked for, and none has rows."""
        pages(server)
        first = await api.claude_code(DAY)
        route = pages(server)
        again = await api.claude_code(DAY, first.marks)
        assert (again.rows, again.marks) == (None, first.marks)
        assert [query.get("page") for query in asked(route)][-2:] == [None, CURSOR]

    async def test_a_day_whose_second_page_changed_is_read_whole(self, api: Client, server: respx.MockRouter) -> None:
        """With the rows of the first page, which looked as if nothing had changed."""
        pages(server)
        marks = (await api.claude_code(DAY)).marks
        server.get(USAGE).mock(side_effect=[answer(PAGES[0]), answer("claude_code_empty_day")])
        day = await api.claude_code(DAY, marks)
        assert day.rows is not None
        assert [row.sessions for row in day.rows] == [4, 2, 1]

    async def test_a_day_that_became_shorter_or_longer_is_read_whole(
        self, api: Client, server: respx.MockRouter
    ) -> None:
        """Whichever page is the first that differs."""
        pages(server)
        marks = (await api.claude_code(DAY)).marks
        server.get(USAGE).mock(return_value=answer(PAGES[1]))
        shorter = await api.claude_code(DAY, marks)
        assert shorter.rows is not None
        assert [row.sessions for row in shorter.rows] == [37, 3]
        pages(server)
        longer = await api.claude_code(DAY, shorter.marks)
        assert longer.rows is not None
        assert len(longer.rows) == 5

    async def test_a_refused_cursor_starts_the_day_again_once(
        self, api: Client, server: respx.MockRouter, telemetry: Telemetry
    ) -> None:
        """It may have expired; a second refusal is an error of the day."""
        refusal = answer("error_400_cursor_mismatch")
        server.get(USAGE).mock(side_effect=[answer(PAGES[0]), refusal, answer(PAGES[0]), answer(PAGES[1])])
        day = await api.claude_code(DAY)
        assert day.rows is not None
        assert len(day.rows) == 5
        server.get(USAGE).mock(side_effect=[answer(PAGES[0]), refusal, answer(PAGES[0]), refusal])
        with pytest.raises(ApiCursorRefused, match="cursor does not match current query parameters"):
            await api.claude_code(DAY)
        assert count(telemetry, "api_request_failures_total", report="claude_code", reason="request") == 3

    async def test_a_refused_cursor_of_bills_starts_again_too(self, api: Client, server: respx.MockRouter) -> None:
        """With the days of the first page read again."""
        first, second = answer("cost_report_grouped_page1"), answer("cost_report_grouped_page2")
        route = server.get(COST).mock(side_effect=[first, httpx.Response(410), first, second])
        days = await api.cost(date(2026, 11, 19), DAY)
        assert {day: len(rows) for day, rows in days.items() if isinstance(rows, list)} == {
            date(2026, 11, 19): 8,
            DAY: 3,
        }
        assert [query.get("page") for query in asked(route)] == [None, "page_U0lNLWNvc3QtMDAy"] * 2

    async def test_a_cursor_that_loops_is_an_error(self, api: Client, server: respx.MockRouter) -> None:
        """Two cursors in turn would never end."""
        loop = [b'{"data": [], "has_more": true, "next_page": "%s"}' % name for name in (b"a", b"b", b"a")]
        server.get(USAGE).mock(side_effect=[httpx.Response(200, content=page) for page in loop])
        with pytest.raises(ApiShapeChanged, match="the page cursor does not move on"):
            await api.claude_code(DAY)

    async def test_a_day_on_two_pages_is_an_error(self, api: Client, server: respx.MockRouter) -> None:
        """Neither page would hold the whole day."""
        twice = json.loads(body("cost_report_grouped_page2"))
        more = {**twice, "has_more": True, "next_page": "x"}
        server.get(COST).mock(side_effect=[httpx.Response(200, json=more), httpx.Response(200, json=twice)])
        with pytest.raises(ApiShapeChanged, match="2026-11-20 stands on two pages"):
            await api.cost(DAY, DAY)

    async def test_a_bad_day_of_bills_is_counted_and_spoils_no_other(
        self, api: Client, server: respx.MockRouter, telemetry: Telemetry
    ) -> None:
        """Its place in the answer holds the reason."""
        page = json.loads(body("cost_report_ungrouped"))
        page["data"][0]["results"][0]["amount"] = None
        server.get(COST).mock(return_value=httpx.Response(200, json=page))
        days = await api.cost(date(2026, 11, 18), DAY)
        assert isinstance(days[date(2026, 11, 18)], ApiShapeChanged)
        assert days[date(2026, 11, 19)] == []
        assert days[DAY] == [CostRow("default", "none", "none", "none", Decimal("20987.01"))]
        assert count(telemetry, "api_request_failures_total", report="cost", reason="shape") == 1

    async def test_a_day_that_was_not_asked_for_is_an_error(self, api: Client, server: respx.MockRouter) -> None:
        """An API that ignores the bounds must not fill days that nobody waits for."""
        server.get(COST).mock(return_value=answer("cost_report_ungrouped"))
        with pytest.raises(ApiShapeChanged, match="2026-11-18 was not asked for"):
            await api.cost(DAY, DAY)


class TestDirectory:
    """Names for ids."""

    async def test_names(self, api: Client, server: respx.MockRouter) -> None:
        """The organisation, its workspaces with the archived ones, and `default`."""
        server.get("/v1/organizations/me").mock(return_value=answer("organizations_me"))
        route = server.get("/v1/organizations/workspaces").mock(return_value=answer("workspaces_list"))
        directory = await api.directory()
        assert directory.organization is not None
        assert directory.organization.name == "Sim Org"
        assert sorted(directory.workspaces.values()) == ["Claude Code", "Old", "Platform", "default"]
        assert asked(route) == [{"limit": "1000", "include_archived": "true"}]

    async def test_pages_by_id(self, api: Client, server: respx.MockRouter) -> None:
        """The last id of a page begins the next; a list that does not end is an error."""
        listed = [
            {"data": [{"id": name, "name": name.upper()}], "has_more": more, "last_id": name}
            for name, more in (("a", True), ("b", False))
        ]
        server.get("/v1/organizations/me").mock(return_value=answer("organizations_me"))
        route = server.get("/v1/organizations/workspaces")
        route.mock(side_effect=[httpx.Response(200, json=page) for page in listed])
        assert (await api.directory()).workspaces == {"default": "default", "a": "A", "b": "B"}
        assert [query.get("after_id") for query in asked(route)] == [None, "a"]
        route.mock(return_value=httpx.Response(200, json=listed[0]))
        with pytest.raises(ApiShapeChanged, match="workspaces: the list of workspaces does not end"):
            await api.directory()


ERRORS: dict[str, tuple[type[ApiError], float | None, str]] = {
    "error_400_cursor_mismatch": (ApiRefused, None, "invalid_request_error: cursor does not match"),
    "error_400_date_not_available": (ApiRefused, None, "invalid_request_error: (wording unknown"),
    "error_400_date_range": (ApiRefused, 300, "Invalid date range: ending date must be after starting date"),
    "error_400_group_by_over_5": (ApiRefused, 300, "Cannot specify more than 5 group_by[] dimensions."),
    "error_401": (ApiUnauthorized, 300, "put a new Admin key in ANTHROPIC_ADMIN_KEY or its file"),
    "error_403_scope": (ApiForbidden, None, "Needed: ['read:analytics']; request-id req_011SIM000403; the key lacks a"),
    "error_404_beta_header_missing": (ApiRefused, None, "check ANTHROPIC_BASE_URL and ANTHROPIC_VERSION"),
    "error_429_bare": (ApiThrottled, None, "lower EXPORTER_REQUESTS_PER_MINUTE if this lasts"),
    "error_429_no_retry_after": (ApiThrottled, 45, "rate_limit_error: Too many requests"),
    "error_429_with_retry_after": (ApiThrottled, 17, "rate_limit_error: Too many requests"),
    "error_500": (ApiUnavailable, None, "api_error: Internal server error"),
    "error_529": (ApiUnavailable, None, "overloaded_error: Overloaded"),
}


class TestRefusals:
    """What an answer other than a page becomes."""

    @pytest.mark.parametrize("name", ERRORS)
    async def test_each_error_sample(
        self, api: Client, server: respx.MockRouter, telemetry: Telemetry, name: str
    ) -> None:
        """Its class, the pause that its headers ask for, and a message that names the day and the help."""
        kind, pause, said = ERRORS[name]
        error = await refused(api, server, answer(name))
        assert (type(error), error.pause) == (kind, pause)
        assert str(error).startswith(f"claude_code 2026-11-20: HTTP {name[6:9]}, ")
        assert said in str(error)
        assert count(telemetry, "api_request_failures_total", report="claude_code", reason=kind.reason) == 1

    async def test_a_redirect_is_not_followed(self, api: Client, server: respx.MockRouter) -> None:
        """It would carry the key away."""
        elsewhere = server.get("https://elsewhere.example.test/")
        error = await refused(api, server, httpx.Response(302, headers={"location": "https://elsewhere.example.test/"}))
        assert isinstance(error, ApiRefused)
        assert not elsewhere.called

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "the body is empty"),
            (b"<!doctype html><title>Sign in</title>", "the body is HTML"),
            (b"{}", "data: Field required"),
            (body(PAGES[0])[:-200], "the body is not JSON, or cut off"),
            (body("cost_report_grouped_page1"), "data[0].date: Field required"),
            (body("claude_code_pre_2026-08_shape"), "data[0].date is not the day that was asked for"),
        ],
        ids=lambda value: str(value)[:30],
    )
    async def test_a_200_that_is_no_page_is_an_error(
        self, api: Client, server: respx.MockRouter, content: bytes, said: str
    ) -> None:
        """Never an empty day."""
        error = await refused(api, server, httpx.Response(200, content=content))
        assert isinstance(error, ApiShapeChanged)
        assert str(error) == f"claude_code 2026-11-20: {said}"

    async def test_damaged_compression_is_an_error_of_the_body(self, api: Client, server: respx.MockRouter) -> None:
        """As when a proxy cuts an answer."""
        error = await refused(
            api, server, httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Chunks(b"\x1f\x8bno gzip"))
        )
        assert isinstance(error, ApiShapeChanged)
        assert str(error).endswith("the body's compression is damaged")

    @pytest.mark.parametrize(
        ("failure", "kind", "said"),
        [
            (httpx.ConnectTimeout("x"), ApiTimeout, "no whole answer within 90 s"),
            (httpx.ReadTimeout("x"), ApiTimeout, "no whole answer within 90 s"),
            (httpx.ConnectError("[Errno 111] refused"), ApiUnreachable, "no connection: [Errno 111] refused"),
            (httpx.ReadError(""), ApiUnreachable, "no connection: ReadError"),
            (httpx.RemoteProtocolError(f"bad {KEY}"), ApiUnreachable, "no connection: bad [key]"),
        ],
    )
    async def test_a_connection_that_fails(
        self,
        api: Client,
        server: respx.MockRouter,
        telemetry: Telemetry,
        failure: Exception,
        kind: type[ApiError],
        said: str,
    ) -> None:
        """A time-out and a broken connection are two things; the request was counted, and so was its failure."""
        server.get(USAGE).mock(side_effect=failure)
        with pytest.raises(kind) as caught:
            await api.claude_code(DAY)
        assert str(caught.value).startswith(f"claude_code 2026-11-20: {said}")
        assert caught.value.pause is None
        assert count(telemetry, "api_requests_total", report="claude_code") == 1
        assert count(telemetry, "api_request_duration_seconds_count", report="claude_code") == 1
        assert count(telemetry, "api_request_failures_total", report="claude_code", reason=kind.reason) == 1

    async def test_a_body_without_end_is_cut_off(
        self, api: Client, server: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After the bound: memory stays flat."""
        monkeypatch.setattr(client, "LARGEST_BODY", 1000)
        chunks = Chunks(*[b"x" * 600] * 1000)
        error = await refused(api, server, httpx.Response(200, stream=chunks))
        assert isinstance(error, ApiShapeChanged)
        assert str(error).endswith("the body is larger than 1000 bytes")
        assert chunks.sent == 2

    async def test_an_answer_that_drips_is_a_time_out(
        self, api: Client, server: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each piece may be in time; the whole has a bound, which is nothing here."""

        async def never(_: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

        monkeypatch.setattr(client, "WHOLE_REQUEST", 0.0)
        server.get(USAGE).mock(side_effect=never)
        with pytest.raises(ApiTimeout, match="no whole answer within 0 s"):
            await api.claude_code(DAY)


class Chunks(httpx.AsyncByteStream):
    """A body in pieces, which counts those that were taken."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            self.sent += 1
            yield chunk


class TestKey:
    """Rotation, and where the key does not go."""

    async def test_a_new_key_is_sent_without_a_restart(self, api: Client, server: respx.MockRouter, keys: Keys) -> None:
        """And `key_changed` tells that there is one."""
        route = server.get(USAGE).mock(return_value=answer("claude_code_empty_day"))
        await api.claude_code(DAY)
        assert api.key_changed() is False
        keys.now = "sk-ant-admin01-the-next-one"
        assert api.key_changed() is True
        await api.claude_code(DAY)
        assert route.calls[-1].request.headers["x-api-key"] == "sk-ant-admin01-the-next-one"
        assert api.key_changed() is False

    async def test_a_key_that_can_not_be_read_for_a_moment(
        self, api: Client, server: respx.MockRouter, keys: Keys
    ) -> None:
        """The last one is used while its file is replaced; without any, the error says what is missing."""
        route = server.get(USAGE).mock(return_value=answer("claude_code_empty_day"))
        keys.now = None
        with pytest.raises(
            ApiUnauthorized, match="claude_code 2026-11-20: ANTHROPIC_ADMIN_KEY_FILE: key cannot be read"
        ):
            await api.claude_code(DAY)
        assert not route.called
        keys.now = KEY
        await api.claude_code(DAY)
        keys.now = None
        await api.claude_code(DAY)
        assert [call.request.headers["x-api-key"] for call in route.calls] == [KEY, KEY]
        assert api.key_changed() is False

    async def test_no_error_holds_it(self, api: Client, server: respx.MockRouter) -> None:
        """Even when the API sends it back."""
        echo = {"type": "error", "error": {"type": "authentication_error", "message": f"bad key {KEY}"}}
        error = await refused(api, server, httpx.Response(401, json=echo))
        assert KEY not in f"{error} {error!r} {error.__context__!r} {error.__cause__!r}"
        assert "bad key [key]" in str(error)


class TestProxies:
    """The environment's proxy is used for the API, and not for this machine."""

    @pytest.mark.parametrize(
        ("base_url", "proxied"), [(HOST, True), ("http://127.0.0.1:1", False), ("HTTP://[::1]:1", False)]
    )
    async def test_loopback_is_reached_directly(
        self,
        monkeypatch: pytest.MonkeyPatch,
        telemetry: Telemetry,
        base_url: str,
        proxied: bool,  # noqa: FBT001 - a table
    ) -> None:
        """Plain http through a proxy would show it the key."""
        monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.test:3128")
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.test:3128")
        made = Client(base_url=base_url, version="2023-06-01", key=str, requests_per_minute=60, telemetry=telemetry)
        assert bool(made._http._mounts) is proxied
        await made.close()


async def test_one_request_at_a_time(api: Client, server: respx.MockRouter) -> None:
    """The budget belongs to the whole organisation: two reports never ask at once."""
    at_once, most = 0, 0

    async def slow(_: httpx.Request) -> httpx.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        for _turn in range(5):
            await asyncio.sleep(0)
        at_once -= 1
        return answer("claude_code_empty_day")

    server.get(USAGE).mock(side_effect=slow)
    await asyncio.gather(*(api.claude_code(DAY) for _ in range(5)))
    assert most == 1


def test_the_table_of_errors_is_complete() -> None:
    """Every error sample has a row; the check of all samples relies on it."""
    assert set(ERRORS) == {path.stem for path in FOLDER.glob("error_*.json")}
