"""Basic authentication: who gets in, what it costs, and what a stranger learns."""

import base64
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import anyio
import bcrypt
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse

from exporter.web.toolkit import basic_auth as auth
from exporter.web.toolkit.basic_auth import BasicAuth, Failure, credentials


def hashed(password: str, cost: int = 4) -> str:
    """Return a bcrypt hash, cheap for tests."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


@dataclass
class Door:
    """An application behind BasicAuth, with everything that a test turns or counts."""

    users: dict[str, str] = field(default_factory=lambda: {"alice": hashed("opensesame"), "bob": hashed("päss")})
    failures: Counter[str] = field(default_factory=Counter)
    now: float = 0.0
    checks: list[bytes] = field(default_factory=list)
    peer: str = "192.0.2.1"

    def __post_init__(self) -> None:
        """Build the middleware."""

        def count(reason: Failure) -> None:
            self.failures[reason] += 1

        self.app = BasicAuth(
            PlainTextResponse("in", 200), users=lambda: self.users, on_failure=count, clock=lambda: self.now
        )

    async def knock(
        self, user: str | None = None, password: str = "", path: str = "/metrics", **more: str
    ) -> httpx.Response:
        """Send one request."""
        headers = dict(more)
        if user is not None:
            headers["authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        transport = httpx.ASGITransport(app=self.app, client=(self.peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter.example.test") as client:
            return await client.get(path, headers=headers)


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio, as uvicorn does."""
    return "asyncio"


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    """Return a door whose bcrypt checks are counted; the checks themselves are real."""
    door = Door()
    real = bcrypt.checkpw

    def counted(password: bytes, against: bytes) -> bool:
        door.checks.append(against)
        return real(password, against)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    return door


@pytest.fixture
def held(door: Door, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Hold every bcrypt check until the function that is given is called."""
    gate = threading.Event()
    counted: Callable[[bytes, bytes], bool] = bcrypt.checkpw

    def waiting(password: bytes, against: bytes) -> bool:
        gate.wait(30)
        return counted(password, against)

    monkeypatch.setattr(bcrypt, "checkpw", waiting)
    yield gate.set
    gate.set()


@pytest.mark.anyio
async def test_the_right_password_opens(door: Door) -> None:
    """A user with the right password gets the page, also with letters outside ASCII."""
    assert (await door.knock("alice", "opensesame")).text == "in"
    assert (await door.knock("bob", "päss")).text == "in"
    assert not door.failures


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "missing"),
        ("", "malformed"),
        ("Basic", "malformed"),
        ("Basic !!!!", "malformed"),
        ("Bearer YWxpY2U6b3BlbnNlc2FtZQ==", "malformed"),
        ("Basic YWxpY2U=", "malformed"),
        ("Basic /zo=", "malformed"),
        ("Basic " + "QUFB" * 400, "malformed"),
        ("Basic YWxpY2U6d3Jvbmc=", "wrong"),
        ("Basic bWFsbG9yeTpvcGVuc2VzYW1l", "wrong"),
        ("Basic Og==", "wrong"),
    ],
)
async def test_anything_else_is_refused_with_the_same_answer(door: Door, header: str | None, reason: str) -> None:
    """Every refusal is the same 401, which repeats nothing of the request, and is counted by its reason."""
    answer = await door.knock(**({} if header is None else {"authorization": header}))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="anthropic-exporter", charset="UTF-8"'
    assert answer.text == "A user name and a password are needed.\n"
    assert door.failures == {reason: 1}


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
async def test_probes_need_no_password(door: Door, path: str) -> None:
    """The two open paths are served without one, and only these exactly."""
    assert (await door.knock(path=path)).status_code == 200
    assert (await door.knock(path=path + "/")).status_code == 401
    assert (await door.knock(path="/metrics/.." + path + "x")).status_code == 401


@pytest.mark.anyio
async def test_no_users_means_no_password(door: Door) -> None:
    """Without users in the file nothing is asked, whatever is sent."""
    door.users = {}
    assert (await door.knock()).status_code == 200
    assert (await door.knock("alice", "x")).status_code == 200
    assert not door.checks


@pytest.mark.anyio
async def test_a_password_is_checked_once(door: Door) -> None:
    """A second request with the same password costs no bcrypt; a changed hash is checked anew."""
    for _ in range(3):
        assert (await door.knock("alice", "opensesame")).status_code == 200
    assert len(door.checks) == 1
    door.users = {"alice": hashed("another")}
    assert (await door.knock("alice", "opensesame")).status_code == 401
    assert (await door.knock("alice", "another")).status_code == 200


@pytest.mark.anyio
async def test_a_removed_user_is_out_at_once(door: Door) -> None:
    """A remembered password does not outlive its user."""
    assert (await door.knock("alice", "opensesame")).status_code == 200
    del door.users["alice"]
    assert (await door.knock("alice", "opensesame")).status_code == 401


@pytest.mark.anyio
async def test_one_user_s_password_is_not_another_s(door: Door) -> None:
    """The remembered digest belongs to one user, even where two share a hash."""
    door.users = {"alice": hashed("opensesame")}
    door.users["alicia"] = door.users["alic"] = door.users["alice"]
    assert (await door.knock("alice", "opensesame")).status_code == 200
    assert (await door.knock("alicia", "opensesame")).status_code == 200
    assert (await door.knock("alic", "eopensesame")).status_code == 401
    assert len(door.checks) == 3


@pytest.mark.anyio
async def test_an_unknown_user_costs_as_much_as_a_known_one(door: Door) -> None:
    """An unknown user is checked against a hash of the dearest cost in the file, so that time tells nothing."""
    door.users["carol"] = hashed("x", cost=5)
    await door.knock("mallory", "opensesame")
    assert door.checks[0].startswith(b"$2b$05$")
    assert (await door.knock("mallory", "opensesame")).status_code == 401


@pytest.mark.anyio
async def test_an_unknown_user_is_out_whatever_bcrypt_says(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody comes in by the hash that stands in for an unknown user's, not even if its password were found."""
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_: True)
    assert (await door.knock("mallory", "x")).status_code == 401
    assert (await door.knock("mallory", "x")).status_code == 401


