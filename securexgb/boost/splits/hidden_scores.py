"""Scores of a model whose splits nobody knows.

The tables of all trees' nodes are shared, x ^ y of a row's owner P and the other side Q. P bins new
rows by its own cuts and looks x up by itself; for y a row correlation is made with y itself in the
place of random bits, once a session, and rows are looked up in it as often as asked. So both have
shares of the left bits of every node, and no other message is sent for them.

From the root down, in all trees at once, the node's bit keeps the left or the right half of what
is below it: of the other nodes' bits and of the leaf values. One shared bit decides about a whole
half, so each level takes one transfer a tree and direction (``mpc.trees.halves``); bottom-up every
node would take one. Leaf values go in the smallest ring that holds one where rows are many, for the
bytes, and are brought to the ring of sums afterwards, in one round more; where rows are few, they
go in that ring at once.

A service's model stays the same for long. Where a batch has many rows, each node's bit keeps the
marks of nodes instead, and the leaf values come by sums of what was sent once, under encryption
(``mpc.trees.leaf_sums``): a third of the bytes. Sums over trees are rounded to numbers in the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits, words_per
from securexgb.boost.columns.binning import Binner
from securexgb.boost.ensemble import ModelHalf, Round
from securexgb.boost.executor import LocalExecutor
from securexgb.boost.tree import HiddenTree, leaf_bits
from securexgb.correlations.rows import RowShape
from securexgb.he.fixed_sums import FixedLayout, plan_fixed_sums
from securexgb.mpc.left_bits import FixedTables
from securexgb.mpc.multiply import and_broadcast, gate_cost
from securexgb.mpc.numbers.lift import widen, widen_cost
from securexgb.mpc.numbers.truncate import half_up, shift_cost, truncate
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.share import constant_bits
from securexgb.mpc.shared import Shared, SharedBits, Words
from securexgb.mpc.trees.halves import halves, halves_cost
from securexgb.mpc.trees.leaf_sums import agree_leaves, leaf_values, leaf_values_cost

FEW_ROWS = 8
"""Up to so many rows a round less counts for more than bytes."""
MANY_ROWS = 128
"""From so many rows on a service takes sums of leaf values: below them results are half empty."""
_MOST_BITS = 63
"""Of words that halves are kept of."""
_RING_BITS = 64


class HiddenScores:
    """The trees of some rounds of a hidden model, ready for rows; both parties make it alike.

    ``expected``: about so many rows are scored while this lives. Public: what is sent before the
    first row is laid out for them. ``serves``: for a service, whose leaf values are sent, too.
    """

    def __init__(
        self,
        party: Party,
        model: ModelHalf,
        rounds: Sequence[Round],
        expected: int,
        *,
        serves: bool = False,
    ) -> None:
        trees = [tree for trees in rounds for tree in trees if isinstance(tree, HiddenTree)]
        self._party, self._model, self._rounds = party, model, len(rounds)
        self._leaves = Shared(np.stack([tree.leaf_values for tree in trees], axis=1))
        tables = SharedBits(_by_level(trees), len(trees) * trees[0].nodes)
        shape = RowShape(expected, model.layout.columns, model.layout.all_bins)
        self._tables = FixedTables(party, shape, tables)
        self._layout = _served_layout(model, len(trees)) if serves else None
        if self._layout is not None:
            self._keys = agree_leaves(party, self._leaves, self._layout)

    def margins(self, features: NDArray[np.float64], ring_bits: int | None = None) -> Shared:
        """The sums of leaf values of rows, own columns (n, f): shared (outputs, n), right modulo
        2^ring_bits where that is given."""
        model, rows = self._model, features.shape[0]
        layout, trees = model.layout, self._leaves.shape[1]
        bins = Binner(model.cuts, model.categorical).transform(features)
        own = LocalExecutor(bins, layout.all_bins, missing_bin=layout.bins)
        left = self._tables.left_bits(self._party, own, bins).flags()
        bits = SharedBits(pack_bits(left.reshape(left.shape[0] // trees, -1)), trees * rows)
        wanted = ring_bits or _RING_BITS
        by_sums = self._by_sums(rows, wanted)
        if by_sums is not None:
            marks, guard = _marked(self._party, bits), by_sums.guard_bits
            whole = wanted + guard
            values = leaf_values(self._party, marks, self._leaves, by_sums, self._keys, whole)
            sums = half_up(self._party, self._of_trees(values, rows), guard)
            return truncate(self._party, sums, guard, whole)
        chosen, whole = _rings(rows, model.params.most_rate, wanted)
        values = _descended(self._party, bits, self._leaves.repeat(rows), chosen)
        if chosen < whole:
            values = widen(self._party, values, chosen, whole)
        return self._of_trees(values, rows)

    def cost(self, rows: int, ring_bits: int) -> Cost:
        """Cost of ``margins`` of so many rows, apart from row correlations."""
        model, layout = self._model, self._by_sums(rows, ring_bits)
        depth, trees = model.params.max_depth, self._leaves.shape[1]
        if layout is None:
            return hidden_cost(trees, depth, rows, model.params.most_rate, ring_bits)
        return _served_cost(layout, depth, rows, model.outputs, ring_bits)

    def _by_sums(self, rows: int, ring_bits: int) -> FixedLayout | None:
        """How sums give the leaf values of so many rows, modulo 2^ring_bits; None where halves
        do."""
        layout = self._layout
        fits = layout is not None and ring_bits + layout.guard_bits <= _RING_BITS
        return layout if fits and rows >= MANY_ROWS else None

    def _of_trees(self, values: Shared, rows: int) -> Shared:
        """Sums over the trees of each output, (outputs, rows)."""
        return values.reshape(self._rounds, -1, rows).sum(axis=0)


def _served_layout(model: ModelHalf, trees: int) -> FixedLayout | None:
    """How the leaf values of a service's model are sent once; None where they are not."""
    params = model.params
    return plan_fixed_sums(trees, 1 << params.max_depth, leaf_bits(params.most_rate))


