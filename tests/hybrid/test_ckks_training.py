"""Training with the sigmoid under CKKS: the terms, the gradients, the trees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from securexgb import SecureXGBClassifier
from securexgb.arith.fixedpoint import encode
from securexgb.boost.layout import Layout
from securexgb.boost.loss import Labels, objective_of, sigmoid_of
from securexgb.boost.params import TrainingParams
from securexgb.errors import UsageError
from securexgb.mpc.party import Party
from securexgb.mpc.share import share
from securexgb.mpc.shared import Shared
from tests.boost.data import opened_leaves, sides, table, train_both
from tests.mpc.kit import Pair, evaluate, shared

PARAMS = TrainingParams(n_estimators=3, max_depth=2, max_bin=8, sigmoid="ckks")


def test_gradients_keep_every_leaf_weight_in_its_bound() -> None:
    """|g| <= 2^11 h, as the fixed point of leaf weights needs, out to where p saturates."""
    margins = np.linspace(-9, 9, 2001)
    numbers = Layout.of(PARAMS, margins.size, (1, 1), False).numbers(PARAMS)
    words: Pair = shared(encode(margins, numbers.margin_bits).view(np.int64))

    def program(party: Party, given: Shared) -> tuple[Shared, Shared]:
        objective = objective_of(PARAMS, sigmoid_of(party, PARAMS))
        zeros = np.zeros(margins.size, np.uint64) if party.rank == 0 else None
        labels = Labels(share(party, zeros, 0, margins.shape), None)
        return objective.derivatives(party, given, labels, numbers)

    g, h = (part / 2.0**numbers.gradient_bits for part in evaluate(program, words))
    p = 1 / (1 + np.exp(-margins))
    assert np.abs(g - p).max() < 7e-4
    assert np.abs(h - p * (1 - p)).max() < 7e-4
    assert (h > 0).all()
    for label in (0, 1):
        assert (np.abs(g - label) <= 2.0**11 * h + 2.0**-10).all()


def test_trees_are_those_of_the_other_sigmoid() -> None:
    """On data whose splits are no near-ties; leaves agree to the sigmoids' errors."""
    data = sides(*table(300), 2)
    by_table, ckks = (train_both(replace(PARAMS, sigmoid=name), data) for name in ("table", "ckks"))
    for one, other in zip(by_table, ckks, strict=True):
        for tree, same in zip(one.trees, other.trees, strict=True):
            np.testing.assert_array_equal(tree.owners, same.owners)
            np.testing.assert_array_equal(tree.features, same.features)
    leaves = np.array(opened_leaves(by_table)) - np.array(opened_leaves(ckks))
    assert np.abs(leaves).max() < 0.005 * 2**20


def test_the_estimator_takes_it() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 4))
    y = (x[:, 0] + x[:, 2] > 0).astype(int)
    given = {"n_estimators": 3, "max_depth": 2, "max_bin": 8}
    both = [
        SecureXGBClassifier(sigmoid=name, **given).fit(x, y).predict_proba(x)[:, 1]
        for name in ("table", "ckks")
    ]
    assert np.abs(both[0] - both[1]).max() < 5e-3


def test_regression_has_no_sigmoid() -> None:
    with pytest.raises(UsageError, match="sigmoid"):
        TrainingParams(objective="reg:squarederror", target_bound=1.0, sigmoid="ckks")
