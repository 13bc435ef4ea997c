"""The best split of every node of a level, by xgboost's criterion, without opening a sum.

A candidate is (column, cut, side of the missing values), ``boost.splits.score`` says how it ranks.
Whether a node should split at all is left for the end of the tree (``boost.splits.leaves``): the
next level does not depend on it.

Order and ties follow xgboost: columns in order; in each first the cuts in ascending order
with missing values to the right, then in descending order with missing values to the left;
the first of equal ones wins. So does a cut after an empty bin lose to the neighbour that it
repeats, as there.

In a categorical column a cut is one category, whose rows go right and all others left: category
after category, each first with missing values to the left and then to the right. Its last cut is
that of any column, of present values from missing ones.

A node whose candidates are all invalid has no best one; a mark of its own says so.

The nodes of a level go through together, but no more than have ``MOST_CANDIDATES``: those of a wide
and deep level block after block, in rounds of their own.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits
from securexgb.arith.fixedpoint import NumberFormat
from securexgb.boost.executor import Cuts
from securexgb.boost.histogram import Histogram
from securexgb.boost.layout import Layout
from securexgb.boost.splits.score import ChildSums, least_score, score_bits, scores, scores_cost
from securexgb.correlations.prices import Prices
from securexgb.mpc.argmax import argmax, best_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits

Numbers = NDArray[np.int64]
MOST_CANDIDATES = 1 << 19
"""Of the nodes that go through together: each takes memory, and so many are worth their rounds."""


@dataclass(frozen=True, repr=False)
class Candidates:
    """Public description of the candidates, in the order of preference: ``count`` of them, c.

    ``used``: numbers over both parties of the columns, ascending: (k,), or those of each node,
    (nodes, k); ``column``: position among these, (c,).
    ``directions``: of all columns of both parties, None where no column of the job has one.
    What a candidate is follows from its place and its column's kind: (c,), or (nodes, c) where
    nodes have their own columns.
    """

    used: Numbers
    column: Numbers
    layout: Layout
    index_bits: int
    directions: Numbers | None = None

    @staticmethod
    def of(layout: Layout, used: Numbers, directions: Numbers | None = None) -> Candidates:
        """Candidates of the used columns, of all nodes or of each."""
        per_column, columns = orders(layout)[0].shape[1], used.shape[-1]
        column = np.repeat(np.arange(columns), per_column)
        return Candidates(used, column, layout, index_bits(layout), directions)

    def of_nodes(self, nodes: slice) -> Candidates:
        """Those of some nodes."""
        return self if self.used.ndim == 1 else dataclasses.replace(self, used=self.used[nodes])

    @property
    def count(self) -> int:
        return int(self.column.size)

    @property
    def label_columns(self) -> int:
        return self.layout.label_columns

    @property
    def per_column(self) -> int:
        """Candidates of a column."""
        return self.count // int(self.used.shape[-1])

    @cached_property
    def number(self) -> Numbers:
        """Each candidate's column's number over both parties."""
        numbers: Numbers = self.used[..., self.column]
        return numbers

    @cached_property
    def cut(self) -> Numbers:
        """Each candidate's bin: the last one on the left, or that of its category."""
        return orders(self.layout)[0][self._kind, self._place]

    @cached_property
    def missing_left(self) -> NDArray[np.bool_]:
        """Whether each candidate sends missing values left."""
        return orders(self.layout)[1][self._kind, self._place]

    @cached_property
    def one_hot(self) -> NDArray[np.bool_]:
        """Whether each candidate's cut is a category, see ``executor.Cuts``."""
        return self.layout.categories[self.number, self.cut]

    @property
    def _kind(self) -> Numbers:
        return self.layout.is_categorical[self.number].astype(np.int64)

    @property
    def _place(self) -> Numbers:
        return np.arange(self.count) % self.per_column

    @property
    def owner(self) -> Numbers:
        """Rank of each candidate's owner."""
        return (self.number >= self.label_columns).astype(np.int64)

    @property
    def index(self) -> Numbers:
        """Each candidate's number at its owner; see ``decode``."""
        return self.encode(self.number, self.missing_left, self.cut)

    def encode(self, number: Numbers, missing_left: NDArray[np.bool_], cut: Numbers) -> Numbers:
        """Numbers at their owner of candidates of columns ``number`` over both parties."""
        own = np.where(number < self.label_columns, number, number - self.label_columns)
        return (own * 2 + missing_left) * self.layout.bins + cut

    @property
    def direction(self) -> Numbers | None:
        """1 where a child with the greater values must not weigh less, -1 where it must not weigh
        more, 0 where it may."""
        return None if self.directions is None else self.directions[self.number]

    def turns(self, marks: SharedBits) -> SharedBits | None:
        """Whether a node's split must rise, and must fall, (2, nodes); local. ``marks``: of these
        candidates, (c, nodes)."""
        ways = self.direction
        if ways is None:
            return None
        return SharedBits.stack([marks.masked(ways == way).xor_all() for way in (1, -1)])

    def decode(self, index: Numbers, rank: int) -> Cuts:
        """The splits that candidate numbers at their owner say; of others nothing of meaning."""
        column, cut = np.divmod(index, self.layout.bins)
        missing_left, own = (column % 2).astype(np.bool_), column // 2
        number = np.minimum(own + rank * self.label_columns, self.layout.total_columns - 1)
        return Cuts(own, cut, missing_left, self.layout.categories[number, cut])


