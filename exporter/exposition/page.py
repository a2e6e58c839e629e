"""The data part of `/metrics` as bytes, plain and compressed: the numbers, and the health that says how to trust them.

The two are compressed apart, so that the numbers can be kept and shown again after a restart, with the health of then.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

GZIP_LEVEL = 4
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Part(NamedTuple):
    """A part of a page: deflated up to a byte boundary, so that parts can be joined, and its number of series."""

    deflated: bytes
    series: int


class Page(NamedTuple):
    """A page: its bytes, their CRC-32, and its parts."""

    body: bytes
    crc: int
    numbers: Part
    health: Part

    @property
    def series(self) -> int:
        """The number of series."""
        return self.numbers.series + self.health.series

    def gzip(self, tail: bytes) -> bytes:
        """Return body and tail as one gzip member (RFC 1952). Only the tail is compressed here."""
        end = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        last = end.compress(tail) + end.flush()
        check = struct.pack("<II", zlib.crc32(tail, self.crc), (len(self.body) + len(tail)) & 0xFFFFFFFF)
        return b"".join((_GZIP_HEADER, self.numbers.deflated, self.health.deflated, last, check))


def page(numbers: Sequence[bytes], families: int, health: bytes) -> Page:
    """Return the page of numbers, in pieces and with the two header lines of each of their families, and of health."""
    body = b"".join((*numbers, health))
    size = len(body) - len(health)
    deflated = _deflated(memoryview(body)[:size])
    return Page(body, zlib.crc32(body), Part(deflated, body.count(b"\n", 0, size) - 2 * families), _health(health))


def restored(numbers: Part, health: bytes) -> Page:
    """Return the page of numbers that were shown before and the health of now. Raises zlib.error."""
    body = zlib.decompressobj(-zlib.MAX_WBITS).decompress(numbers.deflated) + health
    return Page(body, zlib.crc32(body), numbers, _health(health))


def _health(text: bytes) -> Part:
    headers = text.count(b"\n#") + text.startswith(b"#")
    return Part(_deflated(text), text.count(b"\n") - headers)


def _deflated(text: bytes | memoryview) -> bytes:
    deflate = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(text) + deflate.flush(zlib.Z_FULL_FLUSH)
