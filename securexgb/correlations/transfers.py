"""Random oblivious transfers: two messages at the sender, a choice and the chosen one at the other.

    sender: words m0, m1      receiver: packed bits c, and words that are m_c modulo 2^bits

Of 128 bits a message is two words. They are drawn as m0 and delta = m1 - m0:

    from party 0:  zero, delta at party 0, choices at party 1; chosen = zero + choice * delta
    from party 1:  choices, chosen at party 0, delta at party 1; zero = chosen - choice * delta

Of fewer bits 64 / bits numbers lie in a word there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb.correlations import kind
from securexgb.correlations.kind import BLOCK, Arrays, Directed, Layout, Piece, Pieces, Words

WIDTHS = (8, 16, 32, 64, 128)


@dataclass(frozen=True, repr=False)
class SentTransfers(Pieces):
    """Both random messages of each transfer, (n,) each; of 128 bits, (2, n)."""

    per_word = 1, 1
    zero: Words
    one: Words


@dataclass(frozen=True, repr=False)
class ReceivedTransfers(Pieces):
    """The random choices, packed (ceil(n / 64),), and the chosen messages (n,) or (2, n)."""

    per_word = 64, 1
    choices: Words
    chosen: Words


TransferEnd = SentTransfers | ReceivedTransfers


@dataclass(frozen=True)
class Transfers(Directed[SentTransfers, ReceivedTransfers]):
    """Messages of ``bits`` (one of WIDTHS) in the low bits of words, from party ``sender``."""

    bits: int
    sender: int
    use = "transfers"
    grain = 64

    @property
    def name(self) -> str:
        return f"ot_{self.bits}_from_{self.sender}"

    @property
    def word_bits(self) -> int:
        """Bits of a message within one word."""
        return min(self.bits, BLOCK)

    @property
    def layout(self) -> Layout:
        rows = () if self.bits <= BLOCK else (self.bits // BLOCK,)
        zero, delta, chosen = (Piece(n, rows, self.word_bits) for n in ("zero", "delta", "chosen"))
        choices = Piece("choices", (), 1)
        if self.sender == 0:
            return Layout(((zero, delta), (choices,)), chosen)
        return Layout(((choices, chosen), (delta,)), zero)

    def fit(self, first: Arrays, second: Arrays) -> Words:
        if self.sender == 0:
            (message, delta), (choices,) = first, second
        else:
            (choices, message), (delta,) = first, second
        known = kind.numbers(message, self.word_bits)
        part = kind.numbers(delta, self.word_bits) * kind.spread(choices, self.word_bits)
        return (known + part if self.sender == 0 else known - part).view(np.uint64)

    def complete(self, rank: int, pieces: Arrays) -> TransferEnd:
        if rank != self.sender:
            choices, chosen = pieces
            return ReceivedTransfers(choices, kind.widened(chosen, self.word_bits))
        zero, delta = (kind.numbers(p, self.word_bits) for p in pieces[:: 1 if rank == 0 else -1])
        return SentTransfers(*[kind.widened(p, self.word_bits) for p in (zero, zero + delta)])


def transfer_bits(precision: int) -> int:
    """The bits of the narrowest transfers whose messages mask numbers mod 2^precision."""
    return max(8, 1 << (precision - 1).bit_length())


KINDS = tuple(Transfers(bits, sender) for bits in WIDTHS for sender in (0, 1))
