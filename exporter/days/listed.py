"""What was listed last: names of the organisation, API keys, members. In memory, and as notes of the store."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from exporter.days.store import Store
from exporter.reports.report import Listing

NEVER = datetime.min.replace(tzinfo=UTC)


class Listed:
    """The last value of each listing, and when it was read."""

    def __init__(self, store: Store, listings: Sequence[Listing[Any]]) -> None:
        self.listings = {listing.name: listing for listing in listings}
        self._store = store
        self._last = {listing.name: self._stored(listing) for listing in listings}

    def value(self, listing: str) -> Any:  # noqa: ANN401 - of the listing's own type
        """Return what was listed, or None where it was never read."""
        return self._last[listing][0]

    def read_at(self) -> Mapping[str, datetime]:
        """Return when each listing was last read (UTC)."""
        return {listing: read_at for listing, (_, read_at) in self._last.items()}

    def is_due(self, listing: Listing[Any], now: datetime) -> bool:
        """Return whether a listing was never read, or not within its interval."""
        return not timedelta() <= now - self._last[listing.name][1] < listing.every

    def take(self, listing: Listing[Any], value: object, read_at: datetime) -> None:
        """Replace what was listed. Raises StoreError when it is kept in memory only."""
        self._last[listing.name] = value, read_at
        self._store.put_note(listing.name, listing.pack(value, read_at))

    def drop(self, listing: Listing[Any]) -> None:
        """Forget what was listed. Raises StoreError when it is forgotten in memory only."""
        self._last[listing.name] = None, NEVER
        self._store.forget_note(listing.name)

    def _stored(self, listing: Listing[Any]) -> tuple[Any, datetime]:
        """Return what was listed and when; None, read never, without a note in its format."""
        try:
            return listing.unpack(self._store.note(listing.name) or "")
        except ValueError:  # of an older format: names that are no longer wanted must not stay on disk
            self._store.forget_note(listing.name)
            return None, NEVER
