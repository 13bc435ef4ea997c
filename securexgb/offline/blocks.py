"""Correlations made in blocks and handed out in slices.

A protocol asks for a few dozen correlations hundreds of times a tree; making them
costs the same for one as for a thousand. So a supply makes them in blocks, which
grow as the job shows its appetite, and a request is a slice: no copy, no key
derivation. What has been handed out is never handed out again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from securexgb.dealer.deal import Pieces

FIRST_BLOCK = 1 << 9
LARGEST_BLOCK = 1 << 13
"""Elements: 64 KiB a piece, so that a block is made within the processor's cache."""


class Supply:
    """The correlations of one kind at one party, in order.

    ``make(start, count)`` gives the arrays of elements start .. start + count, both
    multiples of 64, which lie along the last axis. ``packed``: the first array has 64
    elements to a word, the others one. ``whole_words``: every request starts a new word of
    packed bits, at this party or at the other.
    """

    def __init__(self, make: Callable[[int, int], Pieces], packed: bool, whole_words: bool) -> None:
        self._make = make
        self._packed = packed
        self._whole_words = whole_words
        self._arrays: Pieces = ()
        self._made = 0
        self._at = 0
        self._ready = 0
        self._block = FIRST_BLOCK

    def take(self, count: int) -> Pieces:
        """The next ``count`` elements, as read-only arrays."""
        start = self._at
        end = start + count
        if self._whole_words:
            end += -count % 64
        if end > self._ready or not self._arrays:
            self._refill(end - start)
            start, end = 0, end - start
        self._at = end
        if not self._whole_words:
            return tuple([array[..., start:end] for array in self._arrays])
        stop = start + count
        first, *others = self._arrays
        head = first[start >> 6 : end >> 6] if self._packed else first[..., start:stop]
        return head, *[array[..., start:stop] for array in others]

    def _refill(self, needed: int) -> None:
        """Put at least ``needed`` elements before us: the rest of this block and a new one."""
        rest = self._ready - self._at
        count = max(needed - rest, self._block)
        count += -count % 64
        fresh = self._make(self._made, count)
        if rest:
            first, *others = self._arrays
            head = first[self._at >> 6 :] if self._packed else first[..., self._at :]
            left = (head, *[array[..., self._at :] for array in others])
            fresh = tuple(np.concatenate(pair, -1) for pair in zip(left, fresh, strict=True))
        for array in fresh:
            array.flags.writeable = False
        self._arrays = fresh
        self._made += count
        self._at, self._ready = 0, rest + count
        self._block = min(2 * self._block, LARGEST_BLOCK)
