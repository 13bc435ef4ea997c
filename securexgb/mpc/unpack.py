"""Taking a sum of gradient pairs apart: one word G + 2^b H into the words G and H.

G is signed. With the bias 2^(b-1) the low b bits of the word are G + 2^(b-1), not
negative, and the high bits are H without a borrow. The shares of the low part add up
with a carry c; lifting G to the ring takes c away, and lifting H takes the carry in and
the wrap of the whole word away. Both bits come from one carry tree over the word.
"""

from __future__ import annotations

import numpy as np

from securexgb.mpc.compare import blocks_cost, carry_blocks, signed
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.multiply import and_bits, and_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, words_per


def _ideal(pairs: Shared, low_bits: int) -> tuple[Shared, Shared]:
    gradient = signed(pairs.words, low_bits).view(np.uint64)
    return Shared(gradient), Shared((pairs.words - gradient) >> np.uint64(low_bits))


def unpack_cost(low_bits: int, count: int) -> Cost:
    """Cost of ``unpack_pairs`` for so many words."""
    words = words_per(count)
    return blocks_cost([low_bits, 64 - low_bits], count) + and_cost(words) + lift_cost(2 * words)


@protocol(
    cost=lambda pairs, low_bits: unpack_cost(low_bits, pairs.size),
    opens="masked digits, tables and gates, and masked bits of the conversion, uniform",
    source="docs/protocols.md, gradient pairs",
    ideal=_ideal,
)
def unpack_pairs(party: Party, pairs: Shared, low_bits: int) -> tuple[Shared, Shared]:
    """(G, H) of words G + 2^low_bits H: |G| < 2^(low_bits-1), 0 <= H < 2^(64-low_bits)."""
    bias = np.uint64(1 << (low_bits - 1)) if party.rank == 0 else np.uint64(0)
    words = (pairs.words + bias).reshape(-1)
    g, p = carry_blocks(party, [(words, low_bits), (words >> np.uint64(low_bits), 64 - low_bits)])
    carry = g[0]
    wrap = g[1] ^ and_bits(party, p[1], carry)
    lifted = to_arithmetic(party, SharedBits.stack([carry, wrap])).words
    low_mask = np.uint64((1 << low_bits) - 1)
    gradient = (words & low_mask) - (lifted[0] << np.uint64(low_bits)) - bias
    hessian = (words >> np.uint64(low_bits)) + lifted[0]
    hessian -= lifted[1] << np.uint64(64 - low_bits)
    return Shared(gradient.reshape(pairs.shape)), Shared(hessian.reshape(pairs.shape))
