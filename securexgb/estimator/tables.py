"""The tables and labels that users pass to an estimator, checked and made ``Rows``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    column_or_1d,
    validate_data,
)

from securexgb.errors import DataError, UsageError
from securexgb.estimator.categories import named_categories, with_numbers
from securexgb.estimator.parameters import Parameters
from securexgb.estimator.views import naming_columns
from securexgb.jobs.aligning.tables import own_ids
from securexgb.jobs.data.categories import Names
from securexgb.jobs.rows import Rows

Reals = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class RowExtras:
    """What users may pass beside a table, one a row."""

    ids: Any = None
    base_margin: Any = None
    sample_weight: Any = None


def of_sets(
    eval_set: Sequence[Any] | None, given: Mapping[str, Sequence[Any] | None]
) -> list[tuple[Any, Any, RowExtras]]:
    """Features, labels and extras of each evaluation set.

    ``given``: ids, base margins and weights of all sets, in this order, by the arguments' names.
    """
    pairs = [tuple(pair) if isinstance(pair, tuple | list) else () for pair in eval_set or ()]
    if any(len(pair) != 2 for pair in pairs):
        raise UsageError("eval_set must be a list of pairs: [(X, y), ...]")
    for name, parts in given.items():
        if parts is not None and len(parts) != len(pairs):
            raise UsageError(f"{name} has {len(parts)} entries, and eval_set {len(pairs)}")
    none = [None] * len(pairs)
    extras = zip(*(none if parts is None else parts for parts in given.values()), strict=True)
    return [(*pair, RowExtras(*more)) for pair, more in zip(pairs, extras, strict=True)]


class CheckedTables(Parameters):
    """An estimator's way from what users pass to rows; its labels are the classes' business."""

    _categories: dict[str, Names]

    def _checked(self, X: Any, y: Any, given: RowExtras) -> Rows:
        """Training data, checked. Rows of weight zero are left out where both parties are
        here: they count for nothing, not even in the bins."""
        X, row_ids, keys = own_ids(self.federation, X, given.ids, self.align)
        X, found = self._numbered(X, fitting=True)
        with naming_columns(X):
            X, y = validate_data(
                self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", y_numeric=False
            )
        weights, margins = None, self._begin(given.base_margin, X)
        if given.sample_weight is not None:
            weights = _check_sample_weight(
                given.sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            if self.federation is None:
                kept = weights > 0
                if not kept.any():
                    raise DataError("every row has sample_weight 0, so there is nothing to learn")
                X, y, weights = X[kept], y[kept], weights[kept]
                margins = None if margins is None else margins[kept]
        labels = self._encoded(y, fitting=True)
        values, names = self._with_nan(X), self._names(X)
        named = self._named_categories(names, values, found, fitting=True)
        own = Rows(values, names, labels, weights, categories=named)
        return replace(own, base_margin=self._signed(margins)).with_ids(row_ids, keys)

    def _checked_more(self, X: Any, y: Any, given: RowExtras) -> Rows:
        """An evaluation set, checked against the training data."""
        data = self._own_columns(X, given, reset=False)
        if self.federation is not None and self.federation.role == "feature":
            return data
        labels = self._encoded(column_or_1d(y, warn=True), fitting=False)
        check_consistent_length(X, labels)
        weights = None
        if given.sample_weight is not None:
            weights = _check_sample_weight(
                given.sample_weight, data.values, dtype=np.float64, ensure_non_negative=True
            )
        return replace(data, labels=labels, weights=weights)

    def _own_columns(self, X: Any, given: RowExtras, *, reset: bool) -> Rows:
        """Rows without labels, checked; a side of a federation may have no column."""
        X, row_ids, keys = own_ids(self.federation, X, given.ids, self.align)
        X, found = self._numbered(X, fitting=reset)
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
        margins = self._signed(self._begin(given.base_margin, X))
        values, names = self._with_nan(X), self._names(X)
        named = self._named_categories(names, values, found, fitting=reset)
        own = Rows(values, names, base_margin=margins, categories=named)
        return own.with_ids(row_ids, keys)

    def _numbered(self, X: Any, *, fitting: bool) -> tuple[Any, dict[str, Names]]:
        """The table with numbers in place of categories, and their names."""
        if not fitting:
            return with_numbers(X, self._categories) if self._categories else (X, {})
        if "c" in (self.feature_types or ()) and not self.enable_categorical:
            raise UsageError('feature_types calls a column "c": set enable_categorical=True')
        return with_numbers(X, None) if self.enable_categorical else (X, {})

    def _named_categories(
        self, names: Sequence[str], values: Reals, found: dict[str, Names], *, fitting: bool
    ) -> dict[str, Names]:
        """The names of all categories; those of the training are kept for later tables."""
        if fitting:
            self._categories = named_categories(self.feature_types, names, values, found)
        return self._categories

    def _begin(self, base_margin: Any, X: Reals) -> Reals | None:
        """Base margins (n,), one for each row of X."""
        if base_margin is None:
            return None
        shape = np.shape(base_margin)
        if shape not in ((len(X),), (len(X), 1)):
            raise UsageError(
                f"base_margin must be one number for each of {len(X)} rows, and objectives of "
                f"several classes take none; it has the shape {shape}"
            )
        return np.asarray(column_or_1d(base_margin, dtype=np.float64, warn=True))

    def _signed(self, margins: Reals | None) -> Reals | None:
        """Margins as the user has them as a training has them, or the other way round."""
        return margins

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
