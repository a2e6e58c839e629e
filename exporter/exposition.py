"""Samples into page bytes: the Prometheus text format and OpenMetrics, plain and gzip.

The page is kept in pieces (a day, a user, ...), so that only what changed is rendered again. Gauge families look the
same in both formats, so one rendering serves both; only the tail differs, which holds the exporter's own metrics.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

import struct
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from exporter.catalogue import DATA
from exporter.model import Family, Sample

GZIP_LEVEL = 4
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_MAX_PLAIN = 6


class Page(NamedTuple):
    """The data part of the page: its bytes, the same deflated up to a byte boundary, and the number of series."""

    body: bytes
    deflated: bytes
    crc: int
    series: int

    def gzip(self, tail: bytes) -> bytes:
        """Return body and tail as one gzip member (RFC 1952); only the tail is compressed now."""
        deflate = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        end = deflate.compress(tail) + deflate.flush()
        check = struct.pack("<II", zlib.crc32(tail, self.crc), (len(self.body) + len(tail)) & 0xFFFFFFFF)
        return b"".join((_GZIP_HEADER, self.deflated, end, check))


class Pieces:
    """The rendered lines of every piece, by family and by the piece's key."""

    def __init__(self, families: Iterable[Family] = DATA) -> None:
        self._families = {family.name: family for family in families}
        self._lines: dict[str, dict[str, bytes]] = {name: {} for name in self._families}
        self.rendered = 0
        """Pieces rendered since the start: a count for tests and benchmarks."""

    def put(self, key: str, samples: Mapping[str, Iterable[Sample]]) -> None:
        """Render a piece anew. It replaces what was there under its key in the families named, and only there."""
        for name, of_family in samples.items():
            lines = encode(self._families[name], of_family)
            if lines:
                self._lines[name][key] = lines
            else:
                self._lines[name].pop(key, None)
        self.rendered += 1

    def drop(self, key: str) -> None:
        """Forget a piece; a key that is not there is no error."""
        for lines in self._lines.values():
            lines.pop(key, None)

    def page(self) -> Page:
        """Return the page of all pieces: families in the order of the catalogue, pieces in the order of their keys."""
        parts: list[bytes] = []
        headers = 0
        for name, lines in self._lines.items():
            if lines:
                parts.append(header(self._families[name]))
                parts.extend(lines[key] for key in sorted(lines))
                headers += 2
        body = b"".join(parts)
        deflate = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        deflated = deflate.compress(body) + deflate.flush(zlib.Z_FULL_FLUSH)
        return Page(body, deflated, zlib.crc32(body), body.count(b"\n") - headers)


def header(family: Family) -> bytes:
    """Return the HELP and TYPE lines of a family. Its help holds no quote, backslash or line break (tested)."""
    return f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n".encode()


def encode(family: Family, samples: Iterable[Sample]) -> bytes:
    """Return the lines of a family's samples.

    Raises ValueError for a label set that occurs twice or has the wrong number of values: Prometheus would drop such
    lines without a word.
    """
    labels = ",".join(f'{label}="%s"' for label in family.labels)
    line = f"{family.name}{{{labels}}} %s\n" if labels else f"{family.name} %s\n"
    arity = len(family.labels)
    seen = set()
    lines = []
    for values, number in samples:
        if len(values) != arity or values in seen:
            raise ValueError(f"{family.name}: label values {values} are not unique, or not {arity}")
        seen.add(values)
        lines.append(line % (*map(_escaped, values), _number(number)))
    return "".join(lines).encode()


@lru_cache(maxsize=65536)
def _escaped(value: str) -> str:
    return value.translate(_ESCAPES)


@lru_cache(maxsize=65536)
def _number(value: float) -> str:
    """Return a number as Go and prometheus-client print it: 5.0, 1.234567e+06."""
    text = repr(float(value))
    point = text.find(".")
    if value > 0 and point > _MAX_PLAIN:
        mantissa = f"{text[0]}.{text[1:point]}{text[point + 1 :]}".rstrip("0.")
        return f"{mantissa}e+0{point - 1}"
    return text
