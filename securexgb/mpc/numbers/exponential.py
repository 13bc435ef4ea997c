"""Powers of e of a shared number, by tables: e^x times public factors, x in a public window of 16.

A window reaches from top - 16 to top. Of t = top - x the sign and the step are taken
(``mpc.numbers.magnitude``), and the tables are falling curves of t (``mpc.numbers.curves``): as for
the sigmoid there is no product and no truncation, an entry is right relatively, or on average.
Above the window x counts as its top: where t is negative the step is put to 0, a gate for each of
its bits. Below the window, and nearly so in its last 64th, e^x is 0: so it is exactly 0 for a
number that stands for the logarithm of 0.

A window is put where values are: e^x of more than e^top times the scale does not occur but in
models that have lost their way, less than e^(top - 16) counts as nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np

from securexgb.arith.bits import words_per
from securexgb.arith.exponential import VALUE_BITS, exponential, power_of_e
from securexgb.arith.fixedpoint import MARGIN_BITS
from securexgb.arith.logistic import LIMIT_BITS
from securexgb.mpc.compare import not_bits
from securexgb.mpc.numbers.curves import (
    COARSE,
    FINE,
    MORE,
    VALUE,
    Curve,
    Integers,
    Steps,
    by_class,
    in_row_order,
    tables_of,
)
from securexgb.mpc.numbers.lift import Number, lift_numbers, numbers_cost
from securexgb.mpc.numbers.magnitude import Index, magnitude, magnitude_cost
from securexgb.mpc.numbers.marked import kept, kept_cost
from securexgb.mpc.numbers.table import Lookups, Tables, entries_cost, entries_of
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits


@dataclass(frozen=True)
class Window:
    """What powers are of: x is below ``top``, and from top - 16 on.

    ``scale_bits``: numbers have MARGIN_BITS and so many fraction bits more. ``bound``: |x| is below
    it, whatever the data are.
    """

    top: int
    bound: float
    scale_bits: int = 0

    def index(self, steps: Steps) -> Index:
        """Steps of t = top - x."""
        bits = MARGIN_BITS + self.scale_bits
        whole = max(math.ceil(self.bound) + abs(self.top) + 1, 1 << LIMIT_BITS + 1)
        return Index(bits + LIMIT_BITS - steps.bits, steps.widths, bits + whole.bit_length() + 1)


@dataclass(frozen=True)
class Power:
    """factor e^x, with so many fraction bits, 0 to 20."""

    factor: Fraction
    fraction_bits: int

    def most(self, top: int) -> int:
        """In units, no more than that and what coins add."""
        return math.ceil(self.factor * power_of_e(Fraction(top)) * (1 << self.fraction_bits)) + 2


@dataclass(frozen=True)
class ExpShape:
    """What tables of powers cost, whatever the coins: as ``sigmoid.Shape``, for any number of
    powers. ``parts``: bits of each power's values, and of what is added to them."""

    steps: Steps
    parts: tuple[tuple[int, int], ...]
    numbers: tuple[Number, ...]

    @property
    def lookups(self) -> Lookups:
        """Two tables for each power, side by side."""
        places = (VALUE, MORE) * len(self.parts)
        return Lookups(self.steps.widths, places, sum(self.parts, ()))


@dataclass(frozen=True, eq=False)
class ExpTable:
    """Tables by class of rows: of each power the values and what is added to them."""

    shape: ExpShape
    window: Window
    tables: tuple[Tables, ...]


@cache
def _curve(steps: Steps, top: int, factor: Fraction) -> Curve:
    return Curve.of(exponential(steps.bits, top, factor), steps, value_bits=VALUE_BITS)


@cache
def exp_shape(window: Window, powers: tuple[Power, ...], fine: bool) -> ExpShape:
    """Of the tables of these powers; ``fine``: steps of 2^-10, else 2^-8."""
    steps, parts, numbers = FINE if fine else COARSE, [], []
    for power in powers:
        most = power.most(window.top)
        lengths = _curve(steps, window.top, power.factor).lengths(power.fraction_bits, most)
        weights = [1 << place for length in lengths for place in range(length)]
        numbers.append(Number(tuple(weights), most.bit_length()))
        parts.append(lengths)
    return ExpShape(steps, tuple(parts), tuple(numbers))


def exp_table(
    window: Window, powers: tuple[Power, ...], fine: bool, coins: Sequence[Integers]
) -> ExpTable:
    """Tables for one tree; ``coins``: for each power (2, classes), as ``sigmoid_table`` has them.

    Where no coin is left powers are within 2^-10 (2^-8) of the exact ones, relatively; elsewhere
    their means are.
    """
    shape, tables = exp_shape(window, powers, fine), []
    for power, own, lengths in zip(powers, coins, shape.parts, strict=True):
        curve, most = _curve(shape.steps, window.top, power.factor), power.most(window.top)
        entries = curve.rounded(power.fraction_bits, own, most)
        for part, length, place in zip(entries, lengths, (VALUE, MORE), strict=True):
            tables.append(tables_of(part, length, place))
    return ExpTable(shape, window, tuple(tables))


def exponentials_cost(shape: ExpShape, window: Window, count: int) -> Cost:
    """Cost of ``exponentials`` for so many numbers."""
    words, index = words_per(count), window.index(shape.steps)
    cost = magnitude_cost(index, count) + kept_cost(index.parts, words)
    cost += entries_cost(shape.lookups, words)
    return cost + numbers_cost(shape.numbers, words)


@protocol(
    cost=lambda x, table: exponentials_cost(table.shape, table.window, x.size),
    opens=COMPOSED,
    source="docs/training.md, powers of e; tables as the sigmoid's",
    ideal=None,
)
def exponentials(party: Party, x: Shared, table: ExpTable) -> Shared:
    """The table's powers of each x (n,), with its fraction bits: shared (powers, n).

    x is within the window's bound, with its fraction bits. Row i is of class i modulo the number
    of classes, so blocks of a multiple of them may go through one by one.
    """
    order, runs = by_class(x.size, len(table.tables[0].entries))
    shape, window = table.shape, table.window
    top = constant(party, window.top << MARGIN_BITS + window.scale_bits, x.shape)
    above, marks = magnitude(party, (top - x)[order], window.index(shape.steps))
    below = kept(party, not_bits(party, above), marks, 0)
    found = [bits.words for bits in entries_of(party, below, table.tables, runs)]
    bits = SharedBits(np.concatenate(found), x.size)
    return in_row_order(lift_numbers(party, bits, shape.numbers), order)
