"""Binning: each side cuts its own columns into at most max_bin bins at data quantiles.

As in xgboost's ``hist``: cut values are values of the data; bin b of a column holds the
values in [cut[b-1], cut[b]), so "value < cut[b]" sends bins 0..b to the left. A column
with at most max_bin distinct values gets one bin for each. The last bin used ends at
infinity, as do unused bins beyond it. Missing values (NaN) have bin number max_bin.
Nothing here leaves the party.

A categorical column holds numbers of categories, 0, 1, ..., and each category is a bin of its own,
with its number as "cut". Numbers beyond those of the training have the last value bin, which no
category may be: there are at most max_bin - 1.

A column with more values is cut at equal *capped* ranks: a value counts for one bin at most,
however many rows have it. Plain ranks leave no cut in a column that is 0 in 98 % of the rows,
because every quantile is 0 there; capped ones give 0 a bin and the others to the rest. Where no
value has more than a bin's share of the rows, capped ranks are plain ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.errors import DataError

Columns = NDArray[np.float64]
MOST_CATEGORIES = 254
"""Of a column: one fewer than the most bins."""


@dataclass(frozen=True, eq=False, repr=False)
class Binner:
    """The cuts of one party's columns: ``cuts[f]`` float64 (max_bin,), ascending.

    ``categorical``: numbers of own columns whose cuts are the numbers of their categories.
    """

    cuts: NDArray[np.float64]
    categorical: tuple[int, ...] = ()

    @staticmethod
    def fit(columns: Columns, max_bin: int, categorical: tuple[int, ...] = ()) -> Binner:
        """Choose the cuts of columns (n, f); NaN counts for nothing."""
        cuts = np.full((columns.shape[1], max_bin), np.inf)
        for feature in range(columns.shape[1]):
            values = columns[:, feature]
            if feature in categorical:
                inner = np.arange(categories_in(values), dtype=np.float64)
            else:
                inner = _inner_cuts(values, max_bin)
            cuts[feature, : inner.size] = inner
        return Binner(cuts, categorical)

    def transform(self, columns: Columns) -> NDArray[np.uint8]:
        """Bin numbers (n, f) of values; NaN gives max_bin."""
        bins = np.empty(columns.shape, np.uint8)
        for feature, cuts in enumerate(self.cuts):
            values = columns[:, feature]
            if feature in self.categorical:
                is_known = (values >= 0) & (values < np.isfinite(cuts).sum())
                inside = np.where(is_known, values, cuts.size - 1)
            else:
                inside = np.searchsorted(cuts, values, side="right")
            bins[:, feature] = np.where(np.isnan(values), cuts.size, inside)
        return bins


def categories_in(values: NDArray[np.float64]) -> int:
    """How many categories a column (n,) of their numbers has: as many as xgboost would count."""
    return 0 if np.isnan(values).all() else int(np.nanmax(values)) + 1


def without_cut(columns: Columns) -> NDArray[np.intp]:
    """Numbers of the columns (n, f) that have one value at most, so nothing to cut between."""
    found = []
    for feature in range(columns.shape[1]):
        values = columns[:, feature]
        present = values[~np.isnan(values)]
        if present.size == 0 or present.min() == present.max():
            found.append(feature)
    return np.array(found, np.intp)


def _inner_cuts(values: NDArray[np.float64], max_bin: int) -> NDArray[np.float64]:
    """At most max_bin - 1 ascending cuts, each a value of the data but the least one.

    With more than max_bin distinct values there are exactly max_bin - 1 cuts: no value weighs
    more than the distance of two ranks, so each rank falls into a value of its own, and the first
    one beyond the least value.
    """
    ordered = np.sort(values[~np.isnan(values)])
    starts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    if starts.size < max_bin:
        return ordered[starts]
    starts = np.concatenate([[0], starts])
    counts = np.diff(starts, append=ordered.size)
    weights, a_bin = _capped(counts, max_bin)
    ranks = a_bin * np.arange(1, max_bin)
    return ordered[starts[np.searchsorted(np.cumsum(weights), ranks, side="right")]]


def _capped(counts: NDArray[np.int64], max_bin: int) -> tuple[NDArray[np.int64], int]:
    """Weights min(count, t) of the values, and t, where t is a bin's share of all weights.

    t = sum of min(count, t) / max_bin. If the m greatest counts are those above t, then t is the
    sum of the others over max_bin - m; the least m that fits is the solution. Returned are whole
    numbers, (max_bin - m) times these, below 2^33 for 2^25 rows. ``counts``: more than max_bin.
    """
    greatest = np.sort(np.partition(counts, -max_bin)[-max_bin:])[::-1]
    others = counts.sum() - np.concatenate([[0], np.cumsum(greatest[:-1])])
    bins = np.arange(max_bin, 0, -1)
    heavy = int(np.argmax(greatest * bins <= others))
    a_bin = int(others[heavy])
    return np.minimum(counts * bins[heavy], a_bin), a_bin


def check_columns(columns: Columns, side: str, names: list[str], may_be_missing: bool) -> None:
    """Refuse values that cannot be binned, naming column and side (``DataError``).

    ``columns`` (n, f) float64; ``names``: of the f columns.
    """
    for feature, name in enumerate(names):
        values = columns[:, feature]
        if bool(np.isinf(values).any()):
            raise DataError(
                f"column {name!r} of the {side} party holds an infinite value: "
                "replace it by a finite number or by a missing value"
            )
        if not may_be_missing and bool(np.isnan(values).any()):
            raise DataError(
                f"column {name!r} of the {side} party holds missing values, which the terms "
                'refuse: fill them in, or agree on missing_values = "allowed"'
            )


def check_categories(
    columns: Columns, side: str, names: list[str], categorical: tuple[int, ...], limit: int | None
) -> None:
    """Refuse columns that do not hold numbers of categories (``DataError``).

    ``limit``: of training rows, there must be fewer categories, and no negative number.
    """
    for feature in categorical:
        values = columns[:, feature]
        known, where = values[~np.isnan(values)], f"column {names[feature]!r} of the {side} party"
        if bool(np.any(known != np.rint(known))):
            raise DataError(
                f"{where} is categorical, so it must hold whole numbers from 0: it has others"
            )
        if limit and bool(np.any(known < 0)):
            raise DataError(
                f"{where} has categories that are not known (numbers below 0): all that rows to "
                "train on have must be, to a model to go on from, too; leave these rows out, or "
                "train a new model"
            )
        if limit and categories_in(values) >= limit:
            raise DataError(
                f"{where} has {categories_in(values)} categories, and a categorical column must "
                f"have fewer than {limit} (max_cat_to_onehot, and max_bin at most): raise them, "
                "put rare categories together, or leave the column out"
            )
