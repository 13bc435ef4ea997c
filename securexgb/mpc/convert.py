"""Between boolean and additive shares.

To additive shares: open the bit masked by a random one that is known in both
sharings, e = b ^ r; then b = e + r - 2 e r is linear in r. One round, one bit.

To boolean shares: add both parties' words with shared carries (Sklansky's prefix
adder, log2(width) rounds).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from securexgb import _kernels
from securexgb.mpc.compare import depth_of, generate, own_slices
from securexgb.mpc.multiply import and_bits, and_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, Words, words_per
from securexgb.offline.correlations import BITS


def lift_cost(words: int, ring_bits: int = 64) -> Cost:
    """Cost of ``to_arithmetic`` for so many packed words."""
    return Cost.alike(1, words, {BITS[ring_bits]: 64 * words})


def plain_values(bits: SharedBits) -> Words:
    """0/1 words of bits in the clear, shape (leading..., count); for functionalities."""
    padded = _kernels.unpack_bits(bits.words.ravel(), bits.words.size * 64)
    shape = (*bits.words.shape[:-1], bits.words.shape[-1] * 64)
    return padded.reshape(shape)[..., : bits.count].astype(np.uint64)


@protocol(
    cost=lambda bits, ring_bits=64: lift_cost(bits.words.size, ring_bits),
    opens="b ^ r, uniform",
    source="daBits: Rotaru, Wood, INDOCRYPT 2019, section 3",
    ideal=lambda bits, ring_bits=64: Shared(plain_values(bits)),
)
def to_arithmetic(party: Party, bits: SharedBits, ring_bits: int = 64) -> Shared:
    """Additive shares of each bit, 0 or 1, modulo 2^ring_bits (64, 32): (leading..., count)."""
    total = bits.words.size * 64
    random = party.source.shared_bits(total, ring_bits)
    mine = bits.words.reshape(-1) ^ random.boolean
    opened = mine ^ party.exchange(mine)
    flags = _kernels.unpack_bits(opened, total).astype(np.uint64)
    words = random.arithmetic * (np.uint64(1) - np.uint64(2) * flags)
    if party.rank == 0:
        words += flags
    shape = (*bits.words.shape[:-1], bits.words.shape[-1] * 64)
    return Shared(words.reshape(shape)[..., : bits.count])


def _prefix_steps(width: int) -> list[tuple[list[int], list[int]]]:
    """Sklansky's network: per level the positions that absorb, and from which one."""
    steps = []
    for level in range(depth_of(width)):
        block = 1 << level
        targets = [i for i in range(width) if i & block]
        steps.append((targets, [(i & ~(block - 1)) - 1 for i in targets]))
    return steps


def _prefix_cost(width: int, words: int, products: int) -> Cost:
    """Cost of a run through the network, so many products a step and word."""
    pairs = sum(len(targets) for targets, _ in _prefix_steps(width))
    return replace(and_cost(products * pairs * words), rounds=depth_of(width))


def bits_cost(width: int, count: int) -> Cost:
    """Cost of ``to_bits`` for so many elements."""
    words = words_per(count)
    return and_cost((width - 1) * words) + _prefix_cost(width - 1, words, 2)


def highest_cost(width: int, words: int) -> Cost:
    """Cost of ``highest_bit`` for ``width`` bits of each of 64 * ``words`` elements."""
    return _prefix_cost(width, words, 1)


@protocol(
    cost=lambda x, width: bits_cost(width, x.size),
    opens="masked bits of the Beaver products, uniform",
    source="prefix adder: Sklansky, IRE Trans. Electronic Computers 1960",
    ideal=lambda x, width: SharedBits(_kernels.to_slices(x.words.ravel(), width), x.size),
)
def to_bits(party: Party, x: Shared, width: int) -> SharedBits:
    """The low ``width`` bits of each element, flattened: shape (width, size)."""
    slices = own_slices(x.words, width)
    low = slices[:-1]
    g = generate(party, low, x.size).words.copy()
    p = low.copy()
    for targets, sources in _prefix_steps(width - 1):
        left = SharedBits(np.concatenate([p[targets], p[targets]]), x.size)
        right = SharedBits(np.concatenate([g[sources], p[sources]]), x.size)
        product = and_bits(party, left, right).words
        g[targets] ^= product[: len(targets)]
        p[targets] = product[len(targets) :]
    slices[1:] ^= g
    return SharedBits(slices, x.size)


def _ideal_highest(bits: SharedBits) -> SharedBits:
    words = np.bitwise_or.accumulate(bits.words[::-1], axis=0)
    words[1:] ^= words[:-1].copy()
    return SharedBits(words[::-1].copy(), bits.count)


@protocol(
    cost=lambda bits: highest_cost(bits.words.shape[0], bits.words.shape[1]),
    opens="masked bits of the Beaver products, uniform",
    source="prefix or, then differences of neighbours; as in MPyC's norm",
    ideal=_ideal_highest,
)
def highest_bit(party: Party, bits: SharedBits) -> SharedBits:
    """One-hot mark of the highest set bit along the leading axis; all zero for zero."""
    words = bits.words[::-1].copy()
    for targets, sources in _prefix_steps(words.shape[0]):
        x, y = SharedBits(words[targets], bits.count), SharedBits(words[sources], bits.count)
        words[targets] ^= y.words ^ and_bits(party, x, y).words
    words[1:] ^= words[:-1].copy()
    return SharedBits(words[::-1].copy(), bits.count)
