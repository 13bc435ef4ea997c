"""Hidden splits: nobody learns owner, column, cut or missing side of any split.

A level's splits stay what the argmax gives, shared marks, one for each candidate. Which bins
of a column a split sends left is linear in them: bin b goes left where the marked cut is at b or
above, or is another category than b, missing values where the marked candidate sends them left.
These tables of bits, one of each side's columns, are a node's split from here on, in the training
and in the model: a row is sent left by looking its private bins up in them (``mpc.left_bits``). A
node without a valid candidate
has no mark and an empty table, and sends all rows right.

Where importance is asked for, the nodes' amounts, gain or cover (``splits.leaves``), are added up
by column in shares. Whether a node splits on a column is the exclusive or of the marks of this
column's candidates, and the node's amount is kept or dropped by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits
from securexgb.boost.executor import Executor
from securexgb.boost.layout import Layout
from securexgb.boost.splits.split import BestSplits, Candidates
from securexgb.boost.tree import HiddenTree
from securexgb.correlations.rows import RowShape
from securexgb.mpc.left_bits import left_bits
from securexgb.mpc.multiplex import multiplex_shared, multiplex_shared_cost
from securexgb.mpc.packed import RingBits
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Shared, SharedBits, Words


@dataclass(frozen=True)
class HiddenLevel:
    """The splits of a level: ``tables`` (columns of both sides, bins, nodes), shared."""

    tables: SharedBits
    features: tuple[int, int]

    @staticmethod
    def of(best: BestSplits, candidates: Candidates, layout: Layout) -> HiddenLevel:
        """What the marks say; local."""
        marks, shape = best.marks[:-1], (layout.total_columns, layout.bins)
        to_right, to_left = (
            marks[chosen].placed(shape, (candidates.number[chosen], candidates.cut[chosen]))
            for chosen in (~candidates.missing_left, candidates.missing_left)
        )
        # A bin goes left of every cut that is not below it, and of every category but its own.
        cuts = to_right ^ to_left
        tables = cuts.parity_from(1)
        if layout.categorical:
            alone = layout.categories[:, : layout.bins]
            others = tables[:, :1] ^ SharedBits.where(alone, cuts, tables ^ tables)
            tables = SharedBits.where(layout.is_categorical[:, None], others, tables)
        if layout.missing:
            tables = SharedBits.concatenate([tables, to_left.xor_all(1)[:, None]], axis=1)
        return HiddenLevel(tables, layout.columns)

    def of_rows(self, party: Party, own: Executor, rows: int) -> HiddenSplits:
        """Shares of which rows go left."""
        label = self.features[0]
        shape = RowShape(rows, self.features, self.tables.shape[1])
        tables = self.tables[:label], self.tables[label:]
        at_label, at_feature = (own, None) if party.rank == 0 else (None, own)
        return HiddenSplits(left_bits(party, shape, at_label, at_feature, *tables))


@dataclass(frozen=True)
class HiddenSplits:
    """Splits of which both parties have shares of which rows go left: ``left`` (nodes, rows)."""

    left: SharedBits

    def keep_left(self, party: Party, x: Shared, ring_bits: RingBits) -> Shared:
        return multiplex_shared(party, self.left.first(x.shape[2]), x, ring_bits)


def amounts_cost(columns: int, nodes: int) -> Cost:
    """Cost of ``HiddenRound.add_amounts`` on so many columns, of the nodes of all trees."""
    return multiplex_shared_cost(columns * nodes)


class HiddenRound:
    """The splits of the trees of one round, level after level."""

    def __init__(self, candidates: Candidates, layout: Layout) -> None:
        self._candidates, self._layout = candidates, layout
        self._levels: list[HiddenLevel] = []
        self._columns = list[NDArray[np.bool_]]()
        """Of each level: shares of whether a node splits on a column, (used columns, nodes)."""
        self._amounts: Words | None = None

    def dummies(self, nodes: int) -> SharedBits:
        """Nothing: a node without a valid candidate has an empty table."""
        return SharedBits.zeros(0, count=nodes)

    def found(self, _party: Party, best: BestSplits) -> HiddenLevel:
        """The next level's splits."""
        used = int(self._candidates.column[-1]) + 1
        marks = best.marks[:-1]
        of_column = marks.reshape(used, marks.shape[0] // used)
        self._columns.append(of_column.xor_all(axis=1).flags())
        self._levels.append(HiddenLevel.of(best, self._candidates, self._layout))
        return self._levels[-1]

    def add_amounts(self, party: Party, amounts: Shared) -> None:
        """Add up what the nodes of all levels weigh, (nodes,), by tree and column."""
        flags = np.concatenate(self._columns, axis=1)
        used, nodes = flags.shape
        on_column = SharedBits(pack_bits(flags), nodes)
        kept = multiplex_shared(
            party, on_column, amounts.reshape(1, 1, nodes).broadcast_to(used, 1, nodes)
        )
        first, sums = 0, Shared.zeros(self._columns[0].shape[1], used)
        for level in self._columns:
            last = first + level.shape[1]
            of_trees = kept[:, 0, first:last].reshape(used, sums.shape[0], -1).sum(axis=2)
            sums, first = sums + of_trees.transpose(1, 0), last
        self._amounts = np.zeros((sums.shape[0], self._layout.total_columns), np.uint64)
        self._amounts[:, np.unique(self._candidates.number)] = sums.own_share()

    def halves(self, leaves: Shared) -> tuple[HiddenTree, ...]:
        """This party's half of each tree; ``leaves``: (trees, 2^depth)."""
        flags = [level.tables.flags() for level in self._levels]
        none = np.zeros((leaves.shape[0], 0), np.uint64)
        amounts = none if self._amounts is None else self._amounts
        trees = []
        for root, values in enumerate(leaves.own_share()):
            own = [part[..., root << at : (root + 1) << at] for at, part in enumerate(flags)]
            tables = pack_bits(np.concatenate(own, axis=-1))
            trees.append(HiddenTree(tables, values, amounts[root]))
        return tuple(trees)
