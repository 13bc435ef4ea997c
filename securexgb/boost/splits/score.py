"""Scores by which the candidates of a node are ranked.

With H' = H + lambda at each child and D = G_L H_R' - G_R H_L', the children's T(G)^2 / H' add
up, where alpha is 0, to

    G_L^2 / H_L' + G_R^2 / H_R' = G^2 / (H + 2 lambda) + D^2 / (H_L' H_R' (H + 2 lambda)),

so what ranks them within a node is D^2 / (H_L' H_R'), without the difference of nearly equal
numbers in which a gain loses its digits. The score is its logarithm, 2 log2 |D| - log2 H_L' -
log2 H_R' in units of 2^-15 (``numbers.logarithm``). Its relative error: D and each H' are cut to
15 significant bits, which moves D^2 and H_L' H_R' by less than 2^-13 each; each of the four
logarithms is off by less than 2^-14.1 (2 log2 |D| counts twice), together 2^-12.1 up or down.
Two candidates are ranked right where their D^2 / (H_L' H_R') differ by a factor of more than
1 + 2^-13 + 2^-13 + 2 ln 2 2^-12.1, which is below 1 + 2^-10.8. Candidates with the same G_L and
H_L have the same score.

|D| is taken as one's complement, D xor sign: of a negative D it is one unit, 2^(-2 gradient_bits),
too small. That is far below every gain that is not noise. But for a D with few significant bits
it shows in the mantissa, and two candidates that part the rows alike, left for right, would not
tie. Within a column such are the two directions of the missing values (where one bin is all
that is left besides), so D is always taken of the child without them. Of two columns that
mirror each other either may win.

The bits below which no leading one is searched are public. Valid H' are at least mu =
min_child_weight + lambda; and a D so small that D^2 / (2 mu^3) is below the least gain of a split,
10^-6, counts as zero.

D = G_L (H + 2 lambda) - G H_L' takes two products. Where alpha or max_delta_step is not 0 there is
no such form: every candidate takes two divisions, of which each side's weight and what it earns
come (``boost.splits.weights``), and their sum is the score. docs/training.md says what that costs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import words_per
from securexgb.arith.fixedpoint import LEAF_WEIGHT_BITS, LEAF_WEIGHT_INTEGER_BITS, NumberFormat
from securexgb.boost.splits.weights import weigh, weights_cost
from securexgb.correlations.prices import Prices
from securexgb.mpc.circuits.chains import Preparation, Wanted, masks_cost
from securexgb.mpc.compare import all_cost, all_of, carry_cost, is_negative, not_bits
from securexgb.mpc.convert import bits_cost, to_bits
from securexgb.mpc.multiplex import multiplex_shared, multiplex_shared_cost
from securexgb.mpc.numbers.bound import reaches, reaches_cost
from securexgb.mpc.numbers.lift import Number, lift_numbers, numbers_cost
from securexgb.mpc.numbers.logarithm import (
    MANTISSA_BITS,
    Normalised,
    log2_bits,
    log2_cost,
    log2_weights,
    normal_cost,
    normal_masks,
    normalised,
)
from securexgb.mpc.numbers.scale import row_products, row_products_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant, share_bits
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.together import together

_QUOTIENT_SCORE_BITS = 63
_GAP_BITS = LEAF_WEIGHT_INTEGER_BITS + LEAF_WEIGHT_BITS + 3


@dataclass(frozen=True)
class ChildSums:
    """Sums of one child per candidate (nodes, c), and the nodes' own (nodes,).

    The child is the one without the missing values, be it left or right; all that is said here
    of G_L and H_L may as well be said of it. ``rises``: public, (c,): 1 where this child must not
    weigh more than the other one (as -G / H'), so that D must not be negative, -1 where it must not
    weigh less, 0 where it may; None where no candidate must.
    """

    child_gradient: Shared
    child_hessian: Shared
    gradient: Shared
    hessian: Shared
    rises: NDArray[np.int64] | None = field(default=None, repr=False)


def score_bits(numbers: NumberFormat) -> int:
    """0 <= score < 2^(score_bits - 1)."""
    return _QUOTIENT_SCORE_BITS if numbers.ranks_by_weights else _number(numbers).width + 1


def least_score(numbers: NumberFormat) -> int:
    """The least score of a valid candidate; all others are below."""
    return 1 if numbers.ranks_by_weights else _number(numbers).weights[-1]


def _number(numbers: NumberFormat) -> Number:
    """How a score is made of bits: those of 2 log2 |D|, the flipped ones of log2 H_L' and
    log2 H_R' (-w b is w (1 - b), but for a constant), and above them one of a valid candidate.
    """
    d, h = _least(numbers)
    hessian = log2_weights(numbers.hessian_bits - h)
    weights = [2 * weight for weight in log2_weights(numbers.determinant_bits - 1 - d)]
    weights += [*hessian, *hessian]
    width = sum(weights).bit_length()
    return Number((*weights, 1 << width), width + 1)


def _bound(numbers: NumberFormat) -> int:
    """mu: what H' must reach at both children."""
    return numbers.min_child_weight + numbers.reg_lambda


def _least(numbers: NumberFormat) -> tuple[int, int]:
    """The exponents below which |D| and H' count as zero."""
    bound = _bound(numbers)
    if not bound:
        return 0, 0
    # D is in units of u^2 and mu of u = 2^-gradient_bits, so D^2 / (2 mu^3) is in units of u.
    small = 2.0 * float(bound) ** 3 * numbers.least_gain * 2.0**numbers.gradient_bits
    d = max(math.floor(math.log2(small) / 2), 0)
    most = numbers.determinant_bits - 1, numbers.hessian_bits
    return min(d, most[0] - 2), min(bound.bit_length() - 1, most[1] - 2)


def _unread(numbers: NumberFormat) -> int:
    """The bits of D below all mantissas."""
    return max(_least(numbers)[0] - MANTISSA_BITS, 0)


def _masks(numbers: NumberFormat, words: int) -> tuple[list[Wanted], list[Wanted]]:
    """What the leading ones of D and of both H' take of 64 * ``words`` candidates."""
    d, h = _least(numbers)
    return (
        normal_masks([numbers.determinant_bits - 1 - d], words),
        normal_masks([numbers.hessian_bits - h] * 2, words),
    )


def scores_cost(
    nodes: int,
    candidates: int,
    numbers: NumberFormat,
    prices: Prices,
    *,
    is_monotone: bool = False,
    is_constrained: bool = False,
) -> Cost:
    """Cost of ``scores`` for so many nodes and candidates."""
    count = nodes * candidates
    if numbers.ranks_by_weights:
        total = weights_cost(2, count, numbers, all_or_none=True)
        if is_monotone:
            total += carry_cost(_GAP_BITS - 1, count)
        if is_monotone and is_constrained:
            total += all_cost(2, words_per(count))
        if is_monotone or is_constrained:
            total += multiplex_shared_cost(count)
        return total
    words, wide, narrow = words_per(count), numbers.determinant_bits, numbers.hessian_bits
    d, h = _least(numbers)
    masks_d, masks_h = _masks(numbers, words)
    of_d = row_products_cost(2 * nodes, candidates, wide, prices)
    of_d += bits_cost(wide, words, _unread(numbers)) + masks_cost(masks_d)
    of_d += normal_cost([wide - 1 - d], words)
    of_h = normal_cost([narrow - h, narrow - h], words)
    if _bound(numbers) != 1 << h:
        of_h = of_h.at_once(reaches_cost(narrow, _bound(numbers), 2 * words))
    of_h += bits_cost(narrow, 2 * words) + masks_cost(masks_h)
    total = of_d.at_once(of_h)
    total += log2_cost(3, words).at_once(all_cost(3 + is_monotone + is_constrained, words))
    return total + numbers_cost([_number(numbers)], words, whole=False)


@protocol(
    priced=lambda prices, sums, numbers, usable=None: scores_cost(
        sums.child_hessian.shape[0],
        sums.child_hessian.shape[1],
        numbers,
        prices,
        is_monotone=sums.rises is not None,
        is_constrained=usable is not None,
    ),
    opens=COMPOSED,
    source="xgboost 3.2, hist: EvaluateSplits; the form with D as in docs/training.md",
    ideal=None,
)
def scores(
    party: Party, sums: ChildSums, numbers: NumberFormat, usable: SharedBits | None = None
) -> Shared:
    """Scores (nodes, c), 0 <= score < 2^(score_bits - 1), modulo 2^score_bits.

    Of the valid candidates of a node the best has the greatest. Not valid, with a score below
    ``least_score``, is a candidate that leaves a child less than ``min_child_weight``, or has no
    gain at all: children's scores of 0 (alpha > 0) or a D that counts as zero, or whose children
    weigh in the order that ``sums.rises`` rules out, or one that ``usable``, (nodes c,), says 0 of.
    """
    more = [] if usable is None else [usable]
    if numbers.ranks_by_weights:
        return _by_quotients(party, sums, numbers, more)
    return _by_logarithms(party, sums, numbers, more)


def _by_quotients(
    party: Party, sums: ChildSums, numbers: NumberFormat, more: list[SharedBits]
) -> Shared:
    shape = sums.child_hessian.shape
    sides = [
        Shared.stack([left.reshape(-1), (_spread(whole, shape) - left).reshape(-1)])
        for left, whole in (
            (sums.child_gradient, sums.gradient),
            (sums.child_hessian, sums.hessian),
        )
    ]
    weights, of_sides = weigh(party, sides[0], sides[1], numbers, True)
    found, tests = of_sides.sum(axis=0), more
    if sums.rises is not None:
        ways = np.broadcast_to(sums.rises, shape).reshape(-1)
        gaps = (weights[0] - weights[1]).scale(ways)
        tests = [not_bits(party, is_negative(party, gaps, _GAP_BITS)), *tests]
    if tests:
        kept = all_of(party, SharedBits.stack(tests))
        found = multiplex_shared(party, kept[None], found.reshape(1, 1, -1))[0, 0]
    return found.reshape(*shape)


def _by_logarithms(
    party: Party, sums: ChildSums, numbers: NumberFormat, more: list[SharedBits]
) -> Shared:
    shape = sums.child_hessian.shape
    penalty, narrow = numbers.reg_lambda, numbers.hessian_bits
    total = sums.hessian + constant(party, 2 * penalty, sums.hessian.shape)
    penalised = sums.child_hessian + constant(party, penalty, shape)
    left, whole = penalised.reshape(-1), _spread(total, shape).reshape(-1)
    least_d, least_h = _least(numbers)

    masks_d, masks_h = _masks(numbers, words_per(left.size))

    def of_d(party: Party) -> tuple[Normalised, SharedBits]:
        masks, wide = Preparation(party, masks_d), numbers.determinant_bits
        difference = _determinant(party, sums, penalised, total, numbers)
        d = to_bits(party, difference, wide, _unread(numbers), masks)
        return normalised(party, (d[:-1] ^ d[-1],), (least_d,), masks.ready()), d[-1]

    def of_h(party: Party) -> tuple[Normalised, SharedBits]:
        ahead = Preparation(party, masks_h)
        h = to_bits(party, Shared.stack([left, whole - left]), narrow, 0, ahead)
        masks = ahead.ready()
        sides = h[:, 0], h[:, 1]
        if _bound(numbers) == 1 << least_h:
            found = normalised(party, sides, (least_h, least_h), masks)
            return found, found.above
        return together(
            party,
            lambda part: normalised(part, sides, (least_h, least_h), masks),
            lambda part: reaches(part, h, _bound(numbers)),
        )

    (difference, negative), (sides, heavy) = together(party, of_d, of_h)
    tests = [difference.above, heavy, *(test[None] for test in more)]
    if sums.rises is not None:
        ways = np.broadcast_to(sums.rises, shape).reshape(-1)
        allowed = share_bits(party, ways >= 0, 0, ways.size)
        tests.append((negative.where(ways != 0) ^ allowed)[None])
    logs, valid = together(
        party,
        lambda part: log2_bits(part, Normalised.joined([difference, sides])),
        lambda part: all_of(part, SharedBits.concatenate(tests)),
    )
    flipped = not_bits(party, SharedBits.concatenate(logs[1:]))
    bits_of_score = SharedBits.concatenate([logs[0], flipped, valid[None]])
    score = lift_numbers(party, bits_of_score, (_number(numbers),), whole=False)[0]
    return score.reshape(*shape)


def _determinant(
    party: Party, sums: ChildSums, left: Shared, total: Shared, numbers: NumberFormat
) -> Shared:
    """D, flat, right modulo the width of D; ``left`` (nodes, c) and ``total`` with penalties."""
    rows = Shared.concatenate([sums.child_gradient, left])
    of_nodes = Shared.concatenate([total, sums.gradient])
    products = row_products(party, rows, of_nodes, numbers.determinant_bits)
    nodes = left.shape[0]
    return (products[:nodes] - products[nodes:]).reshape(-1)


def _spread(values: Shared, shape: tuple[int, ...]) -> Shared:
    """A node's value for each of its candidates."""
    return values[:, None].broadcast_to(*shape)
