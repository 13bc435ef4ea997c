"""Numbers from their shared bits, in the smallest ring that holds them.

A bit shared as b0 ^ b1 is the integer b0 + b1 - 2 b0 b1, each summand known to one party: one
product of private bits. Where the bit weighs 2^j and the sum is wanted modulo 2^R, the
product is wanted modulo 2^(R-1-j) only, and the bits of a number take half the words (the
observation of ABY). The product is one oblivious transfer: the receiver's bit b chooses, the
sender's bit a is the word (``mpc.multiplex``): of a random transfer, messages m0, m1 and choice c
with m_c, the receiver sends d = b ^ c and the sender t = a - (m1 - m0), at once; c t + m_c and
-m0 are shares of a c, and where d is set a b = a - a c. Every other bit goes in the
other direction. Messages have the fewest bits that transfers come in: a dealer's corrections are
as long.

A number below 2^(R-1), shared modulo 2^R by words in [0, 2^R), is brought to the whole ring
exactly: the words add up past 2^R if and only if one of them has its top bit (were it only
one and no wrap, the sum would have that bit too). Their or is one more such product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from securexgb import _kernels
from securexgb.arith.bits import to_slices, unpack_bits, words_per
from securexgb.correlations.counting import Budget
from securexgb.correlations.transfers import Transfers, transfer_bits
from securexgb.mpc.compare import signed
from securexgb.mpc.multiplex import transfers
from securexgb.mpc.padding import fill_up
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits, Words


@dataclass(frozen=True)
class Number:
    """One number: the weights of its bits, modulo 2^64, and how many bits it has at most.

    The weighted sum lies in [0, 2^width), whatever the bits are that occur; width <= 62.
    """

    weights: tuple[int, ...]
    width: int

    @property
    def precisions(self) -> list[int]:
        """For every bit the modulus 2^w that its product is needed in."""
        return [self.width + 1 - (weight & -weight).bit_length() for weight in self.weights]


def binary(width: int) -> Number:
    """A number whose bits are given, lowest first."""
    return Number(tuple(1 << place for place in range(width)), width)


def products_cost(precisions: Sequence[int], words: int) -> Cost:
    """Cost of ``private_products`` for rows of so many words."""
    to_label, to_feature = precisions[::2], precisions[1::2]
    drawn = Counter(
        Transfers(transfer_bits(precision), 1 - row % 2) for row, precision in enumerate(precisions)
    )
    return Cost(
        rounds=1,
        label_words=words * (len(to_label) + sum(to_feature)),
        feature_words=words * (len(to_feature) + sum(to_label)),
        correlations=Budget({kind: 64 * words * rows for kind, rows in drawn.items()}),
    )


def _precisions(numbers: Sequence[Number]) -> tuple[list[int], list[int]]:
    """Of the bits' products and of the wraps'."""
    bits = [width for number in numbers for width in number.precisions]
    return bits, [63 - number.width for number in numbers]


def numbers_cost(numbers: Sequence[Number], words: int, *, whole: bool = True) -> Cost:
    """Cost of ``lift_numbers`` for 64 * ``words`` elements."""
    bits, wraps = _precisions(numbers)
    products = products_cost(bits, words)
    return products + products_cost(wraps, words) if whole else products


def _ideal(bits: SharedBits, numbers: tuple[Number, ...], whole: bool = True) -> Shared:  # noqa: ARG001
    sums, rows = np.zeros((len(numbers), bits.count), np.uint64), iter(bits.words)
    for total, number in zip(sums, numbers, strict=True):
        for weight in number.weights:
            total += unpack_bits(next(rows), bits.count) * np.uint64(weight)
    return Shared(sums)


@protocol(
    cost=lambda bits, numbers, whole=True: numbers_cost(numbers, bits.words.shape[1], whole=whole),
    opens="b ^ c to one side and bits masked by a message unknown to the other, uniform",
    source="smaller rings for higher bits: Demmler, Schneider, Zohner, NDSS 2015 (ABY), III-E",
    ideal=_ideal,
)
def lift_numbers(
    party: Party, bits: SharedBits, numbers: tuple[Number, ...], whole: bool = True
) -> Shared:
    """Numbers (k, n) from their bits, all numbers' bits one after the other: (sum of bits, n).

    In the ``whole`` ring, or right modulo 2^(width + 1) of each number only, one round earlier.
    """
    own = np.ascontiguousarray(bits.words)
    precisions, wraps = _precisions(numbers)
    products = _whole_products(party, own, precisions, bits.count)
    weights = np.array([weight for number in numbers for weight in number.weights], np.uint64)
    runs = [len(number.weights) for number in numbers]
    sums = _kernels.lift_sums(products, own, weights, runs)[:, : bits.count]
    return Shared(_widened(party, sums, wraps) if whole else sums)


def widen_cost(ring_bits: int, count: int, whole_bits: int = 64) -> Cost:
    """Cost of ``widen`` for so many numbers."""
    return products_cost([whole_bits - ring_bits], words_per(count))


@protocol(
    cost=lambda x, ring_bits, whole_bits=64: widen_cost(ring_bits, x.size, whole_bits),
    opens="as lift_numbers",
    source="as lift_numbers, its second part",
    ideal=lambda x, ring_bits, whole_bits=64: Shared(signed(x.words, ring_bits).view(np.uint64)),
)
def widen(party: Party, x: Shared, ring_bits: int, whole_bits: int = 64) -> Shared:
    """Numbers (n,) shared modulo 2^ring_bits, |x| < 2^(ring_bits - 2), in the whole ring.

    Right modulo 2^whole_bits only.
    """
    bias = 1 << (ring_bits - 2)
    biased = x + constant(party, bias, x.shape)
    widened = _widened(party, biased.words[None], [64 - ring_bits], 64 - whole_bits)[0]
    return Shared(widened) - constant(party, bias, x.shape)


def _widened(party: Party, sums: Words, wraps: list[int], dropped: int = 0) -> Words:
    """Shares modulo 2^64 of numbers below 2^(R-1), shared modulo 2^R; 64 - R by row. Of the results
    the highest ``dropped`` bits need not be right."""
    count = sums.shape[1]
    spare = np.array(wraps, np.uint64)[:, None]
    words = sums << spare >> spare
    tops = words >> (np.uint64(63) - spare)
    own = to_slices(tops, 1)[0]
    both = private_products(party, own, [wrap - dropped for wrap in wraps], count)
    return words - ((tops - both) << (np.uint64(64) - spare))


def private_products(party: Party, own: Words, precisions: Sequence[int], count: int) -> Words:
    """Shares of the products of both parties' bits: row k modulo 2^precisions[k], (rows, n).

    ``own``: this party's bits, packed (rows, words). The label party receives in even rows.
    """
    return _whole_products(party, own, precisions, count)[:, :count]


def _whole_products(party: Party, own: Words, precisions: Sequence[int], count: int) -> Words:
    """The same for whole words of bits, of which those past ``count`` have no meaning."""
    rows, words = range(len(precisions)), words_per(count)
    padded = 64 * words
    received, sent = rows[party.rank :: 2], rows[1 - party.rank :: 2]
    ends = _ends(party, precisions, words)
    result = np.empty((len(rows), padded), np.uint64)
    choices = np.array([ends[row][0] for row in received], np.uint64).reshape(-1)
    flips = fill_up(party, own[received] ^ choices.reshape(len(received), words), count)
    message = [flips.reshape(-1)]
    for row in sent:
        zero, one = ends[row]
        message.append(_kernels.lift_send(zero, one, own[row], precisions[row]).reshape(-1))
    asked, expected = words * len(sent), words * sum(precisions[row] for row in received)
    theirs = party.exchange(np.concatenate(message), expect=asked + expected)
    for row, flip in zip(sent, theirs[:asked].reshape(len(sent), words), strict=True):
        result[row] = _kernels.lift_give(ends[row][0], own[row], flip)
    corrections, at = theirs[asked:].reshape(-1, words), 0
    for row, flip in zip(received, flips, strict=True):
        choice, chosen = ends[row]
        taken = corrections[at : at + precisions[row]]
        result[row] = _kernels.lift_take(chosen, taken, choice, flip)
        at += precisions[row]
    return result


def _ends(party: Party, precisions: Sequence[int], words: int) -> dict[int, tuple[Words, Words]]:
    """Random transfers by row, of few bits: choices and what they chose, or both messages."""
    ends: dict[int, tuple[Words, Words]] = {}
    widths = [transfer_bits(precision) for precision in precisions]
    for bits in sorted(set(widths)):
        rows = [row for row, width in enumerate(widths) if width == bits]
        own = [row for row in rows if row % 2 == party.rank]
        other = [row for row in rows if row % 2 != party.rank]
        receiver, sender = transfers(party, 64 * words * len(own), 64 * words * len(other), bits)
        ends |= _by_row(own, receiver.choices, receiver.chosen)
        ends |= _by_row(other, sender.zero, sender.one)
    return ends


def _by_row(rows: list[int], first: Words, second: Words) -> dict[int, tuple[Words, Words]]:
    pairs = (array.reshape(len(rows), array.size // max(len(rows), 1)) for array in (first, second))
    return dict(zip(rows, zip(*pairs, strict=True), strict=True))
