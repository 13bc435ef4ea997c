"""Weights and scores of sums over rows: T(G) / (H + lambda) and T(G)^2 / (H + lambda).

T is the soft threshold by alpha. Both are exact up to the rounding of the quotient, so that
the gain of a split is tested against gamma as xgboost does.
"""

from __future__ import annotations

import numpy as np

from securexgb.arith.fixedpoint import SUM_BITS, NumberFormat
from securexgb.mpc.compare import all_cost, all_of, at_least, carry_cost, not_bits
from securexgb.mpc.convert import bits_cost, lift_cost, to_arithmetic, to_bits
from securexgb.mpc.divide import DENOMINATOR_BITS, divide, quotient_cost
from securexgb.mpc.multiply import multiply, product_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits, words_per


def weights_cost(rows: int, count: int, numbers: NumberFormat, together: bool) -> Cost:
    """Cost of ``weigh`` for (rows, count) sums."""
    words = words_per(count)
    padded = 64 * words * rows
    total = _threshold_cost(padded, numbers.reg_alpha) + bits_cost(DENOMINATOR_BITS + 1, 2 * padded)
    total += all_cost(rows, words) if together else Cost()
    return total + quotient_cost(padded) + product_cost(padded)


@protocol(
    cost=lambda gradient, hessian, numbers, together: weights_cost(
        gradient.shape[0], gradient.shape[1], numbers, together
    ),
    opens=COMPOSED,
    source="xgboost 3.2: CalcWeight, CalcGain",
    ideal=None,
)
def weigh(
    party: Party, gradient: Shared, hessian: Shared, numbers: NumberFormat, together: bool
) -> tuple[Shared, Shared]:
    """T(G)/(H + lambda) with 19 fraction bits, and T(G)^2/(H + lambda): (k, n) each.

    Both are 0 where H is below ``min_child_weight``; with ``together``, in all k rows of a
    column where one of them is.
    """
    rows, count = hessian.shape
    filling = ((0, 0), (0, -count % 64))
    g, h = (np.pad(values.words, filling) for values in (gradient, hessian))
    width = h.shape[1] // 64
    below = Shared(h) + constant(party, numbers.reg_lambda, h.shape)
    test = Shared(h) - constant(party, numbers.min_child_weight, h.shape)
    bits = to_bits(party, Shared.stack([below, test]), DENOMINATOR_BITS + 1).words
    bits = bits.reshape(-1, 2, rows, width)
    passed = not_bits(party, SharedBits(bits[DENOMINATOR_BITS, 1], h.shape[1]))
    if together:
        valid = all_of(party, passed).words
        passed = SharedBits(np.broadcast_to(valid, passed.words.shape), h.shape[1])
    short = soft_threshold(party, Shared(g.reshape(-1)), numbers.reg_alpha)
    quotients = divide(
        party,
        short,
        below.reshape(-1),
        SharedBits(bits[:DENOMINATOR_BITS, 0].reshape(DENOMINATOR_BITS, -1), h.size),
        SharedBits(np.ascontiguousarray(passed.words).reshape(-1), h.size),
    )
    scores = multiply(party, short, quotients)
    shape = (rows, h.shape[1])
    return quotients.reshape(*shape)[:, :count], scores.reshape(*shape)[:, :count]


def _threshold_cost(count: int, alpha: int) -> Cost:
    if alpha == 0:
        return Cost()
    words = 2 * words_per(count)
    return carry_cost(SUM_BITS + 2, 64 * words) + lift_cost(words) + product_cost(2 * count)


@protocol(
    cost=lambda x, alpha: _threshold_cost(x.size, alpha),
    opens=COMPOSED,
    source="xgboost 3.2: ThresholdL1",
    ideal=None,
)
def soft_threshold(party: Party, x: Shared, alpha: int) -> Shared:
    """T(x) = sign(x) max(|x| - alpha, 0), flat ``x``; |x|, alpha <= 2^SUM_BITS."""
    if alpha == 0:
        return x
    limit = constant(party, alpha, x.shape)
    above, below = x - limit, x + limit
    filling = (0, -x.size % 64)
    tests = Shared(np.stack([np.pad(above.words, filling), np.pad((-below).words, filling)]))
    passed = at_least(party, tests, Shared.zeros(*tests.shape), SUM_BITS + 3)
    flags = to_arithmetic(party, SharedBits(passed.words.reshape(2, -1), x.size))
    kept = multiply(party, flags, Shared.stack([above, below]))
    return kept.sum(axis=0)
