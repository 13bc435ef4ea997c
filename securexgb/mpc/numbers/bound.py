"""Whether numbers that are known bit by bit reach a public bound.

x >= b by Horner's rule from the lowest bit: "the bits so far reach those of b" stays true at
a one of b if x has one there, at a zero of b if x has one there or they reached it before. Each
step is a generate and a propagate bit that are linear in x, since b is public, so folding
the steps (``carries``) takes a gate for each. Below the lowest one of b nothing counts.
"""

from __future__ import annotations

import numpy as np

from securexgb.mpc.circuits.carries import fold, join_carries, network_cost
from securexgb.mpc.compare import not_bits, plain_bits
from securexgb.mpc.convert import plain_values
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.share import constant_bits
from securexgb.mpc.shared import SharedBits


def _free_bits(bound: int) -> int:
    """Zeros below the lowest one of the bound."""
    return (bound & -bound).bit_length() - 1


def reaches_cost(width: int, bound: int, words: int) -> Cost:
    """Cost of ``reaches`` for 64 * ``words`` numbers of so many bits."""
    if not 0 < bound < 1 << width:
        return Cost()
    return network_cost(fold(0, width - _free_bits(bound)), words)


def _ideal(bits: SharedBits, bound: int) -> SharedBits:
    powers = np.uint64(1) << np.arange(bits.words.shape[0], dtype=np.uint64)
    values = np.tensordot(powers, plain_values(bits), 1)
    return plain_bits(values >= np.uint64(max(bound, 0)))


@protocol(
    cost=lambda bits, bound: reaches_cost(bits.words.shape[0], bound, bits.words[0].size),
    opens="masked bits of the products, uniform",
    source="carry tree: Ladner, Fischer, J. ACM 1980, with a public summand",
    ideal=_ideal,
)
def reaches(party: Party, bits: SharedBits, bound: int) -> SharedBits:
    """[x >= bound] for unsigned x with bits (w, ..., n), lowest first, w <= 63; bound < 2^63."""
    width = bits.words.shape[0]
    if not 0 < bound < 1 << width:
        return constant_bits(party, bound <= 0, bits.shape[1:-1], bits.count)
    free = _free_bits(bound)
    digits = np.array([bound >> place & 1 for place in range(free, width)], np.bool_)
    x, none = bits[free:], np.uint64(0)
    ones = np.expand_dims(digits, tuple(range(1, x.words.ndim)))
    g = np.where(ones, none, x.words)
    p = np.where(ones, x.words, not_bits(party, x).words)
    g[0] = x.words[0]  # the lowest one of the bound: no bits below it had to be reached
    join_carries(party, fold(0, len(g)), g, p, bits.count)
    return SharedBits(g[-1], bits.count)
