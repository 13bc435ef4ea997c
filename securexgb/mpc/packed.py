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
    packed = [
        pack_dense(words.reshape(-1), bits) for words, bits in zip(numbers, ring_bits, strict=True)
    ]
    received = party.exchange(
        packed[0] if len(packed) == 1 else np.concatenate(packed),
        expect=packed_words(expect, ring_bits),
    )
    del packed
    found, at = np.empty((len(ring_bits), expect), np.uint64), 0
    for words, bits in zip(found, ring_bits, strict=True):
        size = packed_words(expect, (bits,))
        words[:] = unpack_dense(received[at : at + size], expect, bits)
        at += size
    return found
