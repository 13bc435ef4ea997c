"""Weights of sums over rows, T(G) / (H + lambda), whose products with T(G) are their scores.

T is the soft threshold by alpha. Both are exact up to the rounding of the quotient, so that
the gain of a split is tested against gamma as xgboost does.

A weight ends at 2^11 = L, whatever a rare event's hessians add up to. Where |T(G)| > L (H + lambda)
the quotient +-L / 1 is taken in its place, chosen by a shared bit; T(G) times it is the score. The
bits that the division needs are those of H + lambda, made while the bound is tested, then replaced
by those of 1. The step is left out where public terms say that it never counts: H is at least
min_child_weight where the weight is not 0 anyway.
"""

from __future__ import annotations

from securexgb.arith.bits import words_per
from securexgb.arith.fixedpoint import LEAF_WEIGHT_INTEGER_BITS, SUM_BITS, NumberFormat
from securexgb.mpc.compare import all_cost, all_of, at_least, carry_cost, is_negative, not_bits
from securexgb.mpc.convert import bits_cost, lift_cost, to_arithmetic, to_bits
from securexgb.mpc.multiplex import multiplex_shared, multiplex_shared_cost
from securexgb.mpc.multiply import and_broadcast, gate_cost, multiply, product_cost
from securexgb.mpc.numbers.divide import DENOMINATOR_BITS, divide, quotient_cost
from securexgb.mpc.padding import filled
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant, constant_bits
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.together import together

_MOST = 1 << LEAF_WEIGHT_INTEGER_BITS
_CLIP_WIDTH = SUM_BITS + LEAF_WEIGHT_INTEGER_BITS + 2
_PAIR = (64, 64)
"""The bits of a numerator and of a denominator."""


def weights_cost(rows: int, count: int, numbers: NumberFormat, all_or_none: bool) -> Cost:
    """Cost of ``weigh`` for (rows, count) sums."""
    words = words_per(count)
    padded = 64 * words * rows
    bits = bits_cost(DENOMINATOR_BITS, words * rows)
    total = clip_cost(padded) if needs_clip(numbers) else bits
    total = total.at_once(bits_cost(DENOMINATOR_BITS + 1, words * rows))
    total += _threshold_cost(padded, numbers.reg_alpha)
    total += all_cost(rows, words) if all_or_none else Cost()
    return total + quotient_cost(padded)


@protocol(
    cost=lambda gradient, hessian, numbers, all_or_none: weights_cost(
        gradient.shape[0], gradient.shape[1], numbers, all_or_none
    ),
    opens=COMPOSED,
    source="xgboost 3.2: CalcWeight, CalcGain",
    ideal=None,
)
def weigh(
    party: Party, gradient: Shared, hessian: Shared, numbers: NumberFormat, all_or_none: bool
) -> tuple[Shared, Shared]:
    """T(G)/(H + lambda) with 19 fraction bits, and T(G): (k, n) each.

    The first is within 2^11. It is 0 where H is below ``min_child_weight``; with ``all_or_none``,
    in all k rows of a column where one of them is.
    """
    rows, count = hessian.shape
    g, h = filled(party, gradient), filled(party, hessian)
    below = h + constant(party, numbers.reg_lambda, h.shape)
    test = h - constant(party, numbers.min_child_weight, h.shape)
    short = soft_threshold(party, g.reshape(-1), numbers.reg_alpha)
    fraction = clipped if needs_clip(numbers) else _as_they_are
    (above, below, bits), tested = together(
        party,
        lambda part: fraction(part, short, below.reshape(-1)),
        lambda part: to_bits(part, test, DENOMINATOR_BITS + 1),
    )
    passed = not_bits(party, tested[DENOMINATOR_BITS])
    if all_or_none:
        passed = SharedBits.stack([all_of(party, passed)] * rows)
    quotients = divide(party, above, below, bits, passed.joined())
    return quotients.reshape(*h.shape)[:, :count], short.reshape(*h.shape)[:, :count]


def needs_clip(numbers: NumberFormat) -> bool:
    """Whether a quotient that counts may be beyond 2^11 at all."""
    least = numbers.min_child_weight + numbers.reg_lambda
    return least * _MOST < 1 << (numbers.signed_bits - 1)


def _as_they_are(party: Party, x: Shared, a: Shared) -> tuple[Shared, Shared, SharedBits]:
    """(x, a), flat, and a's bits."""
    return x, a, to_bits(party, a, DENOMINATOR_BITS)


def clip_cost(count: int) -> Cost:
    """Cost of ``clipped`` for so many quotients, whole words of them."""
    tests, words = carry_cost(_CLIP_WIDTH - 1, 2 * count), words_per(count)
    moves = multiplex_shared_cost(2 * count, _PAIR).at_once(gate_cost(DENOMINATOR_BITS, words))
    return tests.at_once(bits_cost(DENOMINATOR_BITS, words)) + moves


@protocol(
    cost=lambda x, a: clip_cost(x.size),
    opens=COMPOSED,
    source="docs/training.md, leaves",
    ideal=None,
)
def clipped(party: Party, x: Shared, a: Shared) -> tuple[Shared, Shared, SharedBits]:
    """(x, a), or (2^11, 1) where x > 2^11 a, (-2^11, 1) where -x > 2^11 a, and the second's bits.

    Flat, (n,) and (30, n), n a multiple of 64; |x| < 2^SUM_BITS, 0 <= a < 2^30.
    """
    limit = a.scale(_MOST)
    gaps_to_limit = Shared.concatenate([limit - x, limit + x])
    beyond, bits = together(
        party,
        lambda part: is_negative(part, gaps_to_limit, _CLIP_WIDTH).cut(2, x.size),
        lambda part: to_bits(part, a, DENOMINATOR_BITS),
    )
    ends = constant(party, [[_MOST], [-_MOST]], (2, x.size))
    gaps = ends - Shared.stack([x, x])
    rest = constant(party, 1, a.shape) - a
    moves = Shared.stack([gaps.reshape(-1), Shared.concatenate([rest, rest])]).reshape(1, 2, -1)
    one = constant_bits(party, True, (1,), x.size)
    changes = SharedBits.concatenate([bits[:1] ^ one, bits[1:]])
    moved, changed = together(
        party,
        lambda part: multiplex_shared(part, SharedBits.stack([beyond.joined()]), moves, _PAIR),
        # An end is passed on one side at most.
        lambda part: and_broadcast(part, beyond.xor_all(), changes),
    )
    both = moved.reshape(2, 2, x.size).sum(axis=1)
    return x + both[0], a + both[1], bits ^ changed


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
