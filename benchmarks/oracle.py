"""Plain xgboost on the bins that the parties use: what the secure result is compared with."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.columns.binning import Binner
from securexgb.boost.params import TrainingParams
from securexgb.report import metrics

Rows = tuple[NDArray[np.float64], NDArray[np.float64]]
"""A table and its labels."""


def auc(fitted: Rows, held: Rows, params: TrainingParams) -> float | None:
    """AUC on ``held`` of a model that was trained on ``fitted``, on one thread."""
    matrix, trained = _trainer(fitted, params)
    model = trained(params.n_estimators)
    return metrics.auc(held[1], model.predict(matrix(held)))


def seconds_a_tree(fitted: Rows, params: TrainingParams) -> float:
    """Of the training alone, on one thread; the rows are binned and in xgboost's own matrix."""
    _, trained = _trainer(fitted, params)
    trained(1)  # what xgboost makes of the rows once
    began = perf_counter()
    trained(params.n_estimators)
    return (perf_counter() - began) / params.n_estimators


def _trainer(
    fitted: Rows, params: TrainingParams
) -> tuple[Callable[[Rows], Any], Callable[[int], Any]]:
    """What makes xgboost's matrix of rows, by the bins of these, and a model of so many trees."""
    import xgboost  # noqa: PLC0415  (slow, and needed here only)

    binner = Binner.fit(fitted[0], params.max_bin)

    def matrix(rows: Rows) -> Any:
        return xgboost.DMatrix(binner.transform(rows[0]).astype(np.float64), rows[1])

    settings = {
        "objective": params.objective,
        "tree_method": "hist",
        "max_bin": 256,
        "max_depth": params.max_depth,
        "learning_rate": params.learning_rate,
        "base_score": params.base_score,
        "nthread": 1,
    }
    table = matrix(fitted)
    return matrix, lambda trees: xgboost.train(settings, table, trees)
