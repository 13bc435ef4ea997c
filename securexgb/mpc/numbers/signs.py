"""A private sum's sign, and whether it is 0, -1 or -2: what its carries and equalities need.

Of x = x0 + x1 + c mod 2^w, c a carry that comes later, the digits of the summands say: the carry
into the highest bit, as g and p of all bits below it; and whether x0 + x1 is 0 or -2, digit by
digit equalities of x_r with -x_s and with -2 - x_s. Any digit may be asked for by either party:
where the numbers differ, the lowest digit of the difference that is not zero shows from
both sides, so no false equality survives. All are functions of the asking party's digit once
the answering one's number is fixed, so one transfer of one of 16 serves a digit.
"""

from __future__ import annotations

import numpy as np

from securexgb.correlations.digits import DIGIT
from securexgb.mpc.digits import (
    SUMS,
    Marks,
    digit_cost,
    digits_in,
    halves,
    own_digits,
    transfer,
    with_drawn,
)
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Words

USED = 4
"""Bits of an entry: g, p, equal for 0, equal for -2."""
_ENTRIES = 1 << DIGIT


def signs_cost(width: int, words: int) -> Cost:
    """Cost of ``sign_tables`` for 64 * ``words`` numbers of so many bits."""
    return digit_cost(digits_in(width) * words, SUMS, USED)


def sign_tables(party: Party, words: Words, width: int) -> Words:
    """Shares (4, digits, n) of g, p, [0], [-2] for every digit of the low ``width`` bits.

    The lowest digit's free bits let carries through and are equal; of the highest one, g and p are
    of its lower three bits. All [0] are 1 if and only if both summands add up to 0, likewise -2.
    """
    own = own_digits(party, words, width)
    # What the other party's number would have to be.
    zero = own_digits(party, np.uint64(0) - words, width)
    two = own_digits(party, np.uint64(0) - words - np.uint64(2), width)
    digits, _, columns = own.bits.shape
    top = np.zeros((digits, 1, columns), np.uint64)
    top[-1] = ~np.uint64(0)
    rows = np.concatenate([own.bits, zero.bits, two.bits, top], axis=1).swapaxes(0, 1)
    sent, asked = halves(party, rows.reshape(len(rows), -1))
    free, drawn = halves(party, own.flat())
    table = _heedless(_table(*np.split(sent, [DIGIT, 2 * DIGIT, 3 * DIGIT])), free)

    def answer(messages: Words, flips: Words) -> Words:
        return _answer(messages, flips, table)

    own_asked = with_drawn(party, asked[:DIGIT], drawn)
    parts = transfer(party, own_asked, sent.shape[1], answer, (SUMS, USED))
    return np.concatenate(parts, axis=1).reshape(USED, digits, columns)


def _one_hot(digits: Words) -> Words:
    """Marks (16, n) of digits (4, n) in the clear."""
    marks = np.full((1, digits.shape[1]), ~np.uint64(0))
    for bit in digits:
        marks = np.concatenate([marks & ~bit, marks & bit])
    return marks


def _table(own: Words, zero: Words, two: Words, top: Words) -> Words:
    """For each digit of the asking party the entries that this one answers: (16, 4, n)."""
    whole = _one_hot(own)
    lower = whole[:8] ^ whole[8:]
    values = np.arange(_ENTRIES)
    g = np.where(top, _reaching(lower, 8 - (values & 7)), _reaching(whole, _ENTRIES - values))
    p = np.where(top, lower[7 - (values & 7)], whole[::-1])
    return np.stack([g, p, _one_hot(zero), _one_hot(two)], axis=1)


def _heedless(table: Words, free: Marks) -> Words:
    """Entries that do not depend on bits that are free: for g and p these are ones, and equalities
    are with numbers that have zeros there."""
    values = np.arange(_ENTRIES, dtype=np.uint8)
    for bits in np.unique(free[free > 0]):
        where = np.flatnonzero(free == bits)
        part = table[:, :, where]
        table[:, :2, where] = part[values | bits, :2]
        table[:, 2:, where] = part[values & ~bits, 2:]
    return table


def _reaching(marks: Words, bounds: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Words:
    """Whether the marked number reaches each bound, (bounds, n)."""
    suffixes = np.bitwise_xor.accumulate(marks[::-1], axis=0)[::-1]
    return np.concatenate([suffixes, np.zeros_like(marks[:1])])[bounds]


def _answer(messages: Words, flips: Words, table: Words) -> Words:
    """This party's share and, masked by it and by the messages, its entries: (16, 4, n)."""
    masks = messages.copy()
    for bit, flip in enumerate(flips):
        pairs = masks.reshape(_ENTRIES >> (bit + 1), 2, 1 << bit, *masks.shape[1:])
        swapped = (pairs[:, 0] ^ pairs[:, 1]) & flip
        pairs[:, 0] ^= swapped
        pairs[:, 1] ^= swapped
    masks ^= table
    masks[1:] ^= masks[0]
    return masks
