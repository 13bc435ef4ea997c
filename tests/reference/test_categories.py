"""One-hot splits against xgboost's, split for split, on both backends and in both modes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb.boost.params import TrainingParams
from securexgb.jobs.rows import Rows
from tests.boost.data import opened_leaves, same_model, sides, table, train_both
from tests.reference.oracle import compare_tree, joined, xgboost_on_bins

Floats = NDArray[np.float64]
PARAMS = TrainingParams(
    n_estimators=3, max_depth=3, max_bin=9, enable_categorical=True, base_score=0.5
)
CATEGORICAL = (0, 3)
"""One at each side."""


def data(missing: float, categories: int = 8, rows: int = 700) -> tuple[Floats, Floats]:
    """Columns 0 and 3 hold categories, of which some in the middle raise the odds."""
    draw = np.random.default_rng(5)
    features, _ = table(rows, seed=3)
    for column in CATEGORICAL:
        features[:, column] = draw.integers(0, categories, rows)
    score = (features[:, 0] == 2) - 1.5 * (features[:, 0] == 5) + (features[:, 3] == 4)
    score = score + 0.5 * features[:, 1] * (features[:, 3] != 1)
    labels = (score + draw.normal(scale=0.7, size=rows) > 0.2).astype(np.float64)
    features[draw.random(features.shape) < missing] = np.nan
    return features, labels


def with_categories(pair: tuple[Rows, Rows], categories: int = 8) -> tuple[Rows, Rows]:
    names = tuple(f"kind {number}" for number in range(categories))
    return (
        replace(pair[0], categories={"x0": names}),
        replace(pair[1], categories={"x3": names}),
    )


@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_equal_to_xgboost(missing: float) -> None:
    features, labels = data(missing)
    words = "allowed" if missing else "refused"
    params = replace(PARAMS, missing_values=words)
    halves = train_both(params, with_categories(sides(features, labels, 3)))
    assert halves[0].layout.categorical == halves[1].layout.categorical == CATEGORICAL
    booster = xgboost_on_bins(features, labels, params, categorical=CATEGORICAL)
    for number in range(params.n_estimators):
        found = compare_tree(halves, number, features, booster)
        assert not found.splits
        assert found.leaf_gap < 1e-3
    one_hot = np.concatenate([joined(halves, n).one_hot for n in range(params.n_estimators)])
    assert one_hot.sum() >= 4


@pytest.mark.parametrize(("missing", "a_node"), [(0.0, 1.0), (0.15, 0.6)])
def test_both_backends_and_both_modes(missing: float, a_node: float) -> None:
    """With ``a_node`` below 1 each node has columns of its own, numeric and categorical ones."""
    pair = with_categories(sides(*data(missing, rows=200), 3))
    words = "allowed" if missing else "refused"
    params = replace(PARAMS, n_estimators=2, missing_values=words, colsample_bynode=a_node)
    leaves = []
    for splits in ("owner", "hidden"):
        of_mode = replace(params, splits=splits)
        plain, shared = (train_both(of_mode, pair, backend) for backend in ("plaintext", "shared"))
        assert same_model(plain, shared)
        leaves.append(opened_leaves(plain))
    assert leaves[0] == leaves[1]
