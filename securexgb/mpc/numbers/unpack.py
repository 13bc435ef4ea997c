"""Sums of rows taken apart: rounded sums out of noisy ones.

A word modulo 2^(t + d + k) is 2^t S + r, with noise |r| < 2^(t - 1) of the source
of correlations (t may be 0) and an exact sum S of row units. What is wanted is S in coarser units,
floor((S + 2^(d - 1)) / 2^d), whatever r was. With 2^(t - 1) + 2^(t + d - 1) added, the word is
2^t (S + 2^(d - 1)) plus something of t bits that is not negative; so its bits from t + d on are
exactly that, and the noise goes with those below. A signed S is made positive before by
2^(t + d + k - 2). The result depends on S alone, so equal sums are rounded alike, and a sum that
is not negative stays so.

Sums leave the word's highest bit free, so it is told from the parties' own highest bits whether
their words wrap, as in ``truncate``: one product of private bits in place of a carry out of
the kept bits. What is left to be found is the carry out of the bits below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb.arith.bits import to_slices, words_per
from securexgb.mpc.compare import blocks_cost, carry_blocks
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.numbers.lift import private_products, products_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits, Words
from securexgb.mpc.together import together


@dataclass(frozen=True)
class SumWidths:
    """Bits of a word modulo 2^(noise + dropped + kept), from its low end; sums may be signed.

    The highest of the ``kept`` ones is to spare.
    """

    noise: int
    dropped: int
    kept: int
    is_signed: bool

    @property
    def below(self) -> int:
        """Bits that are taken away."""
        return self.noise + self.dropped

    @property
    def half(self) -> int:
        """What is added to round to the nearest, and to make the sum positive."""
        half = (1 << self.noise >> 1) + (1 << self.below >> 1 if self.dropped else 0)
        return half + (self.bias << self.below)

    @property
    def bias(self) -> int:
        """What the kept bits are too great by."""
        return 1 << (self.kept - 2) if self.is_signed else 0


SumsWidths = tuple[SumWidths, SumWidths]


def round_cost(widths: SumsWidths, count: int) -> Cost:
    """Cost of ``round_sums`` for so many words of each kind."""
    words, below = words_per(count), [of.below for of in widths if of.below]
    cost = products_cost([64 - of.kept for of in widths], words)
    if below:
        cost = cost.at_once(blocks_cost(below, count)) + lift_cost(len(below) * words)
    return cost


def _rounded(sums: Shared, widths: SumsWidths) -> tuple[Shared, Shared]:
    both = []
    for word, of in enumerate(widths):
        kept = (sums.words[:, word] + np.uint64(of.half)) >> np.uint64(of.below)
        both.append(Shared((kept & np.uint64((1 << of.kept) - 1)) - np.uint64(of.bias)))
    return both[0], both[1]


@protocol(
    cost=lambda sums, widths: round_cost(widths, sums.size // 2),
    opens="masked digits, tables and gates; masked private bits and those of the conversion, "
    "uniform",
    source="docs/protocols.md, histograms",
    ideal=_rounded,
)
def round_sums(party: Party, sums: Shared, widths: SumsWidths) -> tuple[Shared, Shared]:
    """Rounded sums of g and of h, (v, ...) each, of noisy ones (v, 2, ...); see ``SumWidths``.

    Exact where |noise| < 2^(noise - 1) and |sum| < 2^(dropped + kept - 2) - 2^dropped; a sum that
    is not signed is from 0 to 2^(dropped + kept - 1) - 2^dropped.
    """
    shape = (sums.shape[0], *sums.shape[2:])
    biased = [sums[:, word] + constant(party, of.half, shape) for word, of in enumerate(widths)]
    kinds = [_within(word.reshape(-1).words, of) for word, of in zip(biased, widths, strict=True)]
    carries, wraps = together(
        party,
        lambda part: _carries(part, kinds, widths),
        lambda part: _wraps(part, kinds, widths),
    )
    lifted = iter(to_arithmetic(party, carries).words if len(carries.words) else ())
    both = []
    for words, wrapped, of in zip(kinds, wraps, widths, strict=True):
        kept = (words >> np.uint64(of.below)) - (wrapped << np.uint64(of.kept))
        if of.below:
            kept += next(lifted)
        both.append(Shared(kept.reshape(shape)) - constant(party, of.bias, shape))
    return both[0], both[1]


def _within(words: Words, of: SumWidths) -> Words:
    """The bits that count."""
    spare = np.uint64(64 - of.below - of.kept)
    return words << spare >> spare


def _carries(party: Party, kinds: list[Words], widths: SumsWidths) -> SharedBits:
    """The carries out of the bits below, of each kind that has such, (kinds, n)."""
    blocks = [(word, of.below) for word, of in zip(kinds, widths, strict=True) if of.below]
    if not blocks:
        return SharedBits.zeros(0, count=kinds[0].size)
    return carry_blocks(party, blocks)[0]


def _wraps(party: Party, kinds: list[Words], widths: SumsWidths) -> list[Words]:
    """Shares of whether both parties' words wrap, modulo 2^(64 - kept), for each kind (n,)."""
    tops = [
        word >> np.uint64(of.below + of.kept - 1) for word, of in zip(kinds, widths, strict=True)
    ]
    own = np.concatenate([to_slices(top, 1) for top in tops])
    both = private_products(party, own, [64 - of.kept for of in widths], kinds[0].size)
    return [top - joint for top, joint in zip(tops, both, strict=True)]
