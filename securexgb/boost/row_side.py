"""The row pipeline of a training: all work that is linear in rows.

The tree side (``boost.grower``) sees sums over rows, finds splits and weighs leaves; it does not
know how many rows there are, nor where they lie. A row side holds one party's rows and shares of
their margins, and of their gradients at every node of the present level. It works with the other
party's row side; what it gives is this party's shares of sums, and sums over parts of the rows
add up. So rows may be worked on in several places, each of which has a range of them (``cluster``).

Rows that are only evaluated lie behind those that are trained on: trees send both to their leaves,
in the same messages, and only the first count in sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.arith.prg import Prg
from securexgb.boost.dither import Dither
from securexgb.boost.ensemble import Round
from securexgb.boost.executor import LocalExecutor
from securexgb.boost.histogram import NoisySums, build, matrix_shape
from securexgb.boost.layout import Layout
from securexgb.boost.objective.objective import (
    Labels,
    Objective,
    gradient_vectors,
    label_gradients,
)
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.level import Level, LevelSplits, chosen_leaves, widened_leaves
from securexgb.boost.splits.sample import sampled_rows
from securexgb.boost.tree import value_bits
from securexgb.correlations.rows import RowShape
from securexgb.mpc.left_bits import register_rows
from securexgb.mpc.matrix import Buckets, MatrixShape, register
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared


class RowSide(Protocol):
    """One party's rows in a training; the tree side calls it at both parties alike."""

    @property
    def shape(self) -> MatrixShape:
        """Of the sums that it gives."""

    def gradients(self, number: int) -> None:
        """Make every training row's g and h for round ``number``, on the round's sample."""

    def root_sums(self) -> NoisySums:
        """The sums of all training rows, a node for each output."""

    def split(self, level: Level) -> NoisySums:
        """Split all nodes of the present level: the sums of the left children."""

    def leaves(self, level: Level, values: Shared) -> None:
        """Split the last level, and add each row's leaf value to its margins.

        ``values``: (outputs, leaves), margin_bits fraction bits.
        """

    def margins(self, rows: slice) -> Shared:
        """After the last round, of these rows: (outputs, rows)."""


class ModelRows(RowSide, Protocol):
    """Rows that trees which are there already can be put on, too."""

    def evaluated(self, rounds: Sequence[Round]) -> Shared:
        """The margins of all rows that are only evaluated, after these rounds alone.

        (outputs, rows).
        """


@dataclass(frozen=True, eq=False, repr=False)
class RowJob:
    """What a row side works on: all rows of a job, or some that lie next to each other.

    ``training``: the numbers of its training rows among the layout's; the first one is divisible by
    64. ``labels``: of these. ``buckets``: own bin numbers (rows, columns), of the training rows
    first, then of those that are only evaluated; ``coins``: public; ``rounds``: of trees, that are
    still to grow.
    """

    params: TrainingParams
    layout: Layout
    numbers: NumberFormat
    objective: Objective
    labels: Labels
    coins: Prg
    buckets: Buckets
    rounds: int
    training: slice


class LocalRows:
    """Rows of a party in this process."""

    def __init__(self, party: Party, job: RowJob) -> None:
        layout, depth = job.layout, job.params.max_depth
        self._rows = job.buckets.shape[0]
        self._training = slice(job.training.stop - job.training.start)
        shape = matrix_shape(layout, job.numbers, depth)
        shape = replace(shape, rows=self._training.stop)
        self._shape = register(party, shape, job.buckets[self._training])
        if job.params.is_hidden:
            rows = RowShape(self._rows, layout.columns, layout.all_bins)
            nodes = job.objective.outputs * ((1 << depth) - 1)
            register_rows(party, rows, job.buckets, nodes, job.rounds)
        self._party, self._job = party, job
        self._executor = LocalExecutor(job.buckets, layout.all_bins, missing_bin=layout.bins)
        self._margins, self._at_label = Shared.zeros(job.objective.outputs, self._rows), False
        self._vectors, self._left = Shared.zeros(0), Shared.zeros(0)
        self._splits: list[LevelSplits] = []

    @property
    def shape(self) -> MatrixShape:
        return self._shape

    def start(self, margins: Shared, *, at_label: bool) -> None:
        """Begin with these margins of all rows (outputs, rows).

        ``at_label``: the label party alone knows them; the other party's shares are 0.
        """
        self._margins, self._at_label = margins, at_label

    def gradients(self, number: int) -> None:
        job = self._job
        coins = Dither.of(job.params.random_state, number)
        margins = self._margins[:, self._training]
        gradients = label_gradients if self._at_label else gradient_vectors
        vectors = gradients(self._party, job.objective, margins, job.labels, job.numbers, coins)
        rows = sampled_rows(job.coins, job.params, job.training, number)
        self.take(vectors if rows is None else vectors.scale(rows))

    def take(self, vectors: Shared) -> None:
        """Begin trees on g and h of every training row, (outputs, 2, rows).

        Right modulo 2 to the power of the shape's ``sum_bits``.
        """
        self._vectors = vectors

    def root_sums(self) -> NoisySums:
        return build(self._party, self._shape, self._executor, self._vectors)

    def split(self, level: Level) -> NoisySums:
        if self._splits:
            self._vectors = Shared.interleave(self._left, self._vectors - self._left)
            self._left = Shared.zeros(0)
        self._splits.append(self._split_rows(level))
        self._left = self._splits[-1].keep_left(self._party, self._vectors, self._shape.sum_bits)
        return build(self._party, self._shape, self._executor, self._left)

    def leaves(self, level: Level, values: Shared) -> None:
        self._vectors = self._left = Shared.zeros(0)
        splits = [*self._splits, self._split_rows(level)]
        self._splits = []
        rate = self._job.params.learning_rate
        chosen = chosen_leaves(self._party, splits, values, self._rows, value_bits(rate))
        moves = widened_leaves(self._party, chosen, rate)
        self._margins, self._at_label = self._margins + moves, False

    def margins(self, rows: slice) -> Shared:
        return self._margins[:, rows]

    def _split_rows(self, level: Level) -> LevelSplits:
        return level.of_rows(self._party, self._executor, self._rows)
