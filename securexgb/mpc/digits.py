"""Sums of two private summands, four bits at a time.

Each party knows its own summand of a shared word. Of a digit, four bits of both, it takes
few bits to go on: the carry out (g), whether a carry in would go through (p), and for sum
bits the carries within. All of them are functions of the receiver's digit once the sender's
is fixed: a table of 16 entries, from which the receiver takes its own by a transfer of one of
16. With a random transfer (messages m_0 ... m_15; choice c with m_c) the receiver of digit x
sends d = x ^ c, uniform. With f(e) what stands in entry e, the sender puts r = m_d ^ f(0) as
its share and answers f(e) ^ m_{e^d} ^ r for e = 1 ... 15; the receiver, for x = 0, has the
share m_c = m_d; else it adds m_c to answer x. Of the answers it can open that one alone: every
other one is masked by a message of its own that the receiver lacks; and that one is
f(x) ^ f(0) under m_d, which the receiver lacks unless x = 0.

A number that does not fill its digits leaves some bits of one digit free: they count as ones at the
receiver and are zeros at the sender, so that a carry goes through them and none is made. The
receiver puts random bits there, which the sender's table does not heed: a constant would show the
choices that mask it.

Half of the digits go in each direction, so both parties work and send alike. Two rounds;
four transfers of one bit of work a digit, where four products of bits of both and the three
compositions of (g, p) would take twenty-odd.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.arith.bits import to_slices
from securexgb.correlations.counting import Budget
from securexgb.correlations.digits import DIGIT, DigitTransfers, ReceivedDigits, SentDigits
from securexgb.correlations.source import take_ends
from securexgb.mpc.padding import fill_up
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Words

Marks = NDArray[np.uint8]
Number = TypeVar("Number", np.uint64, np.uint8)

CARRIES, SUMS, MARKS = 2, 7, 8
"""Bits of an entry: g, p; with the carries into bits 1, 2, 3 and whether one would reach
bits 2 and 3; or marks of a sum, see ``numbers.marked``."""


_PLACES = np.arange(DIGIT, dtype=np.uint8)[:, None]


def digits_in(width: int) -> int:
    """Digits that hold so many bits."""
    return -(-width // DIGIT)


@dataclass(frozen=True, repr=False)
class Digits:
    """This party's digits of several numbers, and which of their bits are free.

    ``bits``: (digits, 4, ceil(n / 64)), lowest bit first, zeros where they are free, random past
    the last of n. ``free``: public, for each digit a number whose bits say so, (digits,).
    """

    bits: Words
    free: Marks

    @classmethod
    def of(cls, party: Party, words: Words, free: Sequence[int]) -> Digits:
        """As many digits of words (..., n), packed row by row, as ``free`` has."""
        slices = fill_up(party, to_slices(words, DIGIT * len(free)), words.shape[-1])
        return cls(slices.reshape(len(free), DIGIT, -1), np.array(free, np.uint8))

    @classmethod
    def joined(cls, parts: Sequence[Digits]) -> Digits:
        """The digits of several numbers of the same elements."""
        bits, free = ([vars(part)[name] for part in parts] for name in ("bits", "free"))
        return cls(np.concatenate(bits), np.concatenate(free))

    def flat(self) -> Marks:
        """``free`` for each word of the digits side by side."""
        return np.repeat(self.free, self.bits.shape[-1])


def own_digits(party: Party, words: Words, width: int) -> Digits:
    """The low ``width`` bits of this party's summands (..., n), filled up from below."""
    digits = digits_in(width)
    spare = DIGIT * digits - width
    free = [(1 << spare) - 1] + [0] * (digits - 1)
    return Digits.of(party, words << np.uint64(spare), free)


def digit_cost(digits: int, width: int, used: int | None = None) -> Cost:
    """Cost of ``digit_tables`` for so many words of 64 digits; ``used``: see ``transfer``."""
    first, second = digits // 2, digits - digits // 2
    asked, answered = DIGIT, 15 * (width if used is None else used)
    return Cost(
        rounds=2,
        label_words=answered * first + asked * second,
        feature_words=answered * second + asked * first,
        correlations=Budget({DigitTransfers(width, 0): first, DigitTransfers(width, 1): second}),
    )


