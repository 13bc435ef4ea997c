"""Quotients of shared integers by shared denominators, exact in every rounding.

Denominators are integers in [0, 2^30). The highest set bit of each is found in boolean
shares; as a one-hot mark it becomes the power of two s that brings the denominator a to
y = a s in [2^29, 2^30), that is to [1/2, 1) with 30 fraction bits. Where the mark is gated
away (an invalid candidate) or a is zero, s = 0 and the quotient is 0.

1/y starts from one of two lines, p = 3.2009 - 2.5 y below 3/4 and 2.4772 - 1.5 y above; the
bit below the highest one chooses. Their error e = 1 - y p is at most 0.0246, and 1/y =
p / (1 - e) = p (1 + e)(1 + e^2) / (1 - e^4), where 1 / (1 - e^4) is replaced by the middle of
its range: relative error 2^-22.4 before rounding. Each product is rounded exactly, so equal
inputs have equal quotients, and the plaintext backend has the same ones.

Ranges: |x s / y| <= 2^11 (the caller's bound on |x / a|), so |x s| < 2^41; the reciprocal
in (1, 2] has 20 fraction bits; their product is below 2^62.
"""

from __future__ import annotations

import numpy as np

from securexgb.arith.bits import words_per
from securexgb.mpc.convert import highest_bit, highest_cost, lift_cost, to_arithmetic
from securexgb.mpc.multiply import and_bits, and_cost, multiply, product_cost
from securexgb.mpc.numbers.truncate import round_off, shift_cost, truncate
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits

DENOMINATOR_BITS = 30
QUOTIENT_BITS = 19
"""Fraction bits of a quotient."""
_RECIPROCAL_BITS = 20
_LINE_BITS = 31
"""Fraction bits of p; a product is shifted back by as many."""
_LOW_LINE, _HIGH_LINE = round(3.2009 * 2**_LINE_BITS), round(2.47723 * 2**_LINE_BITS)
_ONE = 1 << DENOMINATOR_BITS
_SQUARE_BITS = 2 * DENOMINATOR_BITS - _LINE_BITS
_MIDDLE = round(0.5 * 0.02456**4 * 2**_SQUARE_BITS)
_LAST_SHIFT = DENOMINATOR_BITS + _SQUARE_BITS - _RECIPROCAL_BITS
_QUOTIENT_SHIFT = DENOMINATOR_BITS + _RECIPROCAL_BITS - QUOTIENT_BITS


def quotient_cost(count: int) -> Cost:
    """Cost of ``divide`` for so many quotients."""
    words = words_per(count)
    marks = highest_cost(DENOMINATOR_BITS, words) + and_cost((2 * DENOMINATOR_BITS - 1) * words)
    power = marks + lift_cost((DENOMINATOR_BITS + 1) * words)
    products = product_cost(2 * count) + reciprocal_cost(count) + product_cost(count)
    return power + products + shift_cost(_QUOTIENT_SHIFT, count)


def reciprocal_cost(count: int) -> Cost:
    """Cost of ``reciprocal`` for so many denominators."""
    steps = [product_cost(k * count) + shift_cost(_LINE_BITS, k * count) for k in (1, 2)]
    lines = product_cost(count)
    return sum(steps, lines) + product_cost(count) + shift_cost(_LAST_SHIFT, count)


@protocol(
    cost=lambda x, a, bits, gate: quotient_cost(x.size),
    opens=COMPOSED,
    source="Goldschmidt, MIT 1964, on a denominator normalised in boolean shares",
    ideal=None,
)
def divide(party: Party, x: Shared, a: Shared, bits: SharedBits, gate: SharedBits) -> Shared:
    """x / a with 19 fraction bits, to the nearest; 0 where ``gate`` is 0 or a = 0.

    ``x`` (n,) signed, |x| < 2^30 and |x / a| <= 2^11; ``a`` (n,); ``bits`` (30, n): the
    bits of ``a``; ``gate`` (n,).
    """
    marks = highest_bit(party, bits)
    gates = SharedBits.stack([gate] * DENOMINATOR_BITS)
    kept = and_bits(
        party,
        SharedBits.concatenate([marks, marks[1:]]),
        SharedBits.concatenate([gates, bits[:-1]]),
    )
    second = kept[DENOMINATOR_BITS:].xor_all()
    flags = to_arithmetic(
        party, SharedBits(np.vstack([kept.words[:DENOMINATOR_BITS], second.words]), x.size)
    )
    weights = [[1 << (DENOMINATOR_BITS - 1 - position)] for position in range(DENOMINATOR_BITS)]
    power = flags[:-1].scale(weights).sum(axis=0)
    scaled = multiply(party, Shared.stack([x, a]), Shared.stack([power, power]))
    product = multiply(party, scaled[0], reciprocal(party, scaled[1], flags[-1]))
    return round_off(party, product, _QUOTIENT_SHIFT)


@protocol(
    cost=lambda y, upper: reciprocal_cost(y.size),
    opens=COMPOSED,
    source="Goldschmidt, MIT 1964",
    ideal=None,
)
def reciprocal(party: Party, y: Shared, upper: Shared) -> Shared:
    """1/y with 20 fraction bits for y in [2^29, 2^30); meaningless, but defined, for y = 0.

    ``upper``: 1 where y is 3/4 or more.
    """
    base = constant(party, _LOW_LINE, y.shape) - y.scale(5)
    gap = upper.scale(_HIGH_LINE - _LOW_LINE) + multiply(party, upper, y).scale(2)
    line, one = base + gap, constant(party, _ONE, y.shape)
    error = one - truncate(party, multiply(party, y, line), _LINE_BITS)
    both = multiply(party, Shared.stack([line, error]), Shared.stack([one + error, error]))
    steps = truncate(party, both, _LINE_BITS)
    better, square = steps[0], steps[1]
    rest = constant(party, (1 << _SQUARE_BITS) + _MIDDLE, y.shape) + square
    return round_off(party, multiply(party, better, rest), _LAST_SHIFT)
