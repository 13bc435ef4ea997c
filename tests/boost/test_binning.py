"""Bins: cuts are data values, a bin ends before its cut, odd columns work."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from securexgb.boost.binning import Binner, check_columns
from securexgb.errors import DataError

COLUMNS = arrays(
    np.float64,
    st.tuples(st.integers(1, 60), st.integers(0, 3)),
    elements=st.one_of(st.floats(-1e9, 1e9), st.just(float("nan")), st.integers(-3, 3).map(float)),
)


@given(COLUMNS, st.integers(2, 255))
def test_bin_b_holds_the_values_between_two_cuts(columns: np.ndarray, max_bin: int) -> None:
    binner = Binner.fit(columns, max_bin)
    bins = binner.transform(columns)
    assert bins.dtype == np.uint8
    assert bins.shape == columns.shape
    for feature, cuts in enumerate(binner.cuts):
        values = columns[:, feature]
        missing = np.isnan(values)
        assert np.all(bins[missing, feature] == max_bin)
        assert np.all(bins[~missing, feature] < max_bin)
        for cut_number, cut in enumerate(cuts):
            left = values[~missing] < cut
            assert np.array_equal(left, bins[~missing, feature] <= cut_number)


@given(COLUMNS)
def test_few_distinct_values_get_a_bin_each(columns: np.ndarray) -> None:
    binner = Binner.fit(columns, 255)
    for feature in range(columns.shape[1]):
        values = columns[:, feature]
        distinct = np.unique(values[~np.isnan(values)])
        assert np.array_equal(
            binner.transform(columns)[:, feature][~np.isnan(values)],
            np.searchsorted(distinct, values[~np.isnan(values)]),
        )


def test_quantiles_fill_bins_evenly() -> None:
    values = np.random.default_rng(0).normal(size=(10_000, 1))
    bins = Binner.fit(values, 16).transform(values)
    counts = np.bincount(bins[:, 0], minlength=16)
    assert counts.min() > 600
    assert counts.max() < 650


def test_cuts_are_values_of_the_data() -> None:
    values = np.random.default_rng(0).normal(size=(1000, 1))
    cuts = Binner.fit(values, 8).cuts[0]
    assert np.all(np.isin(cuts[np.isfinite(cuts)], values))


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_are_refused_by_column_and_side(value: float) -> None:
    columns = np.array([[1.0, 2.0], [3.0, value]])
    with pytest.raises(DataError, match=r"'b' of the feature party"):
        check_columns(columns, "feature", ["a", "b"], missing_allowed=True)


def test_missing_values_are_refused_where_the_terms_say_so() -> None:
    columns = np.array([[np.nan]])
    check_columns(columns, "label", ["a"], missing_allowed=True)
    with pytest.raises(DataError, match="missing"):
        check_columns(columns, "label", ["a"], missing_allowed=False)
