"""Carries, signs and comparisons of shared integers.

A shared word is x = x0 + x1 mod 2^64, and each party knows its own summand in the
clear. Every question about the bits of x is a question about the carries of that one
addition. Digits of four bits make a carry or let one through, which tables say (``digits``).
Up to three neighbours are joined in a round, (g, p) o (g', p') o (g'', p'') =
(g ^ p g' ^ p p' g'', p p' p''), by chains p, p' (``chains``), whose masks are multiplied while the
digits are asked for: a carry in 2 + log3(width / 4) rounds. Bits lie in slices, 64 elements to a
word.

Every result stays shared. An opened comparison bit would order the candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise, zip_longest

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits, stacked, words_per
from securexgb.mpc.circuits.carries import depth_of
from securexgb.mpc.circuits.chains import (
    Chain,
    Masks,
    Preparation,
    Wanted,
    chains_at_once,
    chains_cost,
    masks_cost,
)
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
_JOINED = 3
_FORMS = {
    (2, False): Chain((1,)),
    (2, True): Chain((1, 1)),
    (3, False): Chain((1, 2)),
    (3, True): Chain((1, 2, 2)),
}
"""Two or three neighbours joined, and whether p is wanted of them: behind the upper one's p are g'
and p'; behind p and p' are g'' and p''."""
Group = tuple[tuple[int, ...], bool]
"""Positions that are joined, ascending, of which the last one takes all in; whether it gets p."""


def carry_blocks(
    party: Party, blocks: Sequence[Block], more: Sequence[Wanted] = (), passed: Sequence[int] = ()
) -> tuple[SharedBits, SharedBits, list[Masks]]:
    """(g, p) of the sums of both parties' summands, block by block: (blocks, n) each.

    p is right for the blocks of these numbers, ``passed``, only. ``more``: chains whose masks
    somebody wants afterwards, made in the same rounds.
    """
    count = blocks[0][0].size
    own = Digits.joined([own_digits(party, words, width) for words, width in blocks])
    levels, last = _folds(tuple(width for _, width in blocks), tuple(passed))
    wanted = [one for level in levels for one in _wanted(level, words_per(count))]
    ahead = Preparation(party, [*wanted, *more])
    g, p = digit_tables(party, own, CARRIES, ahead)
    masks = iter(ahead.masks)
    for level in levels:
        _join(party, level, g, p, masks, count)
    return SharedBits(g[last], count), SharedBits(p[last], count), list(masks)


def _join(
    party: Party, level: list[Group], g: Words, p: Words, masks: Iterator[Masks], count: int
) -> None:
    """Join the groups of a level of (g, p), (positions, words), in place."""
    jobs, places = [], []
    for (size, has_p), groups in _by_form(level).items():
        low, *middle, top = (list(ends) for ends in zip(*groups, strict=True))
        bits = [p[top], *(p[one] for one in middle), *(g[one] for one in middle), g[low]]
        bits += [p[low]] if has_p else []
        jobs.append((next(masks), stacked(bits).reshape(len(bits), -1)))
        places.append((top, size - 1))
    for (top, made), ends in zip(places, chains_at_once(party, jobs, count), strict=True):
        parts = ends.reshape(len(ends), len(top), -1)
        for part in parts[:made]:
            g[top] ^= part
        for part in parts[made:]:
            p[top] = part


def _by_form(level: list[Group]) -> dict[tuple[int, bool], list[tuple[int, ...]]]:
    """The groups that are joined, by size and whether p is wanted."""
    found = {}
    for size, has_p in _FORMS:
        if groups := [one for one, wants_p in level if (len(one), wants_p) == (size, has_p)]:
            found[size, has_p] = groups
    return found


def _wanted(level: list[Group], words: int) -> list[Wanted]:
    """The chains of a level."""
    return [(_FORMS[form], len(groups) * words) for form, groups in _by_form(level).items()]


def _fold(start: int, stop: int, *, passed: bool) -> list[list[Group]]:
    """A tree whose root, at the last position, is the whole block; groups as equal as can be."""
    ends, levels = list(range(start, stop)), []
    while len(ends) > 1:
        cuts = np.array_split(ends, -(-len(ends) // _JOINED))
        groups = [(tuple(cut.tolist()), passed or at > 0) for at, cut in enumerate(cuts)]
        levels.append(groups)
        ends = [group[-1] for group, _ in groups]
    return levels


@cache
def _folds(widths: tuple[int, ...], passed: tuple[int, ...]) -> tuple[list[list[Group]], list[int]]:
    """One fold a block over the digits of all of them, level by level, and where each ends up."""
    ends = np.cumsum([digits_in(width) for width in widths]).tolist()
    parts = enumerate(pairwise([0, *ends]))
    folds = [_fold(start, stop, passed=number in passed) for number, (start, stop) in parts]
    nothing: list[Group] = []
    levels = zip_longest(*folds, fillvalue=nothing)
    return [[group for part in level for group in part] for level in levels], [e - 1 for e in ends]


def blocks_cost(
    widths: Sequence[int], count: int, more: Sequence[Wanted] = (), passed: Sequence[int] = ()
) -> Cost:
    """Cost of ``carry_blocks`` for so many elements."""
    words, (levels, last) = words_per(count), _folds(tuple(widths), tuple(passed))
    total, wanted = digit_cost((last[-1] + 1) * words, CARRIES), [*more]
    for level in levels:
        chains = _wanted(level, words)
        total, wanted = total + chains_cost(chains), wanted + chains
    return total + masks_cost(wanted)


def carry_out(party: Party, words: Words, width: int) -> SharedBits:
    """The carry out of the low ``width`` bits of the sum of both parties' words."""
    g, _, _ = carry_blocks(party, [(words, width)])
    return g[0]


