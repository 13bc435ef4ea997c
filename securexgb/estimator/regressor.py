"""``SecureXGBRegressor``."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from securexgb.boost.objective.registry import objective_of
from securexgb.errors import DataError, UsageError
from securexgb.estimator.model import SecureXGBModel
from securexgb.estimator.names import refuses_in_words, takes_xgboost_names
from securexgb.estimator.tables import Reals, RowExtras


@takes_xgboost_names
class SecureXGBRegressor(RegressorMixin, SecureXGBModel):
    """Gradient-boosted trees for a number: by squared error, or for counts and amounts.

    The parameters are described in ``boost.params.TrainingParams``; objective is
    "reg:squarederror", or "count:poisson", "reg:gamma" or "reg:tweedie", which predict e^margin.
    Both parties of a federation must agree on ``target_exponent``, but for "reg:gamma".
    """

    _objectives = ("reg:squarederror", "count:poisson", "reg:gamma", "reg:tweedie")

    @refuses_in_words
    def predict(
        self,
        X: Any,
        *,
        output_margin: bool = False,
        iteration_range: tuple[int, int] | None = None,
        base_margin: Any = None,
        ids: Any = None,
    ) -> Reals | None:
        """Predicted values, shape (rows,); with ``output_margin`` margins, which are the values too
        but where objectives have logarithms; ``iteration_range``: (begin, end), the trees to
        predict with, the same at both sides; ``base_margin``: see ``fit``."""
        margins = self._margins(X, RowExtras(ids, base_margin), iteration_range)
        if margins is None or output_margin:
            return margins
        return objective_of(self._fitted_half.params).predictions(margins)

    def _encoded(self, y: Any, *, fitting: bool) -> Reals:
        if self.positive_label is not None:
            raise UsageError("positive_label is for two classes, and a regression has none")
        values = np.asarray(y, dtype=np.float64)
        if not np.isfinite(values).all():
            raise DataError("y holds a missing or an infinite value")
        return values
