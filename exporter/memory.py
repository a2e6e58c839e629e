"""Give freed memory back to the system: bodies and pages are large, and live for seconds."""

import ctypes

_MMAP_THRESHOLD, _BYTES = -3, 256 * 1024
"""The parameter of mallopt(3), and the size from which a block is mapped on its own, so that it can be given back.

glibc raises this size to that of the largest block that was freed, up to 32 MB, and then keeps what is smaller.
"""


def give_back_large_blocks() -> None:
    """Fix the size from which glibc maps a block on its own. Other C libraries have no such setting."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_MMAP_THRESHOLD, _BYTES)
