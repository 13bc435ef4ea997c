"""Public coins that make the rounding of every row's gradients right on average.

A row of a rare event has a probability far below a gradient's unit. Rounded to the nearest it
would be 0 in every tree; rounded down after a public fraction u was added, floor(x + u), it is
right on average over the rows, and over the trees. All that the coins do is known to both
parties; no message depends on them.

Rows fall into 64 classes by their number, so that rows of a class can share a public table.
u of row r in tree t is (bitreverse6(c) + xi) / 64 with c = (29 r + o) mod 64: neighbours have
fractions far apart, any 64 rows in order have 64 evenly spaced ones. Offset o and xi follow from
``random_state``, t and what is rounded, and from nothing else: a method, blocks or shards do not
change a tree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.prg import KEY_BYTES, Prg

CLASSES = 64
"""Rows r and r + CLASSES have the same coins."""
FRACTION_BITS = 32
Integers = NDArray[np.int64]

_TABLE_COINS = 4
_FIELDS = np.arange(CLASSES, dtype=np.int64)
_REVERSED = np.array([int(f"{field:06b}"[::-1], 2) for field in range(CLASSES)], np.int64)


@dataclass(frozen=True, eq=False, repr=False)
class Dither:
    """One tree's coins, fractions of 2^32 by row number modulo 64.

    ``tables``: (4, 64), for both tables of p, then both of h. ``gradient``, ``hessian``: (64,),
    for products with weights and for targets.
    """

    tables: Integers
    gradient: Integers
    hessian: Integers

    @staticmethod
    def of(random_state: int, tree: int) -> Dither:
        """The coins of a tree."""
        public = Prg(bytes(KEY_BYTES)).derive(f"rounding, random_state {random_state}, tree {tree}")
        drawn = public.words(2 * (_TABLE_COINS + 2)).reshape(-1, 2)
        offsets = (drawn[:, :1] % np.uint64(CLASSES)).view(np.int64)
        within = (drawn[:, 1:] >> np.uint64(64 - FRACTION_BITS + 6)).view(np.int64)
        classes = (29 * _FIELDS + offsets) % CLASSES
        coins = (_REVERSED[classes] << (FRACTION_BITS - 6)) + within
        return Dither(coins[:_TABLE_COINS], coins[_TABLE_COINS], coins[_TABLE_COINS + 1])


def by_row(coins: Integers, rows: int, bits: int) -> NDArray[np.uint64]:
    """The coins (64,) of so many rows, the first one's number divisible by 64, as words (rows,).

    In units of 2^-bits, rounded down.
    """
    return np.resize(coins >> (FRACTION_BITS - bits), rows).view(np.uint64)
