"""Exact division of shared integers by a power of two, rounding down.

Shares are modulo 2^r, r at most 64. With an offset the value is z = x + 2^(r-2) in
[0, 2^(r-1)), shared as z0 + z1 mod 2^r. Shifting each share right by f is off in two
places. The low parts may carry into the quotient: a carry of f bits. And the shares may
wrap round 2^r: since z < 2^(r-1), they do exactly if one of them has its highest bit set
(two summands below 2^(r-1) do not wrap; if one is at least 2^(r-1), a sum that did not
wrap would be, too). So the wrap costs one product of two private bits. Both corrections
are exact: the result, modulo 2^64 whatever r, does not depend on the shares, and equal
inputs have equal quotients (near-ties stay ties).

The carry comes last, as a shared bit. Whoever multiplies the quotient need not wait until it is a
word: (v + c) y = v y + c y, a product and a choice in the same round (``shift``, ``times_late``).
"""

from __future__ import annotations

import numpy as np

from securexgb.arith.bits import to_slices, words_per
from securexgb.mpc.compare import DIGITS, Carries, signed
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.multiplex import multiplex_shared, multiplex_shared_cost
from securexgb.mpc.multiply import multiply, product_cost
from securexgb.mpc.numbers.lift import private_products, products_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.together import together

Late = tuple[Shared, SharedBits]
"""Words (n,) and bits that are still to be added to them, which sum up to what is meant."""


def late_cost(bits: int, count: int, carries: Carries = DIGITS) -> Cost:
    """Cost of ``shift`` by so many bits for so many elements."""
    return carries.cost(bits, count).at_once(products_cost([bits], words_per(count)))


def shift_cost(bits: int, count: int, ring_bits: int = 64, carries: Carries = DIGITS) -> Cost:
    """Cost of ``truncate`` by so many bits for so many elements."""
    wraps = products_cost([64 - ring_bits + bits], words_per(count))
    return carries.cost(bits, count).at_once(wraps) + lift_cost(words_per(count))


def _ideal(
    x: Shared,
    bits: int,
    ring_bits: int = 64,
    carries: Carries = DIGITS,  # noqa: ARG001
) -> Shared:
    return Shared((signed(x.words, ring_bits) >> np.int64(bits)).view(np.uint64))


def _ideal_late(x: Shared, bits: int, carries: Carries = DIGITS) -> Late:  # noqa: ARG001
    return _ideal(x, bits), SharedBits.zeros(count=x.size)


@protocol(
    cost=lambda x, bits, carries=DIGITS: late_cost(bits, x.size, carries),
    opens="masked digits, tables and gates; masked private bits, uniform",
    source="as truncate",
    ideal=_ideal_late,
)
def shift(party: Party, x: Shared, bits: int, carries: Carries = DIGITS) -> Late:
    """As ``truncate``, flat ``x`` (n,), before the carry is added, which is one round less."""
    return _shifted(party, x, bits, 64, carries)


def _shifted(party: Party, x: Shared, bits: int, ring_bits: int, carries: Carries) -> Late:
    offset = np.uint64(1 << (ring_bits - 2)) if party.rank == 0 else np.uint64(0)
    words = (x.words + offset) & np.uint64((1 << ring_bits) - 1)
    top = words >> np.uint64(ring_bits - 1)
    carry, both = together(
        party,
        lambda part: carries.out(part, words, bits),
        lambda part: private_products(part, to_slices(top, 1), [64 - ring_bits + bits], words.size)[
            0
        ],
    )
    quotient = (words >> np.uint64(bits)) - ((top - both) << np.uint64(ring_bits - bits))
    return Shared(quotient - (offset >> np.uint64(bits))), carry


def times_late_cost(count: int) -> Cost:
    """Cost of ``times_late`` for so many elements."""
    return product_cost(count).at_once(multiplex_shared_cost(count))


def times_late(party: Party, late: Late, y: Shared) -> Shared:
    """The product with ``y`` (n,), in one round."""
    words, carry = late
    product, more = together(
        party,
        lambda part: multiply(part, words, y),
        lambda part: multiplex_shared(part, carry[None], y.reshape(1, 1, -1)),
    )
    return product + more[0, 0]


def in_time(party: Party, late: Late) -> Shared:
    """The sum."""
    words, carry = late
    return words + to_arithmetic(party, carry)


@protocol(
    cost=lambda x, bits, ring_bits=64, carries=DIGITS: shift_cost(bits, x.size, ring_bits, carries),
    opens="masked digits, tables and gates, masked private bits and those of the conversion, "
    "uniform",
    source="wrap from the highest bits: Dalskov, Escudero, Keller, PoPETs 2020; exact carry added",
    ideal=_ideal,
)
def truncate(
    party: Party, x: Shared, bits: int, ring_bits: int = 64, carries: Carries = DIGITS
) -> Shared:
    """floor(x / 2^bits), exact; signed |x| < 2^(ring_bits - 2), 1 <= bits <= ring_bits - 3.

    ``x`` is shared modulo 2^ring_bits, at most 64, the result modulo 2^64.
    """
    late = _shifted(party, x.reshape(-1), bits, ring_bits, carries)
    return in_time(party, late).reshape(*x.shape)


def half_up(party: Party, x: Shared, bits: int) -> Shared:
    """What is truncated to round x / 2^bits to the nearest integer."""
    return x + constant(party, 1 << (bits - 1), x.shape)


@protocol(
    cost=lambda x, bits: shift_cost(bits, x.size),
    opens=COMPOSED,
    source="half a unit, then truncate",
    ideal=None,
)
def round_off(party: Party, x: Shared, bits: int) -> Shared:
    """x / 2^bits to the nearest integer, halves up; |x| + 2^(bits - 1) < 2^62."""
    return truncate(party, half_up(party, x, bits), bits)
