"""JSON parts of the simulated API's bodies, encoded once per state of the data and kept compressed."""

import json
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable

from exporter.demo.organization import Organization
from exporter.demo.records import Record
from exporter.demo.story import View

AnalyticsRows = Callable[[View, frozenset[str], frozenset[str]], list[list[Record]]]
"""Returns the rows of a view by group, for the dimensions and products of a query."""


class Bodies:
    """Parts of pages, encoded at first use and kept up to `limit` bytes; the least recently used are dropped."""

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

    def cost_results(self, view: View) -> bytes:
        """Return the results of one day as a JSON list."""

        def pieces() -> list[bytes]:
            return [_encoded(self._organization.costs_of(view))]

        return zlib.decompress(self._piece(("cost", view), pieces)[0])

    def messages_results(self, view: View) -> bytes:
        """Return the results of one day of messages as a JSON list."""

        def pieces() -> list[bytes]:
            return [_encoded(self._organization.messages_of(view))]

        return zlib.decompress(self._piece(("messages", view), pieces)[0])

    def analytics_groups(
        self, rows: AnalyticsRows, view: View, group_by: frozenset[str], products: frozenset[str]
    ) -> list[list[Record]]:
        """Return the groups of rows of a day of `/analytics/*`."""

        def pieces() -> list[bytes]:
            return [_encoded(rows(view, group_by, products))]

        key = rows.__name__, view, group_by, products
        groups: list[list[Record]] = json.loads(zlib.decompress(self._piece(key, pieces)[0]))
        return groups

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


def _encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
