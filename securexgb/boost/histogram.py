"""Histograms of a level: sums of gradients and hessians by node, column and bin.

Only left children are summed over rows; a right child is its parent minus its sibling,
on the sums, where it is free.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb.mpc.matrix import MatrixShape, OwnRows, histograms, sums_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared


@dataclass(frozen=True)
class Histogram:
    """Shared sums per (node, column, bin), label party's columns first.

    ``gradient``, ``hessian``: integers in the units of the number format.
    """

    gradient: Shared
    hessian: Shared

    def minus(self, other: Histogram) -> Histogram:
        return Histogram(self.gradient - other.gradient, self.hessian - other.hessian)

    def columns(self, used: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Histogram:
        """The given columns only."""
        return Histogram(self.gradient[:, used], self.hessian[:, used])


def build_cost(shape: MatrixShape, vectors: int, low_bits: int) -> Cost:
    """Cost of ``build`` for so many vectors."""
    return sums_cost(shape, vectors, low_bits)


@protocol(
    cost=lambda shape, own, pairs, low_bits: build_cost(shape, pairs.shape[0], low_bits),
    opens=COMPOSED,
    source="docs/protocols.md, histograms",
    ideal=None,
)
def build(
    party: Party, shape: MatrixShape, own: OwnRows, pairs: Shared, low_bits: int
) -> Histogram:
    """Histograms of gradient pairs ``pairs`` (nodes, rows) over both parties' columns.

    ``own``: this party's rows.
    """
    label, feature = (own, None) if party.rank == 0 else (None, own)
    return Histogram(*histograms(party, shape, label, feature, pairs, low_bits))


def siblings(parents: Histogram, left: Histogram) -> Histogram:
    """The next level in heap order: each parent's left child, then its right one."""
    right = parents.minus(left)
    return Histogram(
        interleave(left.gradient, right.gradient), interleave(left.hessian, right.hessian)
    )


def interleave(left: Shared, right: Shared) -> Shared:
    """Children in heap order along the first axis."""
    stacked = np.stack([left.words, right.words], axis=1)
    return Shared(stacked.reshape(-1, *left.words.shape[1:]))
