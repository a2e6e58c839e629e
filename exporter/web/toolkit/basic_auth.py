"""HTTP basic authentication against bcrypt hashes, with bounded CPU and memory.

bcrypt is slow on purpose, so strangers must not be able to make the exporter compute without limit. Hashes are checked
in one thread outside the event loop, only a few checks may wait, and each client address may send few wrong passwords.
A verified password is remembered as a keyed digest until its hash changes.
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
"""Why a request was refused. `throttled`: too many wrong passwords from this address; `busy`: too many checks wait."""

MAX_HEADER_LENGTH: Final = 1024
"""Longest Authorization header that is decoded."""

BCRYPT_MAX_BYTES: Final = 72
"""bcrypt uses no more bytes of a password. Its Python library refuses longer ones; Go and htpasswd cut them."""

_MAX_PENDING_CHECKS: Final = 8  # at cost 10 the last of them waits for half a second
_MAX_REMEMBERED: Final = 256
_MAX_ADDRESSES: Final = 1024
_FAILURE_BURST, _FAILURE_INTERVAL = 10, 1.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was refused, and after how many seconds to retry, or None where retrying does not help."""

    reason: Failure
    retry_after: float | None = None


class PasswordChecker:
    """Checks passwords against bcrypt hashes. For one event loop; `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, None] = OrderedDict()
        self._pending: dict[bytes, asyncio.Task[bool]] = {}
        self._failures: OrderedDict[str, TokenBucket] = OrderedDict()
        self._thread = ThreadPoolExecutor(max_workers=1)

    async def check(self, users: Mapping[str, str], user: str, password: bytes, address: str) -> Refusal | None:
        """Return None if `users` maps `user` to a hash of `password`; a wrong password is charged to `address`."""
        known = user in users
        # Unknown users take as long as known ones, so response times do not reveal which users exist.
        hashed = users[user] if known else _decoy_hash(users)
        digest = self._digest(user, hashed, password)
        if known and digest in self._verified:
            self._verified.move_to_end(digest)
            return None
        task = self._pending.get(digest)
        if task is None:
            if len(self._pending) >= _MAX_PENDING_CHECKS:
                return Refusal("busy", 1.0)
            if wait := self._bucket(address).take():
                return Refusal("throttled", wait)
            task = asyncio.create_task(self._verify(digest, hashed, password, address, known=known))
            self._pending[digest] = task
        # Shielded, because other requests may wait for the same check after this client disconnects.
        return None if await asyncio.shield(task) else Refusal("wrong")

    async def _verify(self, digest: bytes, hashed: str, password: bytes, address: str, *, known: bool) -> bool:
        try:
            loop = asyncio.get_running_loop()
            matches = await loop.run_in_executor(self._thread, _matches, password, hashed)
        finally:
            del self._pending[digest]
        if not (matches and known):
            return False
        self._verified[digest] = None
        if len(self._verified) > _MAX_REMEMBERED:
            self._verified.popitem(last=False)
        self._bucket(address).give_back()
        return True

    def _digest(self, user: str, hashed: str, password: bytes) -> bytes:
        """Return a digest from which passwords cannot be guessed without this process's secret."""
        parts = (user.encode(), hashed.encode(), password)
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hashlib.blake2b(framed, key=self._secret).digest()

    def _bucket(self, address: str) -> TokenBucket:
        """Return how many wrong passwords an address has left, and forget the address used longest ago."""
        bucket = self._failures.pop(address, None) or TokenBucket(_FAILURE_INTERVAL, _FAILURE_BURST, self._clock)
        self._failures[address] = bucket
        if len(self._failures) > _MAX_ADDRESSES:
            self._failures.popitem(last=False)
        return bucket


def _decoy_hash(users: Mapping[str, str]) -> str:
    """Return a valid hash of no known password, with the highest cost of `users`."""
    cost = max(hashed.split("$")[2] for hashed in users.values())
    return f"$2b${cost}${'.' * 53}"


def _matches(password: bytes, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(password[:BCRYPT_MAX_BYTES], hashed.encode())
    except ValueError:  # a salt that has the form of one and cannot be decoded
        return False


def parse_credentials(header: str) -> tuple[str, bytes] | None:
    """Return the user and password of an Authorization header (RFC 7617), or None if it is malformed."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(header) > MAX_HEADER_LENGTH:
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


class BasicAuth:
    """ASGI middleware that requires a user name and password, unless there are no users."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        users: Callable[[], Mapping[str, str]],
        on_failure: Callable[[Failure], None],
        open_paths: tuple[str, ...] = OPEN_PATHS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`users` returns the current names and bcrypt hashes. `on_failure` is called for each refused request."""
        self._app, self._users, self._on_failure, self._open_paths = app, users, on_failure, open_paths
        self._checker = PasswordChecker(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request; other connections pass, because the application serves nothing else."""
        refusal = None
        if scope["type"] == "http" and scope["path"] not in self._open_paths:
            refusal = await self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        self._on_failure(refusal.reason)
        await _response(refusal)(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Refusal | None:
        users = self._users()
        if not users:
            return None
        header = Headers(scope=scope).get("authorization")
        if header is None:
            return Refusal("missing")
        credentials = parse_credentials(header)
        if credentials is None:
            return Refusal("malformed")
        client = scope.get("client")
        return await self._checker.check(users, *credentials, client[0] if client else "")


def _response(refusal: Refusal) -> PlainTextResponse:
    if refusal.retry_after is not None:
        headers = {"retry-after": str(math.ceil(refusal.retry_after))}
        return PlainTextResponse("Too many passwords to check. Retry later.\n", 429, headers)
    challenge = {"www-authenticate": 'Basic realm="anthropic-exporter", charset="UTF-8"'}
    return PlainTextResponse("A user name and password are required.\n", 401, challenge)
