"""Plain xgboost on the bins that the parties use: what the secure result is compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.columns.binning import Binner
from securexgb.boost.params import TrainingParams
from securexgb.report import metrics

Rows = tuple[NDArray[np.float64], NDArray[np.float64]]
"""A table and its labels."""


def auc(fitted: Rows, held: Rows, params: TrainingParams) -> float | None:
    """AUC on ``held`` of a model that was trained on ``fitted``, on one thread."""
    import xgboost  # noqa: PLC0415  (slow, and needed here only)

    binner = Binner.fit(fitted[0], params.max_bin)
    train, test = (
        xgboost.DMatrix(binner.transform(table).astype(np.float64), labels)
        for table, labels in (fitted, held)
    )
    settings = {
        "objective": params.objective,
        "tree_method": "hist",
        "max_bin": 256,
        "max_depth": params.max_depth,
        "learning_rate": params.learning_rate,
        "base_score": params.base_score,
        "nthread": 1,
    }
    model = xgboost.train(settings, train, params.n_estimators)
    return metrics.auc(held[1], model.predict(test))
