"""What an estimator shows of itself in xgboost's words, and the columns that it was asked to give.

``XGBoostViews`` is a part of both estimators. What one side of a federation does not hold raises
NotAvailable, which is an AttributeError.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state

from securexgb.arith.fixedpoint import decode
from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.ensemble import History, ModelHalf
from securexgb.boost.leak import Leak, after_training
from securexgb.boost.metrics.schedule import is_evaluated, place_of
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams, declarations
from securexgb.boost.splits.directions import by_number, plain_directions, read_directions
from securexgb.boost.splits.interactions import plain_interactions, read_interactions
from securexgb.errors import DataError, NotAvailable, UsageError
from securexgb.estimator.names import taken
from securexgb.jobs.data.files import not_numeric
from securexgb.jobs.data.labels import position_of
from securexgb.model.export import split_table

Reals = NDArray[np.float64]
_NOT_OF_A_BOOSTER = ("n_estimators", "early_stopping_rounds", "enable_categorical")


def classes_of(classes: NDArray[Any], margins: Reals) -> NDArray[Any]:
    """The most probable class of each row; None in an array of objects where a row has no margin,
    because the other side of a federation does not have it.

    ``margins``: log odds (n,), or of several classes (n, classes).
    """
    several = margins if margins.ndim == 2 else np.column_stack([np.zeros_like(margins), margins])
    is_known = ~np.isnan(several).any(axis=1)
    found: NDArray[Any] = classes[several.argmax(axis=1)]
    if is_known.all():
        return found
    partly = found.astype(object)
    partly[~is_known] = None
    return partly


class XGBoostViews:
    """Parameters as they are in force, and figures of the fitted model by xgboost's names."""

    _halves: tuple[ModelHalf, ...]
    federation: Any
    n_features_in_: int

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Every parameter; once one side of a federation is fitted, those of the terms."""
        values: dict[str, Any] = super().get_params(deep)  # type: ignore[misc]
        if self.federation is not None and hasattr(self, "_halves"):
            values |= {name: getattr(self._halves[0].params, name) for name in declarations()}
        return values

    def set_params(self, **params: Any) -> Self:
        """Set parameters; xgboost's other names are taken where they change nothing."""
        nested = {name: value for name, value in params.items() if "__" in name}
        plain = {name: value for name, value in params.items() if "__" not in name}
        own = taken(type(self).__name__, plain, XGBoostViews.get_params(self, deep=False))
        done: Self = super().set_params(**own, **nested)  # type: ignore[misc]
        return done

    def get_xgb_params(self) -> dict[str, Any]:
        """The parameters as ``xgboost.train`` takes them; those that xgboost lacks are left out."""
        values = self.get_params(deep=False)
        names = [name for name, entry in declarations().items() if not entry.is_ours]
        shown = {name: values[name] for name in names if name not in _NOT_OF_A_BOOSTER}
        if self._is_fitted:
            fitted = self._halves[0].params
            shown |= {"objective": fitted.objective, "num_class": fitted.num_class}
            given = by_number(values["monotone_constraints"], self.n_features_in_)
            ways = plain_directions(read_directions(given))
            shown["monotone_constraints"] = ways if isinstance(ways, dict) else tuple(ways)
        if shown["objective"] != "reg:tweedie":
            del shown["tweedie_variance_power"]
        groups = plain_interactions(read_interactions(values["interaction_constraints"]))
        shown["interaction_constraints"] = str(groups) if groups else None
        return {name: value for name, value in shown.items() if value not in (None, ())}

    def evals_result(self) -> dict[str, dict[str, list[float]]]:
        """Metric values after each tree that was evaluated (all, or every ``eval_every``-th and the
        last), by evaluation set ("validation_0", …) and metric."""
        return self._fitted_half.history

    @property
    def leak_(self) -> Leak:
        """How many bits about the training rows' labels the splits have opened to the feature
        party, at most: ``bits``, ``labels``, ``sentence``, and ``warning`` where they are many."""
        return after_training(self._fitted_half)[0]

    def own_splits(self) -> list[dict[str, Any]]:
        """The splits of the columns that this process holds, a dictionary each: party, tree, node,
        column, threshold, missing_left; see ``model.export.split_table``. One side of a federation
        has its own alone; NotAvailable where splits are hidden."""
        _ = self._fitted_half
        return [{"party": half.role, **row} for half in self._halves for row in split_table(half)]

    @property
    def best_iteration(self) -> int:
        """Number of the best tree, from 0; there is one after early stopping only."""
        best = self._fitted_half.best_iteration
        if best is None:
            raise NotAvailable("best_iteration exists only with early_stopping_rounds")
        return best

    @property
    def best_score(self) -> float:
        """The last metric of the last evaluation set after the best tree."""
        best = self.best_iteration
        half = self._fitted_half
        last_set = list(half.history.values())[-1]
        return list(last_set.values())[-1][place_of(half.params, best)]

    @property
    def intercept_(self) -> Reals:
        """The prediction before the first tree, shape (1,): a probability, or a target; of
        several classes their margins, as xgboost has them.

        The feature party of a federation has it where the terms name a base_score.
        """
        half = self._fitted_half
        if half.params.has_base_margin:
            raise NotAvailable("each row begins with its own base margin, so there is no intercept")
        if half.rank != 0:
            given = half.params.base_score
            if given is None:
                raise NotAvailable(
                    "the intercept is the label party's: a base_score that was fitted to the "
                    "labels is not told to the other side"
                )
            return np.full(half.outputs, given)
        margin = decode(np.array(half.base, np.uint64), half.numbers.margin_bits)
        if half.outputs > 1:
            return margin
        predicted: Reals = objective_of(half.params).predictions(margin) + half.centre
        return predicted

    @property
    def _is_fitted(self) -> bool:
        return hasattr(self, "_halves")

    @property
    def _fitted_half(self) -> ModelHalf:
        """The label party's half where both are here, else the one that is."""
        if not self._is_fitted:
            raise NotFittedError(f"this {type(self).__name__} is not fitted: call fit first")
        return self._halves[0]


