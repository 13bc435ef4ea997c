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

Half of the digits go in each direction, so both parties work and send alike. Two rounds;
four transfers of one bit of work a digit, where four products of bits of both and the three
compositions of (g, p) would take twenty-odd.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from securexgb import _kernels
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Words
from securexgb.offline.correlations import DIGITS, Budget, DigitReceiver, DigitSender

DIGIT = 4
CARRIES, SUMS = 2, 7
"""Bits of an entry: g, p; with the carries into bits 1, 2, 3 and whether one would reach
bits 2 and 3."""


def digits_in(width: int) -> int:
    """Digits that hold so many bits."""
    return -(-width // DIGIT)


def own_slices(words: Words, width: int) -> Words:
    """This party's summand, bit by bit: (width, ceil(n / 64))."""
    return _kernels.to_slices(np.ascontiguousarray(words).reshape(-1), width)


def own_digits(words: Words, width: int, filler: int = 0) -> Words:
    """The low ``width`` bits, bit by bit of each digit: (digits, 4, ceil(n / 64)).

    The lowest digit is filled up from below, with ones where ``filler`` is 1.
    """
    digits = digits_in(width)
    spare = DIGIT * digits - width
    below = np.uint64(((1 << spare) - 1) * filler)
    slices = own_slices(words << np.uint64(spare) | below, DIGIT * digits)
    return slices.reshape(digits, DIGIT, -1)


def digit_cost(digits: int, width: int, used: int | None = None) -> Cost:
    """Cost of ``digit_tables`` for so many words of 64 digits; ``used``: see ``transfer``."""
    first, second = digits // 2, digits - digits // 2
    asked, answered = DIGIT, 15 * (width if used is None else used)
    return Cost(
        rounds=2,
        label_words=answered * first + asked * second,
        feature_words=answered * second + asked * first,
        correlations=Budget.of({DIGITS[width, 0]: first, DIGITS[width, 1]: second}),
    )


def digit_tables(party: Party, own: Words, width: int) -> Words:
    """Shares (width, digits, n) of the entries for both parties' digits (digits, 4, n).

    ``width``: CARRIES or SUMS. The label party answers for the first half.
    """
    sent, received = halves(party, own)

    def answer(messages: Words, flips: Words) -> Words:
        return _kernels.digit_answer(messages, flips, sent, width)

    parts = transfer(party, received, sent.shape[1], answer, (width, width))
    return np.concatenate(parts, axis=1).reshape(width, own.shape[0], own.shape[2])


def halves(party: Party, own: Words) -> tuple[Words, Words]:
    """Of digits (digits, bits, n) those that this party answers for and those that it asks for.

    Bit by bit: (bits, half of all words); the label party answers for the first half.
    """
    flat = np.ascontiguousarray(own.swapaxes(0, 1)).reshape(own.shape[1], -1)
    parts = [np.ascontiguousarray(part) for part in np.split(flat, [flat.shape[1] // 2], axis=1)]
    return parts[party.rank], parts[1 - party.rank]


def transfer(
    party: Party,
    asked: Words,
    answered: int,
    answer: Callable[[Words, Words], Words],
    widths: tuple[int, int],
) -> tuple[Words, Words]:
    """Shares of the entries that the label party answers for, and of the others.

    ``asked``: this party's digits (4, n); ``answered``: words of the other party's. ``answer``:
    from random messages (16, used, n) and flips (4, n) to this party's share and the answers,
    (16, used, n). ``widths``: bits of the transfers' messages, and how many of them are used.
    """
    width, used = widths
    sender, receiver = _transfers(party, answered, asked.shape[1], width)
    flips = party.exchange((asked ^ receiver.choices).reshape(-1), expect=DIGIT * answered)
    messages = np.ascontiguousarray(sender.messages[:, :used])
    table = answer(messages, flips.reshape(DIGIT, answered))
    count = asked.shape[1]
    words = party.exchange(table[1:].reshape(-1), expect=15 * used * count)
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


def _transfers(
    party: Party, sent: int, received: int, width: int
) -> tuple[DigitSender, DigitReceiver]:
    """This party's ends of the transfers; those from rank 0 are always drawn first."""
    source = party.source
    if party.rank == 0:
        sender = source.digit_send(sent, width)
        return sender, source.digit_receive(received, width)
    receiver = source.digit_receive(received, width)
    return source.digit_send(sent, width), receiver
