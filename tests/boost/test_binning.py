"""Bins: cuts are data values, a bin ends before its cut, odd columns work."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from securexgb.boost.columns.binning import Binner, check_columns, without_cut
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


REPEATED = st.lists(st.integers(1, 400), min_size=3, max_size=60)
"""Counts of the values 0, 1, 2, ..."""


@given(REPEATED, st.integers(2, 40))
def test_a_value_counts_for_one_bin_at_most(counts: list[int], max_bin: int) -> None:
    """Cuts stand where the formula says, in exact fractions."""
    values = np.repeat(np.arange(len(counts), dtype=float), counts)
    cuts = Binner.fit(values[:, None], max_bin).cuts[0]
    cuts = cuts[np.isfinite(cuts)]
    if len(counts) <= max_bin:
        assert cuts.tolist() == list(range(1, len(counts)))
        return
    cap = solution(counts, max_bin)
    assert cap * max_bin == sum(min(count, cap) for count in counts)
    cumulated = list(accumulate(min(count, cap) for count in counts))
    expected = [
        next(value for value, up_to in enumerate(cumulated) if up_to > rank * cap)
        for rank in range(1, max_bin)
    ]
    assert cuts.tolist() == expected
    assert cuts.size == max_bin - 1
    assert cuts[0] > 0


def solution(counts: list[int], max_bin: int) -> Fraction:
    """t with t = sum of min(count, t) / max_bin: of every possible m, the one that fits."""
    ordered = sorted(counts, reverse=True)
    for heavy in range(max_bin):
        cap = Fraction(sum(ordered[heavy:]), max_bin - heavy)
        if ordered[heavy] <= cap:
            return cap
    raise AssertionError(counts)


@given(REPEATED, st.integers(2, 40))
def test_without_heavy_values_cuts_are_plain_quantiles(counts: list[int], max_bin: int) -> None:
    total = sum(counts)
    if len(counts) <= max_bin or max(counts) * max_bin > total:
        return
    ordered = np.repeat(np.arange(len(counts), dtype=float), counts)
    plain = np.unique(ordered[np.arange(1, max_bin) * total // max_bin])
    cuts = Binner.fit(ordered[:, None], max_bin).cuts[0]
    assert np.array_equal(cuts[np.isfinite(cuts)], plain[plain > 0])


@pytest.mark.parametrize("share", [0.5, 0.98, 0.9995])
def test_a_column_that_is_mostly_zero_has_all_its_bins(share: float) -> None:
    draws = np.random.default_rng(5)
    values = np.where(draws.random(200_000) < share, 0.0, draws.uniform(1, 1000, 200_000))
    binner = Binner.fit(values[:, None], 32)
    bins = binner.transform(values[:, None])[:, 0]
    assert np.array_equal(bins == 0, values == 0)
    others = np.bincount(bins[values > 0], minlength=32)[1:]
    assert others.max() - others.min() <= 1


def test_a_heavy_value_may_lie_anywhere_and_be_missing_beside() -> None:
    draws = np.random.default_rng(6)
    values = np.where(draws.random(5000) < 0.9, 0.0, draws.normal(size=5000))
    values[draws.random(5000) < 0.3] = np.nan
    cuts = Binner.fit(values[:, None], 16).cuts[0]
    assert np.isfinite(cuts).sum() == 15
    assert 0.0 in cuts


def test_columns_without_a_cut() -> None:
    nan = float("nan")
    columns = np.array(
        [[1.0, nan, 3.0, 0.0, nan], [1.0, nan, nan, -0.0, 2.0], [1.0, nan, 4.0, 0.0, nan]]
    )
    assert without_cut(columns).tolist() == [0, 1, 3, 4]
    assert without_cut(np.empty((0, 2))).tolist() == [0, 1]
    finite = np.isfinite(Binner.fit(columns, 4).cuts).sum(axis=1)
    assert np.flatnonzero(finite == 0).tolist() == [0, 1, 3, 4]


def test_cuts_are_values_of_the_data() -> None:
    values = np.random.default_rng(0).normal(size=(1000, 1))
    cuts = Binner.fit(values, 8).cuts[0]
    assert np.all(np.isin(cuts[np.isfinite(cuts)], values))


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_are_refused_by_column_and_side(value: float) -> None:
    columns = np.array([[1.0, 2.0], [3.0, value]])
    with pytest.raises(DataError, match=r"'b' of the feature party"):
        check_columns(columns, "feature", ["a", "b"], may_be_missing=True)


def test_missing_values_are_refused_where_the_terms_say_so() -> None:
    columns = np.array([[np.nan]])
    check_columns(columns, "label", ["a"], may_be_missing=True)
    with pytest.raises(DataError, match="missing"):
        check_columns(columns, "label", ["a"], may_be_missing=False)
