"""The stored form of the numbers on a page, and when they are still those of the stored days. Pure."""

import hashlib
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import date, datetime

import msgspec

from exporter import __version__
from exporter.days.store import Entry
from exporter.exposition.page import Page, Part, restored
from exporter.model import Window


def digest(
    window: Window, days: Mapping[str, Mapping[date, Entry]], listed: Mapping[str, datetime], settings: str
) -> str:
    """Return a digest of all that the numbers of a page depend on; it takes no decoded row.

    That is the release, the settings, the window, the rows of its `days` by report, and when each listing was read.
    """
    rows = [
        (report, day, entry.rows_digest)
        for report, entries in days.items()
        for day, entry in sorted(entries.items())  # a restart finds them in another order
        if day in window
    ]
    text = msgspec.json.encode((__version__, settings, window.first, window.last, rows, listed))
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def pack(numbers: Part, of: str) -> str:
    """Return numbers as they are stored: the digest of what they depend on, the number of series, and the text."""
    return f"{of} {numbers.series}\n{b64encode(numbers.deflated).decode()}"


def unpack(note: str, of: str, health: bytes) -> Page | None:
    """Return the page of stored numbers and of health, or None if they depend on something else than `of`."""
    head, _, deflated = note.partition("\n")
    try:
        stored, series = head.split(" ")
        return restored(Part(b64decode(deflated), int(series)), health) if stored == of else None
    except (ValueError, zlib.error):
        return None
