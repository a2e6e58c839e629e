"""The stored form of a report's sums, and when it still fits the stored days. Pure."""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

import msgspec

from exporter import __version__
from exporter.days.store import Entry


class KeptSums(NamedTuple):
    """Dumped sums of a report, and the digest of the rows of each of their days."""

    digests: Mapping[date, str]
    dump: bytes


def pack(sums: KeptSums, report_format: str) -> str:
    """Return sums as they are stored: what they depend on, and the dump, compressed because it holds every user."""
    head = msgspec.json.encode((_format(report_format), sums.digests))
    return f"{head.decode()}\n{b64encode(zlib.compress(sums.dump, 1)).decode()}"


def unpack(note: str, report_format: str, entries: Mapping[date, Entry]) -> KeptSums | None:
    """Return stored sums, or None unless each of their days is still stored as it was then."""
    head, _, dump = note.partition("\n")
    try:
        stored_format, digests = msgspec.json.decode(head, type=tuple[str, dict[date, str]])
        current = {day: entry.rows_digest for day, entry in entries.items() if day in digests}
        if (stored_format, digests) != (_format(report_format), current):
            return None
        return KeptSums(digests, zlib.decompress(b64decode(dump)))
    except (ValueError, zlib.error):
        return None


def _format(report_format: str) -> str:
    """Return what stored sums depend on: another release may add up the same rows in another way."""
    return f"{__version__} {report_format}"
