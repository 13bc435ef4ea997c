"""One party's rows in a training: what they begin with, and what is kept of them.

All that is made of rows before the first tree is made here: bins, targets, weights, and the
margins that they begin with. They may be all rows of a job, or a range of them in a process of its
own, whose head then does the rest (``cluster``): the steps are the same, and what they make does
not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from securexgb.arith.bits import words_per
from securexgb.arith.prg import Prg
from securexgb.boost.columns.binning import Binner
from securexgb.boost.ensemble import ModelHalf, Round
from securexgb.boost.histogram import NoisySums
from securexgb.boost.objective.logistic import sigmoid_of
from securexgb.boost.objective.objective import Labels, Objective, row_weights
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.objective.start import margins_to_begin
from securexgb.boost.predict import training_margins
from securexgb.boost.row_side import LocalRows, ModelRows, RowJob
from securexgb.boost.splits.level import Level
from securexgb.errors import UsageError
from securexgb.jobs.data.expected import taken_by_rows
from securexgb.jobs.resuming.checkpoint import CheckpointStore
from securexgb.jobs.rows import Rows
from securexgb.mpc.matrix import MatrixShape
from securexgb.mpc.party import Party
from securexgb.mpc.share import share
from securexgb.mpc.shared import Shared


@dataclass(frozen=True, eq=False, repr=False)
class RowStart:
    """What both sides have agreed on when rows begin.

    ``model``: with the trees that are there already, grown or taken over. ``session``: in which the
    last one was grown; "" where the margins after it are not known at both sides. ``coins``:
    public. ``training``: the numbers of these training rows.
    """

    model: ModelHalf
    coins: Prg
    session: str
    training: slice


class TrainingRows(ModelRows, Protocol):
    """One party's rows in a training."""

    def known(self, sessions: Sequence[str]) -> frozenset[int]:
        """After how many rounds of a checkpoint, grown in these sessions, margins are kept."""

    def begin(self, start: RowStart) -> None:
        """Before anything of a row side is asked for."""

    def keep(self, count: int, session: str) -> None:
        """Keep the margins after ``count`` rounds, where checkpoints are kept."""