def carry_cost(width: int, count: int) -> Cost:
    """Cost of ``carry_out``."""
    return blocks_cost([width], count)


@dataclass(frozen=True)
class Carries:
    """A way to find carries: ``out`` as ``carry_out``, ``cost`` of so many bits, so many times."""

    out: Callable[[Party, Words, int], SharedBits]
    cost: Callable[[int, int], Cost]


DIGITS = Carries(carry_out, carry_cost)
"""That of this module; another one is in ``mpc.garbled``."""


def plain_bits(flags: NDArray[np.bool_]) -> SharedBits:
    """Bits in the clear as packed words; for functionalities only."""
    return SharedBits(pack_bits(flags), flags.shape[-1])


def signed(words: Words, width: int = 64) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The signed value of ring elements mod 2^width."""
    shift = np.uint64(64 - width)
    return (words << shift).view(np.int64) >> np.int64(64 - width)


@protocol(
    cost=lambda x, width=64, carries=DIGITS: carries.cost(width - 1, x.size),
    opens="masked digits, tables and gates, uniform",
    source="tables of digits as in Rathee and others (CrypTFlow2), CCS 2020; carry tree of threes",
    ideal=lambda x, width=64, carries=DIGITS: plain_bits(signed(x.words, width).reshape(-1) < 0),
)
def is_negative(party: Party, x: Shared, width: int = 64, carries: Carries = DIGITS) -> SharedBits:
    """The sign of each element of ``x``, flattened; needs |x| < 2^(width - 1)."""
    flat = x.words.reshape(-1)
    sign = Shared(flat >> np.uint64(width - 1)).lowest_bits()
    return sign ^ carries.out(party, flat, width - 1)


@protocol(
    cost=lambda x, y, width=64, carries=DIGITS: carries.cost(width - 1, x.size),
    opens=COMPOSED,
    source="the sign of the difference",
    ideal=None,
)
def at_least(
    party: Party, x: Shared, y: Shared, width: int = 64, carries: Carries = DIGITS
) -> SharedBits:
    """[x >= y] for each element, flattened; needs |x - y| < 2^(width - 1)."""
    return not_bits(party, is_negative(party, x - y, width, carries))


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
