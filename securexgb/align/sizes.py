"""Sizes of everything in an intersection, from both sides' numbers of keys alone.

What is sent must not say more of a side's keys than how many there are. So all sizes are computed
here, from public numbers, with integers alone: both sides come to the same ones on any machine.
docs/alignment.md derives the numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BUCKET = 1 << 20
"""Keys that are worked on at a time, on average, of the side that has more."""
BAND = 128
"""Bits of a row of the encoding, and columns beyond 1.2 times its keys."""
OUTPUT_BITS = 40
"""Of what stands for a key, beyond the logarithms of both lists' sizes: 2^-40 that any two keys
that differ look alike."""
_TAIL = 36
"""A bucket is fuller than its bound with probability e^-36 at most."""

Sizes = tuple[int, int]
"""Keys of the label party and of the feature party."""


def receiver(sizes: Sizes) -> int:
    """The rank of who encodes and finds the matches: the side with fewer keys, label if equal."""
    return 0 if sizes[0] <= sizes[1] else 1


def buckets(sizes: Sizes) -> int:
    """Parts that are worked on one after the other."""
    return max(1, -(-max(sizes) // BUCKET))


def bound(keys: int, parts: int) -> int:
    """The most keys of a side in a bucket (Bernstein's inequality), or all where there is one."""
    mean, third = -(-keys // parts), _TAIL // 3
    spread = math.isqrt(2 * _TAIL * mean + third**2) + 1 + third
    return min(keys, mean + spread)


def columns(keys: int) -> int:
    """Elements of the encoding of so many keys."""
    return -(-6 * keys // 5) + BAND


@dataclass(frozen=True)
class Bucket:
    """What is sent for one bucket. ``own``: keys of the receiver, ``theirs``: of the sender, at
    most; outputs have ``bits`` bits.
    """

    own: int
    theirs: int
    bits: int

    @property
    def columns(self) -> int:
        """Elements of the encoding."""
        return columns(self.own)

    @property
    def words(self) -> int:
        """Of the answer: a bit for each of the sender's keys."""
        return -(-self.theirs // 64)


def bucket(sizes: Sizes) -> Bucket:
    """All buckets of an intersection have the same sizes."""
    parts = buckets(sizes)
    own, theirs = (bound(keys, parts) for keys in (min(sizes), max(sizes)))
    logs = sum((count - 1).bit_length() for count in (own, theirs, parts) if count)
    return Bucket(own, theirs, OUTPUT_BITS + logs)
