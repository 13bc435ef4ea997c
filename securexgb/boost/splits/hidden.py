"""Hidden splits: nobody learns owner, column, cut or missing side of any split.

A level's splits stay what the argmax gives, shared marks, one for each candidate. Which bins
of a column a split sends left is linear in them: bin b goes left where the marked cut is at b or
above, or is another category than b, missing values where the marked candidate sends them left.
These tables of bits, one of each side's columns, are a node's split from here on, in the training
and in the model: a row is sent left by looking its private bins up in them (``mpc.left_bits``). A
node without a valid candidate
has no mark and an empty table, and sends all rows right.

Where importance is asked for, the nodes' amounts (``splits.leaves``), are added up
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
from securexgb.boost.splits.split import BestSplits, Candidates, orders
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
        tables = _tables(best.marks[:-1], candidates, 0)
        if layout.categorical:
            others = _tables(best.marks[:-1], candidates, 1)
            shape = tables.count, candidates.used.shape[-1]
            kinds = np.broadcast_to(layout.is_categorical[candidates.used], shape).T[:, None]
            flags = np.where(kinds, others.flags(), tables.flags())
            tables = SharedBits(pack_bits(flags), tables.count)
        return HiddenLevel(_of_all_columns(tables, candidates, layout), layout.columns)

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


def _tables(marks: SharedBits, candidates: Candidates, kind: int) -> SharedBits:
    """Which bins each node sends left, (k, all bins, nodes), if columns were all of one kind:
    numeric, 0, or categorical, 1."""
    layout, columns = candidates.layout, candidates.used.shape[-1]
    cut, missing_left = (np.tile(part[kind], columns) for part in orders(layout))
    to_right, to_left = (
        marks[chosen].placed((columns, layout.bins), (candidates.column[chosen], cut[chosen]))
        for chosen in (~missing_left, missing_left)
    )
    # A bin goes left of every cut that is not below it, and of every category but its own.
    cuts = to_right ^ to_left
    tables = cuts.parity_from(1)
    if kind:
        tables = SharedBits.concatenate([cuts[:, :-1], cuts[:, -1:] ^ cuts[:, -1:]], axis=1)
        tables ^= cuts.xor_all(1)[:, None]
    if layout.missing:
        tables = SharedBits.concatenate([tables, to_left.xor_all(1)[:, None]], axis=1)
    return tables


def _of_all_columns(tables: SharedBits, candidates: Candidates, layout: Layout) -> SharedBits:
    """Tables of the used columns (k, bins, nodes) at their places among those of both sides."""
    used = candidates.used
    if used.ndim == 1:
        return tables.placed((layout.total_columns, tables.shape[1]), (used,))
    flags = np.zeros((layout.total_columns, *tables.shape[1:]), np.bool_)
    nodes = np.arange(used.shape[0])
    flags[used.T, :, nodes] = tables.flags().transpose(0, 2, 1)
    return SharedBits(pack_bits(flags), tables.count)


def amounts_cost(columns: int, nodes: int) -> Cost:
    """Cost of ``HiddenRound.add_amounts`` on so many columns, of the nodes of all trees."""
    return multiplex_shared_cost(columns * nodes)


class HiddenRound:
    """The splits of the trees of one round, level after level."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._levels: list[HiddenLevel] = []
        self._columns = list[NDArray[np.bool_]]()
        """Of each level: shares of whether a node splits on a column, (used columns, nodes)."""
        self._numbers = list[NDArray[np.int64]]()
        """Of each level: the columns' numbers, (used columns, nodes)."""
        self._amounts: Words | None = None

    def dummies(self, nodes: int) -> SharedBits:
        """Nothing: a node without a valid candidate has an empty table."""
        return SharedBits.zeros(0, count=nodes)

    def found(self, _party: Party, best: BestSplits, candidates: Candidates) -> HiddenLevel:
        """The next level's splits, among its candidates."""
        used, marks = candidates.used, best.marks[:-1]
        of_column = marks.reshape(used.shape[-1], candidates.per_column)
        self._columns.append(of_column.xor_all(axis=1).flags())
        shape = marks.count, used.shape[-1]
        self._numbers.append(np.broadcast_to(used, shape).T)
        self._levels.append(HiddenLevel.of(best, candidates, self._layout))
        return self._levels[-1]

    def add_amounts(self, party: Party, amounts: Shared) -> None:
        """Add up what the nodes of all levels weigh, (nodes,), by tree and column."""
        flags = np.concatenate(self._columns, axis=1)
        used, nodes = flags.shape
        on_column = SharedBits(pack_bits(flags), nodes)
        kept = multiplex_shared(
            party, on_column, amounts.reshape(1, 1, nodes).broadcast_to(used, 1, nodes)
        )
        roots = self._columns[0].shape[1]
        trees = [np.arange(level.shape[1]) // (level.shape[1] // roots) for level in self._columns]
        places = np.concatenate(trees)[None], np.concatenate(self._numbers, axis=1)
        self._amounts = np.zeros((roots, self._layout.total_columns), np.uint64)
        np.add.at(self._amounts, places, kept[:, 0].own_share())

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