class WholeRows:
    """Rows that are in this process, all or a range of them; a ``TrainingRows``.

    ``store``: where their margins are kept, if anywhere.
    """

    def __init__(
        self,
        party: Party,
        data: Rows,
        evals: Sequence[tuple[str, Rows]],
        store: CheckpointStore | None,
    ) -> None:
        self._party, self._data, self._store = party, data, store
        self._sets = [of_set for _, of_set in evals]
        self._begun: tuple[RowStart, LocalRows] | None = None

    def known(self, sessions: Sequence[str]) -> frozenset[int]:
        return frozenset() if self._store is None else self._store.margins_known(sessions)

    def begin(self, start: RowStart) -> None:
        party, model, params = self._party, start.model, start.model.params
        objective = objective_of(params, sigmoid_of(party, params))
        _plan(party, model)
        binner = Binner(model.cuts, model.categorical)
        tables = [data.values for data in (self._data, *self._sets)]
        job = RowJob(
            params=params,
            layout=model.layout,
            numbers=model.numbers,
            objective=objective,
            labels=self._labels(objective, model),
            coins=start.coins,
            buckets=np.concatenate([binner.transform(table) for table in tables]),
            rounds=params.all_rounds - len(model.rounds),
            training=start.training,
        )
        rows = LocalRows(party, job)
        # What rows begin with is the label party's; margins that trees have moved nobody knows.
        rows.start(self._margins(start), at_label=not model.rounds)
        self._begun = start, rows
        if party.ideal is None and party.prices.is_far:
            self._expect(start.model, rows.shape.noise_bits)

    def _expect(self, model: ModelHalf, noise_bits: int) -> None:
        """On a slow link have made what the first two rounds take: processors have the time."""
        rows, more = self._data.count, sum(data.count for data in self._sets)
        taken = taken_by_rows(model.params, model.layout, noise_bits, rows, more)
        for budget in taken[: model.params.all_rounds - len(model.rounds)]:
            self._party.source.expect(budget.counts)

    def keep(self, count: int, session: str) -> None:
        if self._store is not None:
            everything = self._rows.margins(slice(None)).own_share()
            self._store.save_margins(count, session, everything)

    @property
    def shape(self) -> MatrixShape:
        return self._rows.shape

    def gradients(self, number: int) -> None:
        self._rows.gradients(number)

    def root_sums(self) -> NoisySums:
        return self._rows.root_sums()

    def split(self, level: Level) -> NoisySums:
        return self._rows.split(level)

    def leaves(self, level: Level, values: Shared) -> None:
        self._rows.leaves(level, values)

    def margins(self, rows: slice) -> Shared:
        return self._rows.margins(rows)

    def evaluated(self, rounds: Sequence[Round]) -> Shared:
        model = self._start.model
        moved = training_margins(self._party, model, rounds, [data.values for data in self._sets])
        return self._first(model, self._sets) + moved

    @property
    def _start(self) -> RowStart:
        return self._both[0]

    @property
    def _rows(self) -> LocalRows:
        return self._both[1]

    @property
    def _both(self) -> tuple[RowStart, LocalRows]:
        if self._begun is None:
            raise UsageError("rows are asked for before their training has begun")
        return self._begun

    def _labels(self, objective: Objective, model: ModelHalf) -> Labels:
        party, rows, outcomes = self._party, self._data.count, self._data.outcomes
        targets = weights = None
        if outcomes is not None:
            _, centre = margins_to_begin(party, model, outcomes.base_margin, rows)
            targets = objective.targets(outcomes.labels, centre, model.numbers)
            weights = row_weights(outcomes, model.params, model.numbers)
        weighted = share(party, weights, 0, (rows,)) if model.layout.weights else None
        return Labels(share(party, targets, 0, objective.targets_shape(rows)), weighted)

    def _margins(self, start: RowStart) -> Shared:
        """As they were kept; else what rows begin with, and what trees that are there add to it:
        their scores, which stay in shares."""
        model, everything = start.model, [self._data, *self._sets]
        if start.session and self._store is not None:
            count = len(model.rounds) - model.params.past.rounds
            return Shared(self._store.margins(count, start.session))
        tables = [data.values for data in everything]
        moved = training_margins(self._party, model, model.rounds, tables)
        return self._first(model, everything) + moved

    def _first(self, model: ModelHalf, parts: Sequence[Rows]) -> Shared:
        """The margins of these rows before the first tree."""
        first = (margins_to_begin(self._party, model, one.base_margin, one.count) for one in parts)
        margins = [Shared.zeros(model.outputs, 0), *(shared for shared, _ in first)]
        return Shared.concatenate(margins, axis=1)


def _plan(party: Party, model: ModelHalf) -> None:
    """Tell the source of correlations what products are coming: left children's pairs, and the
    roots'."""
    if party.ideal is None:
        party.source.products.plan(*planned_sums(model), is_far=party.prices.is_far)


def planned_sums(model: ModelHalf) -> tuple[int, int]:
    """Pairs of vectors of the rounds to come, and words of products with both matrices.

    Each of the latter is taken apart, and becomes part of a candidate: a word of 64 transfers in
    each direction, at least.
    """
    params, layout = model.params, model.layout
    pairs = _trees(model) << (params.max_depth - 1)
    return pairs, 2 * pairs * layout.total_columns * layout.all_bins


def planned_choices(model: ModelHalf, rows: int) -> int:
    """Words of 64 transfers in each direction, about, by which so many rows are moved in the rounds
    to come: one for each row and node, in the direction of the node's owner."""
    return words_per(_trees(model) * ((1 << model.params.max_depth) - 1) * rows // 2)


def _trees(model: ModelHalf) -> int:
    """Of the rounds to come."""
    return model.outputs * (model.params.all_rounds - len(model.rounds))