@pytest.mark.anyio
async def test_a_password_longer_than_bcrypt_reads_works(door: Door) -> None:
    """Bytes beyond the 72 that bcrypt uses are cut off, as htpasswd and Go do."""
    door.users = {"alice": hashed("a" * 72)}
    assert (await door.knock("alice", "a" * 100)).status_code == 200
    assert (await door.knock("alice", "a" * 71)).status_code == 401


@pytest.mark.anyio
async def test_wrong_passwords_have_an_allowance_for_each_peer(door: Door) -> None:
    """After ten wrong passwords a peer may try one a second; others and known passwords are not held up."""
    assert (await door.knock("alice", "opensesame")).status_code == 200
    answers = [await door.knock("alice", f"guess {number}") for number in range(30)]
    assert Counter(answer.status_code for answer in answers) == {401: 10, 429: 20}
    assert answers[-1].headers["retry-after"] == "1"
    assert door.failures == {"wrong": 10, "throttled": 20}
    assert len(door.checks) == 11
    assert (await door.knock("alice", "opensesame")).status_code == 200
    door.now += 3
    assert [(await door.knock("alice", f"more {number}")).status_code for number in range(4)] == [401, 401, 401, 429]
    door.peer = "192.0.2.2"
    assert (await door.knock("bob", "päss")).status_code == 200


@pytest.mark.anyio
async def test_right_passwords_use_up_no_allowance(door: Door) -> None:
    """Thirty users behind one address log in at once."""
    door.users = {f"user{number}": hashed(f"pass{number}") for number in range(30)}
    for number in range(30):
        assert (await door.knock(f"user{number}", f"pass{number}")).status_code == 200


@pytest.mark.anyio
async def test_two_hundred_scrapers_with_one_password_cost_one_check(door: Door, held: Callable[[], None]) -> None:
    """Requests with the same password that arrive during its check wait for it; nobody is turned away."""
    codes: list[int] = []

    async def scrape() -> None:
        codes.append((await door.knock("alice", "opensesame")).status_code)

    async with anyio.create_task_group() as group:
        for _ in range(200):
            group.start_soon(scrape)
        await anyio.wait_all_tasks_blocked()
        held()
    assert codes == [200] * 200
    assert len(door.checks) == 1


@pytest.mark.anyio
async def test_a_flood_does_not_queue_up(door: Door, held: Callable[[], None]) -> None:
    """While eight checks wait, the next is refused at once, and the event loop serves open paths meanwhile."""
    codes: list[int] = []

    async def guess(number: int) -> None:
        door.peer = f"192.0.2.{number}"
        codes.append((await door.knock("alice", f"guess {number}")).status_code)

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(guess, number)
        await anyio.wait_all_tasks_blocked()
        assert codes == [429] * 42
        assert (await door.knock(path="/-/healthy")).status_code == 200
        held()
    assert Counter(codes) == {429: 42, 401: 8}
    assert door.failures == {"busy": 42, "wrong": 8}
    assert not door.app._passwords._running


@pytest.mark.anyio
async def test_what_is_remembered_is_bounded_and_holds_no_password(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither verified passwords nor peers grow without bound, and a password is not among them."""
    monkeypatch.setattr(auth, "_REMEMBERED", 8)
    monkeypatch.setattr(auth, "_PEERS", 8)
    door.users = {"alice": hashed("a" * 72)}
    for number in range(auth._REMEMBERED + 5):
        assert (await door.knock("alice", "a" * 72 + str(number))).status_code == 200
    for number in range(auth._PEERS + 5):
        door.peer = f"2001:db8::{number:x}"
        await door.knock("alice", "guess")
    passwords = door.app._passwords
    assert len(passwords._verified) == auth._REMEMBERED
    assert len(passwords._allowances) == auth._PEERS
    assert b"aaaa" not in b"".join(passwords._verified)


@pytest.mark.anyio
async def test_a_client_that_goes_away_does_not_spoil_the_check_for_others(
    door: Door, held: Callable[[], None]
) -> None:
    """The check belongs to nobody: the second who waits for it gets its result."""
    codes: list[int] = []

    async def scrape(scope: anyio.CancelScope) -> None:
        with scope:
            codes.append((await door.knock("alice", "opensesame")).status_code)

    gone = anyio.CancelScope()
    async with anyio.create_task_group() as group:
        group.start_soon(scrape, gone)
        group.start_soon(scrape, anyio.CancelScope())
        await anyio.wait_all_tasks_blocked()
        gone.cancel()
        held()
    assert codes == [200]


@given(st.text(max_size=60))
def test_any_header_is_read_or_refused(header: str) -> None:
    """No header value makes the reader fail."""
    found = credentials(header)
    assert found is None or isinstance(found[1], bytes)


@given(
    st.text(alphabet=st.characters(exclude_characters=":", exclude_categories=["Cs"]), max_size=40),
    st.binary(max_size=40),
)
def test_credentials_come_out_as_they_went_in(user: str, password: bytes) -> None:
    """A user name has no colon; a password may hold any byte."""
    encoded = base64.b64encode(user.encode() + b":" + password).decode()
    assert credentials(f"bAsIc {encoded}") == (user, password)
