"""The stored form of a report's sums, and when it still fits the stored days. Pure."""

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
    """Return sums as they are stored."""
    return msgspec.json.encode((_format(report_format), sums.digests, msgspec.Raw(sums.dump))).decode()


def unpack(note: str, report_format: str, entries: Mapping[date, Entry]) -> KeptSums | None:
    """Return stored sums, or None unless each of their days is still stored as it was then."""
    try:
        stored_format, digests, dump = msgspec.json.decode(note, type=tuple[str, dict[date, str], msgspec.Raw])
    except ValueError:
        return None
    current = {day: entry.rows_digest for day, entry in entries.items() if day in digests}
    return KeptSums(digests, bytes(dump)) if (stored_format, digests) == (_format(report_format), current) else None


def _format(report_format: str) -> str:
    """Return what stored sums depend on: another release may add up the same rows in another way."""
    return f"{__version__} {report_format}"
