"""Quotients of shared integers by shared denominators, exact in every rounding.

Denominators are integers in [0, 2^30). The highest set bit of each is found in boolean
shares; as a one-hot mark it becomes the power of two s that brings the denominator a to
y = a s in [2^29, 2^30), that is to [1/2, 1) with 30 fraction bits. Where the mark is gated
away (an invalid candidate) or a is zero, s = 0 and the quotient is 0.

1/y starts from the line p = 2.9142 - 2 y, whose error e = 1 - y p is at most 0.086, and
1/y = p / (1 - e) = p (1 + e)(1 + e^2)(1 + e^4) / (1 - e^8): relative error 2^-28 before
rounding. Each product is rounded exactly, so equal inputs have equal quotients, and the
plaintext backend has the same ones.

Ranges: |x s / y| <= 2^11 (the caller's bound on |x / a|), so |x s| < 2^41; the reciprocal
in (1, 2] has 20 fraction bits; their product is below 2^62.
"""

from __future__ import annotations

from securexgb.mpc.convert import highest_bit, highest_cost, lift_cost, to_arithmetic
from securexgb.mpc.multiply import and_bits, and_cost, multiply, product_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits, words_per
from securexgb.mpc.truncate import round_off, shift_cost, truncate

DENOMINATOR_BITS = 30
QUOTIENT_BITS = 19
"""Fraction bits of a quotient."""
_RECIPROCAL_BITS = 20
_ONE = 1 << DENOMINATOR_BITS
_LINE = 3129098731  # 2.9142 in 30 fraction bits


_LAST_SHIFT = 2 * DENOMINATOR_BITS - _RECIPROCAL_BITS
_QUOTIENT_SHIFT = DENOMINATOR_BITS + _RECIPROCAL_BITS - QUOTIENT_BITS


def quotient_cost(count: int) -> Cost:
    """Cost of ``divide`` for so many quotients."""
    words = DENOMINATOR_BITS * words_per(count)
    power = highest_cost(DENOMINATOR_BITS, words_per(count)) + and_cost(words) + lift_cost(words)
    products = product_cost(2 * count) + reciprocal_cost(count) + product_cost(count)
    return power + products + shift_cost(_QUOTIENT_SHIFT, count)


def reciprocal_cost(count: int) -> Cost:
    """Cost of ``reciprocal`` for so many denominators."""
    steps = [product_cost(k * count) + shift_cost(DENOMINATOR_BITS, k * count) for k in (1, 2, 2)]
    return sum(steps, product_cost(count)) + shift_cost(_LAST_SHIFT, count)


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
    flags = to_arithmetic(
        party, and_bits(party, marks, SharedBits.stack([gate] * DENOMINATOR_BITS))
    )
    weights = [[1 << (DENOMINATOR_BITS - 1 - position)] for position in range(DENOMINATOR_BITS)]
    power = flags.scale(weights).sum(axis=0)
    scaled = multiply(party, Shared.stack([x, a]), Shared.stack([power, power]))
    product = multiply(party, scaled[0], reciprocal(party, scaled[1]))
    return round_off(party, product, _QUOTIENT_SHIFT)


@protocol(
    cost=lambda y: reciprocal_cost(y.size),
    opens=COMPOSED,
    source="Goldschmidt, MIT 1964",
    ideal=None,
)
def reciprocal(party: Party, y: Shared) -> Shared:
    """1/y with 20 fraction bits for y in [2^29, 2^30); meaningless, but defined, for y = 0."""
    line = constant(party, _LINE, y.shape) - y.scale(2)
    error = constant(party, _ONE, y.shape) - _product(party, y, line)
    pair = _product(party, Shared.stack([line, error]), Shared.stack([error, error]))
    second, squared = line + pair[0], pair[1]
    pair = _product(party, Shared.stack([second, squared]), Shared.stack([squared, squared]))
    third, fourth = second + pair[0], pair[1]
    last = multiply(party, third, constant(party, _ONE, y.shape) + fourth)
    return round_off(party, last, _LAST_SHIFT)


def _product(party: Party, x: Shared, y: Shared) -> Shared:
    return truncate(party, multiply(party, x, y), DENOMINATOR_BITS)
