"""Falling curves of a shared number as bipartite tables: steps, entries, coins, classes of rows.

A range of 16 is cut into equal steps; the entry of a step is the function in its middle, and the
sum of two tables' (bipartite: Das Sarma, Matula, ARITH 1995): with a the upper bits of the
step's number, b the middle and c the lower ones, value[a, b] + more[a, c]. Entries are rounded by
public coins, another one for each class of rows (``boost.dither``), so that they are right on
average where a unit is more than they are worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import MARGIN_BITS
from securexgb.arith.logistic import LIMIT_BITS, VALUE_BITS
from securexgb.mpc.numbers.magnitude import Index
from securexgb.mpc.numbers.table import Lookups, Place, Tables, entries_cost
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Shared

COIN_BITS = 32
"""Fraction bits of a coin."""
MOST_BITS = 20
"""Fraction bits of p and of h, at most."""
Integers = NDArray[np.int64]

_NEAREST_BITS = 9
"""Values of 2^9 units and more are rounded to the nearest."""


@dataclass(frozen=True)
class Steps:
    """How the index is cut: ``high`` bits a, ``middle`` bits b, ``low`` bits c.

    The upper GATED bits of a are looked up last; the others go with b and with c.
    """

    high: int
    middle: int
    low: int

    @property
    def bits(self) -> int:
        return self.high + self.middle + self.low

    @property
    def widths(self) -> tuple[int, int, int, int]:
        """Bits of c, b, and of both parts of a, by which tables are looked up."""
        return self.low, self.middle, self.high - GATED, GATED

    def index(self, range_bits: int) -> Index:
        """Steps of |x| < 16."""
        return Index(MARGIN_BITS + LIMIT_BITS - self.bits, self.widths, range_bits)

    def cost(self, widths: tuple[int, ...], words: int) -> Cost:
        """Cost of ``entries_of`` both tables of entries of so many bits, for 64 * ``words``
        elements, by the marks of the parts."""
        return entries_cost(Lookups(self.widths, (VALUE, MORE), widths), words)


GATED = 3
VALUE, MORE = Place(low=1, between=2, high=3), Place(low=0, between=2, high=3)
FINE, COARSE = Steps(7, 3, 4), Steps(6, 3, 3)


@dataclass(frozen=True, eq=False, repr=False)
class Curve:
    """A falling function as value[a, b] + more[a, c], values (a, b), more (a, c).

    ``value`` is 0 in the last cell, which stands for all that is beyond 16. ``value_bits``: units
    are 2^-value_bits.
    """

    value: Integers
    more: Integers
    value_bits: int = VALUE_BITS

    @staticmethod
    def of(values: Integers, steps: Steps, drop: int = 0, value_bits: int = VALUE_BITS) -> Curve:
        """The nearest sums: ``more`` is the mean over b, ``value`` the middle of what is left.

        ``more`` is in multiples of 2^drop.
        """
        cells = values.reshape(1 << steps.high, 1 << steps.middle, 1 << steps.low)
        total, cut = (cells - cells[..., -1:]).sum(axis=1), drop + steps.middle
        more = (total + (1 << cut >> 1) >> cut) << drop
        rest = cells - more[:, None]
        value = rest.max(axis=2) + rest.min(axis=2) >> 1
        value[-1, -1] = 0
        return Curve(value, more, value_bits)

    def rounded(self, fraction_bits: int, coins: Integers, most: int) -> tuple[Integers, Integers]:
        """(values, more) in units of 2^-fraction_bits, by class: coins (2, classes).

        Both are rounded to the nearest where a's least value is large enough. No sum exceeds
        ``most``.
        """
        drop = self.value_bits - fraction_bits
        nearest, half = self.value[:, -1:] >> drop >= 1 << _NEAREST_BITS, 1 << (drop - 1)
        up, down = max(drop - COIN_BITS, 0), max(COIN_BITS - drop, 0)
        scaled = coins[:, :, None, None] << up >> down
        value = self.value + np.where(nearest, half, scaled[0]) >> drop
        more = self.more + np.where(nearest, half, scaled[1]) >> drop
        return np.minimum(value, most - more.max(axis=2, keepdims=True)), more

    def lengths(self, fraction_bits: int, most: int) -> tuple[int, int]:
        """How many bits values and what is added have, whatever the coins."""
        greatest = (1 << COIN_BITS) - 1
        coins = np.array([[greatest, 0], [0, greatest]])
        return lengths_of(self.rounded(fraction_bits, coins, most))


def lengths_of(parts: tuple[Integers, Integers]) -> tuple[int, int]:
    """How many bits the greatest value and the greatest of what is added have."""
    value, more = (int(part.max()).bit_length() for part in parts)
    return value, more


def tables_of(cells: Integers, out_bits: int, place: Place) -> Tables:
    """Of cells (classes, a, b), or (classes, a, c)."""
    entries = cells.reshape(len(cells), 1 << GATED, -1)
    return Tables(entries.view(np.uint64), out_bits, place)


def by_class(rows: int, classes: int, times: int = 1) -> tuple[Integers, tuple[int, ...]]:
    """Rows, so many times over, in the order of their classes, and how many each class has."""
    of_all = np.tile(np.arange(rows) % classes, times)
    runs = np.bincount(of_all, minlength=classes)
    return np.argsort(of_all, kind="stable"), tuple(runs.tolist())


def in_row_order(found: Shared, order: Integers) -> Shared:
    """Numbers (k, n) in the order of ``by_class`` put back into that of the rows."""
    words = np.empty_like(found.words)
    words[:, order] = found.words
    return Shared(words)
