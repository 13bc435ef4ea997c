"""What both estimators do: fitting and predicting, alone or as one side of a federation."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import (
    check_is_fitted,
)

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.importance import importances, why_not
from securexgb.boost.leak import Floors
from securexgb.boost.params import TrainingParams, declarations
from securexgb.boost.predict import Request
from securexgb.boost.splits.directions import by_number
from securexgb.errors import UsageError
from securexgb.estimator.costly import MetricsWarning
from securexgb.estimator.earlier import Earlier
from securexgb.estimator.files import restore_estimator, save_estimator
from securexgb.estimator.names import refuses_in_words
from securexgb.estimator.tables import CheckedTables, Reals, RowExtras, of_sets
from securexgb.estimator.views import (
    XGBoostViews,
    asked_columns,
    asked_rows,
    evaluation_lines,
    integer_seed,
    limited,
    refuse_other_terms,
)
from securexgb.jobs.aligning.tables import align_training, aligned_margins
from securexgb.jobs.alignment import Named
from securexgb.jobs.data.files import check_agreed_columns
from securexgb.jobs.export import export_alone, joint_export
from securexgb.jobs.ledgers import add_ledgers
from securexgb.jobs.prediction import Predictor
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import (
    Sides,
    Ways,
    column_positions,
    predict_alone,
    split_columns,
    train_alone,
)
from securexgb.jobs.training import agreed_job
from securexgb.jobs.training import train as run_training
from securexgb.offline.method import Method
from securexgb.storage.whole import write_whole

if TYPE_CHECKING:
    from securexgb.federation.session import Federation


Hooks = tuple[TrainingCallback, ...]
_log = logging.getLogger("securexgb.estimator")


class SecureXGBModel(XGBoostViews, CheckedTables, BaseEstimator):
    """What classifier and regressor share: fitting, predicting, importance, files."""

    _objectives: ClassVar[tuple[str, ...]] = ()
    """Those that it is for, the default first."""
    _halves: tuple[ModelHalf, ...]
    """This process's halves: both alone, one in a federation."""
    _sides: tuple[NDArray[np.intp], ...]
    """The columns of X that each of those halves was trained on."""

    @refuses_in_words
    def fit(  # noqa: PLR0913  (scikit-learn's and xgboost's arguments)
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        base_margin: Any = None,
        eval_set: Sequence[tuple[Any, Any]] | None = None,
        sample_weight_eval_set: Sequence[Any] | None = None,
        base_margin_eval_set: Sequence[Any] | None = None,
        ids: Any = None,
        eval_set_ids: Sequence[Any] | None = None,
        xgb_model: Any = None,
        verbose: bool | int | None = False,
    ) -> Self:
        """Train; returns the estimator.

        ``X``: (rows, columns), NaN or ``missing`` where there is no value: array, list, or a
        pandas, polars or pyarrow table. ``y``: labels; the feature party of a federation passes
        none. ``eval_set``: pairs (X, y), whose metrics are evaluated after every tree (or every
        ``eval_every``-th) and thereby revealed. ``base_margin``: the label party's, one number a
        row that trees go on from, in base_score's place: log odds of the second class, or values of
        the target. Alone ``base_margin_bound`` follows from them, in a federation it is a term.
        ``ids``: in a federation whose terms name an id_column, one text or whole number a row,
        unless X is a table with that column; the other side must have the same ones in the same
        order. ``xgb_model``: a fitted estimator, or a directory that ``save_model`` wrote, whose
        trees come first: ``n_estimators`` more are added. ``verbose``: write the metrics of each
        evaluation to stdout, or of every so-many-th one.
        """
        refuse_other_terms(self)
        old = Earlier.of(self, xgb_model)
        hooks = (*(self.callbacks or ()), *evaluation_lines(verbose))
        extras = RowExtras(ids, base_margin, sample_weight)
        if self.federation is not None and self.federation.role == "feature":
            train = self._own_columns(X, extras, reset=True)
        else:
            train = self._checked(X, y, extras)
        if old is not None and hasattr(self, "classes_"):
            old.check_classes(self.classes_, self._positive)
        given = {
            "eval_set_ids": eval_set_ids,
            "base_margin_eval_set": base_margin_eval_set,
            "sample_weight_eval_set": sample_weight_eval_set,
        }
        evals = [
            (f"validation_{number}", self._checked_more(*one))
            for number, one in enumerate(of_sets(eval_set, given))
        ]
        if self.federation is None:
            names = [str(name) for name in getattr(self, "feature_names_in_", ())]
            chosen = asked_columns(self.feature_party_columns, X, names)
            count = len(train.column_names)
            sides = split_columns(count, column_positions(chosen, names, count))
            self._fit_alone(train, sides, evals, hooks, old)
        else:
            self._fit_federated(self.federation, train, evals, hooks, old)
        return self

    @property
    def feature_importances_(self) -> Reals:
        """Each column's share of the importance that ``importance_type`` names.

        "gain", of hidden splits: of the gain of all splits (xgboost's total_gain), adding up to 1
        over the columns of both sides; alone exact, and one side of a federation sees what was
        opened of its own columns, in hundredths, where the terms say importance = "gain". "cover"
        (total_cover) or "weight" in its place where the parameter, or the terms, say so by
        importance. "weight", of owned splits: of the number of those of nodes that did split,
        adding up to 1; one side of a federation, which cannot tell these, counts all splits of its
        own. None: whichever the model has. Raises NotAvailable, which is an AttributeError, where
        there is none.
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

    def export_xgboost(self, path: str | Path) -> bool:
        """Write the whole model as one JSON file that xgboost reads; true where this side got it.

        Alone both halves are here. In a federation both sides call it, and the terms say who gets
        the model (export_to): UsageError where they say nobody. Of a model with early stopping the
        rounds up to the best one are written.
        """
        check_is_fitted(self)
        content: bytes | None
        if self.federation is None:
            self._need_both()
            names = [str(name) for name in getattr(self, "feature_names_in_", ())]
            content = export_alone(self._halves, self._sides, names, self._seed)
        else:
            terms = self.federation.terms
            recipient, sides = terms.model_recipient, (terms.label_party, terms.feature_party)
            with self.federation.session("export") as party:
                content = joint_export(party, self._halves[0], recipient, sides)
                known = getattr(self, "ledger_", ())
                self.ledger_ = add_ledgers(known, party.ledger.rows())
        if content is not None:
            write_whole(Path(path), content)
        return content is not None

    def load_model(self, path: str | Path) -> None:
        """Take over the model that ``save_model`` wrote."""
        restore_estimator(self, Path(path))

    def _fit_alone(
        self, train: Rows, sides: Sides, evals: Named, hooks: Hooks, old: Earlier | None
    ) -> None:
        """Play both parties."""
        params, seed = self._params()
        method = self._method()
        is_exact = self.prediction in (None, "transfers")
        halves = None if old is None else old.halves
        if halves is None:
            params = params.decided(can_hide=is_exact and (method is None or method.can_hide))
        watching = (MetricsWarning(method, evals), *hooks)
        run = train_alone(
            params, train, sides, seed, evals, lambda _: watching, Ways(method), halves
        )
        self._halves, self._sides, self._seed = run.results, sides, seed
        self.ledger_ = run.ledger
        set_rows = [(name, data.count) for name, data in evals]
        floors = Floors().of(run.results[0].params)
        for sentence in [self.leak_.sentence, *floors.sentences(train.count, set_rows)]:
            _log.info("between two companies: %s", sentence)

    def _fit_federated(
        self,
        federation: Federation,
        train: Rows,
        evals: Named,
        hooks: Hooks,
        old: Earlier | None,
    ) -> None:
        """Play one party, over the network; the parameters are the terms'."""
        check_agreed_columns(federation, train)
        with federation.session("train") as party:
            train, evals = align_training(party, federation, train, evals)
            half = None if old is None else old.halves[0]
            job = agreed_job(party, federation, train, evals, half)
            warning = MetricsWarning(federation.terms.method, evals)
            half = run_training(party, replace(job, callbacks=(warning, *hooks)))
            self.ledger_ = party.ledger.rows()
        if half.params.opens_importance and half.importance is None:
            _log.warning("the model has no importance: %s", why_not(half))
        self._halves, self._seed = (half,), 0
        self._sides = (np.arange(len(train.column_names)),)

    def _margins(
        self, X: Any, given: RowExtras, trees: tuple[int, int] | None = None
    ) -> Reals | None:
        """Rounded margins; None at a side of a federation that does not get them."""
        check_is_fitted(self)
        refuse_other_terms(self)
        rows = self._own_columns(X, given, reset=False)
        halves = tuple(limited(half, trees) for half in self._halves)
        if self.federation is not None:
            with Predictor.open(self.federation, halves[0], asked_rows(trees)) as predictor:
                return aligned_margins(predictor, self.federation, rows)
        self._need_both()
        prediction: Any = self.prediction or "transfers"
        request = Request("label", self.prediction_decimals, prediction)
        sides, method = self._sides, self._method()
        return predict_alone(halves, rows, sides, request, self._seed, method).results[0]

    def _need_both(self) -> None:
        """UsageError where one half is here, and no federation to reach the other."""
        if len(self._halves) != 2:
            raise UsageError(
                "this estimator holds one half of a model: set its federation, and predict or "
                "export together with the other side"
            )

    def _params(self) -> tuple[TrainingParams, int]:
        """The parameters, checked, and the seed."""
        values = {name: getattr(self, name) for name in declarations()}
        seed = integer_seed(self.random_state)
        columns = getattr(self, "n_features_in_", 0)
        values["monotone_constraints"] = by_number(self.monotone_constraints, columns)
        values |= {"objective": self._asked_objective(), "random_state": seed}
        values |= {"num_class": self._class_count()}
        return TrainingParams.from_mapping(values), seed

    def _asked_objective(self) -> str:
        """The objective of a training that plays both parties; UsageError for one of another
        estimator."""
        if self.objective not in (None, *self._objectives):
            known = [repr(name) for name in self._objectives]
            listed = f"objective {known[0]}"
            if known[1:]:
                listed = f"objectives {', '.join(known[:-1])} and {known[-1]}"
            raise UsageError(f"{type(self).__name__} is for {listed}, not {self.objective!r}")
        return self.objective or self._objectives[0]

    def _class_count(self) -> int | None:
        """num_class of this training."""
        return self.num_class

    def _method(self) -> Method | None:
        """How both parties played here make their correlations."""
        return Method.chosen(self.algorithm, self.offline, self.he)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_halves")
