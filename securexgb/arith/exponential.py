"""Powers of e at the middles of equal steps, in integers: equal at both companies to the last bit.

As in ``arith.logistic``, a power is a series of fractions in integers, with so many bits that what
is cut off does not reach the result; large exponents are halved first, and the power squared.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.logistic import LIMIT_BITS

VALUE_BITS = 40
"""Fraction bits of the values."""
MOST_BITS = 22
"""Values are below 2^MOST_BITS."""
Integers = NDArray[np.int64]

_BITS = 160
_TO_VALUE = _BITS - VALUE_BITS
_HALVINGS = 8


def power_of_e(exponent: Fraction) -> Fraction:
    """e^exponent, |exponent| <= 64, right to some 2^-120 relatively."""
    size = abs(exponent) / (1 << _HALVINGS)
    one = 1 << _BITS
    scaled = (size.numerator << _BITS) // size.denominator
    total, term, order = 0, one, 0
    while term:
        total, order = total + term, order + 1
        term = (term * scaled >> _BITS) // order
    for _ in range(_HALVINGS):
        total = total * total >> _BITS
    return Fraction(one, total) if exponent < 0 else Fraction(total, one)


@cache
def exponential(index_bits: int, top: int, factor: Fraction) -> Integers:
    """factor e^x by step of top - x in [0, 16), units of 2^-40; falling. Right to a unit.

    ValueError where values would reach 2^MOST_BITS.
    """
    step = Fraction(1 << LIMIT_BITS, 1 << index_bits)
    first = factor * power_of_e(top - step / 2)
    if first >= 1 << MOST_BITS:
        raise ValueError(f"{float(factor):g} times e^{top} is too large for a table")
    fall = power_of_e(-step)
    ratio = (fall.numerator << _BITS) // fall.denominator
    value = (first.numerator << _BITS) // first.denominator
    values = np.empty(1 << index_bits, np.int64)
    for place in range(values.size):
        values[place] = value >> _TO_VALUE
        value = value * ratio >> _BITS
    return values
