"""Growing one complete tree, level by level, all nodes of a level at once.

Each node has shared vectors of its rows' g and h, zero outside the node. When the splits of
a level are chosen, their owners keep the left rows by private bits; right = parent - left.
No node size, membership or weight is opened: both parties learn who owns each split, the
owner its column and cut. Which nodes should not have split, and the leaves' weights, follow when
the tree is complete (``boost.leaves``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.arith.prg import Prg
from securexgb.boost.executor import Cuts, Executor
from securexgb.boost.histogram import NoisySums, build, interleave, running, siblings
from securexgb.boost.layout import Layout
from securexgb.boost.leaves import LevelSums, leaf_weights
from securexgb.boost.split import BestSplits, Candidates, best_splits, draw_dummies
from securexgb.boost.tree import NOT_MINE, TreeHalf, leaf_values, value_bits
from securexgb.mpc.argmax import LABEL_BITS
from securexgb.mpc.lift import widen
from securexgb.mpc.matrix import MatrixShape
from securexgb.mpc.open import open_shared, open_to
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.select import select
from securexgb.mpc.shared import Shared


@dataclass(frozen=True)
class TreeJob:
    """What a tree is grown from, besides its gradients.

    ``executor``: own rows; ``cuts``: float64 (own columns, bins); ``used``: public numbers of
    the columns that this tree may use, ascending; ``dummies``: what this party draws dummy splits
    from, not read before; ``shape``: of the matrices as they were registered.
    """

    layout: Layout
    numbers: NumberFormat
    max_depth: int
    learning_rate: float
    executor: Executor
    cuts: NDArray[np.float64]
    used: NDArray[np.int64]
    dummies: Prg
    shape: MatrixShape


def matrix_shape(
    layout: Layout, numbers: NumberFormat, max_depth: int, noise_bits: int = 0
) -> MatrixShape:
    """The bucket matrices of a training, and the sums that are taken over them.

    A node's sums are those of its parent minus its sibling's, and so on: of a vector a level.
    """
    bits = numbers.gradient_sum_bits, numbers.hessian_sum_bits
    return MatrixShape(layout.rows, layout.columns, layout.all_bins, bits, max_depth, noise_bits)


@dataclass(frozen=True)
class GrownTree:
    """One party's half of the tree, and shares of each row's leaf value (rows,)."""

    half: TreeHalf
    values: Shared


@dataclass(frozen=True)
class _Level:
    """The splits of one level: public owners, own splits, own left bits (nodes, rows)."""

    owners: NDArray[np.int64]
    columns: NDArray[np.int64]
    cuts: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    left: NDArray[np.bool_]


def grow_tree(party: Party, job: TreeJob, vectors: Shared) -> GrownTree:
    """Grow a tree on the rows' g and h, ``vectors`` (2, rows).

    Right modulo 2^gradient_sum_bits and 2^hessian_sum_bits of the number format.
    """
    candidates = Candidates.of(job.layout, job.used)
    vectors = vectors.reshape(1, *vectors.shape)
    sums = build(party, job.shape, job.executor, vectors)
    dummies = draw_dummies(party, candidates, (1 << job.max_depth) - 1, job.dummies)
    levels, chosen = list[_Level](), list[LevelSums]()
    for depth in range(job.max_depth):
        with party.step("level", depth):
            if depth:
                left, sums = _left_children(party, job, levels[-1], vectors, sums)
                if depth + 1 < job.max_depth:
                    vectors = interleave(left, vectors - left)
                del left
            histogram = running(party, job.shape, sums, job.used, job.numbers)
            nodes = slice((1 << depth) - 1, (2 << depth) - 1)
            best = best_splits(party, histogram, candidates, job.numbers, dummies[:, nodes])
            levels.append(_open_splits(party, job, candidates, best))
            chosen.append(LevelSums.of(histogram, best.left))
    del vectors, sums
    with party.step("leaves"):
        weights = leaf_weights(party, chosen, job.numbers)
        leaves = leaf_values(party, weights, job.numbers, job.learning_rate)
        values = _row_values(party, levels, leaves, value_bits(job.learning_rate))
    return GrownTree(_half(party, job, levels, leaves), values)


def _left_children(
    party: Party, job: TreeJob, level: _Level, vectors: Shared, parents: NoisySums
) -> tuple[Shared, NoisySums]:
    """The vectors of the next level's left children, and the sums of all its nodes."""
    left = select(party, level.owners, level.left, vectors, job.shape.sum_bits)
    return left, siblings(parents, build(party, job.shape, job.executor, left))


def _open_splits(party: Party, job: TreeJob, candidates: Candidates, best: BestSplits) -> _Level:
    """Owners to both, each split's candidate to its owner alone."""
    # What stands above the labels' bits is shifted out before a share leaves.
    high = 64 - LABEL_BITS
    owner, number = (tag.scale(1 << high) for tag in (best.owner, best.index))
    owners = open_shared(party, owner, Reveal.SPLIT_OWNER).view(np.int64) >> high
    index = np.full(owners.size, -1, np.int64)
    for rank in (0, 1):
        nodes = np.flatnonzero(owners == rank)
        if nodes.size:
            opened = open_to(party, rank, number[nodes], Reveal.SPLIT_INDEX)
            if opened is not None:
                index[nodes] = opened.view(np.int64) >> high
    mine = owners == party.rank
    columns, cuts, missing_left = candidates.decode(np.where(mine, index, 0))
    left = np.zeros((owners.size, job.layout.rows), np.bool_)
    left[mine] = job.executor.left(Cuts(columns[mine], cuts[mine], missing_left[mine]))
    return _Level(owners, columns, cuts, missing_left, left)


def _row_values(party: Party, levels: list[_Level], leaves: Shared, ring_bits: int) -> Shared:
    """Each row's leaf value (rows,), chosen bottom-up: right + bit (left - right).

    ``ring_bits``: modulo which the values are chosen, see ``value_bits``.
    """
    rows = levels[0].left.shape[1]
    values = leaves.reshape(-1, 1)  # one word a node, until the first choice among them
    for level in reversed(levels):
        left, right = values[0::2], values[1::2]
        gap = Shared(np.broadcast_to((left - right).words, (level.owners.size, rows)))
        chosen = select(party, level.owners, level.left, gap.reshape(-1, 1, rows), (ring_bits,))
        kept = chosen.words[:, 0]
        values = Shared(np.add(kept, right.words, out=kept))
    return values[0] if ring_bits == 64 else widen(party, values[0], ring_bits)


def _half(party: Party, job: TreeJob, levels: list[_Level], leaves: Shared) -> TreeHalf:
    owners = np.concatenate([level.owners for level in levels])
    columns = np.concatenate([level.columns for level in levels])
    cuts = np.concatenate([level.cuts for level in levels])
    missing_left = np.concatenate([level.missing_left for level in levels])
    mine = owners == party.rank
    thresholds = np.full(owners.size, np.nan)
    thresholds[mine] = job.cuts[columns[mine], cuts[mine]]
    return TreeHalf(
        owners=owners.astype(np.int8),
        features=np.where(mine, columns, NOT_MINE).astype(np.int32),
        bins=np.where(mine, cuts, NOT_MINE).astype(np.int32),
        thresholds=thresholds,
        missing_left=missing_left & mine,
        leaf_values=leaves.words,
    )
