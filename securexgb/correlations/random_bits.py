"""Random bits in both sharings (daBits): r is r0 ^ r1 and s0 + s1 modulo 2^ring_bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb import _kernels
from securexgb.correlations.kind import (
    Arrays,
    Kind,
    Piece,
    Pieces,
    Words,
    agree,
    numbers,
    spread,
)


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
    def free(self) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
        boolean = Piece("boolean", (), 1)
        return (boolean, self.fitted), (boolean,)

    @property
    def fitted(self) -> Piece:
        return Piece("arithmetic", (), self.ring_bits)

    def fit(self, first: Arrays, second: Arrays) -> Words:
        (r0, s0), (r1,) = first, second
        bits = self.ring_bits
        return (spread(r0 ^ r1, bits) - numbers(s0, bits)).view(np.uint64)

    def complete(self, rank: int, pieces: Arrays) -> RandomBitPieces:
        boolean, arithmetic = pieces
        summands = numbers(arithmetic, self.ring_bits).astype(np.uint64, copy=False)
        return RandomBitPieces(boolean, summands)

    def holds(self, zero: RandomBitPieces, one: RandomBitPieces) -> bool:
        summed = zero.arithmetic + one.arithmetic
        bits = _kernels.unpack_bits(zero.boolean ^ one.boolean, summed.size).astype(np.uint64)
        return agree(summed, bits, self.ring_bits)


KINDS = (RandomBits(64), RandomBits(32))
