"""Scores of a model whose splits nobody knows.

The tables of all trees' nodes are shared, x ^ y of a row's owner P and the other side Q. P bins new
rows by its own cuts and looks x up by itself; for y a row correlation is made with y itself in the
place of random bits, once a session, and rows are looked up in it as often as asked. So nothing is
sent here but for the choice of leaf values, bottom-up, in all trees at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits
from securexgb.boost.columns.binning import Binner
from securexgb.boost.ensemble import ModelHalf, Round
from securexgb.boost.executor import LocalExecutor
from securexgb.boost.splits.hidden import HiddenSplits
from securexgb.boost.splits.level import chosen_leaves, widened_leaves
from securexgb.boost.tree import HiddenTree, value_bits
from securexgb.correlations.rows import RowShape
from securexgb.mpc.left_bits import FixedTables
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits, Words


class HiddenScores:
    """The trees of some rounds of a hidden model, ready for rows; both parties make it alike.

    ``expected``: about so many rows are scored while this lives. Public: what is sent before the
    first row is laid out for them.
    """

    def __init__(
        self, party: Party, model: ModelHalf, rounds: Sequence[Round], expected: int
    ) -> None:
        trees = [tree for trees in rounds for tree in trees if isinstance(tree, HiddenTree)]
        self._party, self._model, self._rounds = party, model, len(rounds)
        self._depth = trees[0].depth
        self._leaves = Shared(np.stack([tree.leaf_values for tree in trees]))
        tables = SharedBits(_by_level(trees), len(trees) * trees[0].nodes)
        shape = RowShape(expected, model.layout.columns, model.layout.all_bins)
        self._tables = FixedTables(party, shape, tables)

    def margins(self, features: NDArray[np.float64], ring_bits: int | None = None) -> Shared:
        """The sums of leaf values of rows, own columns (n, f): shared (outputs, n), right modulo
        2^ring_bits where that is given."""
        model, rows = self._model, features.shape[0]
        layout, trees = model.layout, self._leaves.shape[0]
        bins = Binner(model.cuts, model.categorical).transform(features)
        own = LocalExecutor(bins, layout.all_bins, missing_bin=layout.bins)
        left = self._tables.left_bits(self._party, own, bins)
        levels = []
        for depth in range(self._depth):
            nodes = slice(trees * ((1 << depth) - 1), trees * ((2 << depth) - 1))
            levels.append(HiddenSplits(left[nodes]))
        rate = model.params.most_rate
        bits = value_bits(rate) if ring_bits is None else ring_bits
        values = chosen_leaves(self._party, levels, self._leaves, rows, bits)
        if ring_bits is None:
            values = widened_leaves(self._party, values, rate)
        return values.reshape(self._rounds, -1, rows).sum(axis=0)


def _by_level(trees: Sequence[HiddenTree]) -> Words:
    """Tables of all trees' nodes, level after level, tree after tree: packed along the nodes."""
    flags = [SharedBits(tree.tables, tree.nodes).flags() for tree in trees]
    parts = [
        part[..., (1 << depth) - 1 : (2 << depth) - 1]
        for depth in range(trees[0].depth)
        for part in flags
    ]
    return pack_bits(np.concatenate(parts, axis=-1))
