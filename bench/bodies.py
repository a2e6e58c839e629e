"""Bodies of the simulated organisation's reports, generated once and cached on disk.

The simulation always ends on a working day, and a day's body is selected by its age.
"""

import gzip
import json
import re
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from exporter.demo.organization import Organization
from exporter.demo.records import Record

ANCHOR = date(2026, 11, 19)
"""Today in the simulation: a Thursday."""
EVENING = datetime(2026, 11, 19, 18, tzinfo=UTC)
VARIANTS = 3
"""Variants of today, one hour apart."""
PAGE_RECORDS = 1000
LARGEST = 10_000
"""People of the largest organisation that is simulated. A larger one is several of it, under different addresses."""


class Size(NamedTuple):
    """An organisation: its people, the days of the window, and the number of models for each of the simulated four.

    With `every_name` the exporter shows every user by name (EXPORTER_MAX_USERS), and without it 2,000.
    """

    people: int
    days: int = 90
    copies: int = 1
    every_name: bool = False

    @property
    def label(self) -> str:
        """The column heading."""
        more = f", {4 * self.copies} models" if self.copies > 1 else ""
        more += ", every name" if self.every_name else ""
        return f"{self.people:,} users, {self.days} days{more}"


def kept(size: Size, today: date) -> Path:
    """Return the file with a size's bodies as of `today` (UTC), generated if needed. Delete those of other days."""
    folder = cache_folder()
    path = folder / f"{today}-{size.people}-{size.days}-{size.copies}.zip"
    for other in folder.glob("*.zip"):
        if not other.name.startswith(str(today)):
            other.unlink()
    if not path.exists():
        print(f"making the bodies of {size.label}", file=sys.stderr)
        half = path.with_suffix(".half")
        with zipfile.ZipFile(half, "w") as archive:
            for name, body in _made(size, today):
                archive.writestr(name, body)
        half.rename(path)
    return path


def cache_folder() -> Path:
    """Return the folder of what the benchmark keeps between runs."""
    folder = Path(tempfile.gettempdir()) / "anthropic-exporter-bench"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _made(size: Size, today: date) -> Iterator[tuple[str, bytes]]:
    """Yield the bodies and their names: `usage/DATE/VARIANT/PAGE` (gzip), `cost/DATE/VARIANT` (JSON), and two more."""
    return _multiplied(size, today) if size.people > LARGEST else _simulated(size, today)


def _multiplied(size: Size, today: date) -> Iterator[tuple[str, bytes]]:
    """Yield the bodies of several organisations with one bill: each page once for each, with different actors."""
    times = size.people // LARGEST
    with zipfile.ZipFile(kept(size._replace(people=LARGEST), today)) as archive:
        pages = Counter(name.rpartition("/")[0] for name in archive.namelist())
        for name in archive.namelist():
            day, _, page = name.rpartition("/")
            if not day.startswith("usage/"):
                yield name, archive.read(name)
                continue
            records = gzip.decompress(archive.read(name)).rpartition(b',"has_more":')[0]
            for number in range(times):
                here, last = number * pages[day] + int(page), times * pages[day] - 1
                yield f"{day}/{here}", gzip.compress(_renamed(records, number) + _end_of_page(here, last), 1)


def _renamed(records: bytes, number: int) -> bytes:
    """Return records whose actors are other ones for each number."""
    return re.sub(rb'"(email_address|api_key_name)":"', rb"\g<0>%d." % number, records)


def _end_of_page(here: int, last: int) -> bytes:
    following = _json(f"page_{here + 1}" if here < last else None)
    return b',"has_more":%s,"next_page":%s}' % (_json(here < last), following)


def _simulated(size: Size, today: date) -> Iterator[tuple[str, bytes]]:
    organization = Organization(ANCHOR, people=size.people)
    for age in range(size.days):
        shown = today - timedelta(days=age)
        for variant in range(VARIANTS if age == 0 else 1):
            at = EVENING - timedelta(hours=variant)
            records = organization.claude_code_records(ANCHOR - timedelta(days=age), at)
            for page, body in enumerate(_usage_pages(records, shown, size.copies)):
                yield f"usage/{shown}/{variant}/{page}", gzip.compress(body, 1)
            yield f"cost/{shown}/{variant}", _cost_entry(organization, age, shown, at)
    yield "me", _json(organization.me())
    listed = organization.workspaces(include_archived=True)
    yield "workspaces", _json({"data": listed, "first_id": None, "last_id": None, "has_more": False})


def _usage_pages(records: list[Record], shown: date, copies: int) -> Iterator[bytes]:
    for record in records:
        record["date"] = f"{shown}T00:00:00Z"
        entries = record["model_breakdown"]
        more = [{**entry, "model": f"{entry['model']}-{copy}"} for entry in entries for copy in range(1, copies)]
        record["model_breakdown"] = entries + more
    starts = range(0, len(records), PAGE_RECORDS) or range(1)
    for page, start in enumerate(starts):
        data = records[start : start + PAGE_RECORDS]
        yield b'{"data":' + _json(data) + _end_of_page(page, len(starts) - 1)


def _cost_entry(organization: Organization, age: int, shown: date, at: datetime) -> bytes:
    results = organization.cost_results(ANCHOR - timedelta(days=age), at)
    bounds = {"starting_at": f"{shown}T00:00:00Z", "ending_at": f"{shown + timedelta(days=1)}T00:00:00Z"}
    return _json({**bounds, "results": results})


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
