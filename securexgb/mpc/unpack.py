"""Taking a sum of gradient pairs apart: one word G + 2^b H into the words G and H.

G is signed. With the bias 2^(b-1) the low b bits of the word are G + 2^(b-1), not
negative, and the high bits are H without a borrow. The shares of the low part add up
with a carry c; lifting G to the ring takes c away, and lifting H takes the carry in and
the wrap of the whole word away. Both bits come from one carry tree over the word.
"""

from __future__ import annotations

import numpy as np

from securexgb.mpc.compare import (
    fold_carry,
    fold_cost,
    generate,
    not_bits,
    own_slices,
    signed,
)
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.multiply import and_bits, and_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, words_per


def _ideal(pairs: Shared, low_bits: int) -> tuple[Shared, Shared]:
    gradient = signed(pairs.words, low_bits).view(np.uint64)
    return Shared(gradient), Shared((pairs.words - gradient) >> np.uint64(low_bits))


def _block(low_bits: int) -> int:
    return max(low_bits, 64 - low_bits)


def unpack_cost(low_bits: int, count: int) -> Cost:
    """Cost of ``unpack_pairs`` for so many words."""
    words = words_per(count)
    carries = and_cost(64 * words) + fold_cost(_block(low_bits), 2 * words)
    return carries + and_cost(words) + lift_cost(2 * words)


@protocol(
    cost=lambda pairs, low_bits: unpack_cost(low_bits, pairs.size),
    opens="masked bits of the Beaver products and of the conversion, uniform",
    source="docs/protocols.md, gradient pairs",
    ideal=_ideal,
)
def unpack_pairs(party: Party, pairs: Shared, low_bits: int) -> tuple[Shared, Shared]:
    """(G, H) of words G + 2^low_bits H: |G| < 2^(low_bits-1), 0 <= H < 2^(64-low_bits)."""
    bias = np.uint64(1 << (low_bits - 1)) if party.rank == 0 else np.uint64(0)
    words = (pairs.words + bias).reshape(-1)
    slices = own_slices(words, 64)
    g, p = generate(party, slices, words.size), SharedBits(slices, words.size)
    block_g, block_p = _fold_both(party, g, p, low_bits)
    carry = block_g[0]
    wrap = block_g[1] ^ and_bits(party, block_p[1], carry)
    lifted = to_arithmetic(party, SharedBits.stack([carry, wrap])).words
    low_mask = np.uint64((1 << low_bits) - 1)
    gradient = (words & low_mask) - (lifted[0] << np.uint64(low_bits)) - bias
    hessian = (words >> np.uint64(low_bits)) + lifted[0]
    hessian -= lifted[1] << np.uint64(64 - low_bits)
    return Shared(gradient.reshape(pairs.shape)), Shared(hessian.reshape(pairs.shape))


def _fold_both(
    party: Party, g: SharedBits, p: SharedBits, low_bits: int
) -> tuple[SharedBits, SharedBits]:
    """(g, p) of the low and of the high block, folded side by side: leading axis 2."""
    block, width = _block(low_bits), g.words.shape[1]
    idle = SharedBits(np.zeros((block, width), np.uint64), g.count)
    sides = []
    for bits, filler in ((g, idle), (p, not_bits(party, idle))):
        low = SharedBits.concatenate([bits[:low_bits], filler[low_bits:]])
        high = SharedBits.concatenate([bits[low_bits:], filler[64 - low_bits :]])
        sides.append(np.concatenate([low.words, high.words], axis=1))
    folded = fold_carry(party, *(SharedBits(words, 128 * width) for words in sides))
    first, second = (SharedBits(bits.words.reshape(2, width), g.count) for bits in folded)
    return first, second
