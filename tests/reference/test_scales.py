"""Weights, targets and metrics of any scale: the models and metrics are xgboost's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score

from securexgb.boost.columns.binning import Binner
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.objective.proposals import with_scales
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict
from securexgb.boost.scales import Outcomes
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.training import train
from securexgb.testing import run_parties
from tests.boost.data import sides
from tests.reference.oracle import xgboost_on_bins

Floats = NDArray[np.float64]
REGRESSION = {"objective": "reg:squarederror", "n_estimators": 12, "max_depth": 3, "max_bin": 16}
CLASSES = {"n_estimators": 12, "max_depth": 4, "max_bin": 32}


def table(rows: int, seed: int) -> tuple[Floats, Floats]:
    """Features and a function of them with noise, of standard deviation 1.9."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(rows, 6)).round(3)
    score = 1.5 * features[:, 0] + features[:, 3] + 0.5 * features[:, 1] * features[:, 4]
    return features, score + 0.3 * draw.normal(size=rows)


def classes(rows: int, seed: int, shift: float = 0.0) -> tuple[Floats, Floats]:
    """Features, and labels with these log odds."""
    features, score = table(rows, seed)
    draw = np.random.default_rng(seed + 100)
    return features, (draw.random(rows) < 1 / (1 + np.exp(-score - shift))).astype(np.float64)


def learnt(
    settings: dict[str, Any],
    train_rows: tuple[Floats, Floats],
    test_rows: tuple[Floats, Floats],
    weights: Floats | None = None,
) -> tuple[Floats, ModelHalf]:
    """Predictions of the test rows, and the label party's half; the test is evaluated, too."""
    measured = [Outcomes(test_rows[1])]
    params = with_scales(TrainingParams(**settings), Outcomes(train_rows[1], weights), measured)
    data = sides(*train_rows, 3, weights)
    test = sides(*test_rows, 3)

    def program(party, pair):
        model = train(
            party, TrainingJob(params.decided(can_hide=False), pair[0], (("test", pair[1]),))
        )
        return predict(party, model, pair[1].values, Request("both", 6)), model

    results = run_parties(program, list(zip(data, test, strict=True)), backend="plaintext")
    np.testing.assert_array_equal(results[0][0], results[1][0])
    return results[0]


def plain(
    settings: dict[str, Any],
    train_rows: tuple[Floats, Floats],
    test: Floats,
    weights: Floats | None = None,
) -> Floats:
    """xgboost's predictions, on the bins of the training rows."""
    params = TrainingParams(**settings)
    booster = xgboost_on_bins(*train_rows, params, weights)
    bins = Binner.fit(train_rows[0], params.max_bin).transform(test).astype(np.float64)
    return np.asarray(booster.predict(xgboost.DMatrix(bins)), np.float64)


@pytest.mark.parametrize(
    ("scale", "offset"), [(1.0, 0.0), (1.0, 1e6), (1.0, -1e9), (1e-9, 0.0), (1e-9, 1.0), (1e12, 0)]
)
def test_a_regression_of_any_offset_and_spread(scale: float, offset: float) -> None:
    features, targets = table(2000, 2)
    test, truth = table(1000, 3)
    expected = plain(REGRESSION | {"reg_lambda": 0.0}, (features, targets), test)
    found, half = learnt(
        REGRESSION | {"reg_lambda": 0.0, "early_stopping_rounds": 3},
        (features, targets * scale + offset),
        (test, truth * scale + offset),
    )
    # A double near 10^9 has seven digits of a spread of 1, near 1 six of one of 10^-9.
    assert np.abs((found - offset) / scale - expected).max() < 1e-3
    error = np.sqrt(np.mean((expected - truth) ** 2))
    (history,) = half.history["test"].values()
    assert half.best_iteration == len(history) - 1 == 11
    assert history[-1] / scale == pytest.approx(error, rel=1e-3)


def test_histories_do_not_depend_on_the_offset() -> None:
    features, targets = table(800, 4)
    test, truth = table(800, 5)
    settings = REGRESSION | {"n_estimators": 40, "early_stopping_rounds": 2, "learning_rate": 0.5}
    runs = [
        learnt(settings, (features, targets + offset), (test, truth + offset))[1]
        for offset in (0.0, 1e3, 1e4)
    ]
    assert len({half.best_iteration for half in runs}) == 1
    for half in runs[1:]:
        assert half.history["test"]["rmse"] == pytest.approx(
            runs[0].history["test"]["rmse"], rel=1e-4
        )


