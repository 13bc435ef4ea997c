"""What one party brings to a training: its data, the terms, and what to do on the way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.binning import check_columns
from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.checkpoint import CheckpointStore
from securexgb.boost.leak import NO_FLOORS, Floors
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.row_side import LocalRows, MakeRowSide
from securexgb.errors import DataError, UsageError

Floats = NDArray[np.float64]

_HASHED_ROWS = 1 << 16


@dataclass(frozen=True, eq=False)
class SideData:
    """One party's part of a data set.

    ``features``: own columns, float64 (n, f), NaN where missing; f may be 0. ``columns``:
    their names. ``labels``, ``weights``: float64 (n,), at the label party only; labels are
    0 and 1 for a classification.
    """

    features: Floats
    columns: tuple[str, ...]
    labels: Floats | None = None
    weights: Floats | None = None

    @property
    def rows(self) -> int:
        return int(self.features.shape[0])

    def fingerprint(self) -> str:
        """SHA-256 of everything here, in this order of rows; for this party alone."""
        digest = hashlib.sha256(repr((self.columns, self.features.shape)).encode())
        for array in (self.features, self.labels, self.weights):
            digest.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def fingerprint_of_set(self) -> str:
        """SHA-256 of everything here, whatever the order of rows; for this party alone.

        Each row, with its label and weight, is hashed on its own, and the sorted digests are
        hashed again: two tables agree exactly where they hold the same rows as often. Equal
        numbers count as equal: zero has one sign, and there is one NaN.
        """
        more = [part for part in (self.labels, self.weights) if part is not None]
        about = (self.columns, self.rows, self.labels is not None, self.weights is not None)
        digest = hashlib.sha256(repr(about).encode())
        rows = bytearray()
        for start in range(0, self.rows, _HASHED_ROWS):
            block = slice(start, start + _HASHED_ROWS)
            table = np.column_stack([self.features[block], *(part[block] for part in more)])
            table = np.ascontiguousarray(np.where(np.isnan(table), np.nan, table + 0.0))
            rows += b"".join(hashlib.sha256(row).digest() for row in table)
        digest.update(np.sort(np.frombuffer(rows, "S32")).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """A training as one party sees it.

    ``evals``: named evaluation sets, in order. ``callbacks`` run at this side only.
    ``store``: where to keep checkpoints; ``resume``: go on from what is there. ``floors``: the
    least rows, equal at both sides like all terms. ``row_side``: where the training rows are
    worked on.
    """

    params: TrainingParams
    data: SideData
    evals: tuple[tuple[str, SideData], ...] = ()
    callbacks: tuple[TrainingCallback, ...] = ()
    store: CheckpointStore | None = None
    resume: bool = False
    job_digest: str = ""
    floors: Floors = NO_FLOORS
    row_side: MakeRowSide = LocalRows

    @property
    def set_rows(self) -> list[tuple[str, int]]:
        """Names and row counts of the evaluation sets."""
        return [(name, data.rows) for name, data in self.evals]

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
        for name, data in (("the training data", self.data), *self.evals):
            _check_data(name, data, self, rank)
        if self.data.labels is not None:
            objective_of(self.params).check_scales(self.data.labels, self.data.weights)


def _check_data(name: str, data: SideData, job: TrainingJob, rank: int) -> None:
    side = ("label", "feature")[rank]
    if data.features.ndim != 2 or data.columns != job.data.columns:
        raise DataError(
            f"{name} at the {side} party must have the columns of the training data, in order"
        )
    if data.features.shape[1] != len(data.columns):
        raise DataError(f"{name} at the {side} party has not one name for each column")
    check_columns(
        data.features,
        side,
        list(data.columns),
        missing_allowed=job.params.missing_values == "allowed",
    )
    if rank == 1:
        if data.labels is not None or data.weights is not None:
            raise UsageError(
                f"{name} at the feature party comes with labels or weights: these are the "
                "label party's"
            )
        return
    if data.labels is None or data.labels.shape != (data.rows,):
        raise DataError(f"{name} at the label party must come with one label for each row")
    objective_of(job.params).check_labels(data.labels)
    weights = data.weights
    if weights is not None and (
        weights.shape != (data.rows,) or not bool(np.all((weights >= 0) & np.isfinite(weights)))
    ):
        raise DataError(f"{name} at the label party must have one weight >= 0 for each row")
