"""Several classes: gradients by the formulas, models as xgboost's, equal on both backends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

from securexgb.arith.fixedpoint import encode
from securexgb.boost.dither import Dither
from securexgb.boost.layout import Layout
from securexgb.boost.objective.classes import Softprob
from securexgb.boost.objective.objective import (
    Labels,
    gradient_vectors,
    label_gradients,
    row_weights,
)
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict
from securexgb.boost.scales import Outcomes
from securexgb.errors import DataError, UsageError
from securexgb.jobs.alone.plain import plain_xgboost
from securexgb.jobs.rows import Rows
from securexgb.mpc.open import open_shared
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.share import share
from securexgb.testing import run_parties
from tests.boost.data import same_model, sides, train_both

IRIS = load_iris(return_X_y=True)
THREE = TrainingParams(
    objective="multi:softprob", num_class=3, n_estimators=3, max_depth=2, splits="owner"
)


def words_of(margins, outcomes, backend, alone=False):
    """Opened (g, h) of every class and row, and their format; margins (3, n)."""
    rows = margins.shape[1]
    layout = Layout.of(THREE, rows, (1, 1), outcomes.weights is not None)
    params, numbers, coins = THREE, layout.numbers(THREE), Dither.of(0, 0)
    objective = objective_of(params)

    def program(party, own):
        holds = own is not None
        targets = objective.targets(outcomes.labels, 0.0, numbers) if holds else None
        weights = None
        if layout.weights:
            mine = row_weights(outcomes, params, numbers) if holds else None
            weights = share(party, mine, 0, (rows,))
        given = Labels(share(party, targets, 0, (3, rows)), weights)
        shared = share(party, encode(margins, numbers.margin_bits), 0, margins.shape)
        made = label_gradients if alone else gradient_vectors
        both = made(party, objective, shared, given, numbers, coins)
        return open_shared(party, both, Reveal.METRIC)

    words = run_parties(program, [True, None], backend=backend)[0].view(np.int64)
    return words, numbers


@pytest.mark.parametrize("weighted", [False, True])
def test_gradients(weighted: bool) -> None:
    draw = np.random.default_rng(0)
    margins, labels = draw.normal(scale=3, size=(3, 200)), draw.integers(0, 3, 200).astype(float)
    outcomes = Outcomes(labels, draw.uniform(0, 2, 200) if weighted else None)
    words, numbers = words_of(margins, outcomes, "plaintext")
    for others in (
        words_of(margins, outcomes, "shared"),
        words_of(margins, outcomes, "shared", True),
    ):
        np.testing.assert_array_equal(words, others[0])
    assert (words[:, 1] >= 0).all()
    scale = np.ones(200) if outcomes.weights is None else outcomes.weights
    p = np.exp(margins) / np.exp(margins).sum(axis=0)
    step = 3 * 2.0**-10 * scale * p * (1 - p)
    g = words[:, 0] * 2.0**-numbers.row_gradient_bits
    h = words[:, 1] * 2.0**-numbers.row_hessian_bits
    assert (np.abs(g - scale * (p - (labels == np.arange(3)[:, None]))) <= step + 2.0**-17).all()
    assert (np.abs(h - scale * 2 * p * (1 - p)) <= 2 * step + 2.0**-15).all()


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_a_model_is_xgboosts_and_that_of_the_plaintext_backend(splits: str) -> None:
    features, labels = IRIS[0], IRIS[1].astype(float)
    params, data = replace(THREE, splits=splits), sides(features, labels, 2)
    halves = train_both(params, data)
    assert same_model(halves, train_both(params, data, "shared", seed=1))
    assert [len(trees) for trees in halves[0].rounds] == [3] * 3

    def program(party: Any, half: Any) -> Any:
        return predict(party, half, (features[:, :2], features[:, 2:])[party.rank], Request())

    p = run_parties(program, list(halves), backend="plaintext")[0]
    every = Rows(features, ("a", "b", "c", "d"), labels)
    pytest.importorskip("xgboost")
    wanted = plain_xgboost(params, every, every).predictions
    assert p.shape == (150, 3)
    assert np.abs(p - wanted).max() < 2e-4
    at = np.arange(150), IRIS[1]
    losses = [-np.log(found[at]).mean() for found in (p, wanted)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_the_base_is_xgboosts() -> None:
    """Logarithms of the classes' shares of the weights, one of which is nothing, centred."""
    labels = np.array([0.0, 0, 0, 1])
    base = Softprob(THREE).base_margins(Outcomes(labels, np.array([1.0, 1, 2, 4])))
    logs = np.log(np.array([0.5, 0.5, 0]) + 1e-6)
    np.testing.assert_allclose(base, logs - logs.mean())
    given = Softprob(replace(THREE, base_score=0.5))
    np.testing.assert_array_equal(given.base_margins(Outcomes(labels)), [0.5] * 3)


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"num_class": None}, "needs num_class"),
        ({"objective": "binary:logistic"}, "num_class is for objectives"),
        ({"scale_pos_weight": 2.0}, "scale_pos_weight is for"),
        ({"sigmoid": "ckks"}, "sigmoid is for"),
        ({"base_score": 1e3}, "base_score must lie"),
        ({"eval_metric": ("auc",)}, "choose among mlogloss, merror"),
    ],
)
def test_terms_that_do_not_fit_are_refused(terms: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        replace(THREE, **terms)


def test_labels_that_are_no_class_are_refused() -> None:
    with pytest.raises(DataError, match=r"from 0 to 2, since num_class is 3; it holds -1, 0\.5, 3"):
        Softprob(THREE).check_labels(np.array([0.0, 1, 2, 3, 0.5, -1]))
