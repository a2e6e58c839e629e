"""Makes planned failures happen: ASGI middleware between the network and the simulated API."""

import asyncio
from collections.abc import Callable
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.simulator.fault_answers import Answer, Asked, canned, spoiled
from tests.simulator.faults import Fault, Faults, pause_of

_CHUNK = b'{"date":"2026-01-01T00:00:00Z","actor":{"type":"user_actor","email_address":"flood@example.test"}},' * 600
_GIGABYTE = 1 << 30
_CURSORS = ("page", "after_id")
_DAY = timedelta(days=1)
_LONGEST_RANGE = 1000


class FaultInjector:
    """Answers a request that is in the plan with the planned failure, and passes the others on."""

    def __init__(self, app: ASGIApp, faults: Faults, now: Callable[[], datetime]) -> None:
        self._app = app
        self._faults = faults
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        fault = None
        if scope["type"] == "http":
            request = Request(scope)
            paged = any(name in request.query_params for name in _CURSORS)
            fault = self._faults.take(request.url.path, _dates(request), paged=paged)
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await self._fail(fault, scope, receive, send)

    async def _fail(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        asked = Asked(self._now(), request.headers.get("x-api-key", ""), scope["state"]["request_id"])
        answer = canned(fault, asked)
        if answer is not None:
            await _send(send, answer)
        elif fault.kind == "hang":
            if await _released(fault, receive):
                await self._app(scope, receive, send)
        elif fault.kind == "huge":
            await _flood(send, fault.options.get("size", _GIGABYTE))
        else:
            await self._send_spoiled(fault, scope, send)

    async def _send_spoiled(self, fault: Fault, scope: Scope, send: Send) -> None:
        true = await _answer(self._app, _without_cursor(scope) if fault.kind == "cursor_loop" else scope)
        if fault.kind == "slow_drip":
            await _drip(send, true, fault)
        elif fault.kind == "reset":
            await _break_off(send, true)
        else:
            body = spoiled(fault, scope["path"], true.body) if true.status == 200 else None
            await _send(send, true if body is None else true._replace(body=body))


def _dates(request: Request) -> frozenset[date]:
    """Return the dates that a request asks for; none where its bounds are no dates."""
    try:
        first = date.fromisoformat(request.query_params["starting_at"][:10])
        after = date.fromisoformat(request.query_params.get("ending_at", (first + _DAY).isoformat())[:10])
    except (KeyError, ValueError):
        return frozenset()
    return frozenset(first + number * _DAY for number in range(min((after - first).days, _LONGEST_RANGE)))


def _without_cursor(scope: Scope) -> Scope:
    pairs = [pair for pair in Request(scope).query_params.multi_items() if pair[0] not in _CURSORS]
    return {**scope, "query_string": urlencode(pairs).encode()}


async def _answer(app: ASGIApp, scope: Scope) -> Answer:
    """Return what the API would have answered."""
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    del headers["content-length"]
    return Answer(messages[0]["status"], headers, b"".join(message.get("body", b"") for message in messages[1:]))


async def _start(send: Send, answer: Answer, length: int | None) -> None:
    headers = dict(answer.headers)
    if length is not None:
        headers["content-length"] = str(length)
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})


async def _send(send: Send, answer: Answer) -> None:
    await _start(send, answer, len(answer.body))
    await send({"type": "http.response.body", "body": answer.body})


async def _drip(send: Send, answer: Answer, fault: Fault) -> None:
    await _start(send, answer, len(answer.body))
    step = max(1, -(-len(answer.body) // fault.options.get("chunks", 16)))
    for start in range(0, len(answer.body), step):
        await pause_of(fault)()
        await send({"type": "http.response.body", "body": answer.body[start : start + step], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _break_off(send: Send, answer: Answer) -> None:
    """Send half a body and stop: the server closes the connection, since less came than was announced."""
    await _start(send, answer, len(answer.body))
    await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})


async def _flood(send: Send, size: int) -> None:
    await _start(send, Answer(200, {"content-type": "application/json"}, b""), None)
    await send({"type": "http.response.body", "body": b'{"data":[', "more_body": True})
    for _ in range(size // len(_CHUNK)):
        await send({"type": "http.response.body", "body": _CHUNK, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _released(fault: Fault, receive: Receive) -> bool:
    """Wait until the failure is released; return whether the client is still there then."""
    release, gone = asyncio.ensure_future(fault.gate.wait()), asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({release, gone}, return_when=asyncio.FIRST_COMPLETED)
        return not gone.done()
    finally:
        release.cancel()
        gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
