"""Beaver's triples: a, b, c with (a0 + a1) (b0 + b1) = c0 + c1 modulo 2^ring_bits.

A dealer deals all of them modulo 2^64.
"""

from __future__ import annotations

from dataclasses import dataclass

from securexgb.correlations.kind import Arrays, Kind, Layout, Piece, Pieces, Words


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
    layout = Layout(((Piece("a"), Piece("b"), Piece("c")), (Piece("a"), Piece("b"))), Piece("c"))

    @property
    def dealt(self) -> Triples:
        return Triples()

    def fit(self, first: Arrays, second: Arrays) -> Words:
        (a0, b0, c0), (a1, b1) = first, second
        return (a0 + a1) * (b0 + b1) - c0

    def complete(self, rank: int, pieces: Arrays) -> TriplePieces:
        return TriplePieces(*pieces)


KINDS = (Triples(),)
