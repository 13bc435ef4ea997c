"""Triples of rows: a and c of ``count`` words, b one number, with (a0 + a1) (b0 + b1) = c0 + c1
modulo 2^ring_bits, word by word.

What ``mpc.numbers.scale`` multiplies rows of shared words with one shared number by. Two parties
make them alone; where a dealer deals, single triples are cheap and rows are taken apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from securexgb.correlations.kind import Arrays, Kind, Layout, Piece, Pieces, Words


@dataclass(frozen=True, repr=False)
class RowTriplePieces(Pieces):
    """A party's shares, uniform: a and c (count, n), b (n,)."""

    per_word = 1, 1, 1
    a: Words
    b: Words
    c: Words


@dataclass(frozen=True)
class RowTriples(Kind[RowTriplePieces]):
    """Rows of ``count`` words, right modulo 2^ring_bits (1 to 64); an element is a row."""

    count: int
    ring_bits: int
    use = "rows"
    block = 1

    @property
    def name(self) -> str:
        return f"row_triples_{self.count}_of_{self.ring_bits}"

    @property
    def layout(self) -> Layout:
        a, b, c = Piece("a", (self.count,)), Piece("b"), Piece("c", (self.count,))
        return Layout(((a, b, c), (a, b)), c)

    def fit(self, first: Arrays, second: Arrays) -> Words:
        (a0, b0, c0), (a1, b1) = first, second
        return (a0 + a1) * (b0 + b1) - c0

    def complete(self, rank: int, pieces: Arrays) -> RowTriplePieces:
        return RowTriplePieces(*pieces)
