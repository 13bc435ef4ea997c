"""``SecureXGBClassifier``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from securexgb.boost.objective.registry import objective_of
from securexgb.boost.objective.traits import LOGISTIC, SOFTMAX, SOFTPROB
from securexgb.errors import DataError, UsageError
from securexgb.estimator.model import SecureXGBModel
from securexgb.estimator.names import refuses_in_words, takes_xgboost_names
from securexgb.estimator.tables import Reals, RowExtras
from securexgb.estimator.views import classes_of, positive_position

_SEVERAL = (SOFTPROB.name, SOFTMAX.name)


def _kinds(y: Any) -> NDArray[Any]:
    """The different labels, in order; DataError where they have none."""
    try:
        check_classification_targets(y)
        return np.unique(y)
    except TypeError as error:
        raise DataError(
            "y holds labels of several types, such as numbers and texts, which have no order: "
            "write all of them as one type"
        ) from error


@takes_xgboost_names
class SecureXGBClassifier(ClassifierMixin, SecureXGBModel):
    """Gradient-boosted trees for two classes or more; the labels may be of any type.

    The parameters are described in ``boost.params.TrainingParams``. The objective of two classes
    is "binary:logistic", that of more is "multi:softprob" by itself, with num_class counted, as in
    xgboost; in a federation the terms say both. Fitted attributes: ``classes_``,
    ``n_features_in_``, ``feature_names_in_`` (where X has names), ``ledger_`` (what was revealed),
    ``leak_`` (how much that can say of the labels).
    """

    _objectives = (LOGISTIC.name, *_SEVERAL)

    def _margins(
        self, X: Any, given: RowExtras, trees: tuple[int, int] | None = None
    ) -> Reals | None:
        """Log odds of ``classes_[1]``, as scikit-learn has them, whichever class counts as 1; of
        several classes their margins."""
        return self._signed(super()._margins(X, given, trees))

    def _signed(self, margins: Reals | None) -> Reals | None:
        is_turned = getattr(self, "_positive", 1) == 0
        return -margins if is_turned and margins is not None else margins

    @property
    def n_classes_(self) -> int:
        """How many classes there are."""
        return len(self.classes_)

    @refuses_in_words
    def decision_function(
        self, X: Any, *, base_margin: Any = None, ids: Any = None
    ) -> Reals | None:
        """Log odds of ``classes_[1]``, shape (rows,); of more classes than two their margins, shape
        (rows, classes)."""
        margins = self._margins(X, RowExtras(ids, base_margin))
        if margins is None or margins.ndim == 1 or margins.shape[1] > 2:
            return margins
        odds: Reals = margins[:, 1] - margins[:, 0]
        return odds

    @refuses_in_words
    def predict_proba(
        self,
        X: Any,
        *,
        iteration_range: tuple[int, int] | None = None,
        base_margin: Any = None,
        ids: Any = None,
    ) -> Reals | None:
        """Probabilities, shape (rows, classes), in the order of ``classes_``; see ``predict``."""
        margins = self._margins(X, RowExtras(ids, base_margin), iteration_range)
        if margins is None:
            return None
        if margins.ndim == 2:
            return objective_of(self._fitted_half.params).predictions(margins)
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
        """The most probable class of each row; with ``output_margin`` the log odds, or margins.

        ``iteration_range``: (begin, end), the rounds of trees to predict with, the same at both
        sides. ``base_margin``: see ``fit``.
        """
        margins = self._margins(X, RowExtras(ids, base_margin), iteration_range)
        if margins is None or output_margin:
            return margins
        return classes_of(self.classes_, margins)

    def _encoded(self, y: Any, *, fitting: bool) -> Reals:
        if fitting:
            self._take_classes(_kinds(y))
        elif not np.isin(y, self.classes_).all():
            raise DataError("an evaluation set holds a class that the training data lacks")
        if self._positive is None:
            return np.searchsorted(self.classes_, np.asarray(y)).astype(np.float64)
        codes: Reals = (np.asarray(y) == self.classes_[self._positive]).astype(np.float64)
        return codes

    def _take_classes(self, classes: NDArray[Any]) -> None:
        """Remember the classes, and which one counts as 1 where there are two."""
        if classes.size < 2:
            raise DataError(
                "y holds only one class: give rows of two classes or more (rows with "
                "sample_weight 0 do not count)"
            )
        self.classes_ = classes
        wanted = 2
        if self.federation is not None:
            terms = self.federation.terms.training
            is_multi, wanted = terms.traits.is_multi, terms.num_class or 2
        else:
            is_multi = self._asked_objective() in _SEVERAL
            # What is no whole number the terms refuse.
            said = self.num_class if isinstance(self.num_class, int) else classes.size
            wanted = said if is_multi else 2
        if classes.size != wanted:
            source = "num_class" if is_multi else "the objective of the terms"
            raise DataError(f"y holds {classes.size} classes, and {source} is for {wanted}")
        if is_multi and self.positive_label is not None:
            raise UsageError("positive_label is for two classes, and there are several")
        self._positive = None if is_multi else positive_position(self, classes)

    def _asked_objective(self) -> str:
        asked = super()._asked_objective()
        is_several = asked == LOGISTIC.name and len(self.classes_) > 2
        return SOFTPROB.name if is_several else asked

    def _class_count(self) -> int | None:
        is_counted = self._asked_objective() in _SEVERAL and self.num_class is None
        return len(self.classes_) if is_counted else self.num_class
