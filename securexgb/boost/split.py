"""The best split of every node of a level, by xgboost's criterion, without opening a sum.

A candidate is (column, cut, side of the missing values), ``boost.score`` says how it ranks.
Whether a node should split at all is left for the end of the tree (``boost.leaves``): the
next level does not depend on it.

Order and ties follow xgboost: columns in order; in each first the cuts in ascending order
with missing values to the right, then in descending order with missing values to the left;
the first of equal ones wins. So does a cut after an empty bin lose to the neighbour that it
repeats, as there.

A node whose candidates are all invalid has no best one. Its dummy split gets an owner by a
coin that neither party knows, and a candidate that this owner drew: to the other party it
looks like any split. The argmax takes it as its fallback.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import words_per
from securexgb.arith.fixedpoint import NumberFormat
from securexgb.arith.prg import Prg
from securexgb.boost.histogram import Histogram
from securexgb.boost.layout import Layout
from securexgb.boost.score import ChildSums, score_bits, scores, scores_cost
from securexgb.correlations.prices import Prices
from securexgb.mpc.argmax import LABEL_BITS, argmax, best_cost
from securexgb.mpc.choose import choose, choose_cost
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.padding import filled
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant, constant_bits, share
from securexgb.mpc.shared import Shared, SharedBits

_LABELS, _PAYLOAD = 2, 1
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

    ``owner``: rank; ``index``: the candidate's number at its owner; both modulo 2^32.
    ``left``: the left child's G_L + 2^low_bits H_L, 0 where no candidate is valid.
    """

    owner: Shared
    index: Shared
    left: Shared


def splits_cost(nodes: int, candidates: int, numbers: NumberFormat, prices: Prices) -> Cost:
    """Cost of ``best_splits`` for so many nodes and candidates."""
    best = best_cost(nodes, candidates, _LABELS, _PAYLOAD, score_bits(numbers))
    return scores_cost(nodes, candidates, numbers, prices) + best


@protocol(
    priced=lambda prices, histogram, candidates, numbers, dummies: splits_cost(
        histogram.hessian.shape[0], candidates.cut.size, numbers, prices
    ),
    opens=COMPOSED,
    source="xgboost 3.2, hist: EnumerateSplit, NeedReplace",
    ideal=None,
)
def best_splits(
    party: Party,
    histogram: Histogram,
    candidates: Candidates,
    numbers: NumberFormat,
    dummies: Shared,
) -> BestSplits:
    """The best candidate of every node; ``histogram`` holds the used columns only.

    ``dummies``: (4, nodes), see ``draw_dummies``.
    """
    sums = child_sums(histogram, candidates)
    tags, left = argmax(
        party,
        scores(party, sums, numbers),
        np.stack([candidates.owner, candidates.index]),
        _left_pairs(sums, candidates, numbers).reshape(1, *sums.child_hessian.shape),
        dummies,
        score_bits(numbers),
    )
    return BestSplits(tags[0], tags[1], left[0])


def child_sums(histogram: Histogram, candidates: Candidates) -> ChildSums:
    """Sums by candidate of the child without the missing values, and of the nodes; local."""
    parts = []
    for running in (histogram.gradient, histogram.hessian):
        below = running[:, candidates.column, candidates.cut]
        present = running[:, candidates.column, candidates.bins - 1]
        parts.append(Shared.where(candidates.missing_left, present - below, below))
    return ChildSums(parts[0], parts[1], *histogram.totals)


def _left_pairs(sums: ChildSums, candidates: Candidates, numbers: NumberFormat) -> Shared:
    """G_L + 2^low_bits H_L by candidate."""
    child = sums.child_gradient + sums.child_hessian.scale(1 << numbers.low_bits)
    node = sums.gradient + sums.hessian.scale(1 << numbers.low_bits)
    return Shared.where(candidates.missing_left, node[:, None] - child, child)


def dummies_cost(nodes: int) -> Cost:
    """Cost of ``draw_dummies`` for so many nodes."""
    words = words_per(nodes)
    return lift_cost(words, LABEL_BITS) + choose_cost(1, 64 * words, LABEL_BITS)


def draw_dummies(party: Party, candidates: Candidates, nodes: int, private: Prg) -> Shared:
    """What takes part in the argmax for nodes without a valid candidate: (4, nodes).

    Score 1, above all that are not valid; no sums; owner and index of a dummy. Each party draws
    bits, whose xor is the coin, and candidates of its own. Bit and word of a node follow from
    ``private`` and the node's number alone, so that a deeper tree has the same at its top.
    """
    padded = 64 * words_per(nodes)
    bits = private.derive("coin").words(words_per(nodes))
    words = private.derive("candidate").words(nodes)
    indices = []
    for rank in (0, 1):
        own = candidates.index[candidates.owner == rank]
        drawn = own[words % np.uint64(own.size)] if own.size else np.zeros(nodes, np.int64)
        indices.append(share(party, drawn.view(np.uint64), rank, (nodes,)))
    sides = np.unique(candidates.owner)
    if sides.size == 1:
        coin = constant_bits(party, bool(sides[0]), (), padded)
    else:
        coin = SharedBits(bits, padded)
    gap = filled(party, indices[1] - indices[0])
    drawn_by = choose(party, coin, gap.reshape(1, -1), LABEL_BITS)[0, :nodes]
    owner = to_arithmetic(party, coin, LABEL_BITS)[:nodes]
    score, sums = constant(party, 1, (nodes,)), Shared.zeros(nodes)
    return Shared.stack([score, sums, owner, indices[0] + drawn_by])
