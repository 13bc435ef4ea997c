"""Hidden splits: nobody learns owner, column, cut or missing side of any split.

A level's splits stay what the argmax gives, shared marks, one for each candidate. Which bins
of a column a split sends left is linear in them: bin b goes left where the marked cut is at b or
above, missing values where the marked candidate sends them left. These tables of bits, one of each
side's columns, are a node's split from here on, in the training and in the model: a row is sent
left by looking its private bins up in them (``mpc.left_bits``). A node without a valid candidate
has no mark and an empty table, and sends all rows right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb.arith.bits import pack_bits
from securexgb.boost.executor import Executor
from securexgb.boost.layout import Layout
from securexgb.boost.split import BestSplits, Candidates
from securexgb.boost.tree import HiddenTree
from securexgb.correlations.rows import RowShape
from securexgb.mpc.choose import choose
from securexgb.mpc.left_bits import left_bits
from securexgb.mpc.packed import RingBits
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits


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
        # A bin goes left of every cut that is not below it.
        tables = (to_right ^ to_left).parity_from(1)
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
        return choose(party, self.left.first(x.shape[2]), x, ring_bits)


class HiddenRound:
    """The splits of the trees of one round, level after level."""

    def __init__(self, candidates: Candidates, layout: Layout) -> None:
        self._candidates, self._layout = candidates, layout
        self._levels: list[HiddenLevel] = []

    def found(self, _party: Party, best: BestSplits) -> HiddenLevel:
        """The next level's splits."""
        self._levels.append(HiddenLevel.of(best, self._candidates, self._layout))
        return self._levels[-1]

    def halves(self, leaves: Shared) -> tuple[HiddenTree, ...]:
        """This party's half of each tree; ``leaves``: (trees, 2^depth)."""
        flags = [level.tables.flags() for level in self._levels]
        trees = []
        for root, values in enumerate(leaves.own_share()):
            own = [part[..., root << at : (root + 1) << at] for at, part in enumerate(flags)]
            trees.append(HiddenTree(pack_bits(np.concatenate(own, axis=-1)), values))
        return tuple(trees)
