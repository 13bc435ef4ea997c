"""The sigmoid and the softplus of a shared margin, by tables over its magnitude.

|x| in [0, 8) is cut into steps; the entry of a step is the function in its middle, the last
entry stands for everything beyond. Both functions are known on the whole line from their
right or left half: sigmoid(-x) = 1 - sigmoid(x), softplus(x) = max(x, 0) + softplus(-|x|).
There is no product and no truncation, so the results are exact functions of the step.

Sigmoid: the table holds p of the negative half and h = p (1 - p) beside it. On the positive half
1 - p is p's complement and one unit, linear in p's bits flipped by the sign. Bits become numbers
in the smallest ring that holds them (``mpc.lift``). Steps are 1/256 wide. For gradients finer than
2^-12 they are 1/2048 wide, and the entries are sums of two tables (bipartite: Das Sarma, Matula,
ARITH 1995): with a the upper six bits of the index, b the middle three and c the lower five,
value[a, b] + more[a, c].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from securexgb.mpc.choose import choose, choose_cost
from securexgb.mpc.compare import not_bits
from securexgb.mpc.lift import Number, binary, lift_numbers, numbers_cost
from securexgb.mpc.magnitude import RANGE_BITS, Index, magnitude, magnitude_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, words_per
from securexgb.mpc.table import lookup, lookup_cost

MARGIN_BITS = 20
"""Fraction bits of a margin."""
FLOOR_BITS = 11
"""Every sigmoid stays within [2^-11, 1 - 2^-11], every gradient within 2^11 hessians."""
_LIMIT_BITS = 3  # the tables reach up to 8
_COARSE_BITS = 12
"""Fraction bits up to which one table serves."""
_COARSE_INDEX = 11
_LOW, _MIDDLE, _HIGH = 5, 3, 6
_FINE_INDEX = _LOW + _MIDDLE + _HIGH
_SOFTPLUS_BITS = 13
_SOFTPLUS_FRACTION_BITS = 16
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Entries:
    """A table over some bits of the index: p's part, and h's part above it.

    ``bits``: which bits of the index, lowest first; ``low_bits``, ``high_bits``: widths of the
    parts of p and h.
    """

    bits: tuple[int, ...]
    entries: NDArray[np.uint64]
    low_bits: int
    high_bits: int

    @property
    def out_bits(self) -> int:
        return self.low_bits + self.high_bits

    @staticmethod
    def of(bits: range | tuple[int, ...], p: Integers, h: Integers, low_bits: int = 0) -> Entries:
        """Parts that are not negative; p's has ``low_bits`` at least."""
        low_bits = max(low_bits, int(p.max()).bit_length())
        entries = (p | h << low_bits).view(np.uint64)
        return Entries(tuple(bits), entries, low_bits, int(h.max()).bit_length())


@dataclass(frozen=True)
class SigmoidTable:
    """p of the negative half and h by step of |x|: each the sum of its parts in all tables.

    ``numbers``: how p and h are made of p's bits of all tables, flipped where x is not negative,
    a bit that says so, and h's bits.
    """

    index_bits: int
    tables: tuple[Entries, ...]
    numbers: tuple[Number, Number]


def _middles(index_bits: int) -> NDArray[np.float64]:
    """|x| in the middle of every step."""
    middles: NDArray[np.float64] = np.arange(0.5, 1 << index_bits)
    return middles * 2.0 ** (_LIMIT_BITS - index_bits)


@cache
def sigmoid_table(out_bits: int) -> SigmoidTable:
    """p and h in units of 2^-out_bits, 4 <= out_bits <= 20: p to nearest, h down.

    p is at least 2^-11, or 0 in units that are coarser; h is at least 2^-11 (1 - p).
    """
    fine = out_bits > _COARSE_BITS
    index_bits = _FINE_INDEX if fine else _COARSE_INDEX
    unit, low_bits = 1 << out_bits, out_bits - 1
    exact = 1 / (1 + np.exp(_middles(index_bits)))
    p = np.rint(exact * unit).astype(np.int64)
    p = np.clip(p, unit >> FLOOR_BITS, (1 << low_bits) - 1)
    least = -((p - unit) >> FLOOR_BITS)
    h = np.maximum((exact * (1 - exact) * unit).astype(np.int64), least)
    tables = (
        _two_tables(p, h, low_bits) if fine else (Entries.of(range(index_bits), p, h, low_bits),)
    )
    # Where x is not negative: 2^out_bits - p, of all bits flipped and a number more.
    weights = [1 << place for table in tables for place in range(table.low_bits)]
    positive = unit - sum(weights)
    high = tuple(1 << place for table in tables for place in range(table.high_bits))
    width = out_bits if p.min() else out_bits + 1
    numbers = Number((*weights, positive), width), Number(high, sum(high).bit_length())
    return SigmoidTable(index_bits, tables, numbers)


