"""Samples into page bytes: the Prometheus text format and OpenMetrics, plain and gzip.

The page is kept in pieces (a day, a user, ...), so that only what changed is rendered again. Gauge families look the
same in both formats, so one rendering serves both; only the tail differs, which holds the exporter's own metrics.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import chain, islice
from typing import NamedTuple

from exporter.catalogue import DATA
from exporter.model import Family, Sample

GZIP_LEVEL = 4
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_MAX_PLAIN = 6
_BIG = 10**_MAX_PLAIN
"""From here on Go prints an exponent."""
_EXACT = 10**15
"""Below it the digits of a whole number are those of the float."""
_EXPONENTS = tuple(f"e+{digits - 1:02}" for digits in range(17))
"""By the number of digits."""
_MOST_TEXTS = 100_000
"""Label sets of one family whose text is kept: dates and users come and go."""


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
        self.put_all({key: samples})

    def put_all(self, pieces: Mapping[str, Mapping[str, Iterable[Sample]]]) -> None:
        """Render many pieces anew, by key: a family of all of them at once costs a third of one by one."""
        gathered: dict[str, dict[str, list[Sample]]] = {}
        for key, samples in pieces.items():
            for name, of_family in samples.items():
                gathered.setdefault(name, {})[key] = list(of_family)
        for name, by_key in gathered.items():
            self._put_family(name, by_key)
        self.rendered += len(pieces)

    def _put_family(self, name: str, by_key: Mapping[str, list[Sample]]) -> None:
        held = self._lines[name]
        lines = iter(_lines(self._families[name], list(chain.from_iterable(by_key.values()))))
        for key, samples in by_key.items():
            if samples:
                held[key] = "".join(islice(lines, len(samples))).encode()
            else:
                held.pop(key, None)

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
    return "".join(_lines(family, list(samples))).encode()


def _lines(family: Family, samples: list[Sample]) -> list[str]:
    """Return a line for each sample; raises ValueError as `encode` does."""
    if len({values for values, _ in samples}) < len(samples):
        raise ValueError(_complaint(family, [values for values, _ in samples]))
    before = _texts(family)
    return [
        f"{before[values]}{number}.0\n"
        if type(number) is int and -_BIG < number < _BIG
        else f"{before[values]}{_number(number)}\n"
        for values, number in samples
    ]


class _Texts(dict[tuple[str, ...], str]):
    """What stands before the number, by label values: prepared once, since the same label sets come again and again."""

    def __init__(self, family: Family) -> None:
        super().__init__()
        self._family = family
        labels = ",".join(f'{label}="%s"' for label in family.labels)
        self._line = f"{family.name}{{{labels}}} " if labels else f"{family.name} "

    def __missing__(self, values: tuple[str, ...]) -> str:
        """Prepare the text of a label set; raises ValueError for one with the wrong number of values."""
        if len(values) != len(self._family.labels):
            raise ValueError(_complaint(self._family, [values]))
        if len(self) >= _MOST_TEXTS:
            self.clear()
        text = self[values] = self._line % tuple(value.translate(_ESCAPES) for value in values)
        return text


@cache
def _texts(family: Family) -> _Texts:
    return _Texts(family)


def _number(value: float) -> str:
    return repr(float(value)) if -_BIG < value < _BIG else _big(value)


def _big(value: float) -> str:
    """Return a number beyond a million as Go and prometheus-client print it: 1.234567e+06."""
    if type(value) is int and 0 < value < _EXACT:
        digits = str(value)  # a short cut: most such numbers are counts of tokens
        mantissa = digits.rstrip("0")
        fraction = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
        return f"{mantissa[0]}{fraction}{_EXPONENTS[len(digits)]}"
    text = repr(float(value))
    point = text.find(".")
    if value > 0 and point > _MAX_PLAIN:
        mantissa = f"{text[0]}.{text[1:point]}{text[point + 1 :]}".rstrip("0.")
        return f"{mantissa}e+{point - 1:02}"
    return text


def _complaint(family: Family, keys: list[tuple[str, ...]]) -> str:
    arity = len(family.labels)
    counts = Counter(keys)
    values = next(values for values in keys if len(values) != arity or counts[values] > 1)
    return f"{family.name}: label values {values} are not unique, or not {arity}"
