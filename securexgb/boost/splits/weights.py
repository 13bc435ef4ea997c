"""Weights of sums over rows, T(G) / (H + lambda), whose products with T(G) are their scores.

T is the soft threshold by alpha. Both are exact up to the rounding of the quotient, so that
the gain of a split is tested against gamma as xgboost does.

A weight ends at 2^11 = L, whatever a rare event's hessians add up to. Where |T(G)| > L (H + lambda)
the quotient +-L / 1 is taken in its place, chosen by a shared bit; T(G) times it is the score. The
step is left out where public terms say that it never counts: H is at least min_child_weight
where the weight is not 0 anyway.
"""

from __future__ import annotations

from securexgb.arith.bits import words_per
from securexgb.arith.fixedpoint import LEAF_WEIGHT_INTEGER_BITS, SUM_BITS, NumberFormat
from securexgb.mpc.choose import choose, choose_cost
from securexgb.mpc.compare import all_cost, all_of, at_least, carry_cost, is_negative, not_bits
from securexgb.mpc.convert import bits_cost, lift_cost, to_arithmetic, to_bits
from securexgb.mpc.multiply import multiply, product_cost
from securexgb.mpc.numbers.divide import DENOMINATOR_BITS, divide, quotient_cost
from securexgb.mpc.padding import filled
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits

_MOST = 1 << LEAF_WEIGHT_INTEGER_BITS
_CLIP_WIDTH = SUM_BITS + LEAF_WEIGHT_INTEGER_BITS + 2
_PAIR = (64, 64)
"""The bits of a numerator and of a denominator."""


def weights_cost(rows: int, count: int, numbers: NumberFormat, together: bool) -> Cost:
    """Cost of ``weigh`` for (rows, count) sums."""
    words = words_per(count)
    padded = 64 * words * rows
    total = _threshold_cost(padded, numbers.reg_alpha)
    total += bits_cost(DENOMINATOR_BITS + 1, 2 * words * rows)
    total += clip_cost(padded) if needs_clip(numbers) else Cost()
    total += all_cost(rows, words) if together else Cost()
    return total + quotient_cost(padded)


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
    """T(G)/(H + lambda) with 19 fraction bits, and T(G): (k, n) each.

    The first is within 2^11. It is 0 where H is below ``min_child_weight``; with ``together``, in
    all k rows of a column where one of them is.
    """
    rows, count = hessian.shape
    g, h = filled(party, gradient), filled(party, hessian)
    below = h + constant(party, numbers.reg_lambda, h.shape)
    test = h - constant(party, numbers.min_child_weight, h.shape)
    short = soft_threshold(party, g.reshape(-1), numbers.reg_alpha)
    above, below = short, below.reshape(-1)
    if needs_clip(numbers):
        above, below = clipped(party, above, below)
    tested = Shared.stack([below.reshape(*h.shape), test])
    bits = to_bits(party, tested, DENOMINATOR_BITS + 1)
    passed = not_bits(party, bits[DENOMINATOR_BITS, 1])
    if together:
        passed = SharedBits.stack([all_of(party, passed)] * rows)
    quotients = divide(party, above, below, bits[:DENOMINATOR_BITS, 0].joined(), passed.joined())
    return quotients.reshape(*h.shape)[:, :count], short.reshape(*h.shape)[:, :count]


def needs_clip(numbers: NumberFormat) -> bool:
    """Whether a quotient that counts may be beyond 2^11 at all."""
    least = numbers.min_child_weight + numbers.reg_lambda
    return least * _MOST < 1 << (numbers.low_bits - 1)


def clip_cost(count: int) -> Cost:
    """Cost of ``clipped`` for so many quotients."""
    return carry_cost(_CLIP_WIDTH - 1, 2 * count) + choose_cost(2 * count, _PAIR)


@protocol(
    cost=lambda x, a: clip_cost(x.size),
    opens=COMPOSED,
    source="docs/training.md, leaves",
    ideal=None,
)
def clipped(party: Party, x: Shared, a: Shared) -> tuple[Shared, Shared]:
    """(x, a), or (2^11, 1) where x > 2^11 a, (-2^11, 1) where -x > 2^11 a: flat, a >= 0.

    |x|, a < 2^SUM_BITS.
    """
    limit = a.scale(_MOST)
    beyond = is_negative(party, Shared.concatenate([limit - x, limit + x]), _CLIP_WIDTH)
    ends = constant(party, [[_MOST], [-_MOST]], (2, x.size))
    gaps = ends - Shared.stack([x, x])
    rest = constant(party, 1, a.shape) - a
    moves = Shared.stack([gaps.reshape(-1), Shared.concatenate([rest, rest])])
    moved = choose(party, SharedBits.stack([beyond]), moves.reshape(1, 2, -1), _PAIR)
    both = moved.reshape(2, 2, x.size).sum(axis=1)
    return x + both[0], a + both[1]


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
    tests = filled(party, Shared.stack([above, -below]))
    passed = at_least(party, tests, Shared.zeros(*tests.shape), SUM_BITS + 3)
    flags = to_arithmetic(party, passed.cut(2, x.size))
    kept = multiply(party, flags, Shared.stack([above, below]))
    return kept.sum(axis=0)
