"""Strings of words and bits kept where a shared bit is set: one transfer for all of an element.

``multiplex`` takes a transfer for each word and bit. Where one shared bit b = b0 ^ b1 decides about
many words y and bits s, all of the half of a tree that a row leaves, say, they share it: its
message is stretched to as many masks as there are words. In each direction one party offers its
shares and the other one chooses by its share of b. With a random transfer, m0 and m1 at who offers,
c and m_c at who chooses, G the stretching, and y_i, s_i shares:

    d = b_j ^ c                                       who chooses
    e = (1 - 2 b_i) y_i - (G(m1) - G(m0))             who offers, for each word
    t = s_i ^ G(m0) ^ G(m1)                           and each bit

in one round, both directions at once. As in ``multiplex``, c e + G(m_c) and -G(m0) are shares of
c (1 - 2 b_i) y_i, both turned round where d is set, and what b_i y_i adds is local; c t ^ G(m_c)
and G(m0) are shares of c s_i, to which d s_i is added where it is offered.

G is the identity for one or two words, a message having 128 bits. Of more, words 2k and 2k + 1 have
their masks from H(m ^ k), the same hash that made the messages, under a key that who offers draws
for this round: who lacks a message sees nothing of them. A word's mask is the low bits of 64 and a
bit's the highest of them, so there are at most as many bits as words.
"""

from __future__ import annotations

import numpy as np

from securexgb import _kernels
from securexgb.arith.bits import words_per
from securexgb.correlations.transfers import Transfers
from securexgb.mpc.convert import plain_values
from securexgb.mpc.multiplex import transfers
from securexgb.mpc.packed import packed_words
from securexgb.mpc.padding import fill_up, filling
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, Words

_KEY_WORDS = 2
_MESSAGE_WORDS = 2
"""Of one transfer: more words are stretched from it."""

Kept = tuple[SharedBits, Shared]


def halves_cost(count: int, bits: int, words: int, ring_bits: int) -> Cost:
    """Cost of ``halves`` for so many elements, each with so many bits and words."""
    sent = words_per(count) * (1 + bits) + packed_words(words * count, (ring_bits,))
    kinds = [Transfers(_transfer_bits(words), sender) for sender in (0, 1)]
    elements = 64 * words_per(count)
    return Cost.alike(1, _key_words(words) + sent, dict.fromkeys(kinds, elements))


def _transfer_bits(words: int) -> int:
    return 64 * min(words, _MESSAGE_WORDS)


def _key_words(words: int) -> int:
    return _KEY_WORDS if words > _MESSAGE_WORDS else 0


def _ideal(bit: SharedBits, bits: SharedBits, words: Shared, ring_bits: int) -> Kept:  # noqa: ARG001
    return SharedBits(bits.words & bit.words, bit.count), Shared(words.words * plain_values(bit))


@protocol(
    cost=lambda bit, bits, words, ring_bits: halves_cost(
        bit.count, bits.words.shape[0], words.shape[0], ring_bits
    ),
    opens="b ^ c, and words and bits masked by a message unknown to the receiver, uniform",
    source="correlated OT: Asharov, Lindell, Schneider, Zohner, CCS 2013, section 5, its messages "
    "stretched by a hash",
    ideal=_ideal,
)
def halves(party: Party, bit: SharedBits, bits: SharedBits, words: Shared, ring_bits: int) -> Kept:
    """bit * bits (m, n) and bit * words (k, n), for one bit (n,) an element.

    k is a power of two, m at most k. The words are right modulo 2^ring_bits only, at most 63.
    """
    count, own = bit.count, bit.flags().view(np.uint8)
    offered = np.ascontiguousarray(words.words), np.ascontiguousarray(bits.words), own
    lanes, elements = offered[0].shape[0], count
    receiver, sender = transfers(party, elements, elements, _transfer_bits(lanes))
    key = party.padding.words(_KEY_WORDS)
    message, shares, kept = _kernels.halves_offer(
        *offered, receiver.choices, filling(party, count), _lines(sender.zero), _lines(sender.one),
        key, ring_bits,
    )  # fmt: skip
    # Past the last element a string stands unmasked, and so holds what is random.
    strings = message[words_per(count) :][: offered[1].size].reshape(offered[1].shape)
    fill_up(party, strings, count)
    keys = _key_words(lanes)
    whole = np.concatenate([key[:keys], message]) if keys else message
    came = party.exchange(whole, expect=whole.size)
    theirs = came[:keys] if keys else key
    made, own_bits = _kernels.halves_accept(
        came[keys:], *offered, receiver.choices, _lines(receiver.chosen), theirs, shares, kept,
        ring_bits,
    )  # fmt: skip
    return SharedBits(own_bits, count), Shared(made)


def _lines(message: Words) -> Words:
    """Messages (n,) or (2, n) as lines of words."""
    return message[None] if message.ndim == 1 else message


__all__ = ["Kept", "halves", "halves_cost"]
