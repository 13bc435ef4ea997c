"""Words kept or dropped by bits: by private bits of one party, or by shared ones.

A bit b of one party, the owner, times a word y of the other one takes a random oblivious transfer:
the other party has m0 and m1, the owner a random choice c and m_c. Two messages go at once. The
owner sends d = b ^ c, uniform since c is. The other party sends e = y - (m1 - m0), masked by the
one of the two that the owner lacks. Then

    c e + m_c = c y + m0

whatever c is, so that the owner has one share of c y, and the other party another, -m0. Where
d = 0, b is c and these are the shares of b y. Where d = 1, b y = y - c y: both change the sign, and
the other party adds y. One round, one bit and the words' bits.

*Private bits* (``multiplex_private``) of a shared word x + y, x at the owner: b x is local, b y is
this product. Rows of both owners go together, in opposite directions.

*Shared bits* (``multiplex_shared``), b = b0 ^ b1: for each party's share x_i of x

    b x_i = b_i x_i + b_j (1 - 2 b_i) x_i,

this product with the other party's bit, in both directions at once.

One transfer serves all k words of an element: its message is cut into fields of as many bits as
the words count for, 128 together at most. No branch is on a bit: words are multiplied by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.arith.bits import words_per
from securexgb.correlations.counting import Budget
from securexgb.correlations.source import take_ends
from securexgb.correlations.transfers import (
    ReceivedTransfers,
    SentTransfers,
    Transfers,
    transfer_bits,
)
from securexgb.errors import UsageError
from securexgb.mpc.convert import plain_values
from securexgb.mpc.packed import RingBits, packed_words, swapped_with
from securexgb.mpc.padding import filling, pack_filled
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, Words

Bits = NDArray[np.bool_]
Owners = NDArray[np.int64]
_SHORT = 1 << 10
"""Rows of so few elements are worked on together: of many short ones each would cost as much."""
Both = tuple[Shared, Shared]


def multiplex_private_cost(label: int, feature: int, ring_bits: RingBits) -> Cost:
    """Cost of ``multiplex_private`` for so many elements whose bits each party owns."""
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


def multiplex_shared_cost(elements: int, ring_bits: RingBits = (64,)) -> Cost:
    """Cost of ``multiplex_shared`` for so many bits, each with words of so many bits."""
    return multiplex_private_cost(elements, elements, ring_bits)


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


def _private_cost(owners: Owners, _bits: Bits, x: Shared, ring_bits: RingBits) -> Cost:
    label = int((owners == 0).sum()) * x.shape[2]
    return multiplex_private_cost(label, x.shape[0] * x.shape[2] - label, ring_bits)


def _private_ideal(_owners: Owners, bits: Bits, x: Shared, ring_bits: RingBits) -> Shared:  # noqa: ARG001
    return Shared(x.words * bits[:, None].astype(np.uint64))


@protocol(
    cost=_private_cost,
    opens="b ^ c to the helper and y masked by a message unknown to the owner, uniform",
    source="correlated OT: Asharov, Lindell, Schneider, Zohner, CCS 2013, section 5",
    ideal=_private_ideal,
)
def multiplex_private(
    party: Party, owners: Owners, bits: Bits, x: Shared, ring_bits: RingBits
) -> Shared:
    """bits * x, rows (v, k, n): row i's bits are private to party ``owners[i]``.

    ``owners``: public, shape (v,). ``bits``: (v, n), read only in this party's own
    rows. ``x``: shared (v, k, n), the k words of an element together. The results are right modulo
    2^ring_bits only: one number of bits for each of the k words.
    """
    own, helped = np.flatnonzero(owners == party.rank), np.flatnonzero(owners != party.rank)
    result = np.empty(x.shape, np.uint64)
    for row in own:
        np.multiply(x.words[row], bits[row], out=result[row])
    _add_products(
        party,
        np.ascontiguousarray(bits[own]),
        [result[row] for row in own],
        lambda number: x.words[helped[number]],
        [result[row] for row in helped],
        ring_bits,
    )
    return Shared(result)


def _apart_ideal(bits: tuple[Bits, Bits], x: tuple[Shared, Shared], ring_bits: int) -> Both:  # noqa: ARG001
    first, second = (
        Shared(words.words * flags.astype(np.uint64)) for flags, words in zip(bits, x, strict=True)
    )
    return first, second


@protocol(
    cost=lambda bits, x, ring_bits: multiplex_private_cost(x[0].size, x[1].size, (ring_bits,)),
    opens="b ^ c to the helper and y masked by a message unknown to the owner, uniform",
    source="correlated OT: Asharov, Lindell, Schneider, Zohner, CCS 2013, section 5",
    ideal=_apart_ideal,
)
def multiplex_apart(
    party: Party, bits: tuple[Bits, Bits], x: tuple[Shared, Shared], ring_bits: int
) -> Both:
    """bits * x of each party's private bits, as many as it has: (n,) and (m,), in one round.

    ``bits``: the label party's (n,) and the feature party's (m,), read at their owner only; ``x``:
    shared words (n,) and (m,). The results are right modulo 2^ring_bits only.
    """
    own, helped = party.rank, 1 - party.rank
    flags, kept, offered = np.ascontiguousarray(bits[own]), x[own].words, x[helped].words
    count, asked = flags.size, offered.size
    receiver, sender = transfers(party, count, asked, message_bits((ring_bits,)))
    message, share = _kernels.multiplex_apart_send(
        flags.view(np.uint8), receiver.choices, filling(party, count), offered,
        sender.zero, sender.one, ring_bits,
    )  # fmt: skip
    came = party.exchange(message, words_per(asked) + packed_words(count, (ring_bits,)))
    products = _kernels.multiplex_apart_take(
        came, flags.view(np.uint8), receiver.choices, receiver.chosen, kept, offered, share,
        ring_bits,
    )  # fmt: skip
    first, second = products[:: 1 - 2 * own]
    return Shared(first), Shared(second)


def _shared_ideal(bits: SharedBits, x: Shared, ring_bits: RingBits = (64,)) -> Shared:  # noqa: ARG001
    return Shared(plain_values(bits)[:, None] * x.words)


@protocol(
    cost=lambda bits, x, ring_bits=(64,): multiplex_shared_cost(x.shape[0] * x.shape[2], ring_bits),
    opens="b ^ c, and words masked by a message unknown to the receiver, uniform",
    source="correlated OT: Asharov, Lindell, Schneider, Zohner, CCS 2013, section 5",
    ideal=_shared_ideal,
)
def multiplex_shared(
    party: Party, bits: SharedBits, x: Shared, ring_bits: RingBits = (64,)
) -> Shared:
    """bits * x, for bits (v, n) and words (v, k, n).

    The results are right modulo 2^ring_bits only: one number of bits for each of the k words.
    """
    own, values = bits.flags(), x.words
    is_short = x.shape[1] == 1 and x.shape[2] <= _SHORT
    if is_short:  # what is sent is the same
        own = np.ascontiguousarray(own).reshape(1, -1)
        values = values.reshape(1, 1, -1)
    result = np.empty(values.shape, np.uint64)

    def signed(row: int) -> Words:
        words: Words = values[row]
        signs: Words = np.uint64(1) - (own[row].astype(np.uint64) << np.uint64(1))
        return words * signs

    offered = [signed(0)].__getitem__ if is_short else signed  # asked for twice
    _add_products(party, own, list(result), offered, list(result), ring_bits)
    for kept, words, flags in zip(result, values, own, strict=True):
        kept += words * flags
    return Shared(result.reshape(x.shape))


def both_set_cost(count: int) -> Cost:
    """Cost of ``both_set`` for so many pairs of bits."""
    return multiplex_private_cost(3 * count, 0, (64,))


def both_set(party: Party, x: SharedBits, y: SharedBits) -> Shared:
    """1 where both bits (n,) are set, else 0: a word, in one round.

    With x = a + b - 2 a b and y alike, a's private to the label party and b's to the other one, the
    product is a sum of three products of its bits a, a' and a a' with words of the other one, and
    what that one knows alone.
    """
    own = np.stack([x.flags(), y.flags()])
    bits = np.stack([*own, own[0] & own[1]]) & (party.rank == 0)
    b, other = own.astype(np.uint64) * np.uint64(party.rank)
    joint = b * other
    two, four = np.uint64(2), np.uint64(4)
    both = (b + other) * two
    one = np.uint64(party.rank)
    words = np.stack([other - two * joint, b - two * joint, one + four * joint - both])
    owners = np.zeros(3, np.int64)
    products = multiplex_private(party, owners, bits, Shared(words[:, None]), (64,))
    return products[:, 0].sum(axis=0) + Shared(joint)


def _add_products(
    party: Party,
    bits: Bits,
    kept: Sequence[Words],
    offered: Callable[[int], Words],
    given: Sequence[Words],
    ring_bits: RingBits,
) -> None:
    """Shares of own private bits times the other party's words, and the reverse, at once.

    ``bits``: own ones (rows, n); their products are added to ``kept``, (k, n) for each row.
    ``offered``: this party's words (k, n) for the other party's row of such a number; ``given``
    become the shares of their products, (k, n) each. The two may be the same arrays, or of other
    numbers of elements.
    """
    columns, theirs_columns = bits.shape[1], given[0].shape[1] if given else 0
    asked, count = len(given) * theirs_columns, len(kept) * columns
    receiver, sender = transfers(party, count, asked, message_bits(ring_bits))
    flips = pack_filled(party, bits.reshape(-1)) ^ receiver.choices
    # One row after another: at a million columns every further array of all rows counts.
    masked = np.empty((len(ring_bits), asked), np.uint64)
    for number, share in enumerate(given):
        part = slice(number * theirs_columns, (number + 1) * theirs_columns)
        words = offered(number)
        ends = (_limbs(m[..., part], ring_bits) for m in (sender.zero, sender.one))
        for word, ((zero, shift), (one, _)) in enumerate(zip(*ends, strict=True)):
            y = np.ascontiguousarray(words[word])
            _kernels.multiplex_send(y, zero, one, shift, share[word], masked[word, part])
    del sender
    theirs, received = swapped_with(
        party, flips, words_per(asked), list(masked), (count, ring_bits)
    )
    del masked
    flips = _kernels.unpack_bits(theirs, asked)
    choices = _kernels.unpack_bits(receiver.choices, count)
    for number, share in enumerate(given):
        part = slice(number * theirs_columns, (number + 1) * theirs_columns)
        words = offered(number)
        for word, y in zip(share, words, strict=True):
            _kernels.multiplex_give(np.ascontiguousarray(y), flips[part], word)
    for number, (share, own) in enumerate(zip(kept, bits.view(np.uint8), strict=True)):
        part = slice(number * columns, (number + 1) * columns)
        fields = _limbs(receiver.chosen[..., part], ring_bits)
        for word, (known, shift) in enumerate(fields):
            came = received[word, part]
            _kernels.multiplex_take(known, shift, came, choices[part], own, share[word])


def _limbs(message: Words, ring_bits: RingBits) -> list[tuple[Words, int]]:
    """The fields of messages (n,) or (2, n): the words (n,) of each, and its lowest bit there."""
    limbs = message[None] if message.ndim == 1 else message
    return [(limbs[limb], at) for limb, at in _places(ring_bits)]


def transfers(
    party: Party, count_own: int, count_helped: int, bits: int = 64
) -> tuple[ReceivedTransfers, SentTransfers]:
    """This party's ends of the transfers; rank 0's receiving ones are always drawn first.

    Messages are right modulo 2^bits, or have two words where ``bits`` is 128.
    """
    kinds = Transfers(bits, 1), Transfers(bits, 0)
    sender, receiver = take_ends(party.source, party.rank, kinds, count_helped, count_own)
    return receiver, sender
