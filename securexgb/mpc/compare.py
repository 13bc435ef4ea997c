"""Carries, signs and comparisons of shared integers.

A shared word is x = x0 + x1 mod 2^64, and each party knows its own summand in the
clear. Every question about the bits of x is a question about the carries of that one
addition. Digits of four bits make a carry or let one through, which tables say (``digits``);
folding them (``carries``) finds a carry in 2 + log2(width / 4) rounds. Bits lie in slices,
64 elements to a word.

Every result stays shared. An opened comparison bit would order the candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits, words_per
from securexgb.mpc.carries import Network, depth_of, fold, join_carries, network_cost, side_by_side
from securexgb.mpc.digits import (
    CARRIES,
    Digits,
    digit_cost,
    digit_tables,
    digits_in,
    own_digits,
)
from securexgb.mpc.multiply import and_bits, and_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, Words

ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


def not_bits(party: Party, bits: SharedBits) -> SharedBits:
    """The negation of shared bits; local."""
    return SharedBits(bits.words ^ ONES, bits.count) if party.rank == 0 else bits


Block = tuple[Words, int]
"""This party's summands (n,), of which the low bits count: so many."""


def carry_blocks(party: Party, blocks: Sequence[Block]) -> tuple[SharedBits, SharedBits]:
    """(g, p) of the sums of both parties' summands, block by block: (blocks, n) each."""
    count = blocks[0][0].size
    own = Digits.joined([own_digits(party, words, width) for words, width in blocks])
    g, p = digit_tables(party, own, CARRIES)
    folds, last = _folds([width for _, width in blocks])
    join_carries(party, folds, g, p, count)
    return SharedBits(g[last], count), SharedBits(p[last], count)


def _folds(widths: Sequence[int]) -> tuple[Network, list[int]]:
    """One fold a block over the digits of all of them, and where each ends up."""
    ends = np.cumsum([digits_in(width) for width in widths]).tolist()
    folds = [fold(start, stop) for start, stop in pairwise([0, *ends])]
    return side_by_side(folds), [end - 1 for end in ends]


def blocks_cost(widths: Sequence[int], count: int) -> Cost:
    """Cost of ``carry_blocks`` for so many elements."""
    words, (folds, last) = words_per(count), _folds(widths)
    return digit_cost((last[-1] + 1) * words, CARRIES) + network_cost(folds, words)


def carry_out(party: Party, words: Words, width: int) -> SharedBits:
    """The carry out of the low ``width`` bits of the sum of both parties' words."""
    return carry_blocks(party, [(words, width)])[0][0]


def carry_cost(width: int, count: int) -> Cost:
    """Cost of ``carry_out``."""
    return blocks_cost([width], count)


def plain_bits(flags: NDArray[np.bool_]) -> SharedBits:
    """Bits in the clear as packed words; for functionalities only."""
    return SharedBits(pack_bits(flags), flags.shape[-1])


def signed(words: Words, width: int = 64) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The signed value of ring elements mod 2^width."""
    shift = np.uint64(64 - width)
    return (words << shift).view(np.int64) >> np.int64(64 - width)


@protocol(
    cost=lambda x, width=64: carry_cost(width - 1, x.size),
    opens="masked digits, tables and gates, uniform",
    source="tables of digits as in Rathee and others (CrypTFlow2), CCS 2020; carry tree",
    ideal=lambda x, width=64: plain_bits(signed(x.words, width).reshape(-1) < 0),
)
def is_negative(party: Party, x: Shared, width: int = 64) -> SharedBits:
    """The sign of each element of ``x``, flattened; needs |x| < 2^(width - 1)."""
    flat = x.words.reshape(-1)
    sign = Shared(flat >> np.uint64(width - 1)).lowest_bits()
    return sign ^ carry_out(party, flat, width - 1)


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
