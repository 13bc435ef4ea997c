"""Weights of sums over rows, T(G) / (H + lambda), whose products with T(G) are their scores.

T is the soft threshold by alpha. Both are exact up to the rounding of the quotient, so that
the gain of a split is tested against gamma as xgboost does.

A weight ends at 2^11 = L, whatever a rare event's hessians add up to. Where |T(G)| > L (H + lambda)
the quotient +-L / 1, a public number, is taken in its place: T(G) is put to 0 for the division, and
the number added, each by a shared bit that is found beside the bits of H + lambda. T(G) times the
weight is the score. The step is left out where public terms say that it never counts: H is at least
min_child_weight where the weight is not 0 anyway.

With max_delta_step a weight ends at it, m, in the same way: where |T(G)| > m (H + lambda). The
score is what the weight +-m earns then, 2 m |T(G)| - m^2 (H + lambda), as xgboost has it: what is
missing, m |T(G)| - m^2 (H + lambda), is a sum of products with public numbers, and the same bit
adds it in the same round.
"""

from __future__ import annotations

from dataclasses import dataclass

from securexgb.arith.bits import words_per
from securexgb.arith.fixedpoint import (
    LEAF_WEIGHT_BITS,
    LEAF_WEIGHT_INTEGER_BITS,
    SUM_BITS,
    NumberFormat,
)
from securexgb.mpc.compare import (
    DIGITS,
    Carries,
    all_cost,
    all_of,
    at_least,
    is_negative,
    not_bits,
)
from securexgb.mpc.convert import (
    bits_cost,
    highest_bit,
    highest_cost,
    lift_cost,
    to_arithmetic,
    to_bits,
)
from securexgb.mpc.garbled.carries import GARBLED, marked_bits, marked_bits_cost
from securexgb.mpc.multiplex import multiplex_shared, multiplex_shared_cost
from securexgb.mpc.multiply import and_broadcast, gate_cost, multiply, product_cost
from securexgb.mpc.numbers.divide import (
    DENOMINATOR_BITS,
    divide,
    quotient_by_one,
    quotient_cost,
)
from securexgb.mpc.numbers.truncate import in_time, times_late, times_late_cost
from securexgb.mpc.padding import filled
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.together import together

_MOST = 1 << LEAF_WEIGHT_INTEGER_BITS


@dataclass(frozen=True)
class _End:
    """Where weights end: T(G) 2^shift beyond ``factor`` (H + lambda) has the weight +-``weight``.

    ``width``: bits of what is compared. ``square``: the weight's, with its fraction bits, where
    scores are what a weight that ends earns; else None.
    """

    factor: int
    shift: int
    width: int
    weight: int
    square: int | None

    @staticmethod
    def of(numbers: NumberFormat) -> _End | None:
        """None where public terms say that no weight gets there."""
        step = numbers.max_delta_step
        if step:
            square = step * step + (1 << (LEAF_WEIGHT_BITS - 1)) >> LEAF_WEIGHT_BITS
            return _End(step, LEAF_WEIGHT_BITS, _STEP_WIDTH, step, square)
        if needs_clip(numbers):
            return _End(_MOST, 0, _CLIP_WIDTH, quotient_by_one(_MOST), None)
        return None


_CLIP_WIDTH = SUM_BITS + LEAF_WEIGHT_INTEGER_BITS + 2
_STEP_WIDTH = SUM_BITS + LEAF_WEIGHT_INTEGER_BITS + LEAF_WEIGHT_BITS + 1


