"""Gates: ands of one bit with ``width`` others, 64 of them to a word.

a, b[width], c[width] packed: (a0 ^ a1) & (b0 ^ b1)[j] = (c0 ^ c1)[j]
"""

from __future__ import annotations

from dataclasses import dataclass

from securexgb.correlations.kind import Arrays, Kind, Layout, Piece, Pieces, Words

WIDEST = 64


@dataclass(frozen=True, repr=False)
class GatePieces(Pieces):
    """A party's shares: ``a`` (n,), ``b`` and ``c`` (width, n), all packed."""

    per_word = 1, 1, 1
    a: Words
    b: Words
    c: Words

    def narrowed(self, width: int) -> GatePieces:
        """With the first ``width`` bits behind each gate."""
        return GatePieces(self.a, self.b[:width], self.c[:width])


@dataclass(frozen=True)
class Gates(Kind[GatePieces]):
    """``width``: a power of two, at most WIDEST. An element is a word of 64 gates."""

    width: int
    use = "gates"
    elements = 64

    @classmethod
    def at_least(cls, width: int) -> Gates:
        """The narrowest for so many bits, at most WIDEST."""
        return cls(1 << (width - 1).bit_length())

    @property
    def name(self) -> str:
        return f"gates_{self.width}"

    @property
    def layout(self) -> Layout:
        a, b, c = Piece("a"), Piece("b", (self.width,)), Piece("c", (self.width,))
        return Layout(((a, b, c), (a, b)), c)

    def fit(self, first: Arrays, second: Arrays) -> Words:
        (a0, b0, c0), (a1, b1) = first, second
        return (a0 ^ a1) & (b0 ^ b1) ^ c0

    def complete(self, rank: int, pieces: Arrays) -> GatePieces:
        return GatePieces(*pieces)


KINDS = tuple(Gates(1 << power) for power in range(WIDEST.bit_length()))
