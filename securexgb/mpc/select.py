"""Rows of a shared matrix kept or dropped by private bits of one party.

The owner of a row holds the bits b; the other party, the helper, holds its share y of
the vector. The owner's part of b (x + y), b x, is local. For b y they use one random
oblivious transfer an element: the helper has m0 and m1, the owner a random choice c and
m_c. The owner sends d = b ^ c, uniform. The helper puts r = -m_d as its share of b y and
sends t = y + m_d - m_{1-d}, masked by the message that the owner cannot know when b = 0.
The owner takes m_d = -r where b = 0, and t + m_{1-d} = y - r where b = 1. Two messages,
one bit and one word, or half a word where only 32 bits count. Rows of both owners go together,
in opposite directions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.mpc.padding import pack_filled
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, Words, words_per
from securexgb.offline.correlations import TRANSFERS, Budget, RandomOTReceiver, RandomOTSender

Bits = NDArray[np.bool_]
Owners = NDArray[np.int64]


def _ideal(_owners: Owners, bits: Bits, x: Shared, ring_bits: int = 64) -> Shared:  # noqa: ARG001
    return Shared(x.words * bits.astype(np.uint64))


def transfer_cost(label: int, feature: int, ring_bits: int = 64) -> Cost:
    """Cost of ``select`` for so many elements whose bits each party owns."""
    return Cost(
        rounds=2,
        label_words=words_per(label) + packed_words(feature, ring_bits),
        feature_words=words_per(feature) + packed_words(label, ring_bits),
        correlations=Budget.of(
            {
                TRANSFERS[ring_bits, 0]: 64 * words_per(feature),
                TRANSFERS[ring_bits, 1]: 64 * words_per(label),
            }
        ),
    )


def packed_words(count: int, ring_bits: int) -> int:
    """Words for so many numbers of 64 or 32 bits."""
    return -(-count * ring_bits // 64)


def _cost(owners: Owners, _bits: Bits, x: Shared, ring_bits: int = 64) -> Cost:
    label = int((owners == 0).sum()) * int(x.words.shape[1])
    return transfer_cost(label, x.size - label, ring_bits)


@protocol(
    cost=_cost,
    opens="b ^ c to the helper and y masked by a message unknown to the owner, uniform",
    source="correlated OT: Asharov, Lindell, Schneider, Zohner, CCS 2013, section 5",
    ideal=_ideal,
)
def select(party: Party, owners: Owners, bits: Bits, x: Shared, ring_bits: int = 64) -> Shared:
    """bits * x, rows (v, n): row i's bits are private to party ``owners[i]``.

    ``owners``: public, shape (v,). ``bits``: (v, n), read only in this party's own
    rows. ``x``: shared (v, n). The result is right modulo 2^ring_bits (64, 32) only.
    """
    own, helped = np.flatnonzero(owners == party.rank), np.flatnonzero(owners != party.rank)
    columns = x.words.shape[1]
    count_own, count_helped = own.size * columns, helped.size * columns
    receiver, sender = transfers(party, count_own, count_helped, ring_bits)
    mine = np.ascontiguousarray(bits[own]).reshape(-1)
    flips = pack_filled(party, mine) ^ receiver.choices
    theirs = party.exchange(flips, expect=words_per(count_helped))
    result = np.empty(x.words.shape, np.uint64)
    # One row after another: at a million columns every further array of all rows counts.
    chosen = _kernels.unpack_bits(np.ascontiguousarray(theirs), count_helped).view(np.bool_)
    masked = np.empty(count_helped, np.uint64)
    for row, part in zip(helped, _parts(helped.size, columns), strict=True):
        zero, one = sender.zero[part], sender.one[part]
        first = np.where(chosen[part], one, zero)
        second = np.where(chosen[part], zero, one)
        np.negative(first, out=result[row])
        masked[part] = x.words[row] + first - second
    del sender
    received = swapped(party, masked, count_own, ring_bits)
    for row, part in zip(own, _parts(own.size, columns), strict=True):
        kept = np.where(mine[part], received[part] + x.words[row], np.uint64(0))
        np.add(receiver.chosen[part], kept, out=result[row])
    return Shared(result)


def _parts(rows: int, columns: int) -> list[slice]:
    """Where each of so many rows lies among all their elements."""
    return [slice(row * columns, (row + 1) * columns) for row in range(rows)]


def swapped(party: Party, words: Words, expect: int, ring_bits: int) -> Words:
    """The other party's words for this party's, two of them packed in one where they may be."""
    if ring_bits == 64:
        return party.exchange(words, expect=expect)
    halves = np.zeros(2 * packed_words(words.size, 32), np.uint32)
    halves[: words.size] = words
    received = party.exchange(halves.view(np.uint64), expect=packed_words(expect, 32))
    return received.view(np.uint32)[:expect].astype(np.uint64)


def transfers(
    party: Party, count_own: int, count_helped: int, bits: int = 64
) -> tuple[RandomOTReceiver, RandomOTSender]:
    """This party's ends of the transfers; rank 0's receiving ones are always drawn first.

    Messages are right modulo 2^bits, or have two words where ``bits`` is 128.
    """
    source = party.source
    if party.rank == 0:
        receiver = source.random_ot_receive(count_own, bits)
        return receiver, source.random_ot_send(count_helped, bits)
    sender = source.random_ot_send(count_helped, bits)
    return source.random_ot_receive(count_own, bits), sender
