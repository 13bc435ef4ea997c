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
from functools import partial

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.arith.prg import Prg
from securexgb.boost.histogram import Histogram, running, siblings
from securexgb.boost.layout import Layout
from securexgb.boost.row_side import RowSide
from securexgb.boost.splits.groups import Groups, Paths
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
    may use, or that each of their nodes may, see ``sample.columns_of_nodes``; ``dummies``: what
    this party draws dummy splits from, not read before; None where splits are hidden, which need
    none; ``importance``: what trees, which are hidden then, hold shares of by column, see
    ``splits.leaves``: one of IMPORTANCES; ``directions``: by column of both parties, see
    ``boost.splits.directions``, None where there are none; ``groups``: in which groups a path's
    columns must be together, None where they need not.
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
    groups: Groups | None = None


def grow_trees(party: Party, job: TreeJob, rows: RowSide) -> tuple[Tree, ...]:
    """Grow a tree for each output on the row side's gradients; it moves the rows' margins.

    Returns this party's halves, (outputs,).
    """
    splits, (last, of_last), chosen = _grow_levels(party, job, rows)
    roots, rate = chosen[0].gradient.size, job.learning_rate
    with party.step("leaves"):
        leaves, level = together(
            party,
            lambda part: leaf_weights(part, chosen, job.numbers, rate, job.importance),
            lambda part: splits.found(part, last, of_last),
        )
        values = leaves.values.reshape(roots, -1)
        if job.importance != "none" and isinstance(splits, HiddenRound):
            splits.add_amounts(party, leaves.amounts)
        rows.leaves(level, values)
    return splits.halves(values)


def _grow_levels(
    party: Party, job: TreeJob, rows: RowSide
) -> tuple[HiddenRound | OwnedRound, tuple[BestSplits, Candidates], list[LevelSums]]:
    """All splits but the last level's, which are the best ones among so many, and all sums."""
    everything, shape = Candidates.of(job.layout, job.used, job.directions), rows.shape
    alone = job.layout.categories
    sums = rows.root_sums()
    roots = sums.nodes
    nodes = roots * ((1 << job.max_depth) - 1)

    def begun(party: Party) -> HiddenRound | OwnedRound:
        if job.dummies is None:
            return HiddenRound(job.layout)
        return OwnedRound(party, everything, job.cuts, nodes, job.dummies)

    def rounded(party: Party) -> Histogram:
        return running(party, shape, sums, candidates.used, job.numbers, alone)

    candidates = everything.of_nodes(slice(roots))
    with party.step("level", 0):
        histogram, splits = together(party, rounded, begun)
    chosen, paths = list[LevelSums](), Paths(job.groups)
    while True:
        with party.step("level", len(chosen)):
            dummies, usable = splits.dummies(sums.nodes), paths.usable(candidates)
            best = best_splits(party, histogram, candidates, job.numbers, dummies, usable)
            turns = candidates.turns(best.marks[:-1])
            chosen.append(LevelSums.of(histogram, best.left, turns))
            if len(chosen) == job.max_depth:
                return splits, (best, candidates), chosen
            level = splits.found(party, best, candidates)
        with party.step("level", len(chosen)):
            sums = siblings(sums, rows.split(level))
            descend = partial(paths.descend, best=best, candidates=candidates)
            candidates = everything.of_nodes(slice(sums.nodes - roots, 2 * sums.nodes - roots))
            histogram, _ = together(party, rounded, descend)
