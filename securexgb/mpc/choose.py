"""Shared words kept or dropped by shared bits: b x.

With b = b0 ^ b1 and x = x0 + x1, for each party's share of x

    b x_i = b_i x_i + b_j (1 - 2 b_i) x_i,

the other party's bit times a word that party i knows: a correlated oblivious transfer from
i to j, in both directions at once. With a random transfer (messages m0, m1; choice c with
m_c) j sends d = b_j ^ c, uniform. The sender puts -m_d as its share of the product and sends
t = (1 - 2 b_i) x_i + m_d - m_{1-d}, masked by whichever of the two messages j lacks; j takes
m_d where b_j = 0, and t + m_{1-d} where b_j = 1. Two rounds.

A message of 64 bits masks one word, or two halves where only 32 bits count; for more words
with the same bit as many more transfers are taken.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import unpack_bits, words_per
from securexgb.correlations.transfers import Transfers
from securexgb.mpc.convert import plain_values
from securexgb.mpc.packed import packed_words, swapped
from securexgb.mpc.padding import pack_filled
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.select import transfers
from securexgb.mpc.shared import Shared, SharedBits, Words

Values = NDArray[np.unsignedinteger[Any]]


def choose_cost(rows: int, count: int, ring_bits: int = 64) -> Cost:
    """Cost of ``choose`` for (rows, count) words."""
    flips = words_per(_messages(rows, ring_bits) * count)
    sent = flips + packed_words(rows * count, (ring_bits,))
    return Cost.alike(2, sent, {Transfers(64, rank): 64 * flips for rank in (0, 1)})


def _messages(rows: int, ring_bits: int) -> int:
    """Transfers for a column of so many words."""
    return packed_words(rows, (ring_bits,))


def _ideal(bits: SharedBits, x: Shared, ring_bits: int = 64) -> Shared:  # noqa: ARG001
    return Shared(plain_values(bits) * x.words)


@protocol(
    cost=lambda bits, x, ring_bits=64: choose_cost(x.shape[0], x.shape[1], ring_bits),
    opens="b ^ c, and words masked by a message unknown to the receiver, uniform",
    source="correlated OT: Asharov, Lindell, Schneider, Zohner, CCS 2013, section 5",
    ideal=_ideal,
)
def choose(party: Party, bits: SharedBits, x: Shared, ring_bits: int = 64) -> Shared:
    """bits * x for bits (n,) and words (k, n), right modulo 2^ring_bits (64, 32)."""
    rows, count = x.shape
    total = _messages(rows, ring_bits) * count
    receiver, sender = transfers(party, total, total)
    own = bits.flags()
    mine = np.tile(own, _messages(rows, ring_bits))
    flips = pack_filled(party, mine) ^ receiver.choices
    d = unpack_bits(party.exchange(flips), total)

    dtype: type[Any] = np.uint32 if ring_bits == 32 else np.uint64

    def rows_of(messages: Words) -> Values:
        pads: Values = messages.view(dtype).reshape(-1, count, 64 // ring_bits)
        return np.moveaxis(pads, 1, 2).reshape(-1, count)[:rows]

    first = rows_of(np.where(d, sender.one, sender.zero))
    second = rows_of(np.where(d, sender.zero, sender.one))
    chosen = rows_of(np.ascontiguousarray(receiver.chosen))
    words: Values = x.words.astype(dtype)
    sent = np.where(own, np.negative(words), words) + first - second
    message = sent.reshape(-1).astype(np.uint64, copy=False)
    (theirs,) = swapped(party, [message], sent.size, (ring_bits,))
    theirs = theirs.astype(dtype).reshape(rows, count)
    kept = np.where(own, words + theirs, 0) + chosen - first
    return Shared(kept.astype(np.uint64))
