"""The row pipeline of a training: all work that is linear in rows.

The tree side (``boost.grower``) sees sums over rows, finds splits and weighs leaves; it does not
know how many rows there are, nor where they lie. A row side holds one party's rows and shares of
their margins, and of their gradients at every node of the present level. It works with the other
party's row side; what it gives is this party's shares of sums, and sums over parts of the rows
add up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.arith.prg import Prg
from securexgb.boost.dither import Dither
from securexgb.boost.executor import LocalExecutor
from securexgb.boost.histogram import NoisySums, build, matrix_shape
from securexgb.boost.layout import Layout
from securexgb.boost.level import LevelSplits, OwnedSplits, ToldSplits
from securexgb.boost.objective.objective import Labels, Objective, gradient_vectors
from securexgb.boost.params import TrainingParams
from securexgb.boost.sample import sampled_rows
from securexgb.boost.tree import value_bits
from securexgb.mpc.lift import widen
from securexgb.mpc.matrix import Buckets, MatrixShape, register
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared


class RowSide(Protocol):
    """One party's rows in a training; the tree side calls it at both parties alike."""

    shape: MatrixShape
    """Of the sums that it gives."""

    def start(self, margins: Shared) -> None:
        """Begin with these margins (outputs, rows)."""

    def gradients(self, number: int) -> None:
        """Make every row's g and h for round ``number``, on the round's sample of rows."""

    def root_sums(self) -> NoisySums:
        """The sums of all rows, a node for each output."""

    def split(self, level: ToldSplits) -> NoisySums:
        """Split all nodes of the present level: the sums of the left children."""

    def leaves(self, level: ToldSplits, values: Shared) -> None:
        """Split the last level, and add each row's leaf value to its margins.

        ``values``: (outputs, leaves), margin_bits fraction bits.
        """

    def checkpoint(self) -> Shared:
        """The margins after the last round, (outputs, rows)."""


@dataclass(frozen=True, eq=False)
class RowJob:
    """What a row side works on. ``buckets``: own bin numbers (rows, columns); ``coins``: public."""

    params: TrainingParams
    layout: Layout
    numbers: NumberFormat
    objective: Objective
    labels: Labels
    coins: Prg
    buckets: Buckets


MakeRowSide: TypeAlias = Callable[[Party, RowJob], RowSide]


class LocalRows:
    """All rows of a party in its one process."""

    def __init__(self, party: Party, job: RowJob) -> None:
        layout = job.layout
        shape = matrix_shape(layout, job.numbers, job.params.max_depth)
        self.shape = register(party, shape, job.buckets)
        self._party, self._job = party, job
        self._executor = LocalExecutor(job.buckets, layout.all_bins, missing_bin=layout.bins)
        self._margins = Shared.zeros(job.objective.outputs, layout.rows)
        self._vectors, self._left = Shared.zeros(0), Shared.zeros(0)
        self._splits: list[LevelSplits] = []

    def start(self, margins: Shared) -> None:
        self._margins = margins

    def gradients(self, number: int) -> None:
        job = self._job
        coins = Dither.of(job.params.random_state, number)
        vectors = gradient_vectors(
            self._party, job.objective, self._margins, job.labels, job.numbers, coins
        )
        rows = sampled_rows(job.coins, job.params, job.layout, number)
        self.take(vectors if rows is None else vectors.scale(rows))

    def take(self, vectors: Shared) -> None:
        """Begin trees on g and h of every row, (outputs, 2, rows).

        Right modulo 2^gradient_sum_bits and 2^hessian_sum_bits of the number format.
        """
        self._vectors = vectors

    def root_sums(self) -> NoisySums:
        return build(self._party, self.shape, self._executor, self._vectors)

    def split(self, level: ToldSplits) -> NoisySums:
        if self._splits:
            self._vectors = Shared.interleave(self._left, self._vectors - self._left)
            self._left = Shared.zeros(0)
        self._splits.append(self.splits_of(level))
        self._left = self._splits[-1].keep_left(self._party, self._vectors, self.shape.sum_bits)
        return build(self._party, self.shape, self._executor, self._left)

    def leaves(self, level: ToldSplits, values: Shared) -> None:
        self._vectors = self._left = Shared.zeros(0)
        self._splits.append(self.splits_of(level))
        bits = value_bits(self._job.params.learning_rate)
        self._margins = self._margins + self._values(values, bits)
        self._splits = []

    def checkpoint(self) -> Shared:
        return self._margins

    def splits_of(self, level: ToldSplits) -> LevelSplits:
        """Which rows go left, as far as this party knows."""
        return OwnedSplits.of(self._party.rank, level, self._executor, self._job.layout.rows)

    def _values(self, leaves: Shared, ring_bits: int) -> Shared:
        """Each row's leaf value (outputs, rows), chosen bottom-up: right + bit (left - right).

        ``ring_bits``: modulo which the values are chosen, see ``value_bits``.
        """
        rows = self._job.layout.rows
        values = leaves.reshape(-1, 1)  # one word a node, until the first choice among them
        for splits in reversed(self._splits):
            left, right = values[0::2], values[1::2]
            gap = (left - right).broadcast_to(right.shape[0], rows).reshape(-1, 1, rows)
            values = splits.keep_left(self._party, gap, (ring_bits,))[:, 0]
            values += right
        if ring_bits == 64:
            return values
        return widen(self._party, values.reshape(-1), ring_bits).reshape(*values.shape)