@dataclass(eq=False)
class EvaluationLines(TrainingCallback):
    """Write the newest metrics to stdout, every ``period`` evaluations: fit(verbose=True)."""

    period: int

    def after_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        params = model.params
        is_new = bool(evals_log) and is_evaluated(params, epoch)
        if is_new and place_of(params, epoch) % self.period == 0:
            facts = [
                f"{data}-{metric}:{values[-1]:.5f}"
                for data, metrics in evals_log.items()
                for metric, values in metrics.items()
            ]
            sys.stdout.write("\t".join([f"[{epoch}]", *facts]) + "\n")
        return False


def evaluation_lines(verbose: object) -> list[TrainingCallback]:
    """None for false, metrics of each evaluation for true, of every n-th for n."""
    if not verbose:
        return []
    if not isinstance(verbose, (int, np.integer)) or verbose < 0:
        raise UsageError(f"verbose must be true, false or a number of trees, it is {verbose!r}")
    return [EvaluationLines(int(verbose))]


def limited(half: ModelHalf, iteration_range: tuple[int, int] | None) -> ModelHalf:
    """The half with the rounds [begin, end) alone; (0, 0) and None are all that it predicts with.

    Both sides must ask for the same, since each has its half of each tree: see ``asked_rows``.
    """
    if iteration_range is None or tuple(iteration_range) == (0, 0):
        return half
    begin, end = (int(number) for number in iteration_range)
    last = len(half.rounds)
    end = end or last
    if not 0 <= begin < end <= last:
        raise UsageError(
            f"iteration_range {(begin, end)!r} is not within the {last} trees of this model"
        )
    chosen = [tree for trees in half.rounds[begin:end] for tree in trees]
    return replace(half, trees=chosen, best_iteration=None)


