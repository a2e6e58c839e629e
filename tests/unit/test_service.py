"""The composition root: settings into parts, without a request and without a server."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from exporter import service
from exporter.clock import Clock
from exporter.days.store import Store
from exporter.errors import ApiThrottled, SettingsError, StoreError
from exporter.model import Window
from exporter.reports import NAMES
from exporter.settings import Settings, load
from exporter.telemetry import Telemetry
from exporter.values import ListenAddress
from exporter.web.status import report_statuses
from tests.bodies import ANA, NOW, TODAY, record, take_usage

CLOCK = Clock(now=lambda: NOW, monotonic=lambda: 1000.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Yield a store in an empty folder."""
    store = Store(tmp_path)
    yield store
    store.close()


def config(**environment: str) -> Settings:
    """Return the settings of an environment with a key and these."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"ANTHROPIC_ADMIN_KEY": "sk-ant-admin01-test", **environment}.items():
            patch.setenv(name, value)
        return load(None)


def names_after(store: Store, **environment: str) -> list[str]:
    """Put a day of one user as these settings want it, and return the names that are stored."""
    ledger = service.make_ledger(config(**environment), store)
    take_usage(ledger, TODAY, record(ANA))
    ledger.save()
    return [row.actor.name for row in ledger.reports["claude_code"].unpack(store.rows("claude_code", TODAY))]


def keeps_days(store: Store, **environment: str) -> bool:
    """Return whether the stored days are kept by an exporter with these settings."""
    service.make_ledger(config(**environment), store)
    return TODAY in store.entries("claude_code")


class TestUserLabels:
    """Names, digests or nothing: and what happens to the stored days when that changes."""

    def test_names_are_stored_as_they_are_unless_they_are_not_wanted(self, store: Store) -> None:
        """With hash and none, digests are."""
        assert names_after(store) == [ANA.name]
        (hashed,) = names_after(store, EXPORTER_USER_LABEL="hash")
        assert names_after(store, EXPORTER_USER_LABEL="none") == [hashed]
        assert "ana" not in hashed

    def test_a_change_deletes_the_days(self, store: Store) -> None:
        """A digest cannot be turned back, and a name that is not wanted must not stay. The same keeps them."""
        names_after(store)
        assert keeps_days(store)
        assert not keeps_days(store, EXPORTER_USER_LABEL="hash")
        names_after(store, EXPORTER_USER_LABEL="hash")
        assert keeps_days(store, EXPORTER_USER_LABEL="none")
        assert not keeps_days(store)

    def test_another_key_deletes_the_days(self, store: Store) -> None:
        """The same users would have two digests."""
        names_after(store, EXPORTER_USER_LABEL="hash", EXPORTER_USER_HASH_KEY="one")
        assert not keeps_days(store, EXPORTER_USER_LABEL="hash", EXPORTER_USER_HASH_KEY="two")

    def test_only_none_hides_the_users(self, store: Store) -> None:
        """And at most EXPORTER_MAX_USERS are shown by name."""
        shown = {}
        for label in ("email", "hash", "none"):
            ledger = service.make_ledger(config(EXPORTER_USER_LABEL=label, EXPORTER_MAX_USERS="0"), store)
            take_usage(ledger, TODAY, record(ANA))
            body = ledger.publish(Window(TODAY, 1), dict.fromkeys(ledger.reports)).page.body
            shown[label] = b'_user_sessions{user="other",actor_type="user"} 1.0' in body, b"_user_" in body
        assert shown == {"email": (True, True), "hash": (True, True), "none": (False, False)}


def test_a_kept_page_is_of_the_same_settings(store: Store) -> None:
    """EXPORTER_MAX_USERS changes the page and none of the stored days."""
    given = [config(), config(EXPORTER_MAX_USERS="0"), config()]
    first, fewer, again = (service.make_ledger(settings, store) for settings in given)
    take_usage(first, TODAY, record(ANA))
    first.publish(Window(TODAY, 1), dict.fromkeys(first.reports))
    first.keep_page()
    found = [ledger.kept_page(Window(TODAY, 1), dict.fromkeys(ledger.reports)) for ledger in (fewer, again)]
    assert [page is not None for page in found] == [False, True]


@pytest.mark.anyio
async def test_the_texts_of_data_health(store: Store) -> None:
    """What was not tried says so; a failure has its time; coverage is in days."""
    async with service.refreshing(config(), store, Telemetry(NAMES), CLOCK) as refresher:
        usage, cost, _ = report_statuses(refresher)
        assert usage == ("claude_code", "not tried yet", "never", "none", "0 of 90 days", "none")
        take_usage(refresher.ledger, TODAY, record(ANA))
        with capture_logs() as lines:
            await refresher.start()
        loaded = {"report": "claude_code", "days": "1/90", "last_read": "2026-11-22T12:00:00+00:00"}
        assert lines == [{"event": "loaded from the store", "log_level": "info", **loaded}]
        usage, cost, _ = report_statuses(refresher)
        assert (usage.state, cost.state) == ("loaded from the store, last read 12:00 UTC", "not tried yet")
        health = refresher.health["claude_code"]
        health.failed(ApiThrottled("claude_code: HTTP 429"), [TODAY], now=NOW, monotonic=0.0, jitter=0.0)
        refresher.health["cost"].worked()
        await refresher.start()
        usage, cost, _ = report_statuses(refresher)
        assert usage == (
            "claude_code",
            "fails",
            "2026-11-22 12:00:00 UTC",
            "2026-11-22",
            "1 of 90 days",
            "2026-11-22 12:00:00 UTC: claude_code: HTTP 429",
        )
        assert cost.state == "works"


@pytest.mark.anyio
async def test_a_folder_that_cannot_be_used_opens_no_connection(store: Store) -> None:
    """The error comes before the transport, which would be left open."""
    (Path(str(store._dir)) / "user-hash.key").write_text("")
    with pytest.raises(StoreError, match="is empty"):
        async with service.refreshing(config(EXPORTER_USER_LABEL="hash"), store, Telemetry(NAMES), CLOCK):
            pass


@pytest.mark.parametrize(
    ("address", "url"),
    [("127.0.0.1:0", "http://127.0.0.1:"), (":0", "http://localhost:"), ("[::1]:0", "http://[::1]:")],
)
def test_listening_gives_the_address_that_was_found(address: str, url: str) -> None:
    """A port of 0 is chosen by the system; every interface is shown as localhost."""
    if "::" in address and not socket.has_ipv6:
        pytest.skip("no IPv6")
    with service.listening(ListenAddress(address)) as (listener, shown):
        assert shown == f"{url}{listener.getsockname()[1]}"
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_every_interface_is_of_both_versions() -> None:
    """An empty host can be reached by IPv4 and, where there is one, by IPv6."""
    with service.listening(ListenAddress(":0"), "https") as (listener, shown):
        assert shown.startswith("https://localhost:")
        for host in ("127.0.0.1", "::1") if socket.has_dualstack_ipv6() else ("127.0.0.1",):
            socket.create_connection((host, listener.getsockname()[1]), timeout=5).close()


def test_a_port_in_use_is_one_line() -> None:
    """It names the setting and the address."""
    with service.listening(ListenAddress("127.0.0.1:0")) as (listener, _):
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(SettingsError) as caught, service.listening(ListenAddress(address)):
            pass
    assert str(caught.value) == f"EXPORTER_LISTEN_ADDRESS: {address} cannot be listened on: it is in use"


def test_an_address_of_another_machine_is_one_line() -> None:
    """With the system's reason."""
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1:1 cannot be listened on: Cannot assign"):  # noqa: SIM117
        with service.listening(ListenAddress("192.0.2.1:1")):
            pass


