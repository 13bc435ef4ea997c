"""Layout: the public facts about the data that both parties know and agree on.

Row count, columns per side, bins and whether values may be missing: they give every
array of a training its shape, and the format its numbers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import MOST_ROWS, NumberFormat, Penalties
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError


@dataclass(frozen=True)
class Layout:
    """Shapes of one job.

    ``rows``: training rows. ``label_columns``, ``feature_columns``: columns at the label
    and at the feature party, numbered label party first. ``bins``: value bins of every
    column; where ``missing`` is true one more bin, number ``bins``, holds missing values.
    ``weights``: rows have weights, or scale_pos_weight is not 1. ``categorical``: numbers of the
    columns whose bins are categories, ascending: the last value bin of such a column is of what
    the training rows do not have, and how many others are in use is its owner's business.
    """

    rows: int
    label_columns: int
    feature_columns: int
    bins: int
    missing: bool
    weights: bool
    categorical: tuple[int, ...] = ()

    @staticmethod
    def of(
        params: TrainingParams,
        rows: int,
        columns: tuple[int, int],
        sample_weights: bool,
        categorical: tuple[int, ...] = (),
    ) -> Layout:
        """The layout of a job; ``columns`` by rank, ``categorical`` numbers over both. Raises on
        shapes that cannot be trained."""
        if rows < 1:
            raise DataError("there are no rows to train on: give both sides at least one row")
        if rows > MOST_ROWS:
            raise DataError(
                f"{rows:,} rows are too many: the numbers of a training hold sums of "
                f"{MOST_ROWS:,} at most, in shards or not; train on a sample"
            )
        if sum(columns) < 1:
            raise DataError("neither side has a column to train on: give one side at least one")
        return Layout(
            rows=rows,
            label_columns=columns[0],
            feature_columns=columns[1],
            bins=params.max_bin,
            missing=params.missing_values == "allowed",
            weights=sample_weights or params.scale_pos_weight != 1.0,
            categorical=categorical,
        )

    @property
    def columns(self) -> tuple[int, int]:
        """Columns by rank."""
        return (self.label_columns, self.feature_columns)

    @property
    def total_columns(self) -> int:
        return self.label_columns + self.feature_columns

    @property
    def all_bins(self) -> int:
        """Bins of a column in the bucket matrix, the one for missing values included."""
        return self.bins + (1 if self.missing else 0)

    @property
    def cuts(self) -> int:
        """Cuts of a column: the last one, past every value, parts present from missing."""
        return self.bins if self.missing else self.bins - 1

    @property
    def is_categorical(self) -> NDArray[np.bool_]:
        """Of each column over both parties, whether its bins are categories."""
        flags = np.zeros(self.total_columns, np.bool_)
        flags[list(self.categorical)] = True
        return flags

    @property
    def categories(self) -> NDArray[np.bool_]:
        """Of each column over both parties and bin, whether it is of one category; public.

        (columns, all bins): all value bins of categorical columns but the last one.
        """
        return self.is_categorical[:, None] & (np.arange(self.all_bins) < self.bins - 1)

    def numbers(self, params: TrainingParams) -> NumberFormat:
        """The bit widths of this job."""
        objective = objective_of(params)
        return NumberFormat.for_job(
            rows=self.rows,
            most=objective.most,
            gradient_cap=params.gradient_bits,
            weight_exponent=(params.weight_exponent or 0) if self.weights else 0,
            scales=objective.scales,
            penalties=Penalties(
                params.reg_lambda,
                params.reg_alpha,
                params.gamma,
                params.min_child_weight,
                params.leaf_bound,
                # What ends all leaves where margins are logarithms is in no gain of xgboost's.
                ranks_by_weights=bool(params.reg_alpha or params.delta_step),
            ),
        )

    def to_mapping(self) -> dict[str, Any]:
        return asdict(self) | {"categorical": list(self.categorical)}
