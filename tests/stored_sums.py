"""The note of a store that holds the sums of claude_code, taken apart and put together again."""

import json
import zlib
from base64 import b64decode, b64encode
from typing import Any

NAME = "sums of claude_code"


def parts(note: str | None) -> list[Any]:
    """Return the format of stored sums, the digests of their days, and the sums, as JSON has them."""
    head, _, dump = (note or "").partition("\n")
    return [*json.loads(head), json.loads(zlib.decompress(b64decode(dump)))]


def note(stored_format: str, digests: dict[str, str], sums: object) -> str:
    """Return the note with these parts."""
    dump = b64encode(zlib.compress(json.dumps(sums).encode()))
    return f"{json.dumps((stored_format, digests))}\n{dump.decode()}"
