"""Shares of a whole in whole per cents, rounded before anything is opened.

Of numbers x_i that add up to t, the per cents of x_i, to the nearest and halves down, are how many
of k = 1, ..., 100 have

    (2 k - 1) t < 200 x_i.

So each is a count of a hundred comparisons. That is more work than a quotient, but it is done once
a model, for a number a column, and it is exact: no rounding of a reciprocal decides a per cent.
All x_i = 0 gives 0, where a quotient would be none.
"""

from __future__ import annotations

import numpy as np

from securexgb.arith.bits import words_per
from securexgb.mpc.compare import carry_cost, is_negative
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared

WHOLE_BITS = 55
"""What the numbers add up to is below 2^WHOLE_BITS."""
_THRESHOLDS = 100


def per_cents_cost(count: int) -> Cost:
    """Cost of ``per_cents`` of so many numbers."""
    comparisons = _THRESHOLDS * count
    return carry_cost(63, comparisons) + lift_cost(words_per(comparisons))


@protocol(
    cost=lambda x: per_cents_cost(x.size),
    opens=COMPOSED,
    source="a comparison with each half per cent",
    ideal=None,
)
def per_cents(party: Party, x: Shared) -> Shared:
    """Whole per cents of each x (n,) of their sum; x >= 0, together below 2^WHOLE_BITS."""
    limits = x.sum().reshape(1, 1).scale(np.arange(1, 2 * _THRESHOLDS, 2)[:, None])
    gaps = limits - x.scale(2 * _THRESHOLDS).reshape(1, -1)
    beyond = to_arithmetic(party, is_negative(party, gaps))
    return beyond.reshape(_THRESHOLDS, -1).sum(axis=0)