def _served_cost(layout: FixedLayout, depth: int, rows: int, outputs: int, ring_bits: int) -> Cost:
    """Cost of ``HiddenScores.margins`` by sums, apart from row correlations."""
    words, whole = words_per(layout.trees * rows), ring_bits + layout.guard_bits
    total = Cost()
    for level in range(depth):
        width = (1 << (depth - level - 1)) + (1 << level) - 2
        total += gate_cost(width, words) if width else Cost()
    total += leaf_values_cost(layout, rows, whole)
    return total + shift_cost(layout.guard_bits, outputs * rows, whole)


def hidden_cost(trees: int, depth: int, rows: int, rate: float, ring_bits: int = 64) -> Cost:
    """Cost of ``HiddenScores.margins`` by halves, apart from row correlations."""
    chosen, whole = _rings(rows, rate, ring_bits)
    total = Cost()
    for level in reversed(range(depth)):
        total += halves_cost(trees * rows, (1 << level) - 1, 1 << level, chosen)
    return total + (widen_cost(chosen, trees * rows, whole) if chosen < whole else Cost())


def _rings(rows: int, rate: float, ring_bits: int) -> tuple[int, int]:
    """In which ring leaf values are chosen, and in which they are wanted; by their bits."""
    least = leaf_bits(rate)
    if ring_bits <= least or (rows <= FEW_ROWS and ring_bits <= _MOST_BITS):
        return ring_bits, ring_bits
    return least, ring_bits


def _descended(party: Party, left: SharedBits, leaves: Shared, ring_bits: int) -> Shared:
    """The leaf values (n,) that elements reach, one for each tree and row.

    ``left``: of all nodes (2^d - 1, n), level after level; ``leaves`` (2^d, n).
    """
    while left.shape[0]:
        root, first, second = _parted(left)
        middle = leaves.shape[0] // 2
        right = leaves[middle:]
        kept, words = halves(party, root, first ^ second, leaves[:middle] - right, ring_bits)
        left, leaves = kept ^ second, words + right
    return leaves[0]


def _marked(party: Party, left: SharedBits) -> SharedBits:
    """Marks (2^d, n) of the leaves that elements reach, of the bits of all nodes; see
    ``_descended``."""
    marks = constant_bits(party, True, (1,), left.count)
    while left.shape[0]:
        root, first, second = _parted(left)
        below, known = first.shape[0], marks.shape[0] - 1
        kept = SharedBits.concatenate([first ^ second, marks[:known]])
        if kept.shape[0]:
            kept = and_broadcast(party, root, kept)
        left = kept[:below] ^ second
        # One mark is set: the last one's product is what the others' leave of the bit.
        lefts = kept[below:]
        last = (root ^ lefts.xor_all()).reshape(1) if known else root.reshape(1)
        lefts = SharedBits.concatenate([lefts, last])
        pairs = SharedBits.stack([lefts, marks ^ lefts], axis=1)
        marks = pairs.reshape(2 * marks.shape[0])
    return marks


def _parted(left: SharedBits) -> tuple[SharedBits, SharedBits, SharedBits]:
    """The root's bits, and those of the nodes of its left and of its right half."""
    root, below = left[0], left[1:]
    depths = [(1 << level) - 1 for level in range((below.shape[0] + 2).bit_length() - 2)]
    halves_of = [
        [below[2 * at : 3 * at + 1] for at in depths],
        [below[3 * at + 1 : 4 * at + 2] for at in depths],
    ]
    first, second = (SharedBits.concatenate([below[:0], *parts]) for parts in halves_of)
    return root, first, second


def _by_level(trees: Sequence[HiddenTree]) -> Words:
    """Tables of all trees' nodes, level after level, place after place: packed along the nodes."""
    flags = [SharedBits(tree.tables, tree.nodes).flags() for tree in trees]
    nodes = np.stack(flags, axis=-1)  # (columns, bins, nodes, trees)
    return pack_bits(nodes.reshape(*nodes.shape[:2], -1))
