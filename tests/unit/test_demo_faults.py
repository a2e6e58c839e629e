"""The simulated API fails as planned, and only then."""

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.demo.api import create_api
from exporter.demo.fault_answers import spoiled
from exporter.demo.faults import KINDS, Faults, Kind
from exporter.demo.organization import Organization
from exporter.demo.server import running, serve_in_thread

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
YESTERDAY = date(2026, 11, 19)
DAY = timedelta(days=1)
KEY = "sk-ant-admin01-simulated"
HEADERS = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
ROOT = "/v1/organizations"
USAGE = f"{ROOT}/usage_report/claude_code?starting_at={YESTERDAY}&limit=1000"
COST = f"{ROOT}/cost_report?starting_at={YESTERDAY}T00:00:00Z&ending_at={YESTERDAY + DAY}T00:00:00Z"
SAMPLES = Path(__file__).parents[1] / "fixtures" / "api"
SAMPLE_OF: dict[Kind, str] = {
    "401": "error_401",
    "403": "error_403_scope",
    "404": "error_404_beta_header_missing",
    "400_date_range": "error_400_date_range",
    "400_cursor_mismatch": "error_400_cursor_mismatch",
    "400_date_not_available": "error_400_date_not_available",
    "429_retry_after": "error_429_with_retry_after",
    "429_reset": "error_429_no_retry_after",
    "429_bare": "error_429_bare",
    "500": "error_500",
    "529": "error_529",
}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Faults, httpx.Client]]:
    """Serve one API for the tests of this module."""
    faults = Faults()
    app = create_api(Organization(NOON.date(), people=20), now=lambda: NOON, key=KEY, faults=faults)
    with serve_in_thread(app) as url, httpx.Client(base_url=url, headers=HEADERS) as client:
        yield faults, client


@pytest.fixture
def faults(served: tuple[Faults, httpx.Client]) -> Iterator[Faults]:
    """Return an empty plan."""
    yield served[0]
    served[0].clear()


@pytest.fixture
def client(served: tuple[Faults, httpx.Client]) -> httpx.Client:
    """Return a client with the right key."""
    return served[1]


@pytest.mark.parametrize("kind", SAMPLE_OF)
def test_errors_are_those_of_the_samples(faults: Faults, client: httpx.Client, kind: Kind) -> None:
    """Status, error type and the headers that matter equal the sample's; messages may differ."""
    faults.add(kind=kind, path="claude_code", paged=None)
    answer, sample = client.get(USAGE), json.loads((SAMPLES / f"{SAMPLE_OF[kind]}.json").read_text())
    assert answer.status_code == sample["status"]
    assert answer.json()["error"]["type"] == sample["body"]["error"]["type"]
    assert answer.json().keys() == sample["body"].keys()
    assert sample["headers"].keys() <= answer.headers.keys()
    for name in ("x-should-retry", "retry-after"):
        assert answer.headers.get(name) == sample["headers"].get(name)


def test_a_throttle_says_how_long_in_each_form(faults: Faults, client: httpx.Client) -> None:
    """Seconds, milliseconds, a date and the budget's reset all say the same."""
    kinds: tuple[Kind, ...] = ("429_retry_after", "429_retry_after_ms", "429_retry_after_date", "429_reset")
    for kind in kinds:
        faults.add(kind=kind, times=1, seconds=90)
    headers = [client.get(USAGE).headers for _ in kinds]
    assert headers[0]["retry-after"] == "90"
    assert headers[1]["retry-after-ms"] == "90000"
    assert headers[2]["retry-after"] == "Fri, 20 Nov 2026 12:01:30 GMT"
    assert headers[3]["anthropic-ratelimit-requests-reset"] == "2026-11-20T12:01:30Z"


def test_a_plan_is_for_a_path_a_number_of_times_and_dates(faults: Faults, client: httpx.Client) -> None:
    """Another path, another date and a request after the last time are answered truly."""
    fault = faults.add(kind="500", path="cost_report", times=2, dates={YESTERDAY})
    other = COST.replace(str(YESTERDAY), str(YESTERDAY - DAY), 1).replace(str(YESTERDAY + DAY), str(YESTERDAY))
    statuses = [client.get(url).status_code for url in (USAGE, other, COST, COST, COST)]
    assert statuses == [200, 200, 500, 500, 200]
    assert fault.hits == 2


