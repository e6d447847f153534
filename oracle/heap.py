"""The allocator of the C library: what a tick needed is kept for the next one, not given back and fetched page by page.

A tick of thousands of quotes takes and frees blocks of a megabyte each. By default they are mapped anew each time, and
touching their pages for the first time costs more than the arithmetic in them.
"""

import ctypes
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of the options in `malloc.h`; see mallopt(3)."""
BLOCK_BYTES: Final = 16 * 2**20
"""Blocks up to this size are taken from what is kept."""
KEPT_BYTES: Final = 64 * 2**20
"""So much may lie idle."""


def keep() -> bool:
    """Keep freed memory for this process from now on; False where the C library knows no such thing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MMAP_THRESHOLD, BLOCK_BYTES) and mallopt(_TRIM_THRESHOLD, KEPT_BYTES))
