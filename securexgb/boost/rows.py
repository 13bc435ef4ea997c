"""Rows go through in blocks, so that what a step holds for each row stays bounded.

Results do not depend on the size of a block: every step on rows is elementwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from securexgb.arith.bits import WORD, words_per
from securexgb.errors import UsageError

BLOCK_ROWS = 1 << 17
"""Rows of a block; whole words of packed bits."""

MOST_BLOCKS = 4
"""Where each block sends messages of its own."""


def sending_block(rows: int) -> int:
    """Rows of a block where every block takes all rounds of a step anew.

    No fewer than ``BLOCK_ROWS``, and a quarter of the rows: what is held of so many while gradients
    are made is no more than what all rows take later, at a level of eight nodes.
    """
    quarter = WORD * words_per(-(-rows // MOST_BLOCKS))
    return max(BLOCK_ROWS, quarter)


def blocks(rows: int, size: int = BLOCK_ROWS) -> Iterator[slice]:
    """Slices of at most ``size`` rows that cover ``rows`` rows in order."""
    if size % WORD:
        raise UsageError(f"a block of {size} rows is no whole number of words of {WORD}")
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))