def weights_cost(
    rows: int, count: int, numbers: NumberFormat, all_or_none: bool, carries: Carries = DIGITS
) -> Cost:
    """Cost of ``weigh`` for (rows, count) sums."""
    quotients, end = rows * count, _End.of(numbers)
    words = words_per(quotients)
    total = _threshold_cost(quotients, numbers.reg_alpha, carries)
    marks = _marks_cost(quotients, numbers, carries)
    if end:
        marks = marks.at_once(carries.cost(end.width - 1, 2 * quotients))
    total += marks
    kept = all_cost(rows, words_per(count)) if all_or_none else Cost()
    kept += gate_cost(2, words) if end else Cost()
    choice = multiplex_shared_cost(quotients)
    if end:
        choice = choice.at_once(lift_cost(2 * words))
        if end.square is not None:
            choice = choice.at_once(multiplex_shared_cost(2 * quotients))
    kept += choice
    highest = highest_cost(DENOMINATOR_BITS, words) if carries == DIGITS else Cost()
    total += highest.at_once(kept)
    ends = times_late_cost(quotients).at_once(lift_cost(words))
    return total + quotient_cost(quotients, carries) + ends


def _least(numbers: NumberFormat) -> int:
    """Of H + lambda, for a weight to count."""
    return numbers.min_child_weight + numbers.reg_lambda


def _marks_cost(count: int, numbers: NumberFormat, carries: Carries) -> Cost:
    if carries == GARBLED:
        return marked_bits_cost(count, DENOMINATOR_BITS, _least(numbers))
    tests = carries.cost(DENOMINATOR_BITS, count)
    return bits_cost(DENOMINATOR_BITS, words_per(count)).at_once(tests)


@protocol(
    cost=lambda gradient, hessian, numbers, all_or_none, carries=DIGITS: weights_cost(
        gradient.shape[0], gradient.shape[1], numbers, all_or_none, carries
    ),
    opens=COMPOSED,
    source="xgboost 3.2: CalcWeight, CalcGain",
    ideal=None,
)
def weigh(
    party: Party,
    gradient: Shared,
    hessian: Shared,
    numbers: NumberFormat,
    all_or_none: bool,
    carries: Carries = DIGITS,
) -> tuple[Shared, Shared]:
    """T(G)/(H + lambda) with 19 fraction bits, and T(G) times it: (k, n) each.

    The first is within 2^11, or max_delta_step, which the second knows. It is 0 where H is below
    ``min_child_weight``; with ``all_or_none``, in all k rows of a column where one of them is.
    """
    shape, h, end = hessian.shape, hessian.reshape(-1), _End.of(numbers)
    below = h + constant(party, numbers.reg_lambda, h.shape)
    short = soft_threshold(party, gradient.reshape(-1), numbers.reg_alpha, carries)
    (bits, known, passed), beyond = together(
        party,
        lambda part: _denominators(part, h, numbers, carries),
        lambda part: _beyond(part, short, below, end, carries) if end else None,
    )

    def kept(party: Party) -> tuple[Shared, Shared, Shared]:
        counts = _in_all_rows(party, passed, shape[0]) if all_or_none else passed
        if beyond is None or end is None:
            none = Shared.zeros(*h.shape)
            return _chosen(party, counts, short), none, none
        ended = and_broadcast(party, counts, beyond)
        return _kept(party, (short, below), counts ^ ended.xor_all(), ended, end)

    marks, (above, ends, more) = together(
        party, lambda part: highest_bit(part, bits) if known is None else known, kept
    )
    quotient, carry = divide(party, above, below, bits, marks, carries)
    late = quotient + ends, carry
    scores, weights = together(
        party, lambda part: times_late(part, late, short), lambda part: in_time(part, late)
    )
    return weights.reshape(*shape), (scores + more).reshape(*shape)


def _denominators(
    party: Party, h: Shared, numbers: NumberFormat, carries: Carries
) -> tuple[SharedBits, SharedBits | None, SharedBits]:
    """Of H + lambda: its bits, a mark of the highest where that is found as well, and whether H
    reaches min_child_weight."""
    below = h + constant(party, numbers.reg_lambda, h.shape)
    if carries == GARBLED:
        return marked_bits(party, below, DENOMINATOR_BITS, _least(numbers))
    test = h - constant(party, numbers.min_child_weight, h.shape)
    bits, light = together(
        party,
        lambda part: to_bits(part, below, DENOMINATOR_BITS),
        lambda part: is_negative(part, test, DENOMINATOR_BITS + 1, carries),
    )
    return bits, None, not_bits(party, light)


