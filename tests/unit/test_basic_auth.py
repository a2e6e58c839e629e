"""Basic authentication: who is let in, what a check costs, and what a stranger learns."""

import base64
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import get_args

import anyio
import bcrypt
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse

from exporter.telemetry import AUTH_REASONS
from exporter.web.toolkit.basic_auth import BasicAuth, Failure, PasswordChecker, Refusal, parse_credentials

pytestmark = pytest.mark.anyio


def hashed(password: str, cost: int = 4) -> str:
    """Return a bcrypt hash, cheap for tests."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


@dataclass
class Site:
    """A page behind BasicAuth, with what a test changes or counts."""

    users: dict[str, str] = field(default_factory=lambda: {"alice": hashed("opensesame"), "bob": hashed("päss")})
    failures: Counter[str] = field(default_factory=Counter)
    now: float = 0.0
    checks: list[bytes] = field(default_factory=list)
    concurrent: int = 0
    address: str = "192.0.2.1"
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Build the middleware."""

        def count(reason: Failure) -> None:
            self.failures[reason] += 1

        self.app = BasicAuth(
            PlainTextResponse("in"), users=lambda: self.users, on_failure=count, clock=lambda: self.now
        )
        self.released.set()

    async def get(
        self, user: str | None = None, password: str = "", path: str = "/metrics", **more: str
    ) -> httpx.Response:
        """Send one request."""
        headers = dict(more)
        if user is not None:
            headers["authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        transport = httpx.ASGITransport(app=self.app, client=(self.address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter.example.test") as client:
            return await client.get(path, headers=headers)

    async def status(self, user: str, password: str) -> int:
        """Return the status of one request."""
        return (await self.get(user, password)).status_code


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Yield a site whose bcrypt checks are real and counted, and wait while `released` is not set."""
    site = Site()
    real = bcrypt.checkpw
    running = threading.Semaphore()

    def counted(password: bytes, against: bytes) -> bool:
        site.checks.append(against)
        alone = running.acquire(blocking=False)
        site.concurrent += not alone
        site.released.wait(30)
        running.release()
        return real(password, against)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    yield site
    site.released.set()


async def test_the_right_password_opens(site: Site) -> None:
    """A user with the right password gets the page, also with letters outside ASCII."""
    assert (await site.get("alice", "opensesame")).text == "in"
    assert (await site.get("bob", "päss")).text == "in"
    assert not site.failures


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "missing"),
        ("", "malformed"),
        ("Basic", "malformed"),
        ("Basic YWxp!Y2U6b3BlbnNlc2FtZQ==", "malformed"),
        ("Bearer YWxpY2U6b3BlbnNlc2FtZQ==", "malformed"),
        ("Basic YWxpY2U=", "malformed"),
        ("Basic /zo=", "malformed"),
        ("Basic YWxpY2U6d3Jvbmc=", "wrong"),
        ("Basic bWFsbG9yeTpvcGVuc2VzYW1l", "wrong"),
        ("Basic Og==", "wrong"),
    ],
)
async def test_every_refusal_is_the_same_401(site: Site, header: str | None, reason: str) -> None:
    """The response repeats nothing of the request; the reason is counted, not told."""
    response = await site.get(**({} if header is None else {"authorization": header}))
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Basic realm="anthropic-exporter", charset="UTF-8"'
    assert response.text == "A user name and password are required.\n"
    assert site.failures == {reason: 1}


def test_every_reason_has_a_series() -> None:
    """A reason that is missing from telemetry would appear only after its first failure."""
    assert get_args(Failure) == AUTH_REASONS


def test_a_header_longer_than_1024_characters_is_malformed() -> None:
    """Both headers are well-formed but for their length."""
    header = "Basic " + base64.b64encode(b"alice:" + b"a" * 756).decode()
    assert parse_credentials(header.ljust(1024)) == ("alice", b"a" * 756)
    assert parse_credentials(header.ljust(1025)) is None


@given(st.text(max_size=60))
def test_any_header_is_parsed_or_refused(header: str) -> None:
    """No header value raises."""
    found = parse_credentials(header)
    assert found is None or isinstance(found[1], bytes)


@given(
    st.text(alphabet=st.characters(exclude_characters=":", exclude_categories=["Cs"]), max_size=40),
    st.binary(max_size=40),
)
def test_credentials_are_parsed_as_they_were_encoded(user: str, password: bytes) -> None:
    """A user name has no colon; a password may hold any byte."""
    encoded = base64.b64encode(user.encode() + b":" + password).decode()
    assert parse_credentials(f"bAsIc {encoded}") == (user, password)


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
async def test_probes_need_no_password(site: Site, path: str) -> None:
    """Exactly these two paths are open."""
    assert (await site.get(path=path)).status_code == 200
    assert (await site.get(path=path + "/")).status_code == 401
    assert (await site.get(path="/metrics/.." + path + "x")).status_code == 401


async def test_no_users_means_no_password(site: Site) -> None:
    """Without users in the file no password is required, whatever is sent."""
    site.users = {}
    assert (await site.get()).status_code == 200
    assert await site.status("alice", "x") == 200
    assert not site.checks


async def test_a_verified_password_is_not_checked_again(site: Site) -> None:
    """It is remembered until its hash changes or its user is removed."""
    assert [await site.status("alice", "opensesame") for _ in range(3)] == [200] * 3
    assert len(site.checks) == 1
    site.users = {"alice": hashed("another")}
    assert await site.status("alice", "opensesame") == 401
    assert await site.status("alice", "another") == 200
    site.users = {"bob": hashed("x")}
    assert await site.status("alice", "another") == 401


async def test_a_password_is_remembered_for_its_user_only(site: Site) -> None:
    """Even where two users share a hash, and where user and password put together are the same text."""
    site.users = dict.fromkeys(("alice", "alicia", "alic"), hashed("opensesame"))
    assert await site.status("alice", "opensesame") == 200
    assert await site.status("alicia", "opensesame") == 200
    assert await site.status("alic", "eopensesame") == 401
    assert len(site.checks) == 3


async def test_an_unknown_user_costs_as_much_as_a_known_one(site: Site) -> None:
    """The check uses a valid hash with the highest cost of the file, so that response times reveal nothing."""
    site.users["carol"] = hashed("x", cost=5)
    assert await site.status("mallory", "opensesame") == 401
    assert site.checks[0].startswith(b"$2b$05$")
    assert len(site.checks[0]) == len(hashed("x"))


async def test_an_unknown_user_is_refused_even_if_bcrypt_agrees(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Knowing the password of the decoy hash would help nobody, not even at the second attempt."""
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_: True)
    assert [await site.status("mallory", "x") for _ in range(2)] == [401, 401]


