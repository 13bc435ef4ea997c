"""Transfers of one of 16 messages, 64 of them to a word: what tables of digits are looked up by.

    sender: messages (16, width)      receiver: a random choice (4 bits) and the chosen message

Dealt from party 1, its messages are random ones, all masked by one ``base``: what the chosen one
must be masked by to be what party 0 drew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb.correlations.kind import Arrays, Directed, Layout, Piece, Pieces, Words

DIGIT = 4
WIDTHS = (2, 7, 8)


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


DigitEnd = SentDigits | ReceivedDigits


@dataclass(frozen=True)
class DigitTransfers(Directed[SentDigits, ReceivedDigits]):
    """Messages of ``width`` bits, from party ``sender``. An element is a word of 64 transfers."""

    width: int
    sender: int
    use = "digits"
    elements = 64

    @property
    def name(self) -> str:
        return f"digits_{self.width}_from_{self.sender}"

    @property
    def layout(self) -> Layout:
        messages, choices = Piece("messages", (16, self.width)), Piece("choices", (DIGIT,))
        chosen = Piece("chosen", (self.width,))
        if self.sender == 0:
            return Layout(((messages,), (choices,)), chosen)
        return Layout(((choices, chosen), (messages,)), Piece("base", (self.width,)))

    def fit(self, first: Arrays, second: Arrays) -> Words:
        if self.sender == 0:
            (messages,), (choices,) = first, second
            return chosen_messages(messages, choices)
        (choices, chosen), (messages,) = first, second
        return chosen ^ chosen_messages(messages, choices)

    def complete(self, rank: int, pieces: Arrays) -> DigitEnd:
        if rank != self.sender:
            return ReceivedDigits(*pieces)
        if rank == 0:
            return SentDigits(*pieces)
        messages, base = pieces
        return SentDigits(messages ^ base)


def chosen_messages(messages: Words, choices: Words) -> Words:
    """The chosen ones of messages (2^k, ..., n) by packed bits (k, n), lowest first: (..., n)."""
    for bit in choices[::-1]:
        low, high = np.split(messages, 2)
        messages = low ^ ((low ^ high) & bit)
    chosen: Words = messages[0]
    return chosen


KINDS = tuple(DigitTransfers(width, sender) for width in WIDTHS for sender in (0, 1))
