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

from securexgb.boost.ensemble import Round, owned
from securexgb.mpc.shared import Shared, Words

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_BLOCK = 64
"""Rows that are worked on together: their arrays stay within the processor's cache."""


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
        self.outputs, self._depth = len(rounds[0]), trees[0].depth
        self._trees = len(trees)
        owners = np.stack([tree.owners for tree in trees], axis=1)
        self._own = owners == rank
        self._place = tuple([np.flatnonzero((owners == side).reshape(-1)) for side in (0, 1)])
        self._rank = rank
        at = self._place[rank]
        features = np.stack([tree.features for tree in trees], axis=1).reshape(-1)[at]
        self._features = features
        self._thresholds = np.stack([t.thresholds for t in trees], 1).reshape(-1, 1)[at]
        self._missing_left = np.stack([t.missing_left for t in trees], 1).reshape(-1, 1)[at]
        self._one_hot = np.stack([t.one_hot for t in trees], 1).reshape(-1, 1)[at]
        self._any_one_hot = bool(self._one_hot.any())
        self._leaves = np.stack([tree.leaf_values for tree in trees], axis=1)[:, :, None]

    def nodes(self, rank: int) -> int:
        """How many nodes party ``rank`` owns."""
        return int(self._place[rank].size)

    def marks(self, values: Floats) -> Marks:
        """For own columns (n, f)."""
        rows = values.shape[0]
        parts = [self._marks(values[at : at + _BLOCK]) for at in range(0, rows, _BLOCK)]
        if len(parts) == 1:
            return parts[0]
        columns = zip(*[vars(part).values() for part in parts], strict=True)
        bits, offered, sums = (np.concatenate(column, axis=1) for column in columns)
        return Marks(bits, offered, sums)

    def _marks(self, values: Floats) -> Marks:
        rows, trees = values.shape[0], self._trees
        right = np.zeros((self._own.size, rows), np.bool_)
        right[self._place[self._rank]] = self._goes_right(values)
        right = right.reshape(*self._own.shape, rows)
        reached = np.ones((1, trees, rows), np.bool_)
        marks = np.empty_like(right)
        for level in range(self._depth):
            nodes = slice((1 << level) - 1, (2 << level) - 1)
            goes, own = right[nodes], self._own[nodes][:, :, None]
            children = np.empty((2 << level, trees, rows), np.bool_)
            np.logical_and(reached, goes, out=marks[nodes])
            np.greater(reached, goes, out=children[0::2])  # reached and not right
            np.logical_or(marks[nodes], reached & ~own, out=children[1::2])
            reached = children
        sums = self._leaves * reached
        words = np.empty((*self._own.shape, rows), np.uint64)
        for level in reversed(range(self._depth)):
            nodes = slice((1 << level) - 1, (2 << level) - 1)
            left, behind = sums[0::2], sums[1::2]
            np.subtract(behind, left, out=words[nodes])
            sums = left + behind * self._own[nodes][:, :, None]
        flat = self._own.size, rows
        return Marks(
            marks.reshape(flat)[self._place[self._rank]],
            words.reshape(flat)[self._place[1 - self._rank]],
            sums.reshape(self.outputs, -1, rows).sum(axis=1, dtype=np.uint64),
        )

    def sums(self, rank: int, products: Shared) -> Shared:
        """Products of the nodes of party ``rank``, (nodes, n), by output: (outputs, n)."""
        if self.outputs == 1:
            return products.sum(axis=0).reshape(1, -1)
        of = self._place[rank] % self._trees // (self._trees // self.outputs)
        return Shared.stack([products[of == output].sum(axis=0) for output in range(self.outputs)])

    def _goes_right(self, values: Floats) -> Flags:
        """(own nodes, n)."""
        own = np.ascontiguousarray(values.T)[self._features]
        right: Flags = own >= self._thresholds
        if self._any_one_hot:
            right = np.where(self._one_hot, own == self._thresholds, right)
        return np.where(np.isnan(own), ~self._missing_left, right)


__all__ = ["Forest", "Marks"]
