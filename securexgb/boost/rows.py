"""Rows go through in blocks, so that what a step holds for each row stays bounded.

Results do not depend on the size of a block: every step on rows is elementwise.
"""

from __future__ import annotations

from collections.abc import Iterator

BLOCK_ROWS = 1 << 17
"""Rows of a block; whole words of packed bits."""


def blocks(rows: int, size: int = BLOCK_ROWS) -> Iterator[slice]:
    """Slices of at most ``size`` rows that cover ``rows`` rows in order."""
    assert size % 64 == 0
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))
