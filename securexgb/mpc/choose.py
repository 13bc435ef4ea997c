"""Shared words kept or dropped by shared bits: b x.

With b = b0 ^ b1 and x = x0 + x1, for each party's share of x

    b x_i = b_i x_i + b_j (1 - 2 b_i) x_i,

the other party's bit times a word that party i knows: a correlated oblivious transfer from
i to j, in both directions at once. With a random transfer (messages m0, m1; choice c with
m_c) j sends d = b_j ^ c, uniform. The sender puts -m_d as its share of the product and sends
t = (1 - 2 b_i) x_i + m_d - m_{1-d}, masked by whichever of the two messages j lacks; j takes
m_d where b_j = 0, and t + m_{1-d} where b_j = 1. Two rounds.

One transfer in each direction serves all k words of an element: its message is cut into fields
of as many bits as the words count for, 128 together at most.
"""

from __future__ import annotations

import numpy as np

from securexgb.arith.bits import unpack_bits, words_per
from securexgb.correlations.transfers import Transfers
from securexgb.mpc.convert import plain_values
from securexgb.mpc.packed import RingBits, packed_words, swapped
from securexgb.mpc.padding import pack_filled
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.select import fields, message_bits, parts, transfers
from securexgb.mpc.shared import Shared, SharedBits


def choose_cost(elements: int, ring_bits: RingBits = (64,)) -> Cost:
    """Cost of ``choose`` for so many bits, each with words of so many bits."""
    flips, bits = words_per(elements), message_bits(ring_bits)
    sent = flips + packed_words(elements, ring_bits)
    return Cost.alike(2, sent, {Transfers(bits, rank): 64 * flips for rank in (0, 1)})


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
    flipped = unpack_bits(party.exchange(flips), total)
    result = np.empty(x.shape, np.uint64)
    masked = np.empty((len(ring_bits), total), np.uint64)
    # One row after another: at a million columns every further array of all rows counts.
    for row, part in enumerate(parts(rows, columns)):
        zero, one = sender.zero[..., part], sender.one[..., part]
        first = fields(np.where(flipped[part], one, zero), ring_bits)
        second = fields(np.where(flipped[part], zero, one), ring_bits)
        for word, (known, other) in enumerate(zip(first, second, strict=True)):
            mine = x.words[row, word]
            np.negative(known, out=result[row, word])
            masked[word, part] = np.where(own[row], np.negative(mine), mine) + known - other
    del sender
    received = swapped(party, list(masked), total, ring_bits)
    for row, part in enumerate(parts(rows, columns)):
        for word, known in enumerate(fields(receiver.chosen[..., part], ring_bits)):
            kept = np.where(own[row], received[word, part] + x.words[row, word], np.uint64(0))
            result[row, word] += known + kept
    return Shared(result)
