"""The logistic curve and its relatives at the middles of equal steps, in integers.

Two companies make tables of these values, each on its own machine, and the tables must be equal
to the last bit. Mathematics libraries differ in the last place of an exponential, so here it is
a power of exp(-step), which is a series of fractions in integers:
exp(-(i + 1/2) step) = exp(-step / 2) exp(-step)^i, with so many bits that what is cut off does not
reach the result. All else is a quotient of integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

LIMIT_BITS = 4
"""The steps reach from 0 to 2^LIMIT_BITS."""
VALUE_BITS = 52
"""Fraction bits of the values."""
Integers = NDArray[np.int64]

_BITS = 96
_ONE = 1 << _BITS
_TO_VALUE = _BITS - VALUE_BITS


def _power(halves: int, index_bits: int) -> int:
    """exp(-halves / 2 steps), a step being 2^(LIMIT_BITS - index_bits), below 1."""
    shift = index_bits - LIMIT_BITS + 1
    total, term, order = 0, _ONE << 32, 0
    while term:
        total, order = total + term, order + 1
        term = (term * -halves >> shift) // order
    return total >> 32


def _powers(index_bits: int) -> Iterator[int]:
    """exp(-x) in the middle of every step."""
    value, step = _power(1, index_bits), _power(2, index_bits)
    for _ in range(1 << index_bits):
        yield value
        value = value * step >> _BITS


@cache
def logistic(index_bits: int) -> tuple[Integers, Integers]:
    """p = 1 / (1 + exp(x)) and p (1 - p) by step of x in [0, 16), units of 2^-52.

    5 <= ``index_bits``. Right to a unit.
    """
    p = [(power << _BITS) // (_ONE + power) for power in _powers(index_bits)]
    h = [value * (_ONE - value) >> _BITS + _TO_VALUE for value in p]
    return np.array([value >> _TO_VALUE for value in p], np.int64), np.array(h, np.int64)


@cache
def softplus(index_bits: int) -> Integers:
    """log(1 + exp(-x)) by step of x in [0, 16), units of 2^-52; as ``logistic``."""
    return np.array([_log1p(power) >> _TO_VALUE for power in _powers(index_bits)], np.int64)


def _log1p(power: int) -> int:
    """log(1 + power) = 2 artanh(power / (2 + power))."""
    term = (power << _BITS) // (2 * _ONE + power)
    square = term * term >> _BITS
    total, order = 0, 1
    while term:
        total += term // order
        term, order = term * square >> _BITS, order + 2
    return 2 * total
