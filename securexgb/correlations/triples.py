"""Beaver's triples: a, b, c with (a0 + a1) (b0 + b1) = c0 + c1 modulo 2^ring_bits.

A dealer deals all of them modulo 2^64. The two parties make both cross products bit by bit of b,
the choices: r transfers and r (r + 1) / 16 bytes each (Gilboa, CRYPTO 1999).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.correlations.kind import Arrays, Kind, Piece, Pieces, Words, agree
from securexgb.correlations.transfers import TransferMachine


@dataclass(frozen=True, repr=False)
class TriplePieces(Pieces):
    """A party's shares, (n,) each, uniform modulo 2^64."""

    per_word = 1, 1, 1
    a: Words
    b: Words
    c: Words


@dataclass(frozen=True)
class Triples(Kind[TriplePieces]):
    """Right modulo 2^ring_bits (1 to 64)."""

    ring_bits: int = 64
    use = "products"
    name = "triples"
    fitted = Piece("c")
    free = (Piece("a"), Piece("b"), Piece("c")), (Piece("a"), Piece("b"))

    @property
    def dealt(self) -> Triples:
        return Triples()

    def fit(self, first: Arrays, second: Arrays) -> Words:
        (a0, b0, c0), (a1, b1) = first, second
        return (a0 + a1) * (b0 + b1) - c0

    def complete(self, rank: int, pieces: Arrays) -> TriplePieces:
        return TriplePieces(*pieces)

    def make(self, transfers: TransferMachine, draw: Prg, count: int) -> TriplePieces:
        """The bits of b above the ring are random: b masks whole words."""
        bits = self.ring_bits
        words = count * bits // 64
        sender, receiver = transfers.transfer(words, words)
        a, b = draw.words(count), receiver.choices
        if bits < 64:
            above = draw.words(count) << np.uint64(bits)
            b = _kernels.unpack_words(b.view(np.uint8), count, bits) | above
        message, sent = _kernels.ot_products_send(sender.zero, sender.one, a, bits)
        theirs = transfers.swap("ring triples", message, message.size, bits)
        received = _kernels.ot_products_receive(receiver.chosen, b, bits, theirs)
        return TriplePieces(a, b, a * b + sent + received)

    def holds(self, zero: TriplePieces, one: TriplePieces) -> bool:
        return agree((zero.a + one.a) * (zero.b + one.b), zero.c + one.c, self.ring_bits)


KINDS = (Triples(),)
