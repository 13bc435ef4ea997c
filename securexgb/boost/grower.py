"""Growing the complete trees of one round, level by level, all nodes of a level at once.

This is the tree side: it sees sums over rows, and tells the row side (``boost.row_side``), which
makes them, what this party knows of the splits. Only left children are summed; right = parent -
left. No node size, membership or weight is opened: both parties learn who owns each split, the
owner its column and cut. Which nodes should not have split, and the leaves' weights, follow when
the trees are complete (``boost.leaves``).

A round has one tree for each output of the objective. Their roots are the nodes of the first level,
so all of them grow in the same rounds of messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.arith.prg import Prg
from securexgb.boost.executor import Cuts
from securexgb.boost.histogram import running, siblings
from securexgb.boost.layout import Layout
from securexgb.boost.leaves import LevelSums, leaf_weights
from securexgb.boost.level import ToldSplits
from securexgb.boost.row_side import RowSide
from securexgb.boost.split import BestSplits, Candidates, best_splits, draw_dummies
from securexgb.boost.tree import NOT_MINE, TreeHalf, leaf_values
from securexgb.mpc.argmax import LABEL_BITS
from securexgb.mpc.open import open_shared, open_to
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.shared import Words


@dataclass(frozen=True)
class TreeJob:
    """What the trees of a round are grown from, besides the sums over rows.

    ``cuts``: float64 (own columns, bins); ``used``: public numbers of the columns that these trees
    may use, ascending; ``dummies``: what this party draws dummy splits from, not read before.
    """

    layout: Layout
    numbers: NumberFormat
    max_depth: int
    learning_rate: float
    cuts: NDArray[np.float64]
    used: NDArray[np.int64]
    dummies: Prg


def grow_trees(party: Party, job: TreeJob, rows: RowSide) -> tuple[TreeHalf, ...]:
    """Grow a tree for each output on the row side's gradients; it moves the rows' margins.

    Returns this party's halves, (outputs,).
    """
    candidates, shape = Candidates.of(job.layout, job.used), rows.shape
    sums = rows.root_sums()
    roots = sums.nodes
    dummies = draw_dummies(party, candidates, roots * ((1 << job.max_depth) - 1), job.dummies)
    levels, chosen = list[ToldSplits](), list[LevelSums]()
    for depth in range(job.max_depth):
        with party.step("level", depth):
            if depth:
                sums = siblings(sums, rows.split(levels[-1]))
            histogram = running(party, shape, sums, job.used, job.numbers)
            nodes = slice(roots * ((1 << depth) - 1), roots * ((2 << depth) - 1))
            best = best_splits(party, histogram, candidates, job.numbers, dummies[:, nodes])
            levels.append(_open_splits(party, candidates, best))
            chosen.append(LevelSums.of(histogram, best.left))
    del sums
    with party.step("leaves"):
        weights = leaf_weights(party, chosen, job.numbers)
        values = leaf_values(party, weights, job.numbers, job.learning_rate).reshape(roots, -1)
        rows.leaves(levels[-1], values)
    halves = []
    for root, leaves in enumerate(values.own_share()):
        of_tree = [level[root << depth : (root + 1) << depth] for depth, level in enumerate(levels)]
        halves.append(_half(party, job, of_tree, leaves))
    return tuple(halves)


def _open_splits(party: Party, candidates: Candidates, best: BestSplits) -> ToldSplits:
    """Owners to both, each split's candidate to its owner alone."""
    # What stands above the labels' bits is shifted out before a share leaves.
    high = 64 - LABEL_BITS
    owner, number = (tag.scale(1 << high) for tag in (best.owner, best.index))
    owners = open_shared(party, owner, Reveal.SPLIT_OWNER).view(np.int64) >> high
    index = np.zeros(owners.size, np.int64)
    for rank in (0, 1):
        nodes = np.flatnonzero(owners == rank)
        if nodes.size:
            opened = open_to(party, rank, number[nodes], Reveal.SPLIT_INDEX)
            if opened is not None:
                index[nodes] = opened.view(np.int64) >> high
    return ToldSplits(owners, Cuts(*candidates.decode(index)))


def _half(party: Party, job: TreeJob, levels: Sequence[ToldSplits], leaves: Words) -> TreeHalf:
    """This party's half of one tree, of the splits of its levels."""
    owners = np.concatenate([level.owners for level in levels])
    columns = np.concatenate([level.cuts.columns for level in levels])
    bins = np.concatenate([level.cuts.cuts for level in levels])
    missing_left = np.concatenate([level.cuts.missing_left for level in levels])
    mine = owners == party.rank
    thresholds = np.full(owners.size, np.nan)
    thresholds[mine] = job.cuts[columns[mine], bins[mine]]
    return TreeHalf(
        owners=owners.astype(np.int8),
        features=np.where(mine, columns, NOT_MINE).astype(np.int32),
        bins=np.where(mine, bins, NOT_MINE).astype(np.int32),
        thresholds=thresholds,
        missing_left=missing_left & mine,
        leaf_values=leaves,
    )