def test_a_line_an_hour_has_the_requests_made() -> None:
    """Those of this hour, with how many of them failed."""
    telemetry = Telemetry(NAMES)
    telemetry.requested("cost")
    say = service._hourly_line(telemetry)
    telemetry.requested("cost")
    telemetry.requested("cost")
    telemetry.failed("cost", "timeout")
    with capture_logs() as lines:
        say()
        say()
    assert [(line["event"], line["sent"], line["failed"]) for line in lines] == [
        ("requests in the last hour", 2, 1),
        ("requests in the last hour", 0, 0),
    ]


@pytest.fixture
def _same_collector() -> Iterator[None]:
    """Leave the garbage collector of the test run as it is."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.mark.anyio
@pytest.mark.usefixtures("_same_collector")
async def test_it_serves_until_a_signal(store: Store) -> None:
    """The schedule ticks at once, a scrape is answered, SIGHUP reloads, collections are rare, and SIGTERM ends it."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    given = {"EXPORTER_LISTEN_ADDRESS": "127.0.0.1:0", "ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}
    with capture_logs() as lines:
        serving = asyncio.create_task(service.serve(config(**given), store, started=address.set_result))
        async with httpx.AsyncClient(base_url=await address, trust_env=False) as client:
            page = await client.get("/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "5"})
            os.kill(os.getpid(), signal.SIGHUP)
            assert (await client.post("/-/reload")).status_code == 200
        assert page.status_code == 200
        assert 'anthropic_up{report="cost"} 0.0' in page.text
        assert "server" not in page.headers
        assert gc.get_threshold() == service.GC_THRESHOLDS
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serving, 10)
    assert [line.get("source") for line in lines if line["event"] == "configuration reloaded"] == ["key"] * 2
    events = [(line["event"], line.get("address")) for line in lines if line["event"] in {"listening", "stopped"}]
    assert events == [("listening", await address), ("stopped", None)]