def _two_tables(p: Integers, h: Integers, low_bits: int) -> tuple[Entries, Entries]:
    """Values and what is added within a cell, both bounds of p and the least h kept."""
    value_p, more_p = _two_parts(p)
    whole = value_p[..., None] + more_p[:, None]
    value_p += np.maximum(int(p.min()) - whole.min(axis=2), 0)
    value_p -= np.maximum(whole.max(axis=2) - int(p.max()), 0)
    value_h, more_h = _two_parts(h)
    least = -((value_p[..., None] + more_p[:, None] - (2 << low_bits)) >> FLOOR_BITS)
    value_h += np.maximum((least - more_h[:, None]).max(axis=2) - value_h, 0)
    places = (*range(_LOW), *range(_LOW + _MIDDLE, _FINE_INDEX))
    return (
        Entries.of(range(_LOW, _FINE_INDEX), value_p.reshape(-1), value_h.reshape(-1), low_bits),
        Entries.of(places, more_p.reshape(-1), more_h.reshape(-1)),
    )


def _two_parts(values: Integers) -> tuple[Integers, Integers]:
    """Falling values (a, b, c) as value[a, b] + more[a, c], more >= 0."""
    cells = values.reshape(-1, 1 << _MIDDLE, 1 << _LOW)
    more = np.rint((cells - cells[:, :, -1:]).mean(axis=1)).astype(np.int64)
    rest = cells - more[:, None]
    return (rest.max(axis=2) + rest.min(axis=2)) >> 1, more


def softplus_table() -> NDArray[np.uint64]:
    """softplus(-|x|) in units of 2^-16, by step of 1/1024."""
    scaled = np.log1p(np.exp(-_middles(_SOFTPLUS_BITS))) * 2.0**_SOFTPLUS_FRACTION_BITS
    return np.rint(scaled).astype(np.uint64)


def _index(bits: int, range_bits: int) -> Index:
    """Steps of |x| < 8."""
    return Index(MARGIN_BITS + _LIMIT_BITS - bits, bits, range_bits)


def sigmoid_cost(out_bits: int, count: int, range_bits: int = RANGE_BITS) -> Cost:
    """Cost of ``sigmoid`` for so many margins."""
    table, words = sigmoid_table(out_bits), words_per(count)
    cost = magnitude_cost(_index(table.index_bits, range_bits), count)
    for part in table.tables:
        cost += lookup_cost(len(part.bits), part.out_bits, words)
    return cost + numbers_cost(table.numbers, words)


@protocol(
    cost=lambda margins, out_bits, range_bits=RANGE_BITS: sigmoid_cost(
        out_bits, margins.size, range_bits
    ),
    opens=COMPOSED,
    source="docs/training.md, the sigmoid",
    ideal=None,
)
def sigmoid(
    party: Party, margins: Shared, out_bits: int, range_bits: int = RANGE_BITS
) -> tuple[Shared, Shared]:
    """(p, p (1 - p)) of margins (n,), both with ``out_bits`` <= 20 fraction bits.

    Margins are below 2^(range_bits - 1) units of 2^-20; a closer bound, 26 at least, is cheaper.

    p is within 2^-11 and half a unit of the sigmoid, a unit where units are coarser than 2^-11;
    within 2^-13 and a unit where they are finer than 2^-12 and |x| < 7.5. As x grows it never falls
    by more than a unit or 2^-16, and not at all in units of 2^-12 or more. It is mirrored:
    p(-x - 2^-20) = 1 - p(x).
    """
    table = sigmoid_table(out_bits)
    negative, index = magnitude(party, margins, _index(table.index_bits, range_bits))
    positive = not_bits(party, negative).words
    p, h = [], []
    for part in table.tables:
        found = lookup(party, index[list(part.bits)], part.entries, part.out_bits).words
        p.append(found[: part.low_bits] ^ positive)
        h.append(found[part.low_bits :])
    bits = SharedBits(np.concatenate([*p, positive[None], *h]), margins.size)
    both = lift_numbers(party, bits, table.numbers)
    return both[0], both[1]


def softplus_cost(count: int) -> Cost:
    """Cost of ``softplus`` for so many margins."""
    words = words_per(count)
    cost = magnitude_cost(_index(_SOFTPLUS_BITS, RANGE_BITS), count)
    cost += lookup_cost(_SOFTPLUS_BITS, _SOFTPLUS_FRACTION_BITS, words)
    return cost + numbers_cost([binary(_SOFTPLUS_FRACTION_BITS)], words) + choose_cost(1, count)


@protocol(
    cost=lambda margins: softplus_cost(margins.size),
    opens=COMPOSED,
    source="docs/training.md, the sigmoid",
    ideal=None,
)
def softplus(party: Party, margins: Shared) -> Shared:
    """log(1 + exp(margin)) of margins (n,), |x| < 2^25, with their 20 fraction bits.

    The error is at most 4e-4.
    """
    negative, index = magnitude(party, margins, _index(_SOFTPLUS_BITS, RANGE_BITS))
    found = lookup(party, index, softplus_table(), _SOFTPLUS_FRACTION_BITS)
    part = lift_numbers(party, found, (binary(_SOFTPLUS_FRACTION_BITS),))
    line = choose(party, not_bits(party, negative), margins.reshape(1, -1))
    return line[0] + part[0].scale(1 << (MARGIN_BITS - _SOFTPLUS_FRACTION_BITS))
