"""A side's rows: one type from the file, or the caller's table, to the protocols."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.align.row_keys import Keys
from securexgb.boost.columns.binning import (
    Binner,
    Columns,
    check_categories,
    check_columns,
    without_cut,
)
from securexgb.boost.scales import Outcomes
from securexgb.errors import DataError
from securexgb.jobs.data.digests import HASHED_ROWS, digest_of_columns, digest_of_set
from securexgb.report.record import AlignedSet

Reals = NDArray[np.float64]

_LEAST_NUMBERED = 20
"""In fewer rows, numbers may all differ by chance."""


@dataclass(frozen=True, eq=False, repr=False)
class Rows:
    """One party's part of a data set; row r is the same person's at both parties.

    ``values``: own columns, float64 (n, f), NaN where missing; f may be 0. ``column_names``: f
    names. ``labels``, ``weights``, ``base_margin``: float64 (n,), at the label party only; labels
    are class numbers for a classification; of base margins see ``boost.objective.start``. ``ids``:
    one text a row, or None where nobody compares them. ``classes``: of a classification, in the
    order of their numbers, as the user writes them: of two, that which counts as 1 last; or None.
    ``aligned``: of which alignment with the other side these are the rows that both have, in its
    order; None: all rows, in the file's order. ``keys``: of a table that is still to be aligned.
    ``categories``: of categorical columns, by name, the names of the categories; values are
    positions among these, or -1 for what is not among them.
    """

    values: Reals
    column_names: tuple[str, ...]
    labels: Reals | None = None
    weights: Reals | None = None
    ids: tuple[str, ...] | None = None
    classes: tuple[Any, ...] | None = None
    aligned: AlignedSet | None = None
    keys: Keys | None = None
    base_margin: Reals | None = None
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @staticmethod
    def none_of(
        names: tuple[str, ...],
        classes: tuple[Any, ...] | None,
        categories: Mapping[str, tuple[str, ...]],
    ) -> Rows:
        """No rows, of these columns: what is known of a table whose rows are elsewhere."""
        return Rows(np.empty((0, len(names))), names, classes=classes, categories=categories)

    @property
    def categorical(self) -> tuple[int, ...]:
        """Numbers of the categorical columns, ascending."""
        return tuple(n for n, name in enumerate(self.column_names) if name in self.categories)

    @property
    def count(self) -> int:
        return int(self.values.shape[0])

    @property
    def outcomes(self) -> Outcomes | None:
        """Labels, weights and base margins, where this side has labels."""
        if self.labels is None:
            return None
        return Outcomes(self.labels, self.weights, self.base_margin)

    @property
    def _of_rows(self) -> tuple[Reals | None, ...]:
        """What there may be one number a row of, beside the columns."""
        return self.labels, self.weights, self.base_margin

    @property
    def missing_rates(self) -> dict[str, float]:
        """Share of missing values of every column."""
        rates = np.isnan(self.values).mean(axis=0) if self.count else np.zeros(self.values.shape[1])
        return {name: float(rate) for name, rate in zip(self.column_names, rates, strict=True)}

    @property
    def columns_without_cut(self) -> list[str]:
        """Names of the columns with one value at most: no split can make use of them."""
        return [self.column_names[column] for column in without_cut(self.values)]

    @property
    def numbering_columns(self) -> list[str]:
        """Names of the columns with a different whole number in each row, as a number of
        customers has: a model would learn it by heart."""
        found = []
        for name, column in zip(self.column_names, self.values.T, strict=True):
            if name in self.categories:
                continue
            is_whole = bool(np.all(np.isfinite(column))) and bool(np.all(column == np.rint(column)))
            if is_whole and self.count >= _LEAST_NUMBERED and np.unique(column).size == self.count:
                found.append(name)
        return found

    @property
    def names_sha256(self) -> str:
        """SHA-256 of the sorted names of these columns, one a line."""
        return hashlib.sha256("\n".join(sorted(self.column_names)).encode()).hexdigest()

    @property
    def class_shares(self) -> tuple[float, ...] | None:
        """Share of the rows, by number and not by weight, of each class; None without classes."""
        if self.labels is None or self.classes is None or not self.count:
            return None
        counts = np.bincount(self.labels.astype(np.int64), minlength=len(self.classes))
        return tuple((counts / self.count).tolist())

    def check_values(self, side: str, limit: int | None, *, may_be_missing: bool) -> None:
        """Refuse, as DataError, values that cannot be binned.

        ``side``: "label" or "feature". ``limit``: of the categories of a column, on training rows.
        """
        if self.values.ndim != 2 or self.values.shape[1] != len(self.column_names):
            raise DataError(f"the {side} party's data have not one name for each column")
        names = list(self.column_names)
        check_columns(self.values, side, names, may_be_missing=may_be_missing)
        check_categories(self.values, side, names, self.categorical, limit)

    def cuts(self, max_bin: int) -> Columns:
        """Of own columns, (f, max_bin), see ``Binner.fit``."""
        return Binner.fit(self.values, max_bin, self.categorical).cuts

    def take(self, order: NDArray[np.intp]) -> Rows:
        """These rows, in this order: row numbers from 0, (m,)."""
        return replace(
            self,
            values=np.ascontiguousarray(self.values[order]),
            labels=None if self.labels is None else self.labels[order],
            weights=None if self.weights is None else self.weights[order],
            base_margin=None if self.base_margin is None else self.base_margin[order],
            ids=None if self.ids is None else tuple(self.ids[row] for row in order),
            aligned=None,
            keys=None,
        )

    def take_columns(self, chosen: NDArray[np.intp]) -> Rows:
        """All rows of some columns: column numbers from 0, in this order."""
        return replace(
            self,
            values=np.ascontiguousarray(self.values[:, chosen]),
            column_names=(names := tuple(self.column_names[column] for column in chosen)),
            categories={name: of for name, of in self.categories.items() if name in names},
        )

    def with_ids(self, ids: tuple[str, ...] | None, keys: Keys | None = None) -> Rows:
        """The same rows with these ids and keys; DataError where there is not one for each."""
        if ids is not None and len(ids) != self.count:
            raise DataError(
                f"there are {self.count} rows and ids of the shape ({len(ids)},): give one a row"
            )
        return replace(self, ids=ids, keys=keys)

    def fingerprint(self) -> str:
        """SHA-256 of everything here, in this order of rows; for this party alone."""
        of_rows = [part for part in self._of_rows if part is not None]
        return digest_of_columns(self, iter((*self.values.T, *of_rows)))

    def fingerprint_of_set(self) -> str:
        """A digest of everything here, whatever the order of rows; for this party alone."""
        starts = range(0, self.count, HASHED_ROWS)
        blocks = [slice(start, start + HASHED_ROWS) for start in starts]
        return digest_of_set(self, ((block, self.values[block]) for block in blocks))
