"""Whole jobs, from labels to metrics and predictions: the transcript says nothing of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from tests.boost.data import jobs, sides, table
from tests.mpc.kit import recorded

ROWS = 50


def program(party: Party, job: TrainingJob) -> None:
    model = train(party, job)
    predict(party, model, job.data.values, Request("both", 4))


def transcripts(params: TrainingParams, features: Any, labels: Any, weights: Any) -> Any:
    """Tags and sizes at both ends; the feature party has all columns."""
    data = sides(features, labels, 0, weights)
    evals = {"valid": sides(features[:20][::-1], labels[:20][::-1], 0)}
    _, channels, _ = recorded(program, jobs(params, data, evals))
    return [channel.shape for channel in channels]


@pytest.mark.parametrize(
    "params",
    [
        TrainingParams(
            n_estimators=2,
            max_depth=2,
            max_bin=6,
            subsample=0.7,
            colsample_bytree=0.7,
            eval_metric=("logloss", "error", "auc"),
        ),
        TrainingParams(
            objective="reg:squarederror",
            target_exponent=0,
            n_estimators=2,
            max_depth=2,
            max_bin=6,
            eval_metric=("rmse",),
        ),
    ],
    ids=["classification", "regression"],
)
@pytest.mark.parametrize("weighted", [False, True], ids=["no weights", "weights"])
def test_other_data_same_transcript(params: TrainingParams, weighted: bool) -> None:
    draw = np.random.default_rng(0)
    features, labels = table(ROWS, columns=3)
    weights = draw.uniform(0.1, 1, ROWS) if weighted else None
    first = transcripts(params, features, labels, weights)
    other, flipped = table(ROWS, columns=3, missing=0.3, seed=1)[0], 1 - labels
    constant = np.zeros_like(features)
    light = None if weights is None else np.where(draw.random(ROWS) < 0.5, 0.0, weights[::-1])
    for changed in (
        (other, labels, weights),
        (features, flipped, weights),
        (other, flipped, light),
        (constant, labels, light),
    ):
        assert transcripts(params, *changed) == first
