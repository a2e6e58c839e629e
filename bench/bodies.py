"""Bodies of the simulated organisation's reports, generated once and cached on disk.

The simulation always ends on a working day, and a day's body is selected by its age.
"""

import gzip
import json
import sys
import tempfile
import zipfile
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


class Size(NamedTuple):
    """An organisation: its people, the days of the window, and the number of models for each of the simulated four."""

    people: int
    days: int = 90
    copies: int = 1

    @property
    def label(self) -> str:
        """The column heading."""
        more = f", {4 * self.copies} models" if self.copies > 1 else ""
        return f"{self.people:,} users, {self.days} days{more}"


def kept(size: Size, today: date) -> Path:
    """Return the file with a size's bodies as of `today` (UTC), generated if needed. Delete those of other days."""
    folder = Path(tempfile.gettempdir()) / "anthropic-exporter-bench"
    folder.mkdir(mode=0o700, exist_ok=True)
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


def loaded(path: Path) -> dict[str, bytes]:
    """Return the bodies by name: `usage/DATE/VARIANT/PAGE` (gzip), `cost/DATE/VARIANT` (JSON), and two more."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _made(size: Size, today: date) -> Iterator[tuple[str, bytes]]:
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
        more_follow = page + 1 < len(starts)
        data = records[start : start + PAGE_RECORDS]
        yield _json({"data": data, "has_more": more_follow, "next_page": f"page_{page + 1}" if more_follow else None})


def _cost_entry(organization: Organization, age: int, shown: date, at: datetime) -> bytes:
    results = organization.cost_results(ANCHOR - timedelta(days=age), at)
    bounds = {"starting_at": f"{shown}T00:00:00Z", "ending_at": f"{shown + timedelta(days=1)}T00:00:00Z"}
    return _json({**bounds, "results": results})


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
