"""Rows of shared words kept or dropped by private bits of one party.

The owner of a row holds the bits b; the other party, the helper, holds its share y of
the words that a bit is for. The owner's part of b (x + y), b x, is local. For b y they use one
random oblivious transfer an element: the helper has m0 and m1, the owner a random choice c and
m_c. Two messages go at once. The owner sends d = b ^ c, uniform since c is. The helper sends
e = y - (m1 - m0), masked by the one of the two that the owner lacks. Then

    c e + m_c = c y + m0

whatever c is, so that the owner has one share of c y, and the helper another, -m0. Where d = 0,
b is c and these are the shares of b y. Where d = 1, b y = y - c y: both change the sign, and the
helper adds y. One round, one bit and the words' bits. Rows of both owners go together, in
opposite directions.

One transfer serves all k words of an element: its message is cut into fields of as many bits as
the words count for, 128 together at most.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import unpack_bits, words_per
from securexgb.correlations.counting import Budget
from securexgb.correlations.source import take_ends
from securexgb.correlations.transfers import (
    ReceivedTransfers,
    SentTransfers,
    Transfers,
    transfer_bits,
)
from securexgb.errors import UsageError
from securexgb.mpc.packed import RingBits, packed_words, swapped_with
from securexgb.mpc.padding import pack_filled
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, Words

Bits = NDArray[np.bool_]
Factors = NDArray[np.bool_] | Words
"""Bits singly, 0 or 1: what is kept or dropped by one is multiplied by it; no branch is on it."""
Owners = NDArray[np.int64]


def _ideal(_owners: Owners, bits: Bits, x: Shared, ring_bits: RingBits) -> Shared:  # noqa: ARG001
    return Shared(x.words * bits[:, None].astype(np.uint64))


def transfer_cost(label: int, feature: int, ring_bits: RingBits) -> Cost:
    """Cost of ``select`` for so many elements whose bits each party owns."""
    bits = message_bits(ring_bits)
    return Cost(
        rounds=1,
        label_words=words_per(label) + packed_words(feature, ring_bits),
        feature_words=words_per(feature) + packed_words(label, ring_bits),
        correlations=Budget(
            {
                Transfers(bits, 0): 64 * words_per(feature),
                Transfers(bits, 1): 64 * words_per(label),
            }
        ),
    )


def message_bits(ring_bits: RingBits) -> int:
    """Bits of the transfers that serve words of so many bits."""
    limbs = 1 + max(limb for limb, _ in _places(ring_bits))
    return transfer_bits(sum(ring_bits)) if limbs == 1 else 64 * limbs


def _places(ring_bits: RingBits) -> list[tuple[int, int]]:
    """The word of a message that each field lies in, and its lowest bit there."""
    places, limb, at = [], 0, 0
    for bits in ring_bits:
        if at + bits > 64:
            limb, at = limb + 1, 0
        places.append((limb, at))
        at += bits
    if limb > 1:
        raise UsageError(f"one transfer of 128 bits does not serve words of {ring_bits} bits")
    return places


def fields(message: Words, ring_bits: RingBits) -> list[Words]:
    """The fields of messages (n,) or (2, n): (n,) each, with rubbish above their bits."""
    limbs = message.reshape(-1, message.shape[-1])
    return [limbs[limb] >> np.uint64(at) for limb, at in _places(ring_bits)]


def _cost(owners: Owners, _bits: Bits, x: Shared, ring_bits: RingBits) -> Cost:
    label = int((owners == 0).sum()) * x.shape[2]
    return transfer_cost(label, x.shape[0] * x.shape[2] - label, ring_bits)


@protocol(
    cost=_cost,
    opens="b ^ c to the helper and y masked by a message unknown to the owner, uniform",
    source="correlated OT: Asharov, Lindell, Schneider, Zohner, CCS 2013, section 5",
    ideal=_ideal,
)
def select(party: Party, owners: Owners, bits: Bits, x: Shared, ring_bits: RingBits) -> Shared:
    """bits * x, rows (v, k, n): row i's bits are private to party ``owners[i]``.

    ``owners``: public, shape (v,). ``bits``: (v, n), read only in this party's own
    rows. ``x``: shared (v, k, n), the k words of an element together. The results are right modulo
    2^ring_bits only: one number of bits for each of the k words.
    """
    own, helped = np.flatnonzero(owners == party.rank), np.flatnonzero(owners != party.rank)
    columns = x.shape[2]
    count_own, count_helped = own.size * columns, helped.size * columns
    receiver, sender = transfers(party, count_own, count_helped, message_bits(ring_bits))
    mine = np.ascontiguousarray(bits[own]).reshape(-1)
    flips = pack_filled(party, mine) ^ receiver.choices
    result = np.empty(x.words.shape, np.uint64)
    # One row after another: at a million columns every further array of all rows counts.
    masked = np.empty((len(ring_bits), count_helped), np.uint64)
    for row, part in zip(helped, parts(helped.size, columns), strict=True):
        masked[:, part] = offered(sender, part, x.words[row], ring_bits, result[row])
    del sender
    asked, received = swapped_with(
        party, flips, words_per(count_helped), list(masked), (count_own, ring_bits)
    )
    theirs, choices = unpack_bits(asked, count_helped), unpack_bits(receiver.choices, count_own)
    for row, part in zip(helped, parts(helped.size, columns), strict=True):
        give(result[row], x.words[row], theirs[part])
    for row, part in zip(own, parts(own.size, columns), strict=True):
        np.multiply(x.words[row], mine[part], out=result[row])
        for word, known in enumerate(fields(receiver.chosen[..., part], ring_bits)):
            flip = choices[part] ^ mine[part]
            result[row, word] += take(known, received[word, part], choices[part], flip)
    return Shared(result)


def offered(
    sender: SentTransfers, part: slice, y: Words, ring_bits: RingBits, share: Words
) -> Words:
    """What the sender of some transfers sends for its words (k, n): y - (m1 - m0).

    ``share``: (k, n), becomes its share of c y, -m0.
    """
    sent = np.empty_like(share)
    both = zip(*(fields(m[..., part], ring_bits) for m in (sender.zero, sender.one)), strict=True)
    for word, (zero, one) in enumerate(both):
        np.negative(zero, out=share[word])
        np.subtract(y[word], one, out=sent[word])
        sent[word] += zero
    return sent


def give(share: Words, y: Words, flips: Factors) -> None:
    """Make the sender's share of c y that of b y, in place: y - c y where b ^ c is set."""
    rest = y - share
    rest -= share
    rest *= flips
    share += rest


def take(known: Words, received: Words, choices: Factors, flips: Factors) -> Words:
    """The receiver's share of b y, from m_c and what the sender sent; flips are b ^ c."""
    share = received * choices
    share += known
    twice = share << np.uint64(1)
    twice *= flips
    share -= twice
    return share


def parts(rows: int, columns: int) -> list[slice]:
    """Where each of so many rows lies among all their elements."""
    return [slice(row * columns, (row + 1) * columns) for row in range(rows)]


def transfers(
    party: Party, count_own: int, count_helped: int, bits: int = 64
) -> tuple[ReceivedTransfers, SentTransfers]:
    """This party's ends of the transfers; rank 0's receiving ones are always drawn first.

    Messages are right modulo 2^bits, or have two words where ``bits`` is 128.
    """
    kinds = Transfers(bits, 1), Transfers(bits, 0)
    sender, receiver = take_ends(party.source, party.rank, kinds, count_helped, count_own)
    return receiver, sender
