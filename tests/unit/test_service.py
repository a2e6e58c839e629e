"""The composition root: settings into parts, without a request and without a server."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter import service
from exporter.api.transport import UsageDay
from exporter.days.store import Store
from exporter.errors import ApiThrottled, SettingsError
from exporter.model import Report
from exporter.ports import Clock
from exporter.settings import ListenAddress, Settings, load
from exporter.telemetry import Telemetry
from tests.unit.rows import ANA, NOW, TODAY, row

CLOCK = Clock(now=lambda: NOW, monotonic=lambda: 1000.0)
CC = Report.CLAUDE_CODE


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
    ledger.put_usage(TODAY, UsageDay([row(ANA)], ()), NOW)
    return [one.actor.name for one in store.usage(TODAY)]


class TestUserLabels:
    """Names, digests or nothing: and what happens to the stored days when that changes."""

    def test_names_are_stored_as_they_are_unless_they_are_not_wanted(self, store: Store) -> None:
        """With hash and none, digests are."""
        assert names_after(store) == [ANA.name]
        (hashed,) = names_after(store, EXPORTER_USER_LABEL="hash")
        assert names_after(store, EXPORTER_USER_LABEL="none") == [hashed]
        assert "ana" not in hashed

    def test_a_change_forgets_the_days(self, store: Store) -> None:
        """A digest can not be turned back, and a name that is not wanted must not stay. The same keeps them."""
        names_after(store)
        service.make_ledger(config(), store)
        assert TODAY in store.entries(CC)
        service.make_ledger(config(EXPORTER_USER_LABEL="hash"), store)
        assert TODAY not in store.entries(CC)
        names_after(store, EXPORTER_USER_LABEL="hash")
        service.make_ledger(config(EXPORTER_USER_LABEL="none"), store)
        assert TODAY in store.entries(CC)

    def test_another_key_forgets_the_days(self, store: Store) -> None:
        """The same users would have two digests."""
        names_after(store, EXPORTER_USER_LABEL="hash", EXPORTER_USER_HASH_KEY="one")
        service.make_ledger(config(EXPORTER_USER_LABEL="hash", EXPORTER_USER_HASH_KEY="two"), store)
        assert TODAY not in store.entries(CC)


@pytest.mark.anyio
async def test_the_status_page_s_texts(store: Store) -> None:
    """What was not tried says so; a failure has its time; coverage is a share."""
    async with service.refreshing(config(), store, Telemetry(), CLOCK) as refresher:
        usage, cost = service.status(refresher).reports
        assert usage == ("claude_code", "not tried yet", "never", "none", "0.0%", "none")
        service.make_ledger(config(), store).put_usage(TODAY, UsageDay([row(ANA)], ()), NOW)
        standing = refresher.standings[CC]
        standing.failed(ApiThrottled("claude_code: HTTP 429"), [TODAY], now=NOW, monotonic=0.0, jitter=0.0)
        await refresher.start()
        usage, cost = service.status(refresher).reports
        assert usage == (
            "claude_code",
            "fails",
            "2026-11-22 12:00:00 UTC",
            "2026-11-22",
            "1.1%",
            "2026-11-22 12:00:00 UTC: claude_code: HTTP 429",
        )
        assert cost.state == "not tried yet"
        assert len(service.status(refresher).headlines) == 10
        assert service.status(refresher).page.endswith(" bytes.")


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


def test_a_port_in_use_is_one_line() -> None:
    """It names the setting and the address."""
    with service.listening(ListenAddress("127.0.0.1:0")) as (listener, _):
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(SettingsError) as caught, service.listening(ListenAddress(address)):
            pass
    assert str(caught.value) == f"EXPORTER_LISTEN_ADDRESS: {address} can not be listened on: it is in use"


def test_an_address_of_another_machine_is_one_line() -> None:
    """With the system's reason."""
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1:1 can not be listened on: Cannot assign"):  # noqa: SIM117
        with service.listening(ListenAddress("192.0.2.1:1")):
            pass
