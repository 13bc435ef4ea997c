"""``SecureXGBClassifier``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from securexgb.errors import DataError
from securexgb.estimator.model import SecureXGBModel
from securexgb.estimator.names import refuses_in_words, takes_xgboost_names
from securexgb.estimator.tables import Reals, RowExtras
from securexgb.estimator.views import classes_of, positive_position


@takes_xgboost_names
class SecureXGBClassifier(ClassifierMixin, SecureXGBModel):
    """Gradient-boosted trees for two classes; the labels may be of any type.

    The parameters are described in ``boost.params.TrainingParams``; objective is
    "binary:logistic". Fitted attributes: ``classes_``, ``n_features_in_``,
    ``feature_names_in_`` (where X has names), ``ledger_`` (what was revealed),
    ``leak_`` (how much that can say of the labels).
    """

    _objectives = ("binary:logistic",)

    def _margins(
        self, X: Any, given: RowExtras, trees: tuple[int, int] | None = None
    ) -> Reals | None:
        """Log odds of ``classes_[1]``, as scikit-learn has them, whichever class counts as 1."""
        return self._signed(super()._margins(X, given, trees))

    def _signed(self, margins: Reals | None) -> Reals | None:
        is_turned = getattr(self, "_positive", 1) == 0
        return -margins if is_turned and margins is not None else margins

    @refuses_in_words
    def decision_function(
        self, X: Any, *, base_margin: Any = None, ids: Any = None
    ) -> Reals | None:
        """Log odds of ``classes_[1]``, shape (rows,)."""
        return self._margins(X, RowExtras(ids, base_margin))

    @refuses_in_words
    def predict_proba(
        self,
        X: Any,
        *,
        iteration_range: tuple[int, int] | None = None,
        base_margin: Any = None,
        ids: Any = None,
    ) -> Reals | None:
        """Probabilities, shape (rows, 2), in the order of ``classes_``; see ``predict``."""
        margins = self._margins(X, RowExtras(ids, base_margin), iteration_range)
        if margins is None:
            return None
        positive = 1.0 / (1.0 + np.exp(-margins))
        return np.column_stack([1.0 - positive, positive])

    @refuses_in_words
    def predict(
        self,
        X: Any,
        *,
        output_margin: bool = False,
        iteration_range: tuple[int, int] | None = None,
        base_margin: Any = None,
        ids: Any = None,
    ) -> NDArray[Any] | None:
        """The more probable class of each row; with ``output_margin`` the log odds.

        ``iteration_range``: (begin, end), the trees to predict with, the same at both sides.
        ``base_margin``: see ``fit``.
        """
        margins = self._margins(X, RowExtras(ids, base_margin), iteration_range)
        if margins is None or output_margin:
            return margins
        return classes_of(self.classes_, margins)

    def _encoded(self, y: Any, *, fitting: bool) -> Reals:
        if fitting:
            check_classification_targets(y)
            kind = type_of_target(y, input_name="y", raise_unknown=True)
            if kind != "binary":
                raise DataError(
                    f"Only binary classification is supported. The type of the target is {kind}."
                )
            classes = np.unique(y)
            if classes.size < 2:
                raise DataError(
                    "y holds only one class: give rows of two classes (rows with "
                    "sample_weight 0 do not count)"
                )
            self.classes_ = classes
            self._positive = positive_position(self, classes)
        elif not np.isin(y, self.classes_).all():
            raise DataError("an evaluation set holds a class that the training data lacks")
        codes: Reals = (np.asarray(y) == self.classes_[self._positive]).astype(np.float64)
        return codes

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