def asked_rows(iteration_range: tuple[int, int] | None) -> str:
    """What a prediction by these trees is called; both sides must call it alike."""
    if iteration_range is None or tuple(iteration_range) == (0, 0):
        return "rows to predict"
    begin, end = (int(number) for number in iteration_range)
    return f"rows to predict by the trees {begin} to {end}"


def asked_columns(chosen: Any, X: Any, names: Sequence[str]) -> Any:
    """``feature_party_columns`` as names or numbers.

    A text is a pattern, a regular expression that a name has somewhere, as scikit-learn's
    make_column_selector has it; a callable gets X and returns names or numbers.
    """
    if callable(chosen):
        returned = chosen(X)
        if isinstance(returned, str) or not isinstance(returned, Iterable):
            raise UsageError(
                "feature_party_columns: the callable gets X, whole, and returns names or numbers "
                f"of columns, as a list; this one returned {returned!r}"
            )
        return list(returned)
    if isinstance(chosen, (str, re.Pattern)):
        try:
            found = [name for name in names if re.search(chosen, name)]
        except re.error as error:
            raise UsageError(
                f"feature_party_columns: {chosen!r} is no regular expression: {error}"
            ) from None
        if not found:
            raise UsageError(f"feature_party_columns: no column of X matches {chosen!r}")
        return found
    return chosen


def integer_seed(random_state: Any) -> int:
    """random_state as an integer: None is 0, a generator is drawn from."""
    if random_state is None:
        return 0
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))


def positive_position(model: Any, classes: NDArray[Any]) -> int:
    """Which of the two classes counts as 1: the terms' positive_label, or the model's, or 1."""
    federation = model.federation
    terms = None if federation is None else federation.terms.positive_label
    wanted = model.positive_label if terms is None else terms
    if wanted is None:
        return 1
    return position_of(wanted, classes, "y")


@contextmanager
def naming_columns(X: Any) -> Iterator[None]:
    """Where X cannot be taken and is a table with columns of text or infinite values, these are
    named instead: DataError."""
    try:
        yield
    except (ValueError, TypeError) as error:
        frame = nw.from_native(X, eager_only=True, pass_through=True)
        if isinstance(frame, nw.DataFrame):
            _check_numbers(frame, error)
        raise


def _check_numbers(frame: Any, cause: Exception) -> None:
    texts: dict[str, tuple[str, Sequence[Any]]] = {}
    are_categories = False
    for name in frame.columns:
        column = frame[name]
        if not (column.dtype.is_numeric() or column.dtype == nw.Boolean):
            texts[str(name)] = (str(column.dtype), column.to_list())
            are_categories |= column.dtype in (nw.Categorical, nw.Enum)
        elif column.dtype.is_float():
            infinite = np.flatnonzero(np.isinf(column.to_numpy()))
            if infinite.size:
                raise DataError(
                    f"X: column {name!r} holds infinity, first in data row {infinite[0] + 1}; "
                    "replace it or mark it as missing"
                ) from cause
    if texts:
        how = "enable_categorical=True" + ("" if are_categories else ", and a categorical type")
        raise not_numeric("X: ", texts, how) from cause


def refuse_other_terms(model: Any) -> None:
    """In a federation a parameter set here must be the terms' one: nothing is ignored."""
    if model.federation is None:
        return
    terms, usual = model.federation.terms, vars(TrainingParams())
    names = ("algorithm", "he", "offline", "prediction", "positive_label")
    agreed = {name: getattr(terms.training, name) for name in declarations()}
    agreed |= {name: getattr(terms, name) for name in names}
    for name, value in agreed.items():
        mine = getattr(model, name)
        given = tuple(mine) if isinstance(mine, list) else mine
        if name == "monotone_constraints":
            given = read_directions(mine)
        if name == "interaction_constraints":
            given = read_interactions(mine)
        if given not in (None, usual.get(name), value):
            raise UsageError(
                f"{name}={given!r} differs from the job's terms, which say "
                f"{value!r}: in a federation the terms decide"
            )
