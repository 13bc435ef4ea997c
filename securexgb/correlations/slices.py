"""Random oblivious transfers of few bits, in slices: 64 transfers to a word.

    sender: m0, m1 (width, n)      receiver: choices c (n,), and m_c (width, n), all packed

So of each bit of a message: m_c = m0 ^ (m0 ^ m1) & c. Each party's part is uniform:

    from party 0:  m0, m1 at party 0, c at party 1; m_c follows
    from party 1:  c, m_c at party 0, m0 ^ m1 at party 1; m0 follows
"""

from __future__ import annotations

from dataclasses import dataclass

from securexgb.correlations.kind import Arrays, Directed, Layout, Piece, Pieces, Words

WIDTHS = (8, 16, 32, 64)


@dataclass(frozen=True, repr=False)
class SentSlices(Pieces):
    """Both random messages of each transfer, (width, n) each."""

    per_word = 1, 1
    zero: Words
    one: Words


@dataclass(frozen=True, repr=False)
class ReceivedSlices(Pieces):
    """The random choices (n,) and the chosen messages (width, n)."""

    per_word = 1, 1
    choices: Words
    chosen: Words


SliceEnd = SentSlices | ReceivedSlices


@dataclass(frozen=True)
class SlicedTransfers(Directed[SentSlices, ReceivedSlices]):
    """Messages of ``width`` bits (one of WIDTHS), from party ``sender``. An element is a word of 64
    transfers."""

    width: int
    sender: int
    use = "transfers"
    elements = 64

    @property
    def name(self) -> str:
        return f"slices_{self.width}_from_{self.sender}"

    @property
    def layout(self) -> Layout:
        zero, one, delta, chosen = (
            Piece(name, (self.width,)) for name in ("zero", "one", "delta", "chosen")
        )
        choices = Piece("choices")
        if self.sender == 0:
            return Layout(((zero, one), (choices,)), chosen)
        return Layout(((choices, chosen), (delta,)), zero)

    def fit(self, first: Arrays, second: Arrays) -> Words:
        if self.sender == 0:
            (zero, one), (choices,) = first, second
            return zero ^ (zero ^ one) & choices
        (choices, chosen), (delta,) = first, second
        return chosen ^ delta & choices

    def complete(self, rank: int, pieces: Arrays) -> SliceEnd:
        if rank != self.sender:
            return ReceivedSlices(*pieces)
        if rank == 0:
            return SentSlices(*pieces)
        delta, zero = pieces
        return SentSlices(zero, zero ^ delta)


KINDS = tuple(SlicedTransfers(width, sender) for width in WIDTHS for sender in (0, 1))
