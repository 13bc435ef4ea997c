"""Numbers from their shared bits, in the smallest ring that holds them.

A bit shared as b0 ^ b1 is the integer b0 + b1 - 2 b0 b1, each summand known to one party: one
product of private bits. Where the bit weighs 2^j and the sum is wanted modulo 2^R, the
product is wanted modulo 2^(R-1-j) only, and the bits of a number take half the words (the
observation of ABY). The product is one oblivious transfer: the receiver's bit b chooses, the
sender's bit a is the word. Of a random transfer, messages m0, m1 and choice c with m_c, the
receiver sends b ^ c and the sender m1 - m0 - a, at once. Every other bit goes in the other
direction. All of it is done in slices (``kernels/src/words/lifts.rs``): a bit of 64 products is a
word, messages have no more bits than are wanted, and a sum takes a few operations for 64 elements.

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
from securexgb.arith.bits import from_slices, in_turn, stacked, to_slices, unpack_bits, words_per
from securexgb.correlations.counting import Budget
from securexgb.correlations.slices import ReceivedSlices, SentSlices, SlicedTransfers
from securexgb.correlations.source import take_ends
from securexgb.correlations.transfers import transfer_bits
from securexgb.mpc.compare import signed
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
        SlicedTransfers(transfer_bits(precision), 1 - row % 2)
        for row, precision in enumerate(precisions)
    )
    return Cost(
        rounds=1,
        label_words=words * (len(to_label) + sum(to_feature)),
        feature_words=words * (len(to_feature) + sum(to_label)),
        correlations=Budget({kind: words * rows for kind, rows in drawn.items()}),
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
    products = _negated_products(party, own, precisions, bits.count)
    weights = np.array([weight for number in numbers for weight in number.weights], np.uint64)
    runs, widths = zip(*[(len(n.weights), n.width + 1) for n in numbers], strict=True)
    sums = _kernels.lift_sums(products, own, precisions, weights, runs, widths)[:, : bits.count]
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
    negated = _negated_products(party, own, precisions, count)
    rows = in_turn(negated, [words_per(count) * precision for precision in precisions])
    parts = zip(rows, precisions, strict=True)
    return np.stack([-from_slices(row.reshape(p, -1), count) for row, p in parts])


def _negated_products(party: Party, own: Words, precisions: Sequence[int], count: int) -> Words:
    """Shares of minus the products of both parties' bits, in slices: precisions[k] lines of words
    of row k, one row after the other."""
    rows, words = range(len(precisions)), words_per(count)
    received, sent = rows[party.rank :: 2], rows[1 - party.rank :: 2]
    receiving, sending = _ends(party, precisions, words)
    flips = own[received].reshape(len(received), words)
    if received:
        flips = fill_up(party, flips ^ stacked([receiving[row].choices for row in received]), count)
    sizes = [words * precision for precision in precisions]
    message = np.empty(flips.size + sum([sizes[row] for row in sent]), np.uint64)
    message[: flips.size] = flips.reshape(-1)
    masked = in_turn(message[flips.size :], [sizes[row] for row in sent])
    for row, out in zip(sent, masked, strict=True):
        _kernels.lift_send(sending[row].zero, sending[row].one, own[row], out)
    asked, due = words * len(sent), [sizes[row] for row in received]
    theirs = party.exchange(message, expect=asked + sum(due))
    result = np.empty(sum(sizes), np.uint64)
    shares = list(in_turn(result, sizes))
    for row, flip in zip(sent, theirs[:asked].reshape(len(sent), words), strict=True):
        _kernels.lift_give(sending[row].zero, own[row], flip, shares[row])
    for row, flip, came in zip(received, flips, in_turn(theirs[asked:], due), strict=True):
        end = receiving[row]
        _kernels.lift_take(end.chosen, came, end.choices, flip, shares[row])
    return result


def _ends(
    party: Party, precisions: Sequence[int], words: int
) -> tuple[dict[int, ReceivedSlices], dict[int, SentSlices]]:
    """Random transfers by row, with as many slices as are wanted: what this party receives and
    what it sends. The label party's receiving ones are always drawn first."""
    receiving, sending = dict[int, ReceivedSlices](), dict[int, SentSlices]()
    widths = [transfer_bits(precision) for precision in precisions]
    for width in sorted(set(widths)):
        rows = [row for row, own in enumerate(widths) if own == width]
        own = [row for row in rows if row % 2 == party.rank]
        other = [row for row in rows if row % 2 != party.rank]
        kinds = SlicedTransfers(width, 1), SlicedTransfers(width, 0)
        sent, received = take_ends(
            party.source, party.rank, kinds, words * len(other), words * len(own)
        )
        for place, row in enumerate(own):
            part = slice(place * words, (place + 1) * words)
            chosen = received.chosen[: precisions[row], part]
            receiving[row] = ReceivedSlices(received.choices[part], chosen)
        for place, row in enumerate(other):
            part = slice(place * words, (place + 1) * words)
            zero, one = sent.zero[: precisions[row], part], sent.one[: precisions[row], part]
            sending[row] = SentSlices(zero, one)
    return receiving, sending
