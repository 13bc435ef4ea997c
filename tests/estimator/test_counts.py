"""SecureXGBRegressor for counts and amounts: the means, exposures as base margins, going on."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost

from securexgb import SecureXGBRegressor
from securexgb.errors import UsageError
from tests.reference.oracle import binned

ROWS = 200


def claims():
    """Features on a coarse grid, exposures, counts of claims, amounts."""
    draw = np.random.default_rng(5)
    features = np.round(draw.normal(size=(ROWS, 4)), 1)
    exposure = draw.uniform(0.2, 1.0, ROWS)
    counts = draw.poisson(exposure * np.exp(0.5 * features[:, 0])).astype(float)
    return features, exposure, counts, counts * draw.gamma(2.0, 100.0, ROWS)


def test_exposures_are_base_margins_as_in_xgboost() -> None:
    features, exposure, counts, _ = claims()
    given = {"max_depth": 2, "max_bin": 8, "max_delta_step": 0.0}
    offset = np.log(exposure)
    model = SecureXGBRegressor(objective="count:poisson", n_estimators=3, **given)
    model.fit(features, counts, base_margin=offset)
    means = model.predict(features, base_margin=offset)
    margins = model.predict(features, base_margin=offset, output_margin=True)
    np.testing.assert_allclose(np.log(means), margins, atol=1e-12)
    bins = binned(features, 8)
    matrix = xgboost.DMatrix(bins, counts, base_margin=offset)
    settings = {"objective": "count:poisson", "tree_method": "hist", "eta": 0.3, "max_bin": 256}
    booster = xgboost.train(settings | {"max_depth": 2, "max_delta_step": 0.0}, matrix, 3)
    np.testing.assert_allclose(means, booster.predict(matrix), rtol=2e-3)


def test_amounts_with_early_stopping_and_more_trees() -> None:
    features, _, _, amounts = claims()
    given = {"objective": "reg:tweedie", "max_depth": 1, "max_bin": 6, "n_estimators": 2}
    model = SecureXGBRegressor(**given, early_stopping_rounds=2, tweedie_variance_power=1.4)
    model.fit(features, amounts, eval_set=[(features, amounts)])
    losses = model.evals_result()["validation_0"]["tweedie-nloglik@1.4"]
    assert losses[1] < losses[0]
    assert model.predict(features).mean() == pytest.approx(amounts.mean(), rel=0.1)
    assert model.intercept_[0] == pytest.approx(amounts.mean(), rel=1e-5)
    more = SecureXGBRegressor(**given, tweedie_variance_power=1.4)
    more.fit(features, amounts, xgb_model=model)
    np.testing.assert_array_equal(
        more.predict(features, iteration_range=(0, 2)), model.predict(features)
    )


def test_other_objectives_are_refused_by_name() -> None:
    features, _, counts, _ = claims()
    model = SecureXGBRegressor(objective="binary:logistic")
    with pytest.raises(UsageError, match="'count:poisson', 'reg:gamma' and 'reg:tweedie'"):
        model.fit(features, counts)
