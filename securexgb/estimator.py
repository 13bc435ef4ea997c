"""The scikit-learn estimators: ``SecureXGBClassifier`` and ``SecureXGBRegressor``.

Alone, an estimator plays both parties in this process, by default with an insecure
in-process dealer: for development, teaching and model search. With ``federation=`` it is one
company's side of a real job: the other company makes the same calls on its own columns,
and each keeps its half of the model.

No protocol is written here: data is checked, handed to ``jobs``, and the result kept.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.importance import importances, why_not
from securexgb.boost.leak import Floors
from securexgb.boost.params import TrainingParams, declarations
from securexgb.boost.predict import Request
from securexgb.errors import DataError, UsageError
from securexgb.estimator_files import restore_estimator, save_estimator, saved_kind
from securexgb.estimator_names import refuses_in_words, takes_xgboost_names
from securexgb.estimator_views import (
    XGBoostViews,
    asked_columns,
    asked_rows,
    classes_of,
    evaluation_lines,
    integer_seed,
    limited,
    naming_columns,
    positive_position,
    refuse_other_terms,
)
from securexgb.jobs.aligning.tables import align_training, aligned_margins, own_ids
from securexgb.jobs.alignment import Named
from securexgb.jobs.data.files import check_agreed_columns
from securexgb.jobs.prediction import Predictor
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import (
    Sides,
    column_positions,
    predict_alone,
    split_columns,
    train_alone,
)
from securexgb.jobs.training import agreed_job
from securexgb.jobs.training import train as run_training
from securexgb.offline.method import Method

if TYPE_CHECKING:
    from securexgb.federation.session import Federation


Reals = NDArray[np.float64]
Hooks = tuple[TrainingCallback, ...]
_log = logging.getLogger(__name__)


@dataclass(kw_only=True, eq=False, repr=False)
class _SecureXGBModel(XGBoostViews, BaseEstimator):
    """What classifier and regressor share: parameters, data, fitting, predicting, files.

    The training parameters are those of ``boost.params.TrainingParams``, with xgboost's
    names and meanings. Beyond them: ``feature_party_columns``, the columns that the feature
    party holds where both are played here: names, numbers, a pattern that names match, or a
    callable that gets X (None: the second half); ``prediction_decimals``, to which margins are
    rounded before they are opened (of a regression in units of 2^target_exponent);
    ``importance_type``, see ``feature_importances_``; ``callbacks``, with xgboost's four hooks;
    ``federation``, this side of a real job; ``align``: find the rows that both sides have, by the
    terms' keys (None: where they name any). Other names of xgboost's: ``estimator_names``.

    ``algorithm`` ("hybrid", "ss"), ``he`` ("bfv", "paillier") and ``offline`` ("two-party",
    "dealt") are terms of a job, and None leaves them to the terms. Alone, None for all three
    means the in-process dealer; otherwise correlations are made as they say, what is left open
    being hybrid, bfv and dealt. None of them changes a tree. ``prediction`` is a term, too:
    "transfers" (the default) or "ckks", with which margins are rounded to hundredths; and so is
    ``positive_label``, the class that counts as 1 (None: the greater), which ``scale_pos_weight``
    weighs; ``classes_`` stays sorted.
    """

    objective: str | None = None
    n_estimators: int = 50
    learning_rate: float = 0.3
    max_depth: int = 4
    min_child_weight: float = 1.0
    gamma: float = 0.0
    reg_lambda: float = 1.0
    reg_alpha: float = 0.0
    subsample: float = 1.0
    colsample_bytree: float = 1.0
    scale_pos_weight: float = 1.0
    base_score: float | None = None
    max_bin: int = 32
    random_state: Any = 0
    eval_metric: str | Sequence[str] = ()
    auc_rows: int = 0
    early_stopping_rounds: int | None = None
    missing: float = np.nan
    missing_values: str = "allowed"
    gradient_bits: int | None = None
    sigmoid: str = "table"
    splits: str | None = None
    importance: str = "none"
    weight_exponent: int | None = None
    target_exponent: int | None = None
    metric_exponent: int | None = None
    weight_bound: float | None = None
    target_bound: float | None = None
    importance_type: str | None = None
    feature_party_columns: (
        Sequence[str] | Sequence[int] | str | re.Pattern[str] | Callable[[Any], Any] | None
    ) = None
    callbacks: Sequence[Any] | None = None
    prediction_decimals: int = 6
    algorithm: str | None = None
    he: str | None = None
    offline: str | None = None
    prediction: str | None = None
    positive_label: Any = None
    federation: Federation | None = None
    align: bool | None = None

    _objective: ClassVar[str] = ""
    _halves: tuple[ModelHalf, ...] = field(init=False)
    """This process's halves: both alone, one in a federation."""
    _sides: tuple[NDArray[np.intp], ...] = field(init=False)
    """The columns of X that each of those halves was trained on."""

    @refuses_in_words
    def fit(  # noqa: PLR0913  (scikit-learn's and xgboost's arguments)
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        eval_set: Sequence[tuple[Any, Any]] | None = None,
        sample_weight_eval_set: Sequence[Any] | None = None,
        ids: Any = None,
        eval_set_ids: Sequence[Any] | None = None,
        verbose: bool | int | None = False,
    ) -> Self:
        """Train; returns the estimator.

        ``X``: (rows, columns), NaN or ``missing`` where there is no value: array, list, or a
        pandas, polars or pyarrow table. ``y``: labels; the feature party of a federation passes
        none. ``eval_set``: pairs (X, y), whose metrics are evaluated after every tree and
        thereby revealed. ``ids``: in a federation whose terms name an id_column, one text or
        whole number a row, unless X is a table with that column; the other side must have the
        same ones in the same order. ``verbose``: write the metrics of each tree to stdout, or of
        every so-many-th one.
        """
        refuse_other_terms(self)
        hooks = (*(self.callbacks or ()), *evaluation_lines(verbose))
        if self.federation is not None and self.federation.role == "feature":
            train = self._own_columns(X, ids, reset=True)
        else:
            train = self._checked(X, y, sample_weight, ids)
        none = [None] * len(eval_set or ())
        given = zip(
            eval_set or (), sample_weight_eval_set or none, eval_set_ids or none, strict=True
        )
        evals = [
            (f"validation_{number}", self._checked_more(*pair, weight, more_ids))
            for number, (pair, weight, more_ids) in enumerate(given)
        ]
        if self.federation is None:
            names = [str(name) for name in getattr(self, "feature_names_in_", ())]
            chosen = asked_columns(self.feature_party_columns, X, names)
            count = len(train.column_names)
            sides = split_columns(count, column_positions(chosen, names, count))
            self._fit_alone(train, sides, evals, hooks)
        else:
            self._fit_federated(self.federation, train, evals, hooks)
        return self

    @property
    def feature_importances_(self) -> Reals:
        """Each column's share of the importance that ``importance_type`` names.

        "gain", of hidden splits: of the gain of all splits (xgboost's total_gain), adding up to 1
        over the columns of both sides; alone exact, and one side of a federation sees what was
        opened of its own columns, in hundredths, where the terms say importance = "gain". "cover"
        (total_cover) in its place where the parameter, or the terms, say importance = "cover".
        "weight", of owned splits: of their number, adding up to 1; one side of a federation
        counts its own splits. None: whichever the model has. Raises NotAvailable, which is an
        AttributeError, where there is none.
        """
        check_is_fitted(self)
        shares = np.zeros(self.n_features_in_)
        found = importances(self._halves, self.importance_type)
        for side, of_side in zip(self._sides, found, strict=True):
            shares[side] = of_side
        return shares

    def save_model(self, path: str | Path) -> None:
        """Write the model into a directory: estimator.json and one npz file a half."""
        check_is_fitted(self)
        save_estimator(self, Path(path))

    def load_model(self, path: str | Path) -> None:
        """Take over the model that ``save_model`` wrote."""
        restore_estimator(self, Path(path))

    def _fit_alone(self, train: Rows, sides: Sides, evals: Named, hooks: Hooks) -> None:
        """Play both parties."""
        params, seed = self._params()
        method = self._method()
        is_exact = self.prediction in (None, "transfers")
        params = params.decided(can_hide=is_exact and (method is None or method.can_hide))
        run = train_alone(params, train, sides, seed, evals, lambda _: hooks, method)
        self._halves, self._sides, self._seed = run.results, sides, seed
        self.ledger_ = run.ledger
        set_rows = [(name, data.count) for name, data in evals]
        floors = Floors().of(params)
        for sentence in [self.leak_.sentence, *floors.sentences(train.count, set_rows)]:
            _log.info("between two companies: %s", sentence)

    def _fit_federated(
        self, federation: Federation, train: Rows, evals: Named, hooks: Hooks
    ) -> None:
        """Play one party, over the network; the parameters are the terms'."""
        check_agreed_columns(federation, train)
        with federation.session("train") as party:
            train, evals = align_training(party, federation, train, evals)
            job = agreed_job(party, federation, train, evals)
            half = run_training(party, replace(job, callbacks=hooks))
            self.ledger_ = party.ledger.rows()
        if half.params.opens_importance and half.importance is None:
            _log.warning("the model has no importance: %s", why_not(half))
        self._halves, self._seed = (half,), 0
        self._sides = (np.arange(len(train.column_names)),)

    def _margins(self, X: Any, ids: Any, trees: tuple[int, int] | None = None) -> Reals | None:
        """Rounded margins; None at a side of a federation that does not get them."""
        check_is_fitted(self)
        refuse_other_terms(self)
        rows = self._own_columns(X, ids, reset=False)
        halves = tuple(limited(half, trees) for half in self._halves)
        if self.federation is not None:
            with Predictor.open(self.federation, halves[0], asked_rows(trees)) as predictor:
                return aligned_margins(predictor, self.federation, rows)
        if len(halves) != 2:
            raise UsageError(
                "this estimator holds one half of a model: set its federation, and predict "
                "together with the other side"
            )
        prediction: Any = self.prediction or "transfers"
        request = Request("label", self.prediction_decimals, prediction)
        sides, method = self._sides, self._method()
        return predict_alone(halves, rows, sides, request, self._seed, method).results[0]

    def _params(self) -> tuple[TrainingParams, int]:
        """The parameters, checked, and the seed."""
        values = {name: getattr(self, name) for name in declarations()}
        if self.objective not in (None, self._objective):
            raise UsageError(
                f"{type(self).__name__} is for objective {self._objective!r}, "
                f"not {self.objective!r}"
            )
        seed = integer_seed(self.random_state)
        values |= {"objective": self._objective, "random_state": seed}
        return TrainingParams.from_mapping(values), seed

    def _method(self) -> Method | None:
        """How both parties played here make their correlations."""
        return Method.chosen(self.algorithm, self.offline, self.he)

    def _checked(self, X: Any, y: Any, sample_weight: Any, ids: Any) -> Rows:
        """Training data, checked. Rows of weight zero are left out where both parties are
        here: they count for nothing, not even in the bins."""
        X, row_ids, keys = own_ids(self.federation, X, ids, self.align)
        with naming_columns(X):
            X, y = validate_data(
                self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", y_numeric=False
            )
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            if self.federation is None:
                kept = weights > 0
                if not kept.any():
                    raise DataError("every row has sample_weight 0, so there is nothing to learn")
                X, y, weights = X[kept], y[kept], weights[kept]
        labels = self._encoded(y, fitting=True)
        return Rows(self._with_nan(X), self._names(X), labels, weights).with_ids(row_ids, keys)

    def _checked_more(self, X: Any, y: Any, sample_weight: Any, ids: Any) -> Rows:
        """An evaluation set, checked against the training data."""
        data = self._own_columns(X, ids, reset=False)
        if self.federation is not None and self.federation.role == "feature":
            return data
        labels = self._encoded(column_or_1d(y, warn=True), fitting=False)
        check_consistent_length(X, labels)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(
                sample_weight, data.values, dtype=np.float64, ensure_non_negative=True
            )
        return replace(data, labels=labels, weights=weights)

    def _own_columns(self, X: Any, ids: Any, *, reset: bool) -> Rows:
        """Rows without labels, checked; a side of a federation may have no column."""
        X, row_ids, keys = own_ids(self.federation, X, ids, self.align)
        least = 1 if self.federation is None else 0
        with naming_columns(X):
            X = validate_data(
                self,
                X,
                reset=reset,
                dtype=np.float64,
                ensure_all_finite="allow-nan",
                ensure_min_features=least,
            )
        return Rows(self._with_nan(X), self._names(X)).with_ids(row_ids, keys)

    def _with_nan(self, X: Reals) -> Reals:
        """The table with NaN in place of the value ``missing``."""
        if np.isnan(self.missing):
            return X
        return np.where(self.missing == X, np.nan, X)

    def _names(self, X: Reals) -> tuple[str, ...]:
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            return tuple(f"column {number}" for number in range(X.shape[1]))
        return tuple(str(name) for name in names)

    def _encoded(self, y: Any, *, fitting: bool) -> Reals:
        """Labels as float64, as training takes them."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_halves")


@takes_xgboost_names
class SecureXGBClassifier(ClassifierMixin, _SecureXGBModel):
    """Gradient-boosted trees for two classes; the labels may be of any type.

    The parameters are described in ``boost.params.TrainingParams``; objective is
    "binary:logistic". Fitted attributes: ``classes_``, ``n_features_in_``,
    ``feature_names_in_`` (where X has names), ``ledger_`` (what was revealed),
    ``leak_`` (how much that can say of the labels).
    """

    _objective = "binary:logistic"

    def _margins(self, X: Any, ids: Any, trees: tuple[int, int] | None = None) -> Reals | None:
        """Log odds of ``classes_[1]``, as scikit-learn has them, whichever class counts as 1."""
        margins = super()._margins(X, ids, trees)
        is_turned = getattr(self, "_positive", 1) == 0
        return -margins if is_turned and margins is not None else margins

    def decision_function(self, X: Any, *, ids: Any = None) -> Reals | None:
        """Log odds of ``classes_[1]``, shape (rows,)."""
        return self._margins(X, ids)

    @refuses_in_words
    def predict_proba(
        self, X: Any, *, iteration_range: tuple[int, int] | None = None, ids: Any = None
    ) -> Reals | None:
        """Probabilities, shape (rows, 2), in the order of ``classes_``; see ``predict``."""
        margins = self._margins(X, ids, iteration_range)
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
        ids: Any = None,
    ) -> NDArray[Any] | None:
        """The more probable class of each row; with ``output_margin`` the log odds.

        ``iteration_range``: (begin, end), the trees to predict with, the same at both sides.
        """
        margins = self._margins(X, ids, iteration_range)
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


@takes_xgboost_names
class SecureXGBRegressor(RegressorMixin, _SecureXGBModel):
    """Gradient-boosted trees for a number, by squared error.

    The parameters are described in ``boost.params.TrainingParams``; objective is
    "reg:squarederror". Both parties of a federation must agree on ``target_exponent``.
    """

    _objective = "reg:squarederror"

    @refuses_in_words
    def predict(
        self,
        X: Any,
        *,
        output_margin: bool = False,
        iteration_range: tuple[int, int] | None = None,
        ids: Any = None,
    ) -> Reals | None:
        """Predicted values, shape (rows,), which are the margins, too; ``iteration_range``: (begin,
        end), the trees to predict with, the same at both sides."""
        return self._margins(X, ids, iteration_range)

    def _encoded(self, y: Any, *, fitting: bool) -> Reals:
        if self.positive_label is not None:
            raise UsageError("positive_label is for two classes, and a regression has none")
        values = np.asarray(y, dtype=np.float64)
        if not np.isfinite(values).all():
            raise DataError("y holds a missing or an infinite value")
        return values


def load_model(path: str | Path) -> SecureXGBClassifier | SecureXGBRegressor:
    """The estimator that ``save_model`` wrote; set its ``federation`` to predict in one."""
    kind = saved_kind(Path(path))
    model = SecureXGBRegressor() if kind == "SecureXGBRegressor" else SecureXGBClassifier()
    model.load_model(path)
    return model
