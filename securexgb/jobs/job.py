"""What one party brings to a training: its data, the terms, and what to do on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.continued.going_on import check_old
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.leak import NO_FLOORS, Floors
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.objective.start import check_base_margin
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, UsageError
from securexgb.he.row_bits import check_row_bits
from securexgb.jobs.data.whole_rows import TrainingRows, WholeRows
from securexgb.jobs.resuming.checkpoint import CheckpointStore
from securexgb.jobs.rows import Rows
from securexgb.jobs.table import Table
from securexgb.mpc.party import Party


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """A training as one party sees it.

    ``evals``: named evaluation sets, in order. ``callbacks`` run at this side only.
    ``store``: where to keep checkpoints; ``resume``: go on from what is there. ``floors``: the
    least rows, equal at both sides like all terms. ``row_side``: where rows are worked on; None: in
    this process, which then holds them all. ``keeps_gains``: hidden trees hold their gains where
    the terms open no importance; for both parties in one process, who hold both halves anyway.
    ``old``: this side's half of the model to go on from, which ``params`` know
    (``boost.continued.going_on``).
    """

    params: TrainingParams
    data: Table
    evals: tuple[tuple[str, Table], ...] = ()
    callbacks: tuple[TrainingCallback, ...] = ()
    store: CheckpointStore | None = None
    resume: bool = False
    job_digest: str = ""
    floors: Floors = NO_FLOORS
    row_side: Callable[[Party], TrainingRows] | None = None
    keeps_gains: bool = False
    old: ModelHalf | None = None

    def rows(self, party: Party) -> TrainingRows:
        """This party's rows, for one run of the training."""
        if self.row_side is not None:
            return self.row_side(party)
        data, evals = in_memory(self.data), [(name, in_memory(of)) for name, of in self.evals]
        return WholeRows(party, data, evals, self.store)

    @property
    def kept_importance(self) -> str:
        """What hidden trees hold shares of by column: one of IMPORTANCES."""
        if self.keeps_gains and self.params.is_hidden and not self.params.opens_importance:
            return "gain"
        return self.params.importance

    @property
    def set_rows(self) -> list[tuple[str, int]]:
        """Names and row counts of the evaluation sets."""
        return [(name, data.count) for name, data in self.evals]

    @property
    def all_rows(self) -> int:
        """Of the training data and of all evaluation sets."""
        return self.data.count + sum(data.count for _, data in self.evals)

    @property
    def checkpoint(self) -> str:
        """Of a store: none, new or resume."""
        if self.store is None:
            return "none"
        return "resume" if self.resume else "new"

    def check(self, rank: int) -> None:
        """Refuse data that cannot be trained on, before anything is sent."""
        if self.params.early_stopping_rounds is not None and not self.evals:
            raise UsageError("early_stopping_rounds needs an evaluation set: give one in eval_set")
        if len({name for name, _ in self.evals}) < len(self.evals):
            raise UsageError("two evaluation sets have the same name: name each differently")
        check_old(rank, self.params, self.data.column_names, self.old)
        if self.old is not None and dict(self.data.categories) != self.old.categories:
            raise DataError(
                f"the categories at the {self.old.role} party are others than those of the model "
                "to go on from, whose trees would take one for another: give every column the same "
                "categories in the same order, or train a new model"
            )
        for name, data in (("the training data", self.data), *self.evals):
            _check_data(name, data, self, rank)
        if self.params.splits == "hidden":
            check_hidden(self.params, len(self.data.column_names), self.all_rows)
        outcomes = self.data.outcomes
        if outcomes is not None:
            if self.old is not None:
                outcomes = replace(outcomes, centre=self.old.centre)
            objective_of(self.params).check_scales(outcomes)


def check_hidden(params: TrainingParams, columns: int, rows: int) -> tuple[int, float]:
    """Refuse, as UsageError, a training whose hidden splits the ring cannot find rows' ways for.

    ``columns``: of the side that has more; ``rows``: with those that are only evaluated. Returns
    how many bits say which way rows go, and log2 of the bound on the probability that one is wrong.
    """
    nodes = objective_of(params).outputs * ((1 << params.max_depth) - 1)
    bits = 2 * rows * nodes * params.all_rounds
    all_bins = params.max_bin + (params.missing_values == "allowed")
    return bits, check_row_bits(columns, all_bins, bits)


def in_memory(data: Table) -> Rows:
    """The same with all its rows in this process; UsageError where they are not."""
    if not isinstance(data, Rows):
        raise UsageError("the rows of this data set are read by shards: name where these are")
    return data


def _check_data(name: str, data: Table, job: TrainingJob, rank: int) -> None:
    side = ("label", "feature")[rank]
    if data.column_names != job.data.column_names:
        raise DataError(
            f"{name} at the {side} party must have the columns of the training data, in order"
        )
    _check_categories(name, data, job, side)
    limit = job.params.category_limit if data is job.data else None
    data.check_values(side, limit, may_be_missing=job.params.missing_values == "allowed")
    check_base_margin(rank, job.params, data.base_margin, data.count, f"rows of {name}")
    if rank == 1:
        if data.labels is not None or data.weights is not None:
            raise UsageError(
                f"{name} at the feature party comes with labels or weights: these are the "
                "label party's"
            )
        return
    if data.labels is None or data.labels.shape != (data.count,):
        raise DataError(f"{name} at the label party must come with one label for each row")
    objective_of(job.params).check_labels(data.labels)
    weights = data.weights
    if weights is not None and (
        weights.shape != (data.count,) or not bool(np.all((weights >= 0) & np.isfinite(weights)))
    ):
        raise DataError(f"{name} at the label party must have one weight >= 0 for each row")


def _check_categories(name: str, data: Table, job: TrainingJob, side: str) -> None:
    if data.categories and not job.params.enable_categorical:
        raise UsageError(
            f"{name} at the {side} party has categorical columns "
            f"({', '.join(map(repr, data.categories))}), and the terms do not say "
            "enable_categorical = true: agree on it, or encode them as numbers"
        )
    if data.categories != job.data.categories:
        raise DataError(
            f"{name} at the {side} party must have the categories of the training data, in order"
        )
    if job.old is not None and job.old.categories != data.categories:
        raise DataError(
            f"{name} at the {side} party must have the categories of the model that the training "
            "goes on from, in their order: give its columns these categories"
        )
