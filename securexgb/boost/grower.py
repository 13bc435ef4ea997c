"""Growing the complete trees of one round, level by level, all nodes of a level at once.

This is the tree side: it sees sums over rows, and hands the splits of a level, as far as this party
knows them, to the row side (``boost.row_side``), which makes the sums. Only left children are
summed; right = parent - left. No node size, membership or weight is opened; owned splits tell who
has them, and their owner which they are (``splits.owned``), hidden ones nothing
(``splits.hidden``). Which nodes should not have split, and the leaves' weights, follow when the
trees are complete (``splits.leaves``).

A round has one tree for each output of the objective. Their roots are the nodes of the first level,
so all of them grow in the same rounds of messages.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.arith.prg import Prg
from securexgb.boost.histogram import Histogram, running, siblings
from securexgb.boost.layout import Layout
from securexgb.boost.row_side import RowSide
from securexgb.boost.splits.hidden import HiddenRound
from securexgb.boost.splits.leaves import LevelSums, leaf_weights
from securexgb.boost.splits.owned import OwnedRound
from securexgb.boost.splits.split import BestSplits, Candidates, best_splits
from securexgb.boost.tree import Tree
from securexgb.mpc.party import Party
from securexgb.mpc.together import together


@dataclass(frozen=True, repr=False)
class TreeJob:
    """What the trees of a round are grown from, besides the sums over rows.

    ``cuts``: float64 (own columns, bins); ``used``: public numbers of the columns that these trees
    may use, ascending; ``dummies``: what this party draws dummy splits from, not read before; None
    where splits are hidden, which need none; ``importance``: what trees, which are hidden then,
    hold shares of by column, see ``splits.leaves``: "gain", "cover", or "none"; ``directions``: by
    column of both parties, see ``boost.monotone``, None where there are none.
    """

    layout: Layout
    numbers: NumberFormat
    max_depth: int
    learning_rate: float
    cuts: NDArray[np.float64]
    used: NDArray[np.int64]
    dummies: Prg | None
    importance: str = "none"
    directions: NDArray[np.int64] | None = None


def grow_trees(party: Party, job: TreeJob, rows: RowSide) -> tuple[Tree, ...]:
    """Grow a tree for each output on the row side's gradients; it moves the rows' margins.

    Returns this party's halves, (outputs,).
    """
    splits, last, chosen = _grow_levels(party, job, rows)
    roots, rate = chosen[0].gradient.size, job.learning_rate
    with party.step("leaves"):
        leaves, level = together(
            party,
            lambda part: leaf_weights(part, chosen, job.numbers, rate, job.importance),
            lambda part: splits.found(part, last),
        )
        values = leaves.values.reshape(roots, -1)
        if job.importance != "none" and isinstance(splits, HiddenRound):
            splits.add_amounts(party, leaves.amounts)
        rows.leaves(level, values)
    return splits.halves(values)


def _grow_levels(
    party: Party, job: TreeJob, rows: RowSide
) -> tuple[HiddenRound | OwnedRound, BestSplits, list[LevelSums]]:
    """All splits but the last level's, which are the best ones, and the sums of all nodes."""
    candidates, shape = Candidates.of(job.layout, job.used, job.directions), rows.shape
    sums = rows.root_sums()
    nodes = sums.nodes * ((1 << job.max_depth) - 1)

    def begun(party: Party) -> HiddenRound | OwnedRound:
        if job.dummies is None:
            return HiddenRound(candidates, job.layout)
        return OwnedRound(party, candidates, job.cuts, nodes, job.dummies)

    def rounded(party: Party) -> Histogram:
        return running(party, shape, sums, job.used, job.numbers)

    with party.step("level", 0):
        histogram, splits = together(party, rounded, begun)
    chosen = list[LevelSums]()
    while True:
        with party.step("level", len(chosen)):
            dummies = splits.dummies(sums.nodes)
            best = best_splits(party, histogram, candidates, job.numbers, dummies)
            turns = candidates.turns(best.marks[:-1])
            chosen.append(LevelSums.of(histogram, best.left, turns))
            if len(chosen) == job.max_depth:
                return splits, best, chosen
            level = splits.found(party, best)
        with party.step("level", len(chosen)):
            sums = siblings(sums, rows.split(level))
            histogram = rounded(party)