def needs_clip(numbers: NumberFormat) -> bool:
    """Whether a quotient that counts may be beyond 2^11 at all."""
    least = numbers.min_child_weight + numbers.reg_lambda
    return least * _MOST < 1 << (numbers.signed_bits - 1)


def _beyond(party: Party, x: Shared, a: Shared, end: _End, carries: Carries) -> SharedBits:
    """Whether x / a is beyond the end above, and below: (2, n); |x| < 2^SUM_BITS, 0 <= a < 2^30."""
    limit, scaled = a.scale(end.factor), x.scale(1 << end.shift)
    gaps = Shared.concatenate([limit - scaled, limit + scaled])
    return is_negative(party, gaps, end.width, carries).rows(2)


def _in_all_rows(party: Party, passed: SharedBits, rows: int) -> SharedBits:
    """Bits (rows n,): for each row whether a column's bits are set in all rows."""
    return all_of(party, passed.rows(rows)).repeated(rows)


def _kept(
    party: Party, fraction: tuple[Shared, Shared], passed: SharedBits, ended: SharedBits, end: _End
) -> tuple[Shared, Shared, Shared]:
    """Of x / a, (n,): what is divided, x or 0; the quotient where it ends, or 0; what a score
    has more then."""
    x, a = fraction
    # At most one side is beyond.
    above, flags, more = together(
        party,
        lambda part: _chosen(part, passed, x),
        lambda part: to_arithmetic(part, ended),
        lambda part: _earned(part, x, a, ended, end),
    )
    weights = [[end.weight], [-end.weight]]
    return above, flags.scale(weights).sum(axis=0), more


def _earned(party: Party, x: Shared, a: Shared, ended: SharedBits, end: _End) -> Shared:
    """m |x| - m^2 a where x / a ends at +-m, else 0; ``ended``: above, below, (2, n)."""
    if end.square is None:
        return Shared.zeros(*x.shape)
    gain, loss = x.scale(end.weight), a.scale(end.square)
    both = Shared.stack([gain - loss, -gain - loss])[:, None]
    return multiplex_shared(party, ended, both)[:, 0].sum(axis=0)


def _chosen(party: Party, bits: SharedBits, x: Shared) -> Shared:
    return multiplex_shared(party, bits[None], x.reshape(1, 1, -1))[0, 0]


def _threshold_cost(count: int, alpha: int, carries: Carries) -> Cost:
    if alpha == 0:
        return Cost()
    words = 2 * words_per(count)
    tests = 64 * words if carries == DIGITS else 2 * count
    return carries.cost(SUM_BITS + 2, tests) + lift_cost(words) + product_cost(2 * count)


@protocol(
    cost=lambda x, alpha, carries=DIGITS: _threshold_cost(x.size, alpha, carries),
    opens=COMPOSED,
    source="xgboost 3.2: ThresholdL1",
    ideal=None,
)
def soft_threshold(party: Party, x: Shared, alpha: int, carries: Carries = DIGITS) -> Shared:
    """T(x) = sign(x) max(|x| - alpha, 0), flat ``x``; |x|, alpha <= 2^SUM_BITS."""
    if alpha == 0:
        return x
    limit = constant(party, alpha, x.shape)
    above, below = x - limit, x + limit
    tests = Shared.stack([above, -below])
    if carries == DIGITS:  # whole words, which are cut at once
        tests = filled(party, tests)
    passed = at_least(party, tests, Shared.zeros(*tests.shape), SUM_BITS + 3, carries)
    in_rows = passed.cut(2, x.size) if carries == DIGITS else passed.rows(2)
    flags = to_arithmetic(party, in_rows)
    kept = multiply(party, flags, Shared.stack([above, below]))
    return kept.sum(axis=0)
