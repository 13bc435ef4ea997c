"""Exact division of shared integers by a power of two, rounding down.

Shares are modulo 2^r, r = 64 or 32. With an offset the value is z = x + 2^(r-2) in
[0, 2^(r-1)), shared as z0 + z1 mod 2^r. Shifting each share right by f is off in two
places. The low parts may carry into the quotient: a carry of f bits. And the shares may
wrap round 2^r: since z < 2^(r-1), they do exactly if one of them has its highest bit set
(two summands below 2^(r-1) do not wrap; if one is at least 2^(r-1), a sum that did not
wrap would be, too). So the wrap costs one product of two private bits. Both corrections
are exact: the result, modulo 2^64 whatever r, does not depend on the shares, and equal
inputs have equal quotients (near-ties stay ties).
"""

from __future__ import annotations

import numpy as np

from securexgb.arith.bits import words_per
from securexgb.mpc.compare import blocks_cost, carry_blocks, signed
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits


def shift_cost(bits: int, count: int) -> Cost:
    """Cost of ``truncate`` by so many bits for so many elements."""
    return blocks_cost([bits, 1], count) + lift_cost(2 * words_per(count))


def _ideal(x: Shared, bits: int, ring_bits: int = 64) -> Shared:
    return Shared((signed(x.words, ring_bits) >> np.int64(bits)).view(np.uint64))


@protocol(
    cost=lambda x, bits, ring_bits=64: shift_cost(bits, x.size),
    opens="masked digits, tables and gates, and masked bits of the conversion, uniform",
    source="wrap from the highest bits: Dalskov, Escudero, Keller, PoPETs 2020; exact carry added",
    ideal=_ideal,
)
def truncate(party: Party, x: Shared, bits: int, ring_bits: int = 64) -> Shared:
    """floor(x / 2^bits), exact; signed |x| < 2^(ring_bits - 2), 1 <= bits <= ring_bits - 3.

    ``x`` is shared modulo 2^ring_bits (64, 32), the result modulo 2^64.
    """
    offset = np.uint64(1 << (ring_bits - 2)) if party.rank == 0 else np.uint64(0)
    words = (x.words + offset).reshape(-1) & np.uint64((1 << ring_bits) - 1)
    top = words >> np.uint64(ring_bits - 1)
    g, p, _ = carry_blocks(party, [(words, bits), (top, 1)])
    both = to_arithmetic(party, SharedBits.stack([g[0], g[1] ^ p[1]]))
    quotient = words >> np.uint64(bits)
    quotient += both.words[0] - (both.words[1] << np.uint64(ring_bits - bits))
    quotient -= offset >> np.uint64(bits)
    return Shared(quotient.reshape(x.shape))


@protocol(
    cost=lambda x, bits: shift_cost(bits, x.size),
    opens=COMPOSED,
    source="half a unit, then truncate",
    ideal=None,
)
def round_off(party: Party, x: Shared, bits: int) -> Shared:
    """x / 2^bits to the nearest integer, halves up; |x| + 2^(bits - 1) < 2^62."""
    return truncate(party, x + constant(party, 1 << (bits - 1), x.shape), bits)
