"""Basic authentication against bcrypt hashes, at a cost that strangers can not drive up.

bcrypt is slow on purpose. So checks run in one thread beside the event loop, few wait for it, each peer has an
allowance of wrong passwords, and a password found right is remembered by a keyed digest until its hash changes.
"""

import asyncio
import base64
import binascii
import hashlib
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal

import bcrypt
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.web.toolkit.schema import OPEN_PATHS
from exporter.web.toolkit.token_bucket import TokenBucket

Failure = Literal["missing", "malformed", "wrong", "throttled", "busy"]
"""Why a request was not let in. `throttled`: this peer was wrong too often; `busy`: too many checks are waiting."""

FAILURES: Final[tuple[Failure, ...]] = ("missing", "malformed", "wrong", "throttled", "busy")

LONGEST_CREDENTIALS: Final = 1024
"""Bytes of an Authorization header that we look at."""

BCRYPT_READS: Final = 72
"""bcrypt uses this many bytes of a password. The library refuses longer ones; Go and htpasswd cut them, so do we."""

_WAITING = 8  # checks that may stand in line; at cost 10 the last of them waits for half a second
_REMEMBERED = 256
_PEERS = 1024
_WRONG_BURST, _WRONG_INTERVAL = 10, 1.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is not let in: why, and for `throttled` and `busy` after how many seconds to come back."""

    reason: Failure
    retry_after: float = 0.0


class Passwords:
    """Tells right passwords from wrong ones. For one event loop; `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, None] = OrderedDict()
        self._running: dict[bytes, asyncio.Task[bool]] = {}
        self._allowances: OrderedDict[str, TokenBucket] = OrderedDict()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bcrypt")

    async def check(self, users: Mapping[str, str], user: str, password: bytes, peer: str) -> Refusal | None:
        """Return None when `users` has `user` with the hash of `password`; `peer` is the address that pays if not."""
        hashed = users.get(user)
        # An unknown user costs a check as dear as the dearest known one, so that time does not tell who exists.
        mark = self._mark(user, hashed or _dummy(users), password)
        if hashed is not None and mark in self._verified:
            self._verified.move_to_end(mark)
            return None
        task = self._running.get(mark)
        if task is None:
            if len(self._running) >= _WAITING:
                return Refusal("busy", 1.0)
            if wait := self._allowance(peer).take():
                return Refusal("throttled", wait)
            task = asyncio.create_task(self._run(mark, hashed, hashed or _dummy(users), password, peer))
            self._running[mark] = task
        # Shielded: others may wait for the same check when this client has gone.
        return None if await asyncio.shield(task) else Refusal("wrong")

    async def _run(self, mark: bytes, hashed: str | None, against: str, password: bytes, peer: str) -> bool:
        try:
            loop = asyncio.get_running_loop()
            same = await loop.run_in_executor(self._thread, _matches, password, against)
        finally:
            del self._running[mark]
        right = same and hashed is not None
        if right:
            self._remember(mark)
            self._allowance(peer).give_back()
        return right

    def _mark(self, user: str, hashed: str, password: bytes) -> bytes:
        """Return a digest that nobody can make or guess from without this process's secret."""
        parts = (user.encode(), hashed.encode(), password)
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hashlib.blake2b(framed, key=self._secret, digest_size=32).digest()

    def _remember(self, mark: bytes) -> None:
        self._verified[mark] = None
        if len(self._verified) > _REMEMBERED:
            self._verified.popitem(last=False)

    def _allowance(self, peer: str) -> TokenBucket:
        bucket = self._allowances.pop(peer, None) or TokenBucket(_WRONG_INTERVAL, _WRONG_BURST, self._clock)
        self._allowances[peer] = bucket
        if len(self._allowances) > _PEERS:
            self._allowances.popitem(last=False)
        return bucket


def _dummy(users: Mapping[str, str]) -> str:
    """Return a well-formed hash of no known password, as costly as the costliest of `users`."""
    cost = max(hashed.split("$")[2] for hashed in users.values())
    return f"$2b${cost}${'.' * 53}"


def _matches(password: bytes, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(password[:BCRYPT_READS], hashed.encode())
    except ValueError:
        return False


def credentials(header: str) -> tuple[str, bytes] | None:
    """Return user and password of an Authorization header's value (RFC 7617), or None when it holds none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(header) > LONGEST_CREDENTIALS:
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


class BasicAuth:
    """ASGI middleware that lets a request through when its user and password are right, or when there are no users."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        users: Callable[[], Mapping[str, str]],
        on_failure: Callable[[Failure], None],
        open_paths: tuple[str, ...] = OPEN_PATHS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`users` returns names and bcrypt hashes as they are now. `on_failure` is told of each request refused."""
        self._app, self._users, self._on_failure, self._open = app, users, on_failure, open_paths
        self._passwords = Passwords(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP goes through, as we serve nothing else."""
        if scope["type"] != "http" or scope["path"] in self._open:
            await self._app(scope, receive, send)
            return
        refusal = await self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        self._on_failure(refusal.reason)
        await _answer(refusal)(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Refusal | None:
        users = self._users()
        if not users:
            return None
        header = Headers(scope=scope).get("authorization")
        if header is None:
            return Refusal("missing")
        given = credentials(header)
        if given is None:
            return Refusal("malformed")
        peer = scope.get("client")
        return await self._passwords.check(users, *given, peer[0] if peer else "")


def _answer(refusal: Refusal) -> PlainTextResponse:
    if refusal.reason in {"throttled", "busy"}:
        wait = {"retry-after": str(math.ceil(refusal.retry_after))}
        return PlainTextResponse("Too many wrong passwords, or too many at once.\n", 429, wait)
    challenge = {"www-authenticate": 'Basic realm="anthropic-exporter", charset="UTF-8"'}
    return PlainTextResponse("A user name and a password are needed.\n", 401, challenge)