async def test_a_hash_with_an_invalid_salt_matches_no_password(site: Site) -> None:
    """The web configuration lets through a hash that has the right form and a salt that bcrypt cannot decode."""
    hash_ = site.users["alice"]
    site.users["alice"] = hash_[:28] + "z" + hash_[29:]
    with pytest.raises(ValueError, match="Invalid salt"):
        bcrypt.checkpw(b"opensesame", site.users["alice"].encode())
    assert await site.status("alice", "opensesame") == 401


async def test_a_password_is_cut_at_72_bytes(site: Site) -> None:
    """As htpasswd and Go do: bcrypt uses no more."""
    site.users = {"alice": hashed("a" * 72)}
    assert await site.status("alice", "a" * 100) == 200
    assert await site.status("alice", "a" * 71) == 401


async def test_wrong_passwords_are_limited_by_address(site: Site) -> None:
    """After ten wrong passwords an address may try one a second; others and verified passwords are not affected."""
    assert await site.status("alice", "opensesame") == 200
    responses = [await site.get("alice", f"guess {number}") for number in range(30)]
    assert Counter(response.status_code for response in responses) == {401: 10, 429: 20}
    assert responses[-1].headers["retry-after"] == "1"
    assert responses[-1].text == "Too many passwords to check. Retry later.\n"
    assert site.failures == {"wrong": 10, "throttled": 20}
    assert len(site.checks) == 11
    assert await site.status("alice", "opensesame") == 200
    site.now += 3
    assert [await site.status("alice", f"more {number}") for number in range(4)] == [401, 401, 401, 429]
    site.address = "192.0.2.2"
    assert await site.status("bob", "päss") == 200


async def test_right_passwords_are_not_limited(site: Site) -> None:
    """Thirty users behind one address log in at once."""
    site.users = {f"user{number}": hashed(f"pass{number}") for number in range(30)}
    assert [await site.status(f"user{number}", f"pass{number}") for number in range(30)] == [200] * 30


async def test_simultaneous_requests_with_one_password_share_one_check(site: Site) -> None:
    """200 scrapers all get the page, except one that disconnects, whose check the others still wait for."""
    site.released.clear()
    codes: list[int] = []
    first = anyio.CancelScope()

    async def scrape(scope: anyio.CancelScope) -> None:
        with scope:
            codes.append(await site.status("alice", "opensesame"))

    async with anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(scrape, anyio.CancelScope() if number else first)
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        site.released.set()
    assert codes == [200] * 199
    assert len(site.checks) == 1


async def test_a_flood_does_not_queue_up(site: Site) -> None:
    """One check runs and seven wait; further requests are refused at once, and the event loop serves open paths."""
    site.released.clear()
    codes: list[int] = []

    async def guess(number: int) -> None:
        site.address = f"192.0.2.{number}"
        response = await site.get("alice", f"guess {number}")
        codes.append(response.status_code)
        assert response.headers.get("retry-after") == ("1" if response.status_code == 429 else None)

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(guess, number)
        await anyio.wait_all_tasks_blocked()
        assert codes == [429] * 42
        assert (await site.get(path="/-/healthy")).status_code == 200
        site.released.set()
    assert Counter(codes) == {429: 42, 401: 8}
    assert site.failures == {"busy": 42, "wrong": 8}
    assert site.concurrent == 0
    assert not site.app._checker._pending


async def test_memory_is_bounded_and_holds_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 256 verified passwords, as digests, and 1024 addresses are kept: those used last."""
    checked: list[bytes] = []

    def starts_right(password: bytes, _: bytes) -> bool:
        checked.append(password)
        return password.startswith(b"right")

    monkeypatch.setattr(bcrypt, "checkpw", starts_right)
    checker, users = PasswordChecker(lambda: 0.0), {"alice": hashed("x")}
    for number in (*range(300), 299):
        assert await checker.check(users, "alice", b"right %d" % number, "192.0.2.1") is None
        assert await checker.check(users, "alice", b"right 0", "192.0.2.1") is None
    assert len(checked) == 300
    for number in range(1100):
        assert await checker.check(users, "alice", b"guess", f"2001:db8::{number:x}") == Refusal("wrong")
    assert (len(checker._verified), len(checker._failures)) == (256, 1024)
    assert "2001:db8::44b" in checker._failures
    assert b"right" not in b"".join(checker._verified)
