"""The interfaces of a report: where it is read, how a day of it is stored, and what is shown of it.

Data flows one way: bodies of an answer -> rows of a day -> store -> view (sums) -> samples. Everything outside this
package loops over reports and names none. Rows carry no field name of the API, so that a second source of the same
report is one more `Source`.
"""

import zlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Generic, Protocol, TypeVar, runtime_checkable

import msgspec
from msgspec import Meta

from exporter.api.paging import Answer, Getter, Request
from exporter.errors import ApiShapeChanged
from exporter.model import Family, Samples, Window

Row = TypeVar("Row")
_Row_contra = TypeVar("_Row_contra", contravariant=True)
Days = Mapping[date, list[Row] | ApiShapeChanged | None]
"""What an answer says of each day: its rows (possibly none), why they cannot be read, or None: the API has none yet."""
Changes = Mapping[str, Samples | None]
"""Samples by piece of the page, such as a day or a user. None removes the piece."""


STEP = 250
"""Rows that are encoded or decoded in one step: some 2 ms."""
Count = Annotated[int, Meta(ge=0)]
"""A count of a row, as it is stored."""


class Source(Protocol[Row]):
    """Where a report is read."""

    name: str
    """The value of the label `source`, and of the setting that chooses between sources."""
    if_missing: str
    """What the reader can do when the API answers that there is no such report."""
    missing_for: timedelta
    """For how long it must have answered so before the log says that; zero for a beta, which may be turned off."""
    revision: int
    """Raise it when `read` was wrong: stored days of a lower revision are fetched again and stay shown meanwhile."""
    days_per_request: int

    def request(self, first: date, last: date) -> Request:
        """Return the request for the days from `first` to `last`, both included."""

    async def fetch(self, api: Getter, first: date, last: date) -> Answer:
        """Return the answer for the days from `first` to `last`, both included. Raises ApiError."""

    def read(self, bodies: Sequence[bytes], first: date, last: date) -> Days[Row]:
        """Return the rows of each day, in a fixed order, in a list of its own, which the caller empties.

        Raises ApiShapeChanged when no day can be read.
        """


class View(Protocol[_Row_contra]):
    """Sums of the days that are shown. Used from one thread at a time."""

    def replace(self, day: date, old: Iterable[_Row_contra], new: Sequence[_Row_contra] | None) -> None:
        """Replace the rows of a day; None removes the day. `old` can be iterated once."""

    def changes(self, window: Window, read: Collection[date]) -> Changes:
        """Return what has changed since the last call. `read` are the days of the window whose rows are known."""


@runtime_checkable
class KeepsSums(Protocol[_Row_contra]):
    """A view whose sums are stored, because adding up the whole window would delay a start."""

    def dump(self, without: Mapping[date, "Callable[[], Iterable[_Row_contra]]"]) -> bytes:
        """Return the sums as JSON, without some days. Each function returns the rows of its day, at every call.

        If one of them raises, the sums may be left with half of a day.
        """

    def load(self, kept: bytes) -> Collection[date]:
        """Restore dumped sums and return their days. Raises ValueError for anything else."""


@dataclass(frozen=True)
class Report(Generic[Row]):
    """One report. Days that were stored in an unknown format are deleted at the start and fetched again."""

    name: str
    families: tuple[Family, ...]
    source: Source[Row]
    row: type[Row]
    format: str
    view: Callable[[], View[Row]]
    sources: Mapping[str, str] = field(default_factory=dict)
    """The names of its sources by format. Days of another source are shown until this one has answered once."""
    optional: bool = False
    """Whether some keys may not read it: unless it was read before, it is then left out, and nothing is failing."""

    @property
    def formats(self) -> Collection[str]:
        """The formats of stored days that can be shown."""
        return {self.format, *self.sources}

    def source_of(self, stored_format: str) -> str:
        """Return the name of the source of days that are stored in one of the known formats."""
        return self.sources.get(stored_format, self.source.name)

    @cached_property
    def _decoder(self) -> "msgspec.json.Decoder[list[Row]]":
        return msgspec.json.Decoder(list[self.row])  # type: ignore[name-defined]

    def pack(self, rows: Sequence[Row]) -> bytes:
        """Return the rows of a day as they are stored: lines of at most STEP rows, since each holds the interpreter."""
        steps = range(0, len(rows), STEP) or range(1)
        return zlib.compress(b"\n".join([msgspec.json.encode(rows[start : start + STEP]) for start in steps]), 1)

    def unpack(self, stored: bytes) -> list[Row]:
        """Return the rows that were packed. Raises ValueError for anything else."""
        return list(self.each(stored))

    def each(self, stored: bytes) -> Iterator[Row]:
        """Yield the rows that were packed, so that they are not all in memory. Raises ValueError."""
        try:
            for line in _lines(zlib.decompress(stored)):
                yield from self._decoder.decode(line)
        except (zlib.error, RecursionError) as error:
            raise ValueError(str(error)) from error


def _lines(text: bytes) -> Iterator[bytes]:
    """Yield the lines of a text one by one: splitting many megabytes in one step would hold the interpreter."""
    start = 0
    while (end := text.find(b"\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """Something that has no days, such as names: fetched whole every now and then, replacing what was there."""

    name: str
    families: tuple[Family, ...]
    every: timedelta
    fetch: Callable[[Getter], Awaitable[Row]]
    type: type[Row]
    samples: Callable[[Row], Samples]
    format: str = ""
    """What was stored in another `format` is deleted at the start."""
    optional: bool = False
    """As of a report."""

    def pack(self, value: Row, read_at: datetime) -> str:
        """Return a value, and when it was read, as they are stored."""
        return msgspec.json.encode((read_at, value, self.format)).decode()

    def unpack(self, stored: str) -> tuple[Row, datetime]:
        """Return the value that was packed, and when it was read. Raises ValueError for anything else."""
        read_at, value, stored_format = msgspec.json.decode(stored, type=tuple[datetime, self.type, str])  # type: ignore[name-defined]
        if stored_format != self.format:
            raise ValueError("stored in another format")
        return value, read_at