def orders(layout: Layout) -> tuple[Numbers, NDArray[np.bool_]]:
    """Cuts in order of preference, and whether each sends missing values left: (2, per column),
    of a numeric column and of a categorical one."""
    forward, backward = np.arange(layout.cuts), np.arange(layout.bins - 2, -1, -1)
    categories, last = np.arange(layout.bins - 1), [layout.bins - 1]
    if not layout.missing:
        return np.stack([forward, categories]), np.stack([forward < 0, categories >= 0])
    cuts = np.stack([[*forward, *backward], [*np.repeat(categories, 2), *last]])
    place = np.arange(cuts.shape[1])
    lefts = np.stack([place >= forward.size, (place % 2 == 0) & (place < place.size - 1)])
    return cuts, lefts


def index_bits(layout: Layout) -> int:
    """Bits of a candidate's number at its owner."""
    return (2 * max(layout.columns) * layout.bins - 1).bit_length()


@dataclass(frozen=True)
class BestSplits:
    """The outcome for each node, all shared.

    ``marks``: (candidates + 1, nodes), the one bit that is set at a node tells its best candidate,
    the last one that none is valid. ``left``: the left child's G_L and H_L, (2, nodes), modulo
    2^32, 0 where no candidate is valid. ``dummies``: what was asked for such nodes, (w, nodes), 0
    where a candidate is valid.
    """

    marks: SharedBits
    left: Shared
    dummies: SharedBits


def splits_cost(
    nodes: int,
    candidates: int,
    dummy_bits: int,
    numbers: NumberFormat,
    prices: Prices,
    *,
    is_monotone: bool = False,
    is_constrained: bool = False,
) -> Cost:
    """Cost of ``best_splits`` for so many nodes and candidates, and bits of dummies."""
    public_terms = {"is_monotone": is_monotone, "is_constrained": is_constrained}
    total = Cost()
    for block in blocks_of(nodes, candidates):
        count = block.stop - block.start
        total += scores_cost(count, candidates, numbers, prices, **public_terms)
        total += best_cost((count, candidates), score_bits(numbers), 2, dummy_bits, prices)
    return total


def blocks_of(nodes: int, candidates: int) -> list[slice]:
    """The nodes of a level that go through together: at least one, in order."""
    size = max(1, MOST_CANDIDATES // max(1, candidates))
    return [slice(first, min(first + size, nodes)) for first in range(0, nodes, size)]


@protocol(
    priced=lambda prices, histogram, candidates, numbers, dummies, usable=None: splits_cost(
        histogram.hessian.shape[0],
        candidates.count,
        dummies.shape[0],
        numbers,
        prices,
        is_monotone=candidates.directions is not None,
        is_constrained=usable is not None,
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
    dummies: SharedBits,
    usable: SharedBits | None = None,
) -> BestSplits:
    """The best candidate of every node; ``histogram`` holds the used columns only.

    ``dummies``: (w, nodes), let through where no candidate is valid; ``usable``: whether a node may
    use each of its columns, (k, nodes), None where it may all.
    """
    nodes, found = histogram.hessian.shape[0], list[BestSplits]()
    ranking = score_bits(numbers), least_score(numbers)
    for block in blocks_of(nodes, candidates.count):
        some = Histogram(histogram.gradient[block], histogram.hessian[block])
        sums = child_sums(some, candidates.of_nodes(block))
        may_be = None if usable is None else _by_candidate(usable.part(block), candidates)
        found_scores = scores(party, sums, numbers, may_be)
        left, behind = _left_sums(sums, candidates), dummies.part(block)
        found.append(BestSplits(*argmax(party, found_scores, left, behind, *ranking)))
    if len(found) == 1:
        return found[0]
    marks, tags = (
        SharedBits(pack_bits(np.concatenate([one.flags() for one in parts], axis=1)), nodes)
        for parts in ([one.marks for one in found], [one.dummies for one in found])
    )
    return BestSplits(marks, Shared.concatenate([one.left for one in found], axis=1), tags)


def child_sums(histogram: Histogram, candidates: Candidates) -> ChildSums:
    """Sums by candidate of the child without the missing values, and of the nodes; local.

    That child is the left one where missing values go right, and has the cut's own sums but where
    the cut is a category, which is the right one.
    """
    parts, others = [], candidates.missing_left != candidates.one_hot
    nodes, last = np.arange(histogram.hessian.shape[0])[:, None], candidates.layout.bins - 1
    for running in (histogram.gradient, histogram.hessian):
        below = running[nodes, candidates.column, candidates.cut]
        present = running[nodes, candidates.column, last]
        parts.append(Shared.where(others, present - below, below))
    rises = candidates.direction
    if rises is not None:
        rises = np.where(candidates.missing_left, -rises, rises)
    return ChildSums(parts[0], parts[1], *histogram.totals, rises)


def _by_candidate(usable: SharedBits, candidates: Candidates) -> SharedBits:
    """Of columns (k, nodes) to each node's candidates, (nodes c,)."""
    flags = usable.flags()[candidates.column].T.reshape(-1)
    return SharedBits(pack_bits(flags), flags.size)


def _left_sums(sums: ChildSums, candidates: Candidates) -> Shared:
    """G_L and H_L by candidate, (2, nodes, c)."""
    child = Shared.stack([sums.child_gradient, sums.child_hessian])
    node = Shared.stack([sums.gradient, sums.hessian])
    return Shared.where(candidates.missing_left, node[:, :, None] - child, child)
