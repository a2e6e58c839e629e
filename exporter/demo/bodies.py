"""JSON pieces of the simulated API's bodies, encoded once per state of the data and kept compressed."""

import json
import zlib
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from decimal import Decimal

from exporter.demo.organization import Organization
from exporter.demo.records import Record
from exporter.demo.story import View

BOTH_GROUPS = frozenset({"description", "workspace_id"})
_DESCRIBED = (
    "description",
    "cost_type",
    "model",
    "token_type",
    "service_tier",
    "context_window",
    "inference_geo",
)


class Bodies:
    """The pieces of pages, made when first asked for; the ones unused for longest go when `limit` bytes are full."""

    def __init__(self, organization: Organization, limit: int) -> None:
        self._organization = organization
        self._limit = limit
        self._kept: OrderedDict[Hashable, list[bytes]] = OrderedDict()
        self._size = 0

    def usage_page(self, view: View, limit: int, number: int) -> tuple[bytes, int]:
        """Return the records of one page of a day, without the brackets, and how many pages there are."""

        def pieces() -> list[bytes]:
            records = self._organization.usage_of(view)
            starts = range(0, len(records), limit) or range(1)
            return [_encoded(records[start : start + limit])[1:-1] for start in starts]

        pages = self._piece(("usage", view, limit), pieces)
        return zlib.decompress(pages[number]) if number < len(pages) else b"", len(pages)

    def cost_results(self, view: View, groups: frozenset[str]) -> bytes:
        """Return the results of one day as a JSON list."""

        def pieces() -> list[bytes]:
            return [_encoded(grouped(self._organization.costs_of(view), groups))]

        return zlib.decompress(self._piece(("cost", view, groups), pieces)[0])

    def _piece(self, key: Hashable, make: Callable[[], list[bytes]]) -> list[bytes]:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = [zlib.compress(piece, 1) for piece in make()]
        self._kept[key] = made
        self._size += sum(map(len, made))
        while self._size > self._limit and len(self._kept) > 1:
            self._size -= sum(map(len, self._kept.popitem(last=False)[1]))
        return made


def grouped(results: list[Record], groups: frozenset[str]) -> list[Record]:
    """Return results that are grouped by both dimensions as they are with fewer: summed, the other fields null."""
    if groups == BOTH_GROUPS:
        return results
    kept = {*(_DESCRIBED if "description" in groups else ()), *(groups & {"workspace_id"})}
    sums: defaultdict[tuple[str | None, ...], Decimal] = defaultdict(Decimal)
    fields = (*_DESCRIBED, "workspace_id")
    for result in results:
        sums[tuple(result[field] if field in kept else None for field in fields)] += Decimal(result["amount"])
    return [
        {"amount": format(cents, "f"), "currency": "USD", **dict(zip(fields, key, strict=True))}
        for key, cents in sums.items()
    ]


def _encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
