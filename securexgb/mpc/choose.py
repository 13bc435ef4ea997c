"""Shared words kept or dropped by shared bits: b x.

With b = b0 ^ b1 and x = x0 + x1, for each party's share of x

    b x_i = b_i x_i + b_j (1 - 2 b_i) x_i,

the other party's bit times a word that party i knows, as in ``select``: by a random transfer
from i to j, in both directions at once. Each sends its flips b ^ c as a receiver and
(1 - 2 b_i) x_i - (m1 - m0) as a sender in one message. One round.

One transfer in each direction serves all k words of an element: its message is cut into fields
of as many bits as the words count for, 128 together at most.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import unpack_bits, words_per
from securexgb.correlations.transfers import Transfers
from securexgb.mpc.convert import plain_values
from securexgb.mpc.packed import RingBits, packed_words, swapped_with
from securexgb.mpc.padding import pack_filled
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.select import fields, give, message_bits, offered, parts, take, transfers
from securexgb.mpc.shared import Shared, SharedBits, Words


def choose_cost(elements: int, ring_bits: RingBits = (64,)) -> Cost:
    """Cost of ``choose`` for so many bits, each with words of so many bits."""
    flips, bits = words_per(elements), message_bits(ring_bits)
    sent = flips + packed_words(elements, ring_bits)
    return Cost.alike(1, sent, {Transfers(bits, rank): 64 * flips for rank in (0, 1)})


def _ideal(bits: SharedBits, x: Shared, ring_bits: RingBits = (64,)) -> Shared:  # noqa: ARG001
    return Shared(plain_values(bits)[:, None] * x.words)


@protocol(
    cost=lambda bits, x, ring_bits=(64,): choose_cost(x.shape[0] * x.shape[2], ring_bits),
    opens="b ^ c, and words masked by a message unknown to the receiver, uniform",
    source="correlated OT: Asharov, Lindell, Schneider, Zohner, CCS 2013, section 5",
    ideal=_ideal,
)
def choose(party: Party, bits: SharedBits, x: Shared, ring_bits: RingBits = (64,)) -> Shared:
    """bits * x, for bits (v, n) and words (v, k, n).

    The results are right modulo 2^ring_bits only: one number of bits for each of the k words.
    """
    rows, columns = bits.shape
    total = rows * columns
    receiver, sender = transfers(party, total, total, message_bits(ring_bits))
    own = bits.flags()
    flips = pack_filled(party, own.reshape(-1)) ^ receiver.choices
    result = np.empty(x.shape, np.uint64)
    masked = np.empty((len(ring_bits), total), np.uint64)
    # One row after another: at a million columns every further array of all rows counts.
    for row, part in enumerate(parts(rows, columns)):
        known = _signed(x.words[row], own[row])
        masked[:, part] = offered(sender, part, known, ring_bits, result[row])
    del sender
    asked, received = swapped_with(party, flips, words_per(total), list(masked), (total, ring_bits))
    theirs, choices = (unpack_bits(bits, total) for bits in (asked, receiver.choices))
    for row, part in enumerate(parts(rows, columns)):
        give(result[row], _signed(x.words[row], own[row]), theirs[part])
        result[row] += x.words[row] * own[row]
        for word, known in enumerate(fields(receiver.chosen[..., part], ring_bits)):
            flip = choices[part] ^ own[row]
            result[row, word] += take(known, received[word, part], choices[part], flip)
    return Shared(result)


def _signed(words: Words, bits: NDArray[np.bool_]) -> Words:
    """(1 - 2 b) x, for words (k, n) and bits (n,)."""
    twice = words << np.uint64(1)
    twice *= bits
    return words - twice
