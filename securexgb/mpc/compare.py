"""Carries, signs and comparisons of shared integers.

A shared word is x = x0 + x1 mod 2^64, and each party knows its own summand in the
clear. Every question about the bits of x is a question about the carries of that one
addition: with generate bits g = x0 & x1 (one round: each factor is known to one
party) and propagate bits p = x0 ^ x1 (free), blocks of positions combine by
(g, p) o (g', p') = (g ^ p g', p p'), which is associative: a binary tree finds a carry
in log2(width) rounds. Bits lie in slices, 64 elements to a word.

Every result stays shared. An opened comparison bit would order the candidates.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from securexgb import _kernels
from securexgb.mpc.multiply import and_bits, and_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, Words, words_per

ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


def depth_of(width: int) -> int:
    """Levels of a binary tree over ``width`` leaves."""
    return max(width - 1, 0).bit_length()


def own_slices(words: Words, width: int) -> Words:
    """This party's summand, bit by bit: (width, ceil(n / 64))."""
    return _kernels.to_slices(np.ascontiguousarray(words).reshape(-1), width)


def not_bits(party: Party, bits: SharedBits) -> SharedBits:
    """The negation of shared bits; local."""
    return SharedBits(bits.words ^ ONES, bits.count) if party.rank == 0 else bits


def generate(party: Party, slices: Words, count: int) -> SharedBits:
    """g = x0 & x1 for every slice; one round."""
    mine, none = SharedBits(slices, count), SharedBits(np.zeros_like(slices), count)
    pair = (mine, none) if party.rank == 0 else (none, mine)
    return and_bits(party, *pair)


def fold_carry(party: Party, g: SharedBits, p: SharedBits) -> tuple[SharedBits, SharedBits]:
    """(g, p) of a whole block of positions (leading axis, lowest first) by a binary tree."""
    while g.words.shape[0] > 1:
        size = g.words.shape[0]
        low, high = slice(0, size - 1, 2), slice(1, size, 2)
        left = SharedBits.concatenate([p[high], p[high]])
        product = and_bits(party, left, SharedBits.concatenate([g[low], p[low]]))
        pairs = size // 2
        g_next, p_next = g[high] ^ product[:pairs], product[pairs:]
        if size % 2:
            g_next = SharedBits.concatenate([g_next, g[size - 1 :]])
            p_next = SharedBits.concatenate([p_next, p[size - 1 :]])
        g, p = g_next, p_next
    return g[0], p[0]


def fold_cost(width: int, words: int) -> Cost:
    """Cost of ``fold_carry``: two products for each of the width - 1 pairs."""
    return replace(and_cost(2 * (width - 1) * words), rounds=depth_of(width))


def carry_out(party: Party, words: Words, width: int) -> SharedBits:
    """The carry out of the low ``width`` bits of the sum of both parties' words."""
    slices = own_slices(words, width)
    p = SharedBits(slices, words.size)
    return fold_carry(party, generate(party, slices, words.size), p)[0]


def carry_cost(width: int, count: int) -> Cost:
    """Cost of ``carry_out``."""
    return and_cost(width * words_per(count)) + fold_cost(width, words_per(count))


def plain_bits(flags: Words) -> SharedBits:
    """Bits in the clear as packed words; for functionalities only."""
    flat = np.asarray(flags).reshape(-1).astype(np.uint8)
    return SharedBits(_kernels.pack_bits(flat), flat.size)


def signed(words: Words, width: int = 64) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The signed value of ring elements mod 2^width."""
    shift = np.uint64(64 - width)
    return (words << shift).view(np.int64) >> np.int64(64 - width)


@protocol(
    cost=lambda x, width=64: carry_cost(width - 1, x.size),
    opens="masked bits of the Beaver products, uniform",
    source="carry tree: Ladner, Fischer, J. ACM 1980; products as in multiply",
    ideal=lambda x, width=64: plain_bits((signed(x.words, width) < 0).view(np.uint8)),
)
def is_negative(party: Party, x: Shared, width: int = 64) -> SharedBits:
    """The sign of each element of ``x``, flattened; needs |x| < 2^(width - 1)."""
    top = own_slices(x.words >> np.uint64(width - 1), 1)
    return SharedBits(top[0], x.size) ^ carry_out(party, x.words, width - 1)


@protocol(
    cost=lambda x, y, width=64: carry_cost(width - 1, x.size),
    opens=COMPOSED,
    source="the sign of the difference",
    ideal=None,
)
def at_least(party: Party, x: Shared, y: Shared, width: int = 64) -> SharedBits:
    """[x >= y] for each element, flattened; needs |x - y| < 2^(width - 1)."""
    return not_bits(party, is_negative(party, x - y, width))


def all_cost(leading: int, words: int) -> Cost:
    """Cost of ``all_of`` for ``leading`` bits of each of 64 * ``words`` elements."""
    return replace(and_cost((leading - 1) * words), rounds=depth_of(leading))


@protocol(
    cost=lambda bits: all_cost(bits.words.shape[0], bits.words[0].size),
    opens=COMPOSED,
    source="binary tree of products",
    ideal=None,
)
def all_of(party: Party, bits: SharedBits) -> SharedBits:
    """The and along the leading axis, by a binary tree."""
    while bits.words.shape[0] > 1:
        size = bits.words.shape[0]
        joined = and_bits(party, bits[0 : size - 1 : 2], bits[1:size:2])
        bits = SharedBits.concatenate([joined, bits[size - 1 :]]) if size % 2 else joined
    return bits[0]
