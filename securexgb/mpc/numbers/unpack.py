"""Sums of rows taken apart: rounded sums out of noisy ones.

A word modulo 2^(t + d + k) is 2^t S + r, with noise |r| < 2^(t - 1) of the source
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

from securexgb.mpc.numbers.fields import Widths, split_cost, split_fields
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared


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
