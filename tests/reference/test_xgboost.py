"""Trees equal xgboost's on the same bins: splits, leaf values, AUC."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score

from securexgb.boost.objective.proposals import with_scales
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict
from securexgb.boost.scales import Outcomes
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.training import train
from securexgb.testing import run_parties
from tests.boost.data import sides, table, train_both
from tests.reference.oracle import binned, compare_tree, xgboost_on_bins

FINE = 16
"""Fraction bits of gradients; with 12, leaves differ in the fourth digit."""
BASE = 1.0 / (1.0 + math.exp(-1.0 / 4096))
"""The middle of a step of the sigmoid's table: the first tree's gradients are off by rounding."""
CASES = {
    "plain": {},
    "no lambda": {"reg_lambda": 0.0, "min_child_weight": 2.0},
    "large lambda": {"reg_lambda": 20.0},
    "alpha": {"reg_alpha": 2.0},
    "steps": {"max_delta_step": 0.3},
    "gamma": {"gamma": 4.0},
    "min_child_weight": {"min_child_weight": 6.0},
    "scale_pos_weight": {"scale_pos_weight": 3.0},
    "deep": {"max_depth": 5},
    "255 bins": {"max_bin": 255},
    "2 bins": {"max_bin": 2},
    "fitted base": {"base_score": None},
}


@pytest.mark.parametrize("missing", [0.0, 0.15])
@pytest.mark.parametrize("case", CASES)
def test_first_tree_is_xgboosts(case: str, missing: float) -> None:
    features, labels = table(600, missing=missing, seed=3)
    settings = {"base_score": BASE, "n_estimators": 1, "max_depth": 3, "max_bin": 16}
    settings |= {"gradient_bits": FINE} | CASES[case]
    params = with_scales(TrainingParams(**settings), Outcomes(labels))
    halves = train_both(params, sides(features, labels, 2))
    difference = compare_tree(halves, 0, features, xgboost_on_bins(features, labels, params))
    assert difference.splits == []
    assert difference.leaf_gap < (2e-3 if params.base_score is None else 2e-4)


def test_sample_weights() -> None:
    features, labels = table(400, seed=5)
    weights = np.random.default_rng(1).uniform(0, 3, 400)
    params = TrainingParams(
        n_estimators=1, max_depth=3, base_score=BASE, weight_exponent=1, gradient_bits=FINE
    )
    halves = train_both(params, sides(features, labels, 2, weights))
    booster = xgboost_on_bins(features, labels, params, weights)
    difference = compare_tree(halves, 0, features, booster)
    assert difference.splits == []
    assert difference.leaf_gap < 2e-4


@pytest.mark.parametrize("weighted", [False, True])
def test_squared_error_over_many_trees(weighted: bool) -> None:
    features, _ = table(500, missing=0.1, seed=7)
    draw = np.random.default_rng(2)
    targets = 30 * np.nan_to_num(features[:, 0]) + draw.normal(size=500) + 12
    weights = draw.uniform(0.1, 2, 500) if weighted else None
    params = TrainingParams(
        objective="reg:squarederror",
        n_estimators=8,
        gradient_bits=FINE,
        max_depth=3,
        target_exponent=6,
        weight_exponent=1,
        reg_alpha=5.0,
        gamma=25.0,
    )
    halves = train_both(params, sides(features, targets, 2, weights))
    booster = xgboost_on_bins(features, targets, params, weights)
    for number in range(8):
        difference = compare_tree(halves, number, features, booster)
        assert difference.splits == [], f"tree {number}"
        assert difference.leaf_gap < 64 * 1e-4


@pytest.mark.parametrize("backend", ["plaintext", "shared"])
def test_auc_on_real_data(backend: str) -> None:
    features, labels = load_breast_cancer(return_X_y=True)
    labels = labels.astype(np.float64)
    params = TrainingParams(n_estimators=5, max_depth=3, max_bin=32, gradient_bits=FINE)
    data = sides(features, labels, 12)

    def program(party, side):
        model = train(party, TrainingJob(params.decided(can_hide=False), side))
        return predict(party, model, side.values, Request())

    scores = run_parties(program, data, backend=backend)[0]
    booster = xgboost_on_bins(features, labels, params)
    plain = booster.predict(xgboost.DMatrix(binned(features, 32)))
    assert abs(roc_auc_score(labels, scores) - roc_auc_score(labels, plain)) < 0.002
    assert np.max(np.abs(scores - plain)) < 0.01


@pytest.mark.parametrize("seed", range(12))
def test_any_small_problem(seed: int) -> None:
    """Shapes, penalties, missing values and weights at random; the first tree's gradients
    are exact, so every split must be xgboost's."""
    draw = np.random.default_rng(seed)
    rows, columns = int(draw.integers(5, 400)), int(draw.integers(1, 7))
    features, labels = table(rows, columns, missing=float(draw.choice([0, 0.1, 0.5])), seed=seed)
    params = TrainingParams(
        n_estimators=1,
        gradient_bits=FINE,
        base_score=BASE,
        max_depth=int(draw.integers(1, 5)),
        max_bin=int(draw.choice([2, 5, 16, 64, 255])),
        reg_lambda=float(draw.choice([0, 0.5, 1, 10])),
        reg_alpha=float(draw.choice([0, 0.3, 2])),
        gamma=float(draw.choice([0, 0.5, 3])),
        min_child_weight=float(draw.choice([0, 0.5, 1, 4])),
        scale_pos_weight=float(draw.choice([1, 0.3, 4])),
    )
    weights = draw.uniform(0, 1, rows) if seed % 3 == 0 else None
    params = with_scales(params, Outcomes(labels, weights))
    data = sides(features, labels, int(draw.integers(0, columns + 1)), weights)
    halves = train_both(params, data)
    booster = xgboost_on_bins(features, labels, params, weights)
    difference = compare_tree(halves, 0, features, booster)
    assert difference.splits == []
    assert difference.leaf_gap < 5e-4