def test_a_range_is_hit_by_any_of_its_dates(faults: Faults, client: httpx.Client) -> None:
    """A cost_report that asks for 31 days fails when one of them is in the plan; its end is exclusive."""
    faults.add(kind="500", dates={YESTERDAY})
    begin = YESTERDAY - 20 * DAY
    for end, status in ((YESTERDAY, 200), (YESTERDAY + DAY, 500)):
        query = {"starting_at": f"{begin}T00:00:00Z", "ending_at": f"{end}T00:00:00Z"}
        assert client.get(f"{ROOT}/cost_report", params=query).status_code == status


def test_failures_happen_in_the_order_of_the_plan_and_clear_ends_them(faults: Faults, client: httpx.Client) -> None:
    """One after another, then the last one for ever, until the plan is cleared."""
    faults.add(kind="529", times=1)
    faults.add(kind="401")
    assert [client.get(USAGE).status_code for _ in range(3)] == [529, 401, 401]
    faults.clear()
    assert client.get(USAGE).status_code == 200


def test_an_expired_cursor_spares_the_first_page(faults: Faults, client: httpx.Client) -> None:
    """Requests without a cursor are answered; with one, 410."""
    faults.add(kind="cursor_expired")
    small = USAGE.replace("limit=1000", "limit=5")
    first = client.get(small)
    assert first.status_code == 200
    assert client.get(f"{small}&page={first.json()['next_page']}").status_code == 410


def test_an_error_can_echo_the_key(faults: Faults, client: httpx.Client) -> None:
    """The message holds the key that was sent, for tests that it is logged nowhere."""
    faults.add(kind="error_body", status=500)
    answer = client.get(USAGE)
    assert answer.status_code == 500
    assert KEY in answer.json()["error"]["message"]


def test_answers_that_are_not_the_api(faults: Faults, client: httpx.Client) -> None:
    """HTML, text and an empty object come with 200, a redirect leads to another host."""
    kinds: tuple[Kind, ...] = ("html", "not_json", "empty_object", "redirect")
    for kind in kinds:
        faults.add(kind=kind, times=1)
    html, text, empty, redirect = (client.get(USAGE) for _ in kinds)
    assert (html.status_code, html.headers["content-type"]) == (200, "text/html; charset=utf-8")
    with pytest.raises(json.JSONDecodeError):
        text.json()
    assert (empty.status_code, empty.json()) == (200, {})
    assert redirect.status_code == 302
    assert httpx.URL(redirect.headers["location"]).host == "elsewhere.example.test"


@pytest.mark.parametrize("url", [USAGE, COST], ids=["usage", "cost"])
def test_true_bodies_are_spoiled(faults: Faults, client: httpx.Client, url: str) -> None:
    """Half a body, a field of another type, a missing field, another day: each in an answer that says 200."""
    true = client.get(url).json()["data"][0]
    place = "core_metrics.num_sessions" if url == USAGE else "results.0.amount"
    kinds: tuple[Kind, ...] = ("truncated", "wrong_shape", "missing_field", "wrong_date")
    for kind in kinds:
        faults.add(kind=kind, times=1)
    truncated, shape, missing, moved = (client.get(url) for _ in range(4))
    assert truncated.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        truncated.json()
    assert dig(shape.json()["data"][0], place) == ["spoiled"] != dig(true, place)
    with pytest.raises(KeyError):
        dig(missing.json()["data"][0], place)
    first = moved.json()["data"][0]
    assert (first.get("date") or first["starting_at"])[:10] == str(YESTERDAY - DAY)


def dig(value: Any, place: str) -> Any:  # noqa: ANN401 - any JSON
    """Return what stands at a dotted path."""
    for part in place.split("."):
        value = value[int(part) if part.isdigit() else part]
    return value


@pytest.mark.parametrize("path", ["/claude_code", "/cost_report", "/workspaces", "/me"])
def test_an_empty_body_can_be_spoiled_too(path: str) -> None:
    """Where the field to spoil does not exist, the list itself is spoiled, so that the failure is one."""
    fault = Faults().add(kind="missing_field")
    body = spoiled(fault, path, b'{"data":[],"has_more":false}')
    assert body is not None
    assert json.loads(body)["data"] == "spoiled"


