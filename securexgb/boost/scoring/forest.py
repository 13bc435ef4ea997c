"""All owned trees of a model at once: scores of rows by one product for each inner node.

Who owns a node is public. Let L be the side that holds leaf values y (of its share, those of leaves
that its own splits exclude being 0) and B the side whose splits choose among them. Under a node
of L's own both sides count, so its sum is A = A_left + A_right; under a node of B's the left side
counts, and where the row goes right there, and reaches the node by B's own splits above, the
difference A_right - A_left more: a private bit of B's times a word of L's. So a tree takes one
transfer for each inner node, whoever owns it, and A at its root is L's own share. Were each
leaf chosen by its mark, a tree would take as many transfers as both sides have leaves, twice as
many and one. Both sides are L and B, for their own shares of the leaf values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.boost.ensemble import Round, owned
from securexgb.mpc.shared import Shared, Words

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class Marks:
    """What one side makes of rows: ``bits`` (own nodes, n), whether a row reaches the node by own
    splits and goes right there; ``offered`` (others' nodes, n), words to be multiplied with the
    other side's bits; ``sums`` (outputs, n) of its own."""

    bits: Flags
    offered: Words
    sums: Words


class Forest:
    """One side's half of all trees of some rounds, at least one.

    Nodes are numbered by their number within a tree, then by output and round.
    """

    def __init__(self, rank: int, rounds: Sequence[Round]) -> None:
        trees = owned([tree for trees in zip(*rounds, strict=True) for tree in trees])
        self.outputs, self._trees = len(rounds[0]), len(trees)
        owners = np.stack([tree.owners for tree in trees], axis=1)
        self._place = tuple([np.flatnonzero((owners == side).reshape(-1)) for side in (0, 1)])
        at = self._place[rank]
        of_nodes = [
            np.stack(columns, axis=1).reshape(-1)[at]
            for columns in zip(
                *[(t.features, t.thresholds, t.missing_left, t.one_hot) for t in trees],
                strict=True,
            )
        ]
        features, thresholds, missing_left, one_hot = of_nodes
        self._half = _kernels.Forest(
            (owners == rank).view(np.uint8),
            features.astype(np.uint32),
            thresholds.astype(np.float64),
            np.stack([missing_left, one_hot]).astype(np.uint8),
            np.ascontiguousarray(np.stack([tree.leaf_values for tree in trees], axis=1)),
            self.outputs,
        )

    def nodes(self, rank: int) -> int:
        """How many nodes party ``rank`` owns."""
        return int(self._place[rank].size)

    def marks(self, values: Floats) -> Marks:
        """For own columns (n, f)."""
        bits, offered, sums = self._half.marks(np.ascontiguousarray(values))
        return Marks(bits.view(np.bool_), offered, sums)

    def sums(self, rank: int, products: Shared) -> Shared:
        """Products of the nodes of party ``rank``, (nodes, n), by output: (outputs, n)."""
        if self.outputs == 1:
            return products.sum(axis=0).reshape(1, -1)
        of = self._place[rank] % self._trees // (self._trees // self.outputs)
        return Shared.stack([products[of == output].sum(axis=0) for output in range(self.outputs)])


__all__ = ["Forest", "Marks"]
