"""Histograms of a level: sums of gradients and hessians by node, column and bin.

Only left children are summed over rows; a right child is its parent minus its sibling, on the
sums as they are: exact, in the units of rows, with the noise of the source of correlations, and
shared. Nothing is rounded on this way, so a node's sums do not depend on the path to it. Then the
sums of every node are cumulated over bins, locally, and what comes out is rounded to the units in
which splits are found: running sums over the same rows are equal after it, in whatever column,
and a child's hessian, a difference of running ones, is never negative.

A category stands alone, so in a categorical column its bin is not cumulated: what is rounded is the
category's own sum. Behind the categories' bins, the running sums go on as in any other column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.boost.layout import Layout
from securexgb.mpc.matrix import MatrixShape, OwnRows, histograms, sums_cost
from securexgb.mpc.numbers.unpack import round_cost, round_sums
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared


@dataclass(frozen=True)
class NoisySums:
    """Shared sums in units of rows, not to be opened: ``sums`` (nodes, 2, columns, bins).

    Of g and of h, 2^noise_bits times the sum, and noise, modulo 2^ring_bits of the shape that they
    were built with; label party's columns first.
    """

    sums: Shared

    @property
    def nodes(self) -> int:
        return self.sums.shape[0]


@dataclass(frozen=True)
class Histogram:
    """Shared running sums per (node, column, bin), rounded: of all bins up to and with this one,
    of a category's bin its own sum.

    ``gradient``, ``hessian``: integers in the units of the number format. The bin of missing values
    is the last one, so the last running sum of any column is the node's.
    """

    gradient: Shared
    hessian: Shared

    @property
    def totals(self) -> tuple[Shared, Shared]:
        """G and H of the nodes, (nodes,) each."""
        return self.gradient[:, 0, -1], self.hessian[:, 0, -1]


def matrix_shape(
    layout: Layout, numbers: NumberFormat, max_depth: int, noise_bits: int = 0
) -> MatrixShape:
    """The bucket matrices of a training, and the sums that are taken over them.

    A node's sums are those of its parent minus its sibling's, and so on: of a vector a level. They
    have a bit more than they need, see ``mpc.numbers.unpack``.
    """
    bits = 1 + numbers.gradient_sum_bits, 1 + numbers.hessian_sum_bits
    return MatrixShape(layout.rows, layout.columns, layout.all_bins, bits, max_depth, noise_bits)


def build_cost(shape: MatrixShape, vectors: int) -> Cost:
    """Cost of ``build`` for so many pairs of vectors."""
    return sums_cost(shape, vectors)


@protocol(
    cost=lambda shape, own, vectors: build_cost(shape, vectors.shape[0]),
    opens=COMPOSED,
    source="docs/protocols.md, histograms",
    ideal=None,
)
def build(party: Party, shape: MatrixShape, own: OwnRows, vectors: Shared) -> NoisySums:
    """Sums of gradients and hessians ``vectors`` (nodes, 2, rows) over both parties' columns.

    ``own``: this party's rows.
    """
    label, feature = (own, None) if party.rank == 0 else (None, own)
    return NoisySums(histograms(party, shape, label, feature, vectors))


def siblings(parents: NoisySums, left: NoisySums) -> NoisySums:
    """The next level in heap order: each parent's left child, then its right one."""
    return NoisySums(Shared.interleave(left.sums, parents.sums - left.sums))


def running_cost(shape: MatrixShape, sums: int, numbers: NumberFormat) -> Cost:
    """Cost of ``running`` for so many pairs of sums: nodes times used columns times bins."""
    return round_cost(shape.widths(numbers.dropped_bits), sums)


@protocol(
    cost=lambda shape, sums, used, numbers, alone: running_cost(
        shape, sums.nodes * used.shape[-1] * sums.sums.shape[3], numbers
    ),
    opens=COMPOSED,
    source="docs/protocols.md, histograms",
    ideal=None,
)
def running(
    party: Party,
    shape: MatrixShape,
    sums: NoisySums,
    used: NDArray[np.int64],
    numbers: NumberFormat,
    alone: NDArray[np.bool_],
) -> Histogram:
    """The running sums of the used columns, rounded to the units of the number format.

    ``used``: (k,), or those of each node, (nodes, k). ``alone``: public, of all columns, (columns,
    bins): where a bin is a category, its own sum.
    """
    of_bins = sums.sums[:, :, used] if used.ndim == 1 else _of_each(sums, used)
    is_alone = alone[used] if used.ndim == 1 else alone[used][:, None]
    cumulated = Shared.where(is_alone, of_bins, of_bins.cumsum(axis=3))
    return Histogram(*round_sums(party, cumulated, shape.widths(numbers.dropped_bits)))


def _of_each(sums: NoisySums, used: NDArray[np.int64]) -> Shared:
    """Each node's own columns, (nodes, 2, k, bins)."""
    nodes = np.arange(used.shape[0])[:, None, None]
    return sums.sums[nodes, np.arange(2)[:, None], used[:, None]]
