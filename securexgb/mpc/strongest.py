"""Which of a few shared scores are the greatest, in their order, as shared numbers.

The winner among all of them is found by pairs (``argmax.winners``), its score is put to 0, and the
next one is found. Marks are one-hot, so each bit of a winner's number is a sum of marks, and nobody
sends anything for it. Of equal scores the one at the lower position comes first.
"""

from __future__ import annotations

import numpy as np

from securexgb.arith.bits import pack_bits
from securexgb.mpc.argmax import winners, winners_cost
from securexgb.mpc.multiplex import multiplex_shared, multiplex_shared_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits


def number_bits(candidates: int) -> int:
    """Bits of a number of one of so many."""
    return (candidates - 1).bit_length()


def strongest_cost(candidates: int, places: int, score_bits: int, count: int) -> Cost:
    """Cost of ``strongest``."""
    if candidates == 1:
        return Cost()
    removed = multiplex_shared_cost(candidates * places, (score_bits,))
    return winners_cost(candidates, places, score_bits).times(count) + removed.times(count - 1)


@protocol(
    cost=lambda scores, score_bits, count: strongest_cost(
        scores.shape[0], scores.shape[1], score_bits, count
    ),
    opens=COMPOSED,
    source="one winner after the other",
    ideal=None,
)
def strongest(party: Party, scores: Shared, score_bits: int, count: int) -> SharedBits:
    """Numbers of the ``count`` greatest of scores (candidates, n), the greatest first.

    0 < score < 2^(score_bits - 1), shared modulo 2^score_bits; at least as many candidates as are
    wanted. Returns bits (count * number_bits, n), each number's lowest bit first.
    """
    candidates, places = scores.shape
    bits = number_bits(candidates)
    if not bits:
        return SharedBits.zeros(0, count=places)
    numbers = np.empty((count, bits, places), np.bool_)
    has_bit = np.arange(candidates) >> np.arange(bits)[:, None] & 1
    for rank in range(count):
        marks = winners(party, scores, score_bits)
        flags = marks.flags().reshape(candidates, places)
        for bit in range(bits):
            numbers[rank, bit] = np.logical_xor.reduce(flags[has_bit[bit] == 1], axis=0)
        if rank + 1 < count:
            one = SharedBits.stack([marks])
            taken = multiplex_shared(party, one, scores.reshape(1, 1, -1), (score_bits,))
            scores = scores - taken.reshape(candidates, places)
    return SharedBits(pack_bits(numbers.reshape(count * bits, places)), places)
