"""Random bits in both sharings (daBits): r is r0 ^ r1 and s0 + s1 modulo 2^ring_bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb.correlations import kind
from securexgb.correlations.kind import Arrays, Kind, Layout, Piece, Pieces, Words


@dataclass(frozen=True, repr=False)
class RandomBitPieces(Pieces):
    """A party's shares: ``boolean`` packed (ceil(n / 64),), ``arithmetic`` (n,)."""

    per_word = 64, 1
    boolean: Words
    arithmetic: Words


@dataclass(frozen=True)
class RandomBits(Kind[RandomBitPieces]):
    """Additive shares modulo 2^ring_bits (64, 32), in the low bits of words."""

    ring_bits: int = 64
    use = "lifts"
    grain = 64

    @property
    def name(self) -> str:
        return "shared_bits" if self.ring_bits == 64 else "half_bits"

    @property
    def layout(self) -> Layout:
        boolean, arithmetic = Piece("boolean", (), 1), Piece("arithmetic", (), self.ring_bits)
        return Layout(((boolean, arithmetic), (boolean,)), arithmetic)

    def fit(self, first: Arrays, second: Arrays) -> Words:
        (r0, s0), (r1,) = first, second
        summed = kind.spread(r0 ^ r1, self.ring_bits)
        return (summed - kind.numbers(s0, self.ring_bits)).view(np.uint64)

    def complete(self, rank: int, pieces: Arrays) -> RandomBitPieces:
        boolean, arithmetic = pieces
        return RandomBitPieces(boolean, kind.widened(arithmetic, self.ring_bits))


KINDS = (RandomBits(64), RandomBits(32))
