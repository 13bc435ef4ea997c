"""Memory that a batch has freed stays with this process, for the next one.

A batch of some hundred rows takes and frees tens of arrays of a few hundred kilobytes. The C
library gives each of them back to the system, which maps and clears it anew a page at a time: a
quarter of the processor's time of a batch. A service takes the same again a moment later, so what
is freed is kept; its memory stays what the largest batch has taken.
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's options (malloc.h)."""
_LARGEST = 32 << 20
"""Bytes of a piece that may come from what is kept: as many as glibc allows."""
_MOST_KEPT = 1 << 30


def keep_freed_memory() -> bool:
    """Whether what is freed is kept from now on: only glibc has a switch for it."""
    if sys.platform != "linux":
        return False
    try:
        switch = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    options = ((_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _MOST_KEPT))
    return all(switch(option, value) for option, value in options)
