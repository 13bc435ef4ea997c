"""Sorting shared integers by a public network of compare-and-exchange steps.

The network (odd-even merge sort) depends on the length alone, so nothing is opened and
the transcript is the same for all inputs: one comparison and one product a layer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import words_per
from securexgb.mpc.compare import carry_cost, is_negative
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.multiply import multiply, product_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared

Positions = NDArray[np.intp]


def network(length: int) -> list[tuple[Positions, Positions]]:
    """Layers of (low, high) positions to compare; ``length`` a power of two.

    Source: Batcher, AFIPS 1968, odd-even merge.
    """
    layers = []
    span = 1
    while span < length:
        step = span
        while step >= 1:
            start = np.arange(step % span, length - step, 2 * step)
            low = (start[:, None] + np.arange(step)[None, :]).reshape(-1)
            low = low[(low + step < length) & (low // (2 * span) == (low + step) // (2 * span))]
            layers.append((low, low + step))
            step //= 2
        span *= 2
    return layers


def _padded_length(count: int) -> int:
    """The power of two that a row of ``count`` keys is filled up to."""
    return 1 << max(count - 1, 0).bit_length()


def sort_cost(rows: int, count: int, width: int) -> Cost:
    """Cost of ``sort_rows``."""
    total = Cost()
    for low, _ in network(_padded_length(count)):
        pairs = rows * low.size
        total += carry_cost(width - 1, pairs) + lift_cost(words_per(pairs)) + product_cost(pairs)
    return total


@protocol(
    cost=lambda keys, width: sort_cost(keys.shape[0], keys.shape[1], width),
    opens=COMPOSED,
    source="odd-even merge sort: Batcher, AFIPS 1968",
    ideal=None,
)
def sort_rows(party: Party, keys: Shared, width: int) -> Shared:
    """Each row of ``keys`` (rows, n) in ascending order; |key| < 2^(width - 2).

    Shorter rows are filled up with the greatest key, which stays behind.
    """
    rows, count = keys.shape
    filler = constant(party, 1 << (width - 2), (rows, _padded_length(count) - count))
    words = np.concatenate([keys.words, filler.words], axis=1)
    for low, high in network(words.shape[1]):
        gap = Shared(words[:, high] - words[:, low])
        swapped = to_arithmetic(party, is_negative(party, gap, width)).reshape(*gap.shape)
        move = multiply(party, swapped, gap).words
        words[:, low] += move
        words[:, high] -= move
    return Shared(words[:, :count])
