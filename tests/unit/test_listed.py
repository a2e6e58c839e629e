"""What was listed last: it is forgotten on disk too, when it is not wanted any more."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exporter.days.database import FILE
from exporter.days.listed import Listed
from exporter.days.store import Store
from exporter.errors import StoreError
from exporter.reports import members
from exporter.reports.members import Members
from exporter.reports.names import Names
from exporter.reports.report import Listing

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LISTING, DIGESTS = members.listing(Names()), members.listing(Names(b"key"))
ANA = Members({"user": 1}, [("ana@example.test", "user")])


def on_disk(folder: Path) -> bool:
    """Return whether the address is anywhere in the files of the store."""
    return any(b"ana@example.test" in path.read_bytes() for path in folder.iterdir())


def kept(folder: Path) -> None:
    """Store the members, and see that their address is in the file."""
    store = Store(folder)
    Listed(store, [LISTING]).take(LISTING, ANA, NOW)
    store.close()
    assert on_disk(folder)


@pytest.mark.parametrize("listing", [LISTING, DIGESTS], ids=["dropped", "another label"])
def test_no_address_stays(tmp_path: Path, listing: Listing[Any]) -> None:
    """Neither when the list is dropped nor when it was stored in another format, whatever else is in the store."""
    kept(tmp_path)
    store = Store(tmp_path)
    listed = Listed(store, [listing])
    if listing is LISTING:
        listed.drop(listing)
    assert listed.value("members") is None
    assert not on_disk(tmp_path)
    store.close()


def test_a_damaged_note_is_deleted(tmp_path: Path) -> None:
    """It cannot be read, and its names could."""
    kept(tmp_path)
    file = tmp_path / FILE
    file.write_bytes(file.read_bytes().replace(b'"user":1', b'"user":2'))
    store = Store(tmp_path)
    assert Listed(store, [LISTING]).value("members") is None
    assert not on_disk(tmp_path)
    store.close()


def test_what_could_not_be_dropped_is_dropped_next_time(tmp_path: Path) -> None:
    """Nothing of it is shown meanwhile."""
    kept(tmp_path)
    store = Store(tmp_path)
    listed = Listed(store, [LISTING])
    store._db.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError):
        listed.drop(LISTING)
    assert listed.value("members") is None
    store._db.execute("PRAGMA query_only = OFF")
    listed.drop(LISTING)
    assert not on_disk(tmp_path)
    store.close()
