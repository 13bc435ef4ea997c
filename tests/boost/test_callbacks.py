"""Early stopping decides as xgboost's does."""

from __future__ import annotations

import pytest
import xgboost

from securexgb.boost.callbacks import EarlyStopping, best_iteration
from securexgb.boost.params import TrainingParams
from securexgb.errors import UsageError

SERIES = [
    [0.5, 0.4, 0.4, 0.41, 0.39, 0.5, 0.5, 0.5, 0.5],
    [0.5, 0.6, 0.7, 0.8, 0.9],
    [0.3, 0.3, 0.3, 0.3],
    [0.5, 0.3, 0.1, 0.05],
]


class Model:
    best_iteration: int | None = None
    params = TrainingParams()


@pytest.mark.parametrize("values", SERIES)
@pytest.mark.parametrize("rounds", [1, 2, 3])
@pytest.mark.parametrize("metric", ["auc", "logloss"])
def test_as_xgboost(values: list[float], rounds: int, metric: str) -> None:
    theirs = xgboost.callback.EarlyStopping(rounds=rounds)
    booster = xgboost.train({}, xgboost.DMatrix([[0.0], [1.0]], [0.0, 1.0]), 0)
    theirs.before_training(booster)
    ours, model = EarlyStopping(rounds), Model()
    for epoch in range(len(values)):
        log = {"a": {"error": [0.0] * (epoch + 1)}, "b": {metric: values[: epoch + 1]}}
        expected = theirs.after_iteration(booster, epoch, log)
        assert ours.after_iteration(model, epoch, log) == expected
        assert model.best_iteration == booster.best_iteration
        if expected:
            break


def test_trees_are_counted_and_not_evaluations() -> None:
    """Measured after the trees 2, 4 and 5 of 5: no better for 2 trees ends it after the 4th."""
    ours, model = EarlyStopping(2), Model()
    model.params = TrainingParams(n_estimators=5, eval_every=2)
    log = {"a": {"auc": list[float]()}}
    seen = []
    for epoch, value in enumerate([None, 0.7, None, 0.6, 0.8]):
        log["a"]["auc"] += [] if value is None else [value]
        seen.append((ours.after_iteration(model, epoch, log), model.best_iteration))
    assert seen == [(False, None), (False, 1), (False, 1), (True, 1), (False, 4)]


def test_min_delta() -> None:
    assert best_iteration([0.5, 0.49, 0.4], is_maximised=False, min_delta=0.05) == 2
    assert best_iteration([0.5, 0.49, 0.46], is_maximised=False, min_delta=0.05) == 0


def test_what_is_not_there_cannot_be_watched() -> None:
    log = {"a": {"error": [0.1]}}
    with pytest.raises(UsageError, match="no evaluation set"):
        EarlyStopping(1, data_name="b").after_iteration(Model(), 0, log)
    with pytest.raises(UsageError, match="not in eval_metric"):
        EarlyStopping(1, metric_name="auc").after_iteration(Model(), 0, log)
    with pytest.raises(UsageError, match="eval_set"):
        EarlyStopping(1).after_iteration(Model(), 0, {})
    with pytest.raises(UsageError):
        EarlyStopping(0)
