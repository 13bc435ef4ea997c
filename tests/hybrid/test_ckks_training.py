"""Training with the sigmoid under CKKS: the terms, the gradients, the trees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from securexgb import SecureXGBClassifier
from securexgb.arith.fixedpoint import encode
from securexgb.boost.dither import Dither
from securexgb.boost.layout import Layout
from securexgb.boost.objective.logistic import sigmoid_of
from securexgb.boost.objective.objective import Labels
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, UsageError
from securexgb.mpc.party import Party
from securexgb.mpc.share import share
from securexgb.mpc.shared import Shared
from tests.boost.data import opened_leaves, sides, table, train_both
from tests.mpc.kit import Pair, evaluate, shared

PARAMS = TrainingParams(n_estimators=3, max_depth=2, max_bin=8, sigmoid="ckks")


def test_gradients_are_right_to_the_sigmoid_s_error() -> None:
    """Out to where p is 0 or 1 and h is 0; nowhere is h negative."""
    margins = np.linspace(-9, 9, 2001)
    numbers = Layout.of(PARAMS, margins.size, (1, 1), False).numbers(PARAMS)
    words: Pair = shared(encode(margins, numbers.margin_bits).view(np.int64))

    def program(party: Party, given: Shared) -> tuple[Shared, Shared]:
        objective = objective_of(PARAMS, sigmoid_of(party, PARAMS))
        zeros = np.zeros(margins.size, np.uint64) if party.rank == 0 else None
        labels = Labels(share(party, zeros, 0, margins.shape), None)
        of_rows = objective.derivatives(numbers, Dither.of(0, 0), False)
        both = of_rows(party, given.reshape(1, -1), labels)
        return both[0, 0], both[0, 1]

    g, h = evaluate(program, words)
    p = 1 / (1 + np.exp(-margins))
    assert np.abs(g / 2.0**numbers.row_gradient_bits - p).max() < 3.6e-4
    assert np.abs(h / 2.0**numbers.row_hessian_bits - p * (1 - p)).max() < 3.6e-4
    assert h.min() == 0


@pytest.mark.parametrize("rate", [0.005, 0.995])
def test_rare_events_are_refused(rate: float) -> None:
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(2000, 2)), (np.arange(2000) < 2000 * rate).astype(int)
    with pytest.raises(DataError, match='sigmoid = "table"'):
        SecureXGBClassifier(sigmoid="ckks", n_estimators=1, max_depth=2, max_bin=8).fit(x, y)


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
