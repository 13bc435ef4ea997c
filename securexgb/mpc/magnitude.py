"""Sign and bounded magnitude of a shared number: what a table on [-L, L) is asked with.

x = x0 + x1 has a low part (below the table's step), a middle part (the index) and a high
part, which is 0 or -1 where x is inside. Of the low part only the carry matters, of the
middle part every sum bit, of the high part the sign and whether it is 0 or -1. With h0, h1
the parties' own high parts and c the carry into them, that is h0 + h1 = -c or -c - 1, and each
of the three values 0, -1, -2 of h0 + h1 is an equality of numbers that the parties know.

Negative numbers are mirrored by one's complement, ~x = -x - 1, which is free; the index
outside the range is all ones.
"""

from __future__ import annotations

from itertools import zip_longest

import numpy as np

from securexgb import _kernels
from securexgb.mpc.compare import (
    all_cost,
    all_of,
    depth_of,
    generate,
    not_bits,
    plain_bits,
    signed,
)
from securexgb.mpc.digits import own_slices
from securexgb.mpc.multiply import and_cost, gate_bits, gate_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, words_per

RANGE_BITS = 46
"""Numbers are within [-2^45, 2^45): whatever 10,000 trees with leaves up to 2^11 add up to."""

_TWO_LESS = np.uint64((1 << 64) - 2)

Step = tuple[int, int]
"""The block that ends at the first position takes in the one that ends at the second."""


def _fold(start: int, stop: int) -> list[list[Step]]:
    """A tree whose root, at the last position, is the whole block."""
    ends, levels = list(range(start, stop)), []
    while len(ends) > 1:
        levels.append(list(zip(ends[1::2], ends[::2], strict=False)))
        ends = ends[1::2] + ends[len(ends) & ~1 :]
    return levels


def _prefix(start: int, stop: int) -> list[list[Step]]:
    """Sklansky's network: every position ends up as the block from the start to itself."""
    levels = []
    for level in range(depth_of(stop - start)):
        block = 1 << level
        targets = [i for i in range(stop - start) if i & block]
        levels.append([(start + i, start + (i & -block) - 1) for i in targets])
    return levels


def _network(step_bits: int, index_bits: int) -> list[list[Step]]:
    """All three parts side by side, level by level; the highest bit is left out."""
    middle = step_bits + index_bits
    low, high = _fold(0, step_bits), _fold(middle, RANGE_BITS - 1)
    nothing: list[Step] = []
    parts = zip_longest(low, _prefix(step_bits, middle), high, fillvalue=nothing)
    return [[*a, *b, *c] for a, b, c in parts]


def magnitude_cost(step_bits: int, index_bits: int, count: int) -> Cost:
    """Cost of ``magnitude`` for so many elements."""
    words, high = words_per(count), RANGE_BITS - step_bits - index_bits
    cost = and_cost((RANGE_BITS - 1) * words) + all_cost(high, 2 * words)
    for level in _network(step_bits, index_bits):
        cost += gate_cost(2, len(level) * words)
    return cost + gate_cost(index_bits, words).times(2) + gate_cost(2, 2 * words)


def _ideal(x: Shared, step_bits: int, index_bits: int) -> tuple[SharedBits, SharedBits]:
    values = signed(x.words, RANGE_BITS)
    indices = np.minimum((values ^ (values >> 63)) >> step_bits, (1 << index_bits) - 1)
    slices = _kernels.to_slices(indices.view(np.uint64), index_bits)
    return plain_bits((values < 0).view(np.uint8)), SharedBits(slices, x.size)


@protocol(
    cost=lambda x, step_bits, index_bits: magnitude_cost(step_bits, index_bits, x.size),
    opens="masked bits of the gates, uniform",
    source="docs/training.md; carries as in compare, equality of private numbers by an and tree",
    ideal=_ideal,
)
def magnitude(
    party: Party, x: Shared, step_bits: int, index_bits: int
) -> tuple[SharedBits, SharedBits]:
    """(negative (n,), index (index_bits, n)) of each x (n,), -2^45 <= x < 2^45.

    With m = x or, where x is negative, -x - 1, the index is floor(m / 2^step_bits), at most
    2^index_bits - 1. At least two positions, of 46, lie above the index.
    """
    middle, top = step_bits + index_bits, RANGE_BITS - 1
    slices = own_slices(x.words, RANGE_BITS)
    g = generate(party, slices[:top], x.size).words.copy()
    p = slices[:top].copy()
    for level in _network(step_bits, index_bits):
        into, taken = (list(positions) for positions in zip(*level, strict=True))
        pairs = SharedBits(np.stack([g[taken], p[taken]]), x.size)
        product = gate_bits(party, SharedBits(p[into], x.size), pairs).words
        g[into] ^= product[0]
        p[into] = product[1]
    # The carry out of the low part runs through the middle, c comes out of that.
    carry, inner = SharedBits(g[step_bits - 1], x.size), slice(step_bits, middle)
    g[inner] ^= gate_bits(party, carry, SharedBits(p[inner], x.size)).words
    sums = slices[inner].copy()
    sums[0] ^= carry.words
    sums[1:] ^= g[step_bits : middle - 1]
    c, all_ones = g[middle - 1], p[top - 1]
    equal = _equalities(party, x, middle).words
    gates, behind = [all_ones, c], [[c, equal[0] ^ equal[1]], [slices[top], np.zeros_like(c)]]
    through = gate_bits(
        party, SharedBits(np.array(gates), x.size), SharedBits(np.array(behind), x.size)
    ).words
    negative = slices[top] ^ g[top - 1] ^ through[0, 0]
    inside = SharedBits(through[1, 0] ^ equal[0] ^ through[0, 1], x.size)
    index = gate_bits(party, inside, SharedBits(sums ^ negative, x.size))
    outside = not_bits(party, inside).words
    return SharedBits(negative, x.size), SharedBits(index.words ^ outside, x.size)


def _equalities(party: Party, x: Shared, middle: int) -> SharedBits:
    """Whether the high parts of both summands add up to 0, and to -2: (2, n)."""
    high = x.words.reshape(-1) >> np.uint64(middle)
    zero, two = (high, high) if party.rank == 0 else (np.uint64(0) - high, _TWO_LESS - high)
    width = RANGE_BITS - middle
    differ = np.stack([own_slices(zero, width), own_slices(two, width)], axis=1)
    return all_of(party, not_bits(party, SharedBits(differ, x.size)))
