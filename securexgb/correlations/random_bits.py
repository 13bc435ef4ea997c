"""Random bits in both sharings (daBits): r is r0 ^ r1 and s0 + s1 modulo 2^ring_bits.

The two parties make r = r0 ^ r1 = r0 + r1 - 2 r0 r1: the product of the sender's bit r0 and the
receiver's choice r1 takes one transfer and one word, or half a word.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.correlations.kind import (
    TILE,
    Arrays,
    Kind,
    Piece,
    Pieces,
    Words,
    agree,
    numbers,
    spread,
)
from securexgb.correlations.transfers import TransferMachine

_TWO = np.uint64(2)


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
    tile = 64 * TILE

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

    def make(self, transfers: TransferMachine, draw: Prg, count: int) -> RandomBitPieces:
        """The first half with rank 0 as sender, the rest with rank 1."""
        words, bits = count // 64, self.ring_bits
        halves = words // 2, words - words // 2
        sent, received = halves[transfers.rank], halves[1 - transfers.rank]
        sender, receiver = transfers.transfer(sent, received)
        own = draw.words(sent)
        flags, choices = spread(own, 64), spread(receiver.choices, 64)
        masked = (flags + sender.zero - sender.one).astype(f"<u{bits // 8}", copy=False)
        theirs = transfers.swap("shared bits", masked.view(np.uint64), bits * received)
        as_sender = flags + _TWO * sender.zero
        as_receiver = choices - _TWO * (receiver.chosen + choices * numbers(theirs, bits))
        order = slice(None, None, 1 - 2 * transfers.rank)
        return RandomBitPieces(
            np.concatenate((own, receiver.choices)[order]),
            np.concatenate((as_sender, as_receiver)[order]),
        )

    def holds(self, zero: RandomBitPieces, one: RandomBitPieces) -> bool:
        summed = zero.arithmetic + one.arithmetic
        bits = _kernels.unpack_bits(zero.boolean ^ one.boolean, summed.size).astype(np.uint64)
        return agree(summed, bits, self.ring_bits)


KINDS = (RandomBits(64), RandomBits(32))
