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

from securexgb import _kernels
from securexgb.correlations.kind import (
    BLOCK,
    Arrays,
    Directed,
    Piece,
    Pieces,
    Words,
    agree,
    numbers,
    spread,
)

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

    def _message(self, name: str) -> Piece:
        rows = () if self.bits <= BLOCK else (self.bits // BLOCK,)
        return Piece(name, rows, min(self.bits, BLOCK))

    @property
    def free(self) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
        delta, choices = self._message("delta"), Piece("choices", (), 1)
        if self.sender == 0:
            return (self._message("zero"), delta), (choices,)
        return (choices, self._message("chosen")), (delta,)

    @property
    def fitted(self) -> Piece:
        return self._message("chosen" if self.sender == 0 else "zero")

    def fit(self, first: Arrays, second: Arrays) -> Words:
        bits = min(self.bits, BLOCK)
        if self.sender == 0:
            (message, delta), (choices,) = first, second
        else:
            (choices, message), (delta,) = first, second
        part, known = numbers(delta, bits) * spread(choices, bits), numbers(message, bits)
        return (known + part if self.sender == 0 else known - part).view(np.uint64)

    def complete(self, rank: int, pieces: Arrays) -> TransferEnd:
        first, second = pieces
        bits = min(self.bits, BLOCK)
        if rank != self.sender:
            return ReceivedTransfers(first, numbers(second, bits).astype(np.uint64, copy=False))
        zero, delta = (first, second) if rank == 0 else (second, first)
        one = numbers(zero, bits) + numbers(delta, bits)
        zeros = numbers(zero, bits).astype(np.uint64, copy=False)
        return SentTransfers(zeros, one.astype(np.uint64, copy=False))

    def holds(self, zero: TransferEnd, one: TransferEnd) -> bool:
        sent, received = self.ordered(zero, one)
        chosen_one = _kernels.unpack_bits(received.choices, sent.zero.shape[-1]) == 1
        chosen = np.where(chosen_one, sent.one, sent.zero)
        return agree(chosen, received.chosen, min(self.bits, BLOCK))


def transfer_bits(precision: int) -> int:
    """The bits of the narrowest transfers whose messages mask numbers mod 2^precision."""
    return max(8, 1 << (precision - 1).bit_length())


KINDS = tuple(Transfers(bits, sender) for bits in WIDTHS for sender in (0, 1))
