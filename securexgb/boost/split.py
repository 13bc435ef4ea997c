"""The best split of every node of a level, by xgboost's criterion, without opening a sum.

A candidate is (column, cut, side of the missing values). With T the soft threshold by
alpha, its score is T(G_L)^2/(H_L + lambda) + T(G_R)^2/(H_R + lambda), and a node splits if
the best score exceeds its own T(G)^2/(H + lambda) by gamma, and by 10^-6 (xgboost 3.2, hist).

Order and ties follow xgboost: columns in order; in each first the cuts in ascending order
with missing values to the right, then in descending order with missing values to the left;
the first of equal ones wins. A cut after an empty bin repeats its neighbour, so it is
excluded, and the neighbour wins, as there.

A node whose candidates all fail ``min_child_weight`` has no best one. Its dummy split gets
an owner by a coin that neither party knows, and a candidate that this owner drew: to the
other party it looks like any split.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import SUM_BITS, NumberFormat
from securexgb.arith.prg import Prg
from securexgb.boost.histogram import Histogram
from securexgb.boost.layout import Layout
from securexgb.mpc.argmax import argmax, best_cost
from securexgb.mpc.compare import all_cost, all_of, at_least, carry_cost, not_bits
from securexgb.mpc.convert import bits_cost, lift_cost, to_arithmetic, to_bits
from securexgb.mpc.divide import DENOMINATOR_BITS, QUOTIENT_BITS, divide, quotient_cost
from securexgb.mpc.multiply import multiply, product_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant, constant_bits, share
from securexgb.mpc.shared import Shared, SharedBits, words_per

_LEAST_GAIN = 1e-6
_NO_GAIN = 1 << 61  # above every score, see mpc.argmax
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """Public description of the candidates, in the order of preference; arrays (c,).

    ``column``: position among the used columns; ``cut``; ``missing_left``; ``owner``: rank;
    ``index``: the candidate's number at its owner, see ``Candidates.decode``.
    """

    column: Numbers
    cut: Numbers
    missing_left: NDArray[np.bool_]
    owner: Numbers
    index: Numbers
    bins: int

    @staticmethod
    def of(layout: Layout, used: Numbers) -> Candidates:
        """Candidates of the used columns (numbers over both parties, ascending)."""
        forward, backward = np.arange(layout.cuts), np.arange(layout.bins - 2, -1, -1)
        if not layout.missing:
            backward = backward[:0]
        per_column = forward.size + backward.size
        cut = np.tile(np.concatenate([forward, backward]), used.size)
        missing_left = np.tile(np.arange(per_column) >= forward.size, used.size)
        number = np.repeat(used, per_column)
        owner = (number >= layout.label_columns).astype(np.int64)
        own_number = number - owner * layout.label_columns
        return Candidates(
            column=np.repeat(np.arange(used.size), per_column),
            cut=cut,
            missing_left=missing_left,
            owner=owner,
            index=(own_number * 2 + missing_left) * layout.bins + cut,
            bins=layout.bins,
        )

    def decode(self, index: Numbers) -> tuple[Numbers, Numbers, NDArray[np.bool_]]:
        """(own column, cut, missing_left) of candidate numbers at their owner."""
        column, cut = np.divmod(index, self.bins)
        return column // 2, cut, (column % 2).astype(np.bool_)


@dataclass(frozen=True)
class BestSplits:
    """The outcome for each node, all shared, arrays (nodes,).

    ``owner``: rank; ``index``: the candidate's number at its owner; ``stops``: 1 where the
    node should not split; ``weight``: of the node; ``left``, ``right``: of its children.
    Weights are T(G)/(H + lambda) with 19 fraction bits.
    """

    owner: Shared
    index: Shared
    stops: Shared
    weight: Shared
    left: Shared
    right: Shared


def _threshold_cost(count: int, alpha: int) -> Cost:
    if alpha == 0:
        return Cost()
    words = 2 * words_per(count)
    return carry_cost(SUM_BITS + 2, 64 * words) + lift_cost(words) + product_cost(2 * count)


def splits_cost(nodes: int, candidates: int, numbers: NumberFormat) -> Cost:
    """Cost of ``best_splits`` for so many nodes and candidates."""
    width, node_width = words_per(nodes * candidates), words_per(nodes)
    quotients = 64 * (2 * width + node_width)
    weights = (
        _threshold_cost(quotients, numbers.reg_alpha)
        + bits_cost(DENOMINATOR_BITS + 1, 64 * (5 * width + 2 * node_width))
        + all_cost(3, width)
        + quotient_cost(quotients)
        + product_cost(quotients)
    )
    decision = carry_cost(63, 128 * node_width) + lift_cost(3 * node_width)
    decision += product_cost(nodes) + product_cost(2 * nodes)
    return weights + best_cost(nodes, candidates, 2, 2) + decision


@protocol(
    cost=lambda histogram, candidates, numbers, dummies: splits_cost(
        histogram.hessian.shape[0], candidates.cut.size, numbers
    ),
    opens=COMPOSED,
    source="xgboost 3.2, hist: EnumerateSplit, NeedReplace, CalcSplitGain",
    ideal=None,
)
def best_splits(
    party: Party, histogram: Histogram, candidates: Candidates, numbers: NumberFormat, dummies: Prg
) -> BestSplits:
    """The best candidate of every node; ``histogram`` holds the used columns only."""
    sums, bin_hessians = _child_sums(histogram, candidates)
    nodes, count = sums.left_hessian.shape
    weights, scores = _weights(party, sums, bin_hessians, numbers)
    split_weights = weights[: 2 * nodes * count].reshape(2, nodes, count)
    node_weights = weights[2 * nodes * count :]
    both = scores[: 2 * nodes * count].reshape(2, nodes, count)
    node_scores = scores[2 * nodes * count :]
    labels = np.stack([candidates.owner, candidates.index])
    best, tags, children = argmax(party, both[0] + both[1], labels, split_weights)
    stops, owner, index = _decide(
        party, best, node_scores, tags, _Dummies.draw(party, candidates, nodes, dummies), numbers
    )
    return BestSplits(owner, index, stops, node_weights, children[0], children[1])


@dataclass(frozen=True)
class _ChildSums:
    """Left children's sums per candidate (nodes, c), and the nodes' own (nodes,)."""

    left_gradient: Shared
    left_hessian: Shared
    gradient: Shared
    hessian: Shared


def _child_sums(histogram: Histogram, candidates: Candidates) -> tuple[_ChildSums, Shared]:
    """Sums by candidate; and the hessian of the bin that the candidate adds to its scan."""
    parts, totals = [], []
    bins = candidates.bins
    place = (slice(None), candidates.column, candidates.cut)
    for values in (histogram.gradient, histogram.hessian):
        running = values[:, :, :bins].cumsum(axis=2)
        total = values[:, 0].sum(axis=1)
        left = running[place].words
        if values.shape[2] > bins:
            missing = values[:, candidates.column, bins].words
            left = left + missing * candidates.missing_left.astype(np.uint64)
        parts.append(Shared(left))
        totals.append(total)
    added = candidates.cut + candidates.missing_left
    bin_hessians = histogram.hessian[:, candidates.column, added]
    return _ChildSums(parts[0], parts[1], totals[0], totals[1]), bin_hessians


def _weights(
    party: Party, sums: _ChildSums, bin_hessians: Shared, numbers: NumberFormat
) -> tuple[Shared, Shared]:
    """T(G)/(H + lambda) and T(G)^2/(H + lambda), flat: left and right children, then nodes.

    Both are 0 for the children of a candidate that is not valid, and for a node that has
    less than ``min_child_weight`` itself (a root), as in xgboost.
    """
    nodes, count = sums.left_hessian.shape
    ones = Shared(np.repeat(sums.hessian.words[:, None], count, axis=1))
    right_hessian = ones - sums.left_hessian
    right_gradient = (
        Shared(np.repeat(sums.gradient.words[:, None], count, axis=1)) - sums.left_gradient
    )
    hessians = [sums.left_hessian, right_hessian, sums.hessian]
    penalty = constant(party, numbers.reg_lambda, (1,))
    floor = constant(party, numbers.min_child_weight, (1,))
    denominators = [
        _whole_words(h + Shared(np.broadcast_to(penalty.words, h.shape))) for h in hessians
    ]
    tests = [_whole_words(h - Shared(np.broadcast_to(floor.words, h.shape))) for h in hessians]
    tests.insert(2, _whole_words(bin_hessians - constant(party, 1, bin_hessians.shape)))
    gradients = soft_threshold(
        party,
        Shared.concatenate(
            [_whole_words(g) for g in (sums.left_gradient, right_gradient, sums.gradient)]
        ),
        numbers.reg_alpha,
    )
    bits = to_bits(party, Shared.concatenate([*denominators, *tests]), DENOMINATOR_BITS + 1)
    width, node_width = denominators[0].size // 64, denominators[2].size // 64
    passed = not_bits(party, bits[DENOMINATOR_BITS]).words[2 * width + node_width :]
    valid = all_of(party, SharedBits(passed[: 3 * width].reshape(3, width), width * 64)).words
    gate = np.concatenate([valid, valid, passed[3 * width :]])
    divisors = Shared.concatenate(denominators)
    divisor_bits = bits.words[:DENOMINATOR_BITS, : 2 * width + node_width].copy()
    quotients = divide(
        party,
        gradients,
        divisors,
        SharedBits(divisor_bits, divisors.size),
        SharedBits(gate, divisors.size),
    )
    scores = multiply(party, gradients, quotients)
    sizes = (nodes * count, nodes * count, nodes)
    return _unpadded(quotients, sizes), _unpadded(scores, sizes)


def _whole_words(values: Shared) -> Shared:
    """Flat, filled up with zeros to a multiple of 64, so that its bits fill whole words."""
    flat = values.words.reshape(-1)
    return Shared(np.pad(flat, (0, -flat.size % 64)))


def _unpadded(values: Shared, sizes: tuple[int, ...]) -> Shared:
    """Take the filling of ``_whole_words`` out of concatenated blocks."""
    parts, start = [], 0
    for size in sizes:
        parts.append(values[start : start + size])
        start += -(-size // 64) * 64
    return Shared.concatenate(parts)


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
    tests = Shared.concatenate([_whole_words(above), _whole_words(-below)])
    passed = at_least(party, tests, Shared.zeros(tests.size), SUM_BITS + 3)
    flags = to_arithmetic(party, SharedBits(passed.words.reshape(2, -1), x.size))
    kept = multiply(party, flags, Shared.stack([above, below]))
    return kept.sum(axis=0)


@dataclass(frozen=True)
class _Dummies:
    """Random stand-ins for nodes without a valid candidate.

    ``coin``: bits (nodes,) that neither party knows; ``index``: shared (2, nodes), by owner.
    """

    coin: SharedBits
    index: Shared

    @staticmethod
    def draw(party: Party, candidates: Candidates, nodes: int, dummies: Prg) -> _Dummies:
        """This party's random bits, and random candidates of its own."""
        words = dummies.words(2 * nodes)
        indices = []
        for rank in (0, 1):
            own = candidates.index[candidates.owner == rank]
            drawn = (
                own[words[nodes:] % np.uint64(own.size)] if own.size else np.zeros(nodes, np.int64)
            )
            indices.append(share(party, drawn.view(np.uint64), rank, (nodes,)))
        sides = np.unique(candidates.owner)
        if sides.size == 1:
            coin = constant_bits(party, bool(sides[0]), (), nodes)
        else:
            coin = SharedBits(words[: -(-nodes // 64)].copy(), nodes)
        return _Dummies(coin, Shared.stack(indices))


def _decide(
    party: Party,
    best: Shared,
    node_scores: Shared,
    tags: Shared,
    dummies: _Dummies,
    numbers: NumberFormat,
) -> tuple[Shared, Shared, Shared]:
    """(stops, owner, index) of each node."""
    nodes = best.size
    fraction_bits = numbers.gradient_bits + QUOTIENT_BITS
    least = int(_LEAST_GAIN / numbers.target_scale**2 * 2.0**fraction_bits) + 1
    threshold = min(max(numbers.gain(numbers.gamma, fraction_bits), least), _NO_GAIN)
    gain = best - node_scores - constant(party, threshold, (nodes,))
    some = best - constant(party, 1, (nodes,))
    tests = Shared.concatenate([_whole_words(gain), _whole_words(some)])
    passed = at_least(party, tests, Shared.zeros(tests.size)).words.reshape(2, -1)
    bits = SharedBits(np.concatenate([passed, dummies.coin.words[None]]), nodes)
    splits, valid, coin = to_arithmetic(party, bits).words
    stops = constant(party, 1, (nodes,)) - Shared(splits)
    drawn = multiply(party, Shared(coin), dummies.index[1] - dummies.index[0]) + dummies.index[0]
    stand_in = Shared.stack([Shared(coin), drawn])
    chosen = multiply(party, Shared.stack([Shared(valid)] * 2), tags - stand_in) + stand_in
    return stops, chosen[0], chosen[1]