class Beside(Protocol):
    """What travels with the messages of a transfer, see ``chains.Preparation``."""

    def outgoing(self) -> Words:
        """What this party sends in the next round."""

    def incoming(self, theirs: Words) -> None:
        """What has come, as many words."""


def digit_tables(party: Party, own: Digits, width: int, beside: Beside | None = None) -> Words:
    """Shares (width, digits, n) of the entries for both parties' digits.

    ``width``: CARRIES or SUMS. The label party answers for the first half. ``beside``: goes along
    in both rounds.
    """
    digits, _, words = own.bits.shape
    sent, received = halves(party, own.bits.swapaxes(0, 1).reshape(DIGIT, -1))
    free, drawn = halves(party, own.flat())

    def answer(messages: Words, flips: Words) -> Words:
        return _kernels.digit_answer(messages, flips, sent, free, width)

    asked = with_drawn(party, received, drawn)
    parts = transfer(party, asked, sent.shape[1], answer, (width, width), beside)
    return np.concatenate(parts, axis=1).reshape(width, digits, words)


def halves(party: Party, flat: NDArray[Number]) -> tuple[NDArray[Number], NDArray[Number]]:
    """Of all words of digits (..., words) those that this party answers for and the others.

    The label party answers for the first half.
    """
    middle = flat.shape[-1] // 2
    parts = [np.ascontiguousarray(part) for part in (flat[..., :middle], flat[..., middle:])]
    return parts[party.rank], parts[1 - party.rank]


def with_drawn(party: Party, asked: Words, free: Marks) -> Words:
    """Digits (4, n) with random bits where ``free`` (n,) has them."""
    where = np.flatnonzero(free)
    if not where.size:
        return asked
    marks = np.uint64(0) - (free[where] >> _PLACES & np.uint8(1)).astype(np.uint64)
    random = party.padding.words(marks.size).reshape(marks.shape)
    asked = asked.copy()
    asked[:, where] ^= random & marks
    return asked


def transfer(
    party: Party,
    asked: Words,
    answered: int,
    answer: Callable[[Words, Words], Words],
    widths: tuple[int, int],
    beside: Beside | None = None,
) -> tuple[Words, Words]:
    """Shares of the entries that the label party answers for, and of the others.

    ``asked``: this party's digits (4, n); ``answered``: words of the other party's. ``answer``:
    from random messages (16, used, n) and flips (4, n) to this party's share and the answers,
    (16, used, n). ``widths``: bits of the transfers' messages, and how many of them are used.
    """
    width, used = widths
    sender, receiver = _transfers(party, answered, asked.shape[1], width)
    own_flips = (asked ^ receiver.choices).reshape(-1)
    flips = _exchanged(party, own_flips, DIGIT * answered, beside)
    messages = np.ascontiguousarray(sender.messages[:, :used])
    table = answer(messages, flips.reshape(DIGIT, answered))
    count = asked.shape[1]
    words = _exchanged(party, table[1:].reshape(-1), 15 * used * count, beside)
    chosen = np.ascontiguousarray(receiver.chosen[:used])
    answers, step = words.reshape(15, used, count), width if used == width else CARRIES
    taken = np.concatenate(
        [
            _kernels.digit_take(
                np.ascontiguousarray(answers[:, bit : bit + step]), chosen[bit : bit + step], asked
            )
            for bit in range(0, used, step)
        ]
    )
    return (table[0], taken) if party.rank == 0 else (taken, table[0])


def _exchanged(party: Party, words: Words, expect: int, beside: Beside | None) -> Words:
    """One round of words and of what goes beside them: the ``expect`` words that have come."""
    if beside is None:
        return party.exchange(words, expect=expect)
    more = beside.outgoing()
    received = party.exchange(np.concatenate([words, more]), expect=expect + more.size)
    beside.incoming(received[expect:])
    return received[:expect]


def _transfers(
    party: Party, sent: int, received: int, width: int
) -> tuple[SentDigits, ReceivedDigits]:
    """This party's ends of the transfers; those from rank 0 are always drawn first."""
    kinds = DigitTransfers(width, 0), DigitTransfers(width, 1)
    return take_ends(party.source, party.rank, kinds, sent, received)
