"""Between boolean and additive shares.

To additive shares: open the bit masked by a random one that is known in both
sharings, e = b ^ r; then b = e + r - 2 e r is linear in r. One round, one bit.

To boolean shares: add both parties' words. Tables give for each digit of four bits what it
makes of a carry in; a prefix network over the digits (Sklansky's, 2 + log2(width / 4) rounds)
gives the carries in, and a gate a digit lets them into its sum bits.

The network joins blocks by (g, p) o (g', p') = (g ^ p g', p p'). All targets of a level take in
the same lower block, so its g and p are the gates where there are many targets, and g alone
where that block is the lowest one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from securexgb import _kernels
from securexgb.mpc.compare import depth_of
from securexgb.mpc.digits import DIGIT, SUMS, digit_cost, digit_tables, digits_in, own_digits
from securexgb.mpc.multiply import gate_bits, gate_cost, gates_at_once
from securexgb.mpc.padding import fill_up
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
    masked = bits.words ^ random.boolean.reshape(bits.words.shape)
    mine = fill_up(party, masked, bits.count).reshape(-1)
    opened = mine ^ party.exchange(mine)
    flags = _kernels.unpack_bits(opened, total).astype(np.uint64)
    words = random.arithmetic * (np.uint64(1) - np.uint64(2) * flags)
    if party.rank == 0:
        words += flags
    shape = (*bits.words.shape[:-1], bits.words.shape[-1] * 64)
    return Shared(words.reshape(shape)[..., : bits.count])


Join = tuple[list[int], int]
"""The positions of a block, and the last one of the block below it."""


def _prefix_levels(width: int) -> list[list[Join]]:
    """Sklansky's network: per level the blocks that take in their neighbours below."""
    levels = []
    for level in range(depth_of(width)):
        block = 1 << level
        starts = range(block, width, 2 * block)
        levels.append([(list(range(s, min(s + block, width))), s - 1) for s in starts])
    return levels


def prefix_cost(width: int, words: int) -> Cost:
    """Cost of ``prefix_carries`` over so many positions."""
    total = Cost()
    for level in _prefix_levels(width):
        gates = Cost(rounds=1)
        for at, (block, _) in enumerate(level):
            single = len(block) == 1
            gate = gate_cost(2 if at and single else len(block), words)
            gates = gates.at_once(gate.times(1 if at == 0 or single else 2))
        total += replace(gates, rounds=1)
    return total


def prefix_carries(party: Party, g: Words, p: Words, count: int) -> Words:
    """The carry out of each position and all below it, (positions, words) of ``count`` bits."""
    g, p = g.copy(), p.copy()
    for level in _prefix_levels(g.shape[0]):
        jobs = []
        for at, (block, below) in enumerate(level):
            if at and len(block) == 1:
                jobs.append((p[block[0]], np.stack([g[below], p[below]])))
            else:
                gates = [g[below], p[below]] if at else [g[below]]
                jobs += [(gate, p[block]) for gate in gates]
        products = iter(gates_at_once(party, jobs, count))
        for at, (block, _) in enumerate(level):
            product = next(products)
            if at and len(block) == 1:
                g[block] ^= product[0]
                p[block] = product[1]
            else:
                g[block] ^= product
                p[block] = next(products) if at else p[block]
    return g


def bits_cost(width: int, count: int) -> Cost:
    """Cost of ``to_bits`` for so many elements."""
    words, digits = words_per(count), digits_in(width)
    carries = prefix_cost(digits - 1, words)
    inside = gate_cost(DIGIT - 1, (digits - 1) * words) if digits > 1 else Cost()
    return digit_cost(digits * words, SUMS) + carries + inside


@protocol(
    cost=lambda x, width: bits_cost(width, x.size),
    opens="masked digits, tables and gates, uniform",
    source="tables of digits as in compare; prefix network: Sklansky, IRE Trans. El. Comp. 1960",
    ideal=lambda x, width: SharedBits(_kernels.to_slices(x.words.ravel(), width), x.size),
)
def to_bits(party: Party, x: Shared, width: int) -> SharedBits:
    """The low ``width`` bits of each element, flattened: shape (width, size)."""
    own = own_digits(party, x.words.reshape(-1), width)
    table = digit_tables(party, own, SUMS)
    sums = own.bits.copy()
    sums[:, 1:] ^= table[2:5].swapaxes(0, 1)
    digits = sums.shape[0]
    if digits > 1:
        carries = prefix_carries(party, table[0, :-1], table[1, :-1], x.size)
        sums[1:, 0] ^= carries
        reached = np.stack([own.bits[1:, 0], table[5, 1:], table[6, 1:]])
        flips = gate_bits(party, SharedBits(carries, x.size), SharedBits(reached, x.size))
        sums[1:, 1:] ^= flips.words.swapaxes(0, 1)
    return SharedBits(sums.reshape(DIGIT * digits, -1)[DIGIT * digits - width :], x.size)


def _ideal_highest(bits: SharedBits) -> SharedBits:
    words = np.bitwise_or.accumulate(bits.words[::-1], axis=0)
    words[1:] ^= words[:-1].copy()
    return SharedBits(words[::-1].copy(), bits.count)


def highest_cost(width: int, words: int) -> Cost:
    """Cost of ``highest_bit`` for ``width`` bits of each of 64 * ``words`` elements."""
    total = Cost()
    for level in _prefix_levels(width):
        joins = sum((gate_cost(len(block), words) for block, _ in level), Cost())
        total += replace(joins, rounds=1)
    return total


@protocol(
    cost=lambda bits: highest_cost(bits.words.shape[0], bits.words[0].size),
    opens="masked gates, uniform",
    source="prefix or, then differences of neighbours; as in MPyC's norm",
    ideal=_ideal_highest,
)
def highest_bit(party: Party, bits: SharedBits) -> SharedBits:
    """One-hot mark of the highest set bit along the leading axis; all zero for zero."""
    words = bits.words[::-1].copy()
    for level in _prefix_levels(words.shape[0]):
        gates = [(words[below], words[block]) for block, below in level]
        products = gates_at_once(party, gates, bits.count)
        for (block, below), product in zip(level, products, strict=True):
            words[block] ^= words[below] ^ product
    words[1:] ^= words[:-1].copy()
    return SharedBits(words[::-1].copy(), bits.count)
