"""The page, kept in rendered pieces such as a day or a user, so that only what changed is rendered again."""

from collections.abc import Iterable, Mapping
from itertools import chain, islice

from exporter.exposition.encoder import header, lines
from exporter.exposition.page import Page, page
from exporter.model import Family, Sample

_AT_ONCE = 500
"""Pieces whose lines are in memory twice while they are rendered."""


class Pieces:
    """The rendered lines of every piece, by family and by the piece's key."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = {family.name: family for family in families}
        self._lines: dict[str, dict[str, bytes]] = {name: {} for name in self._families}
        self.rendered = 0
        """Pieces rendered since the start, for tests and benchmarks."""

    def put(self, key: str, samples: Mapping[str, Iterable[Sample]]) -> None:
        """Render a piece. It replaces what has the same key, in the families that it names and only there."""
        self.put_all({key: samples})

    def put_all(self, pieces: Mapping[str, Mapping[str, Iterable[Sample]]]) -> None:
        """Render many pieces, by key. Rendering a family of many pieces at once costs a third of one by one."""
        items = iter(pieces.items())
        while some := dict(islice(items, _AT_ONCE)):
            self._put_some(some)

    def _put_some(self, pieces: Mapping[str, Mapping[str, Iterable[Sample]]]) -> None:
        gathered: dict[str, dict[str, list[Sample]]] = {}
        for key, samples in pieces.items():
            for name, of_family in samples.items():
                gathered.setdefault(name, {})[key] = list(of_family)
        for name, by_key in gathered.items():
            self._put_family(name, by_key)
        self.rendered += len(pieces)

    def _put_family(self, name: str, by_key: Mapping[str, list[Sample]]) -> None:
        held = self._lines[name]
        rendered = iter(lines(self._families[name], list(chain.from_iterable(by_key.values()))))
        for key, samples in by_key.items():
            if samples:
                held[key] = "".join(islice(rendered, len(samples))).encode()
            else:
                held.pop(key, None)

    def change(self, prefix: str, pieces: Mapping[str, Mapping[str, Iterable[Sample]] | None]) -> None:
        """Render what has changed, under keys that begin with the prefix; None removes a piece."""
        self.put_all({f"{prefix} {key}": samples for key, samples in pieces.items() if samples is not None})
        for key in (f"{prefix} {key}" for key, samples in pieces.items() if samples is None):
            for held in self._lines.values():
                held.pop(key, None)

    def clear(self, families: Iterable[Family]) -> None:
        """Remove every piece of some families."""
        for family in families:
            self._lines[family.name].clear()

    def series(self) -> dict[str, int]:
        """Return the number of series of each family."""
        return {name: sum(lines.count(b"\n") for lines in held.values()) for name, held in self._lines.items()}

    def page(self, health: bytes = b"") -> Page:
        """Return the page: families in the order given, pieces in the order of their keys, then health."""
        shown = {name: held for name, held in self._lines.items() if held}
        parts: list[bytes] = []
        for name, held in shown.items():
            parts.append(header(self._families[name]))
            parts.extend(held[key] for key in sorted(held))
        return page(parts, len(shown), health)
