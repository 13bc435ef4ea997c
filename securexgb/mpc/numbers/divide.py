"""Quotients of shared integers by shared denominators, exact in every rounding.

Denominators are integers in [0, 2^30). The highest set bit of each is found in boolean
shares; as a one-hot mark it becomes the power of two s that brings the denominator a to
y = a s in [2^29, 2^30), that is to [1/2, 1) with 30 fraction bits. Where a is zero, s = 0 and the
quotient is 0.

1/y starts from one of two lines, p = 3.2009 - 2.5 y below 3/4 and 2.4772 - 1.5 y above; the
bit below the highest one chooses. Their error e = 1 - y p is at most 0.0246, and 1/y =
p / (1 - e) = p (1 + e)(1 + e^2) / (1 - e^4), where 1 / (1 - e^4) is replaced by the middle of
its range: relative error 2^-22.4 before rounding. Each product is rounded exactly, so equal
inputs have equal quotients, and the plaintext backend has the same ones. Rounded products are
multiplied before the carries of their rounding are words (``truncate.shift``).

Ranges: |x s / y| <= 2^11 (the caller's bound on |x / a|), so |x s| < 2^41; the reciprocal
in (1, 2] has 20 fraction bits; their product is below 2^62.
"""

from __future__ import annotations

from securexgb.arith.bits import words_per
from securexgb.mpc.compare import DIGITS, Carries
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.multiplex import (
    both_set,
    both_set_cost,
    multiplex_shared,
    multiplex_shared_cost,
)
from securexgb.mpc.multiply import and_bits, and_cost, multiply, product_cost
from securexgb.mpc.numbers.truncate import (
    Late,
    half_up,
    late_cost,
    shift,
    times_late,
    times_late_cost,
)
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.together import together

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


def quotient_cost(count: int, carries: Carries = DIGITS) -> Cost:
    """Cost of ``divide`` for so many quotients."""
    words = words_per(count)
    marks = lift_cost(DENOMINATOR_BITS * words).at_once(and_cost((DENOMINATOR_BITS - 1) * words))
    total = marks + product_cost(2 * count) + reciprocal_cost(count, carries)
    return total + times_late_cost(count) + late_cost(_QUOTIENT_SHIFT, count, carries)


def reciprocal_cost(count: int, carries: Carries = DIGITS) -> Cost:
    """Cost of ``reciprocal`` for so many denominators."""
    line = multiplex_shared_cost(count) + product_cost(count)
    line += late_cost(_LINE_BITS, count, carries)
    steps = product_cost(2 * count).at_once(multiplex_shared_cost(count, (64, 64)))
    steps += late_cost(_LINE_BITS, 2 * count, carries)
    last = product_cost(count).at_once(multiplex_shared_cost(2 * count), both_set_cost(count))
    return line + steps + last + late_cost(_LAST_SHIFT, count, carries)


@protocol(
    cost=lambda x, a, bits, marks, carries=DIGITS: quotient_cost(x.size, carries),
    opens=COMPOSED,
    source="Goldschmidt, MIT 1964, on a denominator normalised in boolean shares",
    ideal=None,
)
def divide(
    party: Party,
    x: Shared,
    a: Shared,
    bits: SharedBits,
    marks: SharedBits,
    carries: Carries = DIGITS,
) -> Late:
    """x / a with 19 fraction bits, to the nearest; 0 where x = 0 or a = 0.

    ``x`` (n,) signed, |x| < 2^30 and |x / a| <= 2^11; ``a`` (n,); ``bits`` (30, n): the
    bits of ``a``; ``marks`` (30, n): of the highest of them.
    """
    flags, below = together(
        party,
        lambda part: to_arithmetic(part, marks),
        lambda part: and_bits(part, marks[1:], bits[:-1]),
    )
    weights = [[1 << (DENOMINATOR_BITS - 1 - position)] for position in range(DENOMINATOR_BITS)]
    power = flags.scale(weights).sum(axis=0)
    scaled = multiply(party, Shared.stack([x, a]), Shared.stack([power, power]))
    inverse = reciprocal(party, scaled[1], below.xor_all(), carries)
    product = half_up(party, times_late(party, inverse, scaled[0]), _QUOTIENT_SHIFT)
    return shift(party, product, _QUOTIENT_SHIFT, carries)


@protocol(
    cost=lambda y, upper, carries=DIGITS: reciprocal_cost(y.size, carries),
    opens=COMPOSED,
    source="Goldschmidt, MIT 1964",
    ideal=None,
)
def reciprocal(party: Party, y: Shared, upper: SharedBits, carries: Carries = DIGITS) -> Late:
    """1/y with 20 fraction bits for y in [2^29, 2^30); meaningless, but defined, for y = 0.

    ``upper`` (n,): whether y is 3/4 or more.
    """
    one = constant(party, _ONE, y.shape)
    gap = constant(party, _HIGH_LINE - _LOW_LINE, y.shape) + y.scale(2)
    chosen = multiplex_shared(party, upper[None], gap.reshape(1, 1, -1))[0, 0]
    line = constant(party, _LOW_LINE, y.shape) - y.scale(5) + chosen
    words, carry = shift(party, multiply(party, y, line), _LINE_BITS, carries)
    # The error is this one, or one less: line (1 + error), and the error's square.
    error = one - words
    unit = constant(party, 1, y.shape)
    products, less = together(
        party,
        lambda part: multiply(
            part, Shared.stack([line, error]), Shared.stack([one + error, error])
        ),
        lambda part: multiplex_shared(
            part, carry[None], Shared.stack([-line, unit - error.scale(2)])[None], (64, 64)
        ),
    )
    words, carry = shift(party, (products + less[0]).reshape(-1), _LINE_BITS, carries)
    better, square = words.reshape(2, -1)[0], words.reshape(2, -1)[1]
    more_of = carry.rows(2)
    rest = constant(party, (1 << _SQUARE_BITS) + _MIDDLE, y.shape) + square
    # Both factors are these, or one more.
    product, more, most = together(
        party,
        lambda part: multiply(part, better, rest),
        lambda part: multiplex_shared(part, more_of, Shared.stack([rest, better])[:, None]),
        lambda part: both_set(part, more_of[0], more_of[1]),
    )
    whole = product + more[0, 0] + more[1, 0] + most
    return shift(party, half_up(party, whole, _LAST_SHIFT), _LAST_SHIFT, carries)


def quotient_by_one(x: int) -> int:
    """What ``divide`` gives for a public x and a = 1."""
    y = 1 << (DENOMINATOR_BITS - 1)
    line = _LOW_LINE - 5 * y
    error = _ONE - (y * line >> _LINE_BITS)
    better, square = line * (_ONE + error) >> _LINE_BITS, error * error >> _LINE_BITS
    product = better * ((1 << _SQUARE_BITS) + _MIDDLE + square)
    inverse: int = product + (1 << (_LAST_SHIFT - 1)) >> _LAST_SHIFT
    return x * y * inverse + (1 << (_QUOTIENT_SHIFT - 1)) >> _QUOTIENT_SHIFT
