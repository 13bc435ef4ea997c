"""Carries, signs and comparisons of shared integers.

A shared word is x = x0 + x1 mod 2^64, and each party knows its own summand in the
clear. Every question about the bits of x is a question about the carries of that one
addition. A block of positions makes a carry (g) or lets one through (p); digits of four
bits have theirs from tables (``digits``), and neighbouring blocks combine by
(g, p) o (g', p') = (g ^ p g', p p'), one gate for two bits. That is associative: a binary
tree over the digits finds a carry in 2 + log2(width / 4) rounds. Bits lie in slices, 64
elements to a word.

Every result stays shared. An opened comparison bit would order the candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from securexgb import _kernels
from securexgb.mpc.digits import (
    CARRIES,
    Digits,
    digit_cost,
    digit_tables,
    digits_in,
    own_digits,
    own_slices,
)
from securexgb.mpc.multiply import and_bits, and_cost, gate_bits, gate_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, Words, words_per

ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


def depth_of(width: int) -> int:
    """Levels of a binary tree over ``width`` leaves."""
    return max(width - 1, 0).bit_length()


def not_bits(party: Party, bits: SharedBits) -> SharedBits:
    """The negation of shared bits; local."""
    return SharedBits(bits.words ^ ONES, bits.count) if party.rank == 0 else bits


Block = tuple[Words, int]
"""This party's summands (n,), of which the low bits count: so many."""


def carry_blocks(party: Party, blocks: Sequence[Block]) -> tuple[SharedBits, SharedBits]:
    """(g, p) of the sums of both parties' summands, block by block: (blocks, n) each."""
    count = blocks[0][0].size
    own = Digits.joined([own_digits(party, words.reshape(-1), width) for words, width in blocks])
    g, p = digit_tables(party, own, CARRIES)
    sizes = [digits_in(width) for _, width in blocks]
    while max(sizes) > 1:
        g, p = _fold_level(party, g, p, (sizes, count))
        sizes = [-(-size // 2) for size in sizes]
    return SharedBits(g, count), SharedBits(p, count)


def _fold_level(
    party: Party, g: Words, p: Words, shape: tuple[list[int], int]
) -> tuple[Words, Words]:
    """Neighbours joined in pairs within blocks of so many pieces of so many elements."""
    sizes, count = shape
    tops: list[int] = []
    high: list[int] = []
    for size, end in zip(sizes, np.cumsum(sizes), strict=True):
        first = int(end) - size
        pairs = [first + at for at in range(1, size, 2)]
        high += pairs
        tops += pairs + [int(end) - 1] * (size % 2)
    low = [at - 1 for at in high]
    pair = SharedBits(np.stack([g[low], p[low]]), count)
    product = gate_bits(party, SharedBits(p[high], count), pair).words
    joined = [tops.index(at) for at in high]
    g, p = g[tops], p[tops]
    g[joined] ^= product[0]
    p[joined] = product[1]
    return g, p


def blocks_cost(widths: Sequence[int], count: int) -> Cost:
    """Cost of ``carry_blocks`` for so many elements."""
    words, sizes = words_per(count), [digits_in(width) for width in widths]
    gates = gate_cost(2, sum(size - 1 for size in sizes) * words)
    joined = replace(gates, rounds=depth_of(max(sizes)))
    return digit_cost(sum(sizes) * words, CARRIES) + joined


def carry_out(party: Party, words: Words, width: int) -> SharedBits:
    """The carry out of the low ``width`` bits of the sum of both parties' words."""
    return carry_blocks(party, [(words, width)])[0][0]


def carry_cost(width: int, count: int) -> Cost:
    """Cost of ``carry_out``."""
    return blocks_cost([width], count)


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
    opens="masked digits, tables and gates, uniform",
    source="tables of digits as in Rathee and others (CrypTFlow2), CCS 2020; carry tree",
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