def test_heavy_tailed_targets() -> None:
    features, score = table(3000, 6)
    targets = np.exp(1.5 * score)
    assert targets.max() / np.median(targets) > 1000
    expected = plain(REGRESSION, (features, targets), features)
    found, _ = learnt(REGRESSION, (features, targets), (features, targets))
    assert np.abs(found - expected).max() < 1e-3 * targets.std()


@pytest.mark.parametrize("weight", [1e-7, 1.0, 1e5])
def test_all_weights_of_one_scale(weight: float) -> None:
    rows, (test, truth) = classes(3000, 1), classes(2000, 2)
    settings = CLASSES | {"reg_lambda": 0.0, "min_child_weight": 0.0}
    weights = np.full(3000, weight)
    expected = plain(settings, rows, test, weights)
    found, _ = learnt(settings, rows, (test, truth), weights)
    assert roc_auc_score(truth, found) == pytest.approx(roc_auc_score(truth, expected), abs=1e-3)
    assert np.median(np.abs(found - expected)) < 1e-3


def test_heavy_tailed_weights() -> None:
    rows, (test, truth) = classes(3000, 1), classes(2000, 2)
    weights = np.random.default_rng(8).lognormal(0.0, 3.0, 3000)
    expected = plain(CLASSES, rows, test, weights)
    found, _ = learnt(CLASSES, rows, (test, truth), weights)
    assert roc_auc_score(truth, found) == pytest.approx(roc_auc_score(truth, expected), abs=2e-3)
    assert np.median(np.abs(found - expected)) < 1e-3


def test_scale_pos_weight_of_ten_thousand() -> None:
    rows, (test, truth) = classes(20_000, 1, -8.0), classes(20_000, 2, -8.0)
    assert rows[1].sum() > 16
    settings = CLASSES | {"scale_pos_weight": 1e4}
    expected = plain(settings, rows, test)
    found, _ = learnt(settings, rows, (test, truth))
    assert roc_auc_score(truth, found) == pytest.approx(roc_auc_score(truth, expected), abs=2e-3)
    assert np.median(np.abs(found - expected)) < 1e-2


def test_early_stopping_sees_what_rare_events_gain() -> None:
    rows, (test, truth) = classes(20_000, 1, -8.0), classes(20_000, 2, -8.0)
    settings = CLASSES | {"early_stopping_rounds": 3, "learning_rate": 0.1}
    found, half = learnt(settings, rows, (test, truth))
    history = half.history["test"]["logloss"]
    assert half.params.metric_exponent is not None
    step = 10.0**half.params.metric_exponent
    best = half.best_iteration
    assert best is not None
    assert best >= 5
    assert history[best] == min(history)
    assert np.all(np.diff(history[: best - 1]) < 0)
    # What is opened is the log-loss of the predictions, to four digits of the base rate's.
    assert history[best] == pytest.approx(log_loss(truth, found), abs=step + 2e-3 * history[best])
    assert step < 2e-3 * history[best]


def test_predictions_have_digits_of_the_targets_spread() -> None:
    features, targets = table(300, 9)
    for scale in (1e-9, 1.0, 1e9):
        settings = REGRESSION | {"n_estimators": 2}
        rows = features, targets * scale
        params = with_scales(TrainingParams(**settings), Outcomes(rows[1]))
        assert params.target_exponent is not None
        unit = 2.0**params.target_exponent
        data = sides(*rows, 3)

        def program(party, side, params=params):
            model = train(party, TrainingJob(params.decided(can_hide=False), side))
            return [
                predict(party, model, side.values, Request("label", decimals))
                for decimals in (2, 6)
            ]

        coarse, fine = run_parties(program, data, backend="plaintext")[0]
        assert 0 < np.abs(coarse - fine).max() <= 0.0051 * unit
        steps = (coarse - targets.mean() * scale) / unit * 100
        assert np.abs(steps - np.rint(steps)).max() < 1e-6
