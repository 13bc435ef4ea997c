"""A finished run of this side that a new training goes on from, ``train --continue RUN``.

It may be of other terms: what must be equal is checked (``boost.continued.going_on``), and that
both sides mean the same model when they agree. The old run is read, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from securexgb.boost.continued.going_on import check_rows, going_on
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, TermsDiffer
from securexgb.federation.session import Federation
from securexgb.jobs.runs import RunDirectory, RunRecord
from securexgb.jobs.table import Table
from securexgb.model.files import load_half
from securexgb.storage.sealed import find_key


@dataclass(frozen=True)
class EarlierRun:
    """``half``: this side's; ``classes``: of a classification, at the label party."""

    run: RunDirectory
    half: ModelHalf
    classes: Sequence[Any] | None

    @staticmethod
    def read(federation: Federation, path: Path) -> EarlierRun:
        """What is in ``path``: UsageError where there is no finished run, or the terms are such
        that nobody can go on from it."""
        run, side = RunDirectory(path), federation.config.name
        half = load_half(run.half(federation.role), find_key(federation.config.model_key))
        if half.role != federation.role:
            raise TermsDiffer(f"{side}: the half in {path} is the {half.role} party's")
        going_on(federation.terms.training, half)
        return EarlierRun(run, half, RunRecord.read(run).classes)

    def check(self, side: str, rows: Table) -> None:
        """DataError for training rows of other classes."""
        if rows.classes is None or self.classes is None:
            return
        if tuple(rows.classes) != tuple(self.classes):
            raise DataError(
                f"{side}: the labels are other ones than those of {self.run.path}, or another "
                "class counts as 1 (positive_label): a model goes on with the same classes"
            )

    def matches(self, federation: Federation, rows: Table | None) -> str:
        """What this model is, in words; an error where training rows are not its."""
        if rows is not None:
            has_base_margin = federation.terms.training.has_base_margin
            check_rows(rows.column_names, has_base_margin, self.half)
            self.check(federation.config.name, rows)
        trees = len(self.half.best_rounds)
        return f"{trees} rounds of model {self.half.model_id[:8]}: the other side's must be it, too"


def effective(federation: Federation, earlier: EarlierRun | None) -> TrainingParams:
    """The parameters of a training by these terms."""
    params = federation.terms.training
    return params if earlier is None else going_on(params, earlier.half)
