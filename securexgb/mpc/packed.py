"""Exchanges of numbers of few bits, dense on the wire."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from securexgb.arith.bits import pack_dense, unpack_dense, words_per
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Words

RingBits = tuple[int, ...]
"""Of several numbers of an element: modulo 2^bits each, 1 to 64 bits."""


def packed_words(count: int, ring_bits: RingBits) -> int:
    """Words on the wire for ``count`` elements with numbers of so many bits."""
    return sum(words_per(count * bits) for bits in ring_bits)


def swapped(party: Party, numbers: Sequence[Words], expect: int, ring_bits: RingBits) -> Words:
    """The other party's numbers (k, expect) for this party's (k, n), modulo 2^bits each."""
    return swapped_with(party, np.zeros(0, np.uint64), 0, numbers, (expect, ring_bits))[1]


def swapped_with(
    party: Party, bits: Words, asked: int, numbers: Sequence[Words], expect: tuple[int, RingBits]
) -> tuple[Words, Words]:
    """The same, and packed bits before the numbers: the other party's ``asked`` words of them."""
    count, ring_bits = expect
    parts = [bits] if bits.size else []
    parts += [pack_dense(x.reshape(-1), width) for x, width in zip(numbers, ring_bits, strict=True)]
    received = party.exchange(
        parts[0] if len(parts) == 1 else np.concatenate(parts),
        expect=asked + packed_words(count, ring_bits),
    )
    del parts
    found, at = np.empty((len(ring_bits), count), np.uint64), asked
    for words, width in zip(found, ring_bits, strict=True):
        size = packed_words(count, (width,))
        words[:] = unpack_dense(received[at : at + size], count, width)
        at += size
    return received[:asked], found
