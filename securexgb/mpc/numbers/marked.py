"""Sums of two private summands as one-hot marks, digit after digit.

Of a digit of three bits of both summands, and of a carry that is shared as bits, the marks of the
sum and the carry out of it are functions of what the receiver knows (its digit, and its share of
the carry: four bits) once what the sender knows is fixed. So one transfer of one of 16 gives seven
of the eight marks, which add up to 1, and the carry for the next digit. Sum bits that are found
all at once take carries through a network, a gate for each digit, and marks of what comes out: some
three times as many transfers. What it takes are rounds, two a digit, one digit after the other.

Marks of more bits than a digit has are products of marks; those of some bits of a digit are sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np

from securexgb import _kernels
from securexgb.arith.bits import to_slices
from securexgb.correlations.digits import DIGIT
from securexgb.mpc.compare import not_bits
from securexgb.mpc.digits import MARKS, digit_cost, halves, transfer, with_drawn
from securexgb.mpc.multiply import and_broadcast, gate_cost, gates_at_once
from securexgb.mpc.numbers.table import complete, product_job
from securexgb.mpc.padding import fill_up
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import SharedBits, Words

PLACES = DIGIT - 1
"""Bits of a digit, beside that of the carry."""
Pieces = list[list[tuple[int, int, int]]]
"""Of each part the digits that it has bits of, the lowest first: the digit, and from which of its
bits to which."""


def digit_widths(bits: int) -> list[int]:
    """How many bits each digit has; all but the lowest one are full."""
    digits = -(-bits // PLACES)
    return [bits - PLACES * (digits - 1)] + [PLACES] * (digits - 1)


def marked_cost(bits: int, words: int) -> Cost:
    """Cost of ``marked_sums`` for 64 * ``words`` elements."""
    return digit_cost(words, MARKS).times(len(digit_widths(bits)))


def marked_sums(
    party: Party, words: Words, bits: int, carry: SharedBits
) -> tuple[list[SharedBits], SharedBits]:
    """Marks (2^w, n) of each digit of the sum of the low ``bits`` of both parties' words (n,) and
    of a carry in, and the carry out."""
    marks = []
    for start, stop in pairwise([0, *accumulate(digit_widths(bits))]):
        # Filled up from below, as a carry goes through bits that are free.
        spare = PLACES - (stop - start)
        whole, carry = _marked_digit(party, words >> np.uint64(start), spare, carry)
        parts = whole.reshape(-1, 1 << spare, whole.shape[1])
        marks.append(SharedBits(np.bitwise_xor.reduce(parts, axis=1), words.size))
    return marks, carry


def _marked_digit(
    party: Party, words: Words, spare: int, carry: SharedBits
) -> tuple[Words, SharedBits]:
    """All eight marks of the lowest digit's sum, (8, n), so many low bits of which are free."""
    digit = to_slices(words << np.uint64(spare), PLACES)
    own = fill_up(party, np.concatenate([digit, carry.words[None]]), words.size)
    sent, asked = halves(party, own)
    free, drawn = halves(party, np.full(own.shape[1], (1 << spare) - 1, np.uint8))

    def answer(messages: Words, flips: Words) -> Words:
        return _kernels.digit_answer(messages, flips, sent, free, MARKS)

    asked = with_drawn(party, asked, drawn)
    parts = transfer(party, asked, sent.shape[1], answer, (MARKS, MARKS))
    found = np.concatenate(parts, axis=1)
    others = SharedBits(np.bitwise_xor.reduce(found[1:], axis=0), words.size)
    marks = np.concatenate([not_bits(party, others).words[None], found[1:]])
    return marks, SharedBits(found[0], words.size)


def mirrored_cost(bits: int, words: int) -> Cost:
    """Cost of ``mirrored`` for the digits of so many bits."""
    return gate_cost(sum(1 << (width - 1) for width in digit_widths(bits)), words)


def mirrored(party: Party, by: SharedBits, marks: list[SharedBits]) -> list[SharedBits]:
    """Where the bit (n,) is set, marks of the number with all bits flipped."""
    lower = [one.words[: len(one.words) // 2] for one in marks]
    upper = [one.words[: len(one.words) // 2 - 1 : -1] for one in marks]
    differ = SharedBits(np.concatenate(lower) ^ np.concatenate(upper), by.count)
    moved = and_broadcast(party, by, differ).words
    ends = np.cumsum([len(part) for part in lower])[:-1]
    return [
        SharedBits(np.concatenate([below ^ flip, (above ^ flip)[::-1]]), by.count)
        for below, above, flip in zip(lower, upper, np.split(moved, ends), strict=True)
    ]


def kept_cost(widths: Sequence[int], words: int) -> Cost:
    """Cost of ``kept`` for marks of so many bits each."""
    return gate_cost(sum((1 << width) - 1 for width in widths), words)


def kept(party: Party, by: SharedBits, marks: Sequence[SharedBits], place: int) -> list[SharedBits]:
    """Where the bit (n,) is not set, marks of the number 0 (``place`` 0) or the last one (-1)."""
    others = [np.delete(one.words, place, axis=0) for one in marks]
    through = and_broadcast(party, by, SharedBits(np.concatenate(others), by.count)).words
    result = []
    for part in np.split(through, np.cumsum([len(part) for part in others])[:-1]):
        rest = SharedBits(np.bitwise_xor.reduce(part, axis=0), by.count)
        last = not_bits(party, rest).words[None]
        result.append(
            SharedBits(np.concatenate([last, part] if place == 0 else [part, last]), by.count)
        )
    return result


def pieces_of(parts: Sequence[int]) -> Pieces:
    """Of parts of so many bits, lowest first, which bits of which digits they are."""
    digits = list(pairwise([0, *accumulate(digit_widths(sum(parts)))]))
    return [
        [
            (number, max(start, low) - low, min(stop, high) - low)
            for number, (low, high) in enumerate(digits)
            if low < stop and start < high
        ]
        for start, stop in pairwise([0, *accumulate(parts)])
    ]


def composed_cost(parts: Sequence[int], words: int) -> Cost:
    """Cost of ``composed`` for 64 * ``words`` elements."""
    total = Cost()
    widths = [[to - at for _, at, to in pieces] for pieces in pieces_of(parts)]
    while any(len(some) > 1 for some in widths):
        level = Cost()
        for some in widths:
            if len(some) > 1:
                few, many = sorted(some[:2])
                level = level.at_once(gate_cost((1 << many) - 1, ((1 << few) - 1) * words))
                some[:2] = [few + many]
        total += level
    return total


def composed(party: Party, marks: Sequence[SharedBits], parts: Sequence[int]) -> list[SharedBits]:
    """Marks of parts of a number, of so many bits each, lowest first, from those of its digits."""
    count = marks[0].count
    found = [
        [_some_bits(marks[number].words, at, to) for number, at, to in pieces]
        for pieces in pieces_of(parts)
    ]
    while longer := [some for some in found if len(some) > 1]:
        jobs = [product_job(*sorted(some[:2], key=len)) for some in longer]
        for some, inner in zip(longer, gates_at_once(party, jobs, count), strict=True):
            low, high = some[:2]
            turned = inner if len(low) <= len(high) else inner.swapaxes(0, 1)
            some[:2] = [complete(low, high, turned)]
    return [SharedBits(some[0], count) for some in found]


def _some_bits(marks: Words, start: int, stop: int) -> Words:
    """Marks of the bits from ``start`` to ``stop`` alone."""
    parts = marks.reshape(-1, 1 << (stop - start), 1 << start, marks.shape[1])
    some: Words = np.bitwise_xor.reduce(parts, axis=(0, 2))
    return some
