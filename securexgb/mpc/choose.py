"""Shared words kept or dropped by shared bits: b x."""

from __future__ import annotations

import numpy as np

from securexgb.mpc.convert import lift_cost, plain_values, to_arithmetic
from securexgb.mpc.multiply import multiply, product_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, words_per


def choose_cost(rows: int, count: int, ring_bits: int = 64) -> Cost:
    """Cost of ``choose`` for (rows, count) words."""
    return lift_cost(words_per(count), ring_bits) + product_cost(rows * count)


@protocol(
    cost=lambda bits, x, ring_bits=64: choose_cost(*x.shape, ring_bits),
    opens=COMPOSED,
    source="a conversion and a product",
    ideal=lambda bits, x, ring_bits=64: Shared(plain_values(bits) * x.words),
)
def choose(party: Party, bits: SharedBits, x: Shared, ring_bits: int = 64) -> Shared:
    """bits * x for bits (n,) and words (k, n); right modulo 2^ring_bits (64, 32)."""
    lifted = to_arithmetic(party, bits, ring_bits)
    spread = np.broadcast_to(lifted.words, x.shape)
    return multiply(party, Shared(np.ascontiguousarray(spread)), x)
