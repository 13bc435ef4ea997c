"""Sums taken apart: of gradient pairs into G and H, and of rows into rounded sums.

*Pairs.* One word G + 2^b H modulo 2^64 becomes the words G and H. G is signed: with 2^(b - 1)
added it is not negative, and fills the low field without a borrow from H.

*Sums of rows.* A word modulo 2^(t + d + k) is 2^t S + r, with noise |r| < 2^(t - 1) of the source
of correlations (t may be 0) and an exact sum S of row units. What is wanted is S in coarser units,
floor((S + 2^(d - 1)) / 2^d), whatever r was. With 2^(t - 1) + 2^(t + d - 1) added, the word is
2^t (S + 2^(d - 1)) plus something of t bits that is not negative; so its bits above t + d are
exactly that. The low field goes, and with it the noise. A signed S is made positive before by
2^(t + d + k - 1). The result depends on S alone, so equal sums are rounded alike, and a sum that
is not negative stays so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb.mpc.compare import signed
from securexgb.mpc.numbers.fields import Widths, split_cost, split_fields
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared


def _ideal(pairs: Shared, low_bits: int) -> tuple[Shared, Shared]:
    gradient = signed(pairs.words, low_bits).view(np.uint64)
    return Shared(gradient), Shared((pairs.words - gradient) >> np.uint64(low_bits))


def unpack_cost(low_bits: int, count: int) -> Cost:
    """Cost of ``unpack_pairs`` for so many words."""
    return split_cost([(low_bits, 64 - low_bits)], count)


@protocol(
    cost=lambda pairs, low_bits: unpack_cost(low_bits, pairs.size),
    opens="masked digits, tables and gates, and masked bits of the conversion, uniform",
    source="docs/protocols.md, gradient pairs",
    ideal=_ideal,
)
def unpack_pairs(party: Party, pairs: Shared, low_bits: int) -> tuple[Shared, Shared]:
    """(G, H) of words G + 2^low_bits H: |G| < 2^(low_bits-1), 0 <= H < 2^(64-low_bits)."""
    half = constant(party, 1 << (low_bits - 1), (pairs.size,))
    biased = pairs.reshape(-1) + half
    ((low, high),) = split_fields(party, [biased.words], [(low_bits, 64 - low_bits)])
    return (low - half).reshape(*pairs.shape), high.reshape(*pairs.shape)


@dataclass(frozen=True)
class SumWidths:
    """Bits of a word modulo 2^(noise + dropped + kept), from its low end; sums may be signed."""

    noise: int
    dropped: int
    kept: int
    is_signed: bool

    @property
    def fields(self) -> Widths:
        return self.noise + self.dropped, self.kept

    @property
    def half(self) -> int:
        """What is added to round to the nearest, and to make the sum positive."""
        below = self.noise + self.dropped
        half = (1 << self.noise >> 1) + (1 << below >> 1 if self.dropped else 0)
        return half + (1 << (below + self.kept - 1) if self.is_signed else 0)

    @property
    def bias(self) -> int:
        """What the kept bits are too great by."""
        return 1 << (self.kept - 1) if self.is_signed else 0


def round_cost(widths: tuple[SumWidths, SumWidths], count: int) -> Cost:
    """Cost of ``round_sums`` for so many words of each kind."""
    return split_cost([of.fields for of in widths], count)


def _rounded(sums: Shared, widths: tuple[SumWidths, SumWidths]) -> tuple[Shared, Shared]:
    both = []
    for word, of in enumerate(widths):
        low, high = of.fields
        kept = (sums.words[:, word] + np.uint64(of.half)) >> np.uint64(low)
        both.append(Shared((kept & np.uint64((1 << high) - 1)) - np.uint64(of.bias)))
    return both[0], both[1]


@protocol(
    cost=lambda sums, widths: round_cost(widths, sums.size // 2),
    opens="masked digits, tables and gates, and masked bits of the conversion, uniform",
    source="docs/protocols.md, histograms",
    ideal=_rounded,
)
def round_sums(
    party: Party, sums: Shared, widths: tuple[SumWidths, SumWidths]
) -> tuple[Shared, Shared]:
    """Rounded sums of g and of h, (v, ...) each, of noisy ones (v, 2, ...); see ``SumWidths``.

    Exact where |noise| < 2^(noise - 1) and |sum| < 2^(dropped + kept - 1) - 2^dropped; a sum that
    is not signed is from 0 to 2^(dropped + kept) - 2^dropped.
    """
    shape = (sums.shape[0], *sums.shape[2:])
    biased = [sums[:, word] + constant(party, of.half, shape) for word, of in enumerate(widths)]
    kinds = [words.reshape(-1).words for words in biased]
    fields = split_fields(party, kinds, [of.fields for of in widths])
    both = [
        high.reshape(*shape) - constant(party, of.bias, shape)
        for (_, high), of in zip(fields, widths, strict=True)
    ]
    return both[0], both[1]
