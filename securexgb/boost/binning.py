"""Binning: each side cuts its own columns into at most max_bin bins at data quantiles.

As in xgboost's ``hist``: cut values are values of the data; bin b of a column holds the
values in [cut[b-1], cut[b]), so "value < cut[b]" sends bins 0..b to the left. A column
with at most max_bin distinct values gets one bin for each. The last bin used ends at
infinity, as do unused bins beyond it. Missing values (NaN) have bin number max_bin.
Nothing here leaves the party.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.errors import DataError

Columns = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Binner:
    """The cuts of one party's columns: ``cuts[f]`` float64 (max_bin,), ascending."""

    cuts: NDArray[np.float64]

    @staticmethod
    def fit(columns: Columns, max_bin: int) -> Binner:
        """Choose the cuts of columns (n, f); NaN counts for nothing."""
        cuts = np.full((columns.shape[1], max_bin), np.inf)
        for feature in range(columns.shape[1]):
            inner = _inner_cuts(columns[:, feature], max_bin)
            cuts[feature, : inner.size] = inner
        return Binner(cuts)

    def transform(self, columns: Columns) -> NDArray[np.uint8]:
        """Bin numbers (n, f) of values; NaN gives max_bin."""
        bins = np.empty(columns.shape, np.uint8)
        for feature, cuts in enumerate(self.cuts):
            values = columns[:, feature]
            inside = np.searchsorted(cuts, values, side="right")
            bins[:, feature] = np.where(np.isnan(values), cuts.size, inside)
        return bins


def _inner_cuts(values: NDArray[np.float64], max_bin: int) -> NDArray[np.float64]:
    """At most max_bin - 1 ascending cuts, each a value of the data but the least one."""
    ordered = np.sort(values[~np.isnan(values)])
    distinct = np.unique(ordered)
    if distinct.size <= max_bin:
        return distinct[1:]
    places = np.arange(1, max_bin) * ordered.size // max_bin
    cuts = np.unique(ordered[places])
    return np.asarray(cuts[cuts > ordered[0]], np.float64)


def check_columns(columns: Columns, side: str, names: list[str], missing_allowed: bool) -> None:
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
        if not missing_allowed and bool(np.isnan(values).any()):
            raise DataError(
                f"column {name!r} of the {side} party holds missing values, which the terms "
                'refuse: fill them in, or agree on missing_values = "allowed"'
            )