@pytest.mark.parametrize("path", ["usage_report/claude_code", "workspaces"])
def test_a_cursor_can_loop(faults: Faults, client: httpx.Client, path: str) -> None:
    """The same page with the same cursor comes for ever, and the cursor is taken."""
    faults.add(kind="cursor_loop")
    query, name, cursor = ({"starting_at": str(YESTERDAY)}, "page", "next_page")
    if path == "workspaces":
        query, name, cursor = {}, "after_id", "last_id"
    first = client.get(f"{ROOT}/{path}", params=query).json()
    again = client.get(f"{ROOT}/{path}", params={**query, name: first[cursor]}).json()
    assert first == again
    assert first["has_more"]


def test_a_connection_can_break_in_mid_body(faults: Faults, client: httpx.Client) -> None:
    """Fewer bytes come than were announced."""
    faults.add(kind="reset", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(USAGE)
    assert client.get(USAGE).status_code == 200


def test_a_flood_is_as_long_as_told_and_never_ends_its_json(faults: Faults, client: httpx.Client) -> None:
    """Bytes come in chunks until the size; a client may leave in the middle."""
    faults.add(kind="huge", size=3_000_000)
    with client.stream("GET", USAGE) as answer:
        received = 0
        for chunk in answer.iter_bytes():
            received += len(chunk)
            if received > 1_000_000:
                break
    body = client.get(USAGE).content
    assert 2_900_000 < len(body) <= 3_000_100
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_what_hangs_is_answered_truly_when_released(faults: Faults, client: httpx.Client) -> None:
    """Another request is answered meanwhile; the client that waited gets the true page."""
    fault = faults.add(kind="hang", path="claude_code")
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(client.get(USAGE)))
    thread.start()
    assert fault.begun.wait_in_thread(10)
    assert client.get(COST).status_code == 200
    assert answers == []
    fault.gate.open()
    thread.join()
    assert answers[0].status_code == 200


@pytest.mark.anyio
async def test_a_drip_waits_for_its_pause_between_two_pieces() -> None:
    """The client holds the pieces that were let through, and the whole true body in the end."""
    faults, drops = Faults(), asyncio.Semaphore(0)
    app = create_api(Organization(NOON.date(), people=20), now=lambda: NOON, key=KEY, faults=faults)

    async def pause() -> None:
        await drops.acquire()

    async with running(app) as url, httpx.AsyncClient(base_url=url, headers=HEADERS) as client:
        true = (await client.get(USAGE)).content
        faults.add(kind="slow_drip", chunks=4, pause=pause)
        async with client.stream("GET", USAGE) as answer:
            pieces = answer.aiter_raw()
            received = b""
            for _ in range(4):
                assert received == true[: len(received)] != true
                drops.release()
                received += await anext(pieces)
            assert received == true


@pytest.mark.anyio
async def test_a_server_ends_although_a_client_hangs() -> None:
    """Leaving `running` releases what hangs."""
    app = create_api(Organization(NOON.date(), people=3), now=lambda: NOON, key=KEY)
    fault = app.state.faults.add(kind="hang")
    async with httpx.AsyncClient(headers=HEADERS) as client:
        async with running(app) as url:
            task = asyncio.create_task(client.get(url + f"{ROOT}/me"))
            await fault.begun.wait()
        assert (await task).status_code == 200


@pytest.mark.anyio
async def test_a_client_that_gives_up_is_forgotten() -> None:
    """When the client of a hanging request leaves, nothing is sent and nothing stays under way."""
    app = create_api(Organization(NOON.date(), people=3), now=lambda: NOON, key=KEY)
    app.state.faults.add(kind="hang")
    inbox = iter([{"type": "http.request", "body": b""}, {"type": "http.disconnect"}])
    outbox: list[Any] = []

    async def receive() -> Any:  # noqa: ANN401 - ASGI
        return next(inbox)

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI
        outbox.append(message)

    scope = {"type": "http", "method": "GET", "path": f"{ROOT}/me", "query_string": b"", "headers": []}
    await app(scope, receive, send)
    assert outbox == []
    assert app.state.log.in_flight == 0


def test_every_kind_is_tried_here() -> None:
    """No kind of failure is without a test in this module."""
    text = Path(__file__).read_text()
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []
