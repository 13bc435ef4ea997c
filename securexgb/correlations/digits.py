"""Transfers of one of 16 messages, 64 of them to a word: what tables of digits are looked up by.

    sender: messages (16, width)      receiver: a random choice (4 bits) and the chosen message

Dealt from party 1, its messages are random ones, all masked by one ``base``: what the chosen one
must be masked by to be what party 0 drew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.correlations.kind import TILE, Arrays, Directed, Piece, Pieces, Words
from securexgb.correlations.transfers import TransferMachine

DIGIT = 4
WIDTHS = (2, 7)


@dataclass(frozen=True, repr=False)
class SentDigits(Pieces):
    """All random messages, packed (16, width, n)."""

    per_word = (1,)
    messages: Words


@dataclass(frozen=True, repr=False)
class ReceivedDigits(Pieces):
    """Random numbers below 16, lowest bit first (4, n), and their messages (width, n)."""

    per_word = 1, 1
    choices: Words
    chosen: Words


@dataclass(frozen=True)
class DigitTransfers(Directed[SentDigits, ReceivedDigits]):
    """Messages of ``width`` bits, from party ``sender``. An element is a word of 64 transfers."""

    width: int
    sender: int
    use = "digits"
    elements = 64
    tile = TILE // DIGIT

    @property
    def name(self) -> str:
        return f"digits_{self.width}_from_{self.sender}"

    @property
    def free(self) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
        messages, choices = Piece("messages", (16, self.width)), Piece("choices", (DIGIT,))
        if self.sender == 0:
            return (messages,), (choices,)
        return (choices, Piece("chosen", (self.width,))), (messages,)

    @property
    def fitted(self) -> Piece:
        return Piece("chosen" if self.sender == 0 else "base", (self.width,))

    def fit(self, first: Arrays, second: Arrays) -> Words:
        if self.sender == 0:
            (messages,), (choices,) = first, second
            return pick(messages, choices)
        (choices, chosen), (messages,) = first, second
        return chosen ^ pick(messages, choices)

    def complete(self, rank: int, pieces: Arrays) -> SentDigits | ReceivedDigits:
        if rank != self.sender:
            return ReceivedDigits(*pieces)
        if rank == 0:
            return SentDigits(*pieces)
        messages, base = pieces
        return SentDigits(messages ^ base)

    def make(
        self, transfers: TransferMachine, draw: Prg, count: int
    ) -> SentDigits | ReceivedDigits:
        """From four transfers each.

        Keys (j, b) of the digit's bits j with values b are cut into 8 segments of ``width``
        bits. The pad of entry i is the sum over j of segment s_j(i) of key (j, i_j), where s_j(i)
        is i without its bit j: each key gives each of its 8 entries a segment of its own. The
        receiver has the keys (j, c_j). Entry i != c differs from c in some bit; let j be the
        first. Segment s_j(i) of (j, i_j) is unknown to it and occurs in no other pad, so the
        15 pads that it did not choose are uniform and independent to it (after Naor, Pinkas,
        STOC 1999).
        """
        if transfers.rank == self.sender:
            sender, _ = transfers.transfer(DIGIT * count, 0, 8 * self.width)
            return SentDigits(_kernels.digit_pads(sender.zero, sender.one))
        _, receiver = transfers.transfer(0, DIGIT * count, 8 * self.width)
        choices = receiver.choices.reshape(DIGIT, count)
        return ReceivedDigits(choices, _kernels.digit_pad(receiver.chosen, choices))

    def holds(self, zero: SentDigits | ReceivedDigits, one: SentDigits | ReceivedDigits) -> bool:
        sent, received = self.ordered(zero, one)
        return np.array_equal(pick(sent.messages, received.choices), received.chosen)


def pick(messages: Words, choices: Words) -> Words:
    """The chosen ones of messages (2^k, ..., n) by packed bits (k, n), lowest first: (..., n)."""
    for bit in choices[::-1]:
        low, high = np.split(messages, 2)
        messages = low ^ ((low ^ high) & bit)
    chosen: Words = messages[0]
    return chosen


KINDS = tuple(DigitTransfers(width, sender) for width in WIDTHS for sender in (0, 1))
