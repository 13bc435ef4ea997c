"""The sigmoid and the softplus of a shared margin, by tables over its magnitude.

|x| in [0, 8) is cut into steps; the entry of a step is the function in its middle, the last
entry stands for everything beyond. Both functions are known on the whole line from their
right or left half: sigmoid(-x) = 1 - sigmoid(x), softplus(x) = max(x, 0) + softplus(-|x|).
There is no product and no truncation, so the results are exact functions of the step.

Sigmoid: steps of 1/256, or down to 1/2048 where gradients are finer than 2^-12; the table holds
p of the negative half and h = p (1 - p) beside it. On the positive half 1 - p is p's complement
and one unit, linear in p's bits flipped by the sign. Bits become numbers in the smallest ring
that holds them (``mpc.lift``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.mpc.choose import choose, choose_cost
from securexgb.mpc.compare import not_bits
from securexgb.mpc.lift import Number, binary, lift_numbers, numbers_cost
from securexgb.mpc.magnitude import RANGE_BITS, Index, magnitude, magnitude_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, words_per
from securexgb.mpc.table import MOST_BITS, lookup, lookup_cost

MARGIN_BITS = 20
"""Fraction bits of a margin."""
FLOOR_BITS = 11
"""Every sigmoid stays within [2^-11, 1 - 2^-11], every gradient within 2^11 hessians."""
_LIMIT_BITS = 3  # the tables reach up to 8
_LEAST_SIGMOID_BITS = 11
_SOFTPLUS_BITS = 13
_SOFTPLUS_FRACTION_BITS = 16


@dataclass(frozen=True)
class SigmoidTable:
    """Entries p + 2^low_bits h by step of |x|, p of the negative half, below 2^low_bits.

    ``numbers``: how p and h are made of p's bits, flipped where x is not negative, a bit that
    says so, and h's bits.
    """

    entries: NDArray[np.uint64]
    low_bits: int
    high_bits: int
    numbers: tuple[Number, Number]


def _middles(index_bits: int) -> NDArray[np.float64]:
    """|x| in the middle of every step."""
    middles: NDArray[np.float64] = np.arange(0.5, 1 << index_bits)
    return middles * 2.0 ** (_LIMIT_BITS - index_bits)


def _sigmoid_bits(out_bits: int) -> int:
    """Bits of the index: the slope is at most 1/4, so that steps err by 2^-index_bits at most."""
    return min(max(out_bits - 1, _LEAST_SIGMOID_BITS), MOST_BITS)


def sigmoid_table(out_bits: int) -> SigmoidTable:
    """p and h in units of 2^-out_bits, 4 <= out_bits <= 20: p to nearest, h down.

    p is at least 2^-11, or 0 in units that are coarser; h is at least 2^-11 (1 - p).
    """
    unit, low_bits = 1 << out_bits, out_bits - 1
    exact = 1 / (1 + np.exp(_middles(_sigmoid_bits(out_bits))))
    p = np.rint(exact * unit).astype(np.int64)
    p = np.clip(p, unit >> FLOOR_BITS, (1 << low_bits) - 1)
    least = -((p - unit) >> FLOOR_BITS)
    h = np.maximum((exact * (1 - exact) * unit).astype(np.int64), least)
    high_bits = int(h.max()).bit_length()
    # Where x is not negative, p's complement: 2^out_bits - p, all bits flipped, and one more.
    places = tuple(1 << place for place in range(low_bits))
    width = out_bits if p.min() else out_bits + 1
    numbers = Number((*places, (1 << low_bits) + 1), width), binary(high_bits)
    return SigmoidTable((p | h << low_bits).view(np.uint64), low_bits, high_bits, numbers)


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
    index_bits = _sigmoid_bits(out_bits)
    cost = magnitude_cost(_index(index_bits, range_bits), count)
    cost += lookup_cost(index_bits, table.low_bits + table.high_bits, words)
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
    within 2^-14 and half a unit where they are 2^-15 or finer and |x| < 7.5. It never falls as x
    grows, and is mirrored: p(-x - 2^-20) = 1 - p(x).
    """
    table = sigmoid_table(out_bits)
    negative, index = magnitude(party, margins, _index(_sigmoid_bits(out_bits), range_bits))
    found = lookup(party, index, table.entries, table.low_bits + table.high_bits).words
    positive = not_bits(party, negative).words
    p = [found[: table.low_bits] ^ positive, positive[None]]
    bits = SharedBits(np.concatenate([*p, found[table.low_bits :]]), margins.size)
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
