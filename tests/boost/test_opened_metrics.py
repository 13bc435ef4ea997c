"""Metrics of scores that the label party is given: xgboost's and scikit-learn's own values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xgboost
from sklearn.metrics import mean_absolute_error, roc_curve, root_mean_squared_error

from securexgb.arith.fixedpoint import MARGIN_BITS, encode
from securexgb.boost.costs.metrics import MeasuredSet, metrics_cost
from securexgb.boost.leak import after_training, before_training
from securexgb.boost.metrics.auc import EvaluationTargets
from securexgb.boost.metrics.measuring import Measured, check_measured, measured_metrics
from securexgb.boost.metrics.opened import Scored, metric_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request
from securexgb.correlations.counting import CountingSource
from securexgb.errors import DataError, MalformedFrame, UsageError
from securexgb.jobs.evaluation import measure
from securexgb.jobs.prediction import Predictor
from securexgb.jobs.training import train
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.shared import Shared
from securexgb.testing import run_parties
from tests.boost.data import jobs, same_model, sides, table, train_both

NAMES = ("aucpr", "auc", "logloss", "error", "error@0.3")
TO_LABEL = TrainingParams(
    n_estimators=3, max_depth=2, max_bin=8, evaluation_scores_to="label",
    eval_metric=(*NAMES, "ks"),
)  # fmt: skip


def sample(rows: int, decimals: int):
    draw = np.random.default_rng(rows)
    margins = np.round(draw.normal(scale=2, size=rows), decimals)
    labels = (draw.random(rows) < 1 / (1 + np.exp(-margins))).astype(float)
    return margins, labels, draw.uniform(0, 3, rows)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("decimals", [0, 6])
def test_they_are_xgboosts(decimals: int, weighted: bool) -> None:
    margins, labels, weights = sample(300, decimals)
    chosen = weights if weighted else None
    rows = Scored(margins[None], 1 / (1 + np.exp(-margins)), labels, chosen)
    data = xgboost.DMatrix(np.zeros((300, 1)), labels, weight=chosen, base_margin=margins)
    settings = {"objective": "binary:logistic", "eval_metric": list(NAMES)}
    said = xgboost.train(settings, data, 0).eval(data).split("\t")[1:]
    for name, text in zip(NAMES, said, strict=True):
        assert metric_of(name, rows) == pytest.approx(float(text.rpartition(":")[2]), abs=1e-6)
    false, true, _ = roc_curve(labels, margins, sample_weight=chosen)
    assert metric_of("ks", rows) == pytest.approx(np.abs(true - false).max())


def test_a_ranking_without_a_fault_and_the_worst_one() -> None:
    labels = np.array([0.0, 0.0, 1.0, 1.0])
    for margins, area in ((np.arange(4.0), 1.0), (np.zeros(4), 0.5)):
        rows = Scored(margins[None], margins, labels, None)
        assert metric_of("auc", rows) == area
        assert metric_of("ks", rows) == 2 * area - 1
        assert metric_of("aucpr", rows) == area


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_a_training(backend, splits: str) -> None:
    """Both sides learn the same values, those of the scores that the label party is given."""
    data, test = sides(*table(70), 2), sides(*table(40, seed=4), 2)
    params = replace(TO_LABEL, eval_every=2, splits=splits)

    def program(party, job):
        half = train(party, job)
        ledger = dict(party.ledger.entries)
        rows = job.evals[0][1]
        margins = Predictor(party, half, Request(decimals=4)).margins(rows)
        return half, ledger, margins, measure(party, half, "again", rows, params.metrics)

    given = jobs(params, data, {"test": test})
    (first, ledger, margins, again), (second, other, *_, told) = run_parties(
        program, given, backend=backend
    )
    assert first.history == second.history
    rows = Scored(margins[None], 1 / (1 + np.exp(-margins)), test[0].labels, None)
    for name, values in first.history["test"].items():
        assert len(values) == 2
        assert values[-1] == again[name] == told[name]
        assert values[-1] == pytest.approx(metric_of(name, rows), abs=5.1e-5)
    assert ledger == other
    scores = {key: count for key, count in ledger.items() if key[0].name.startswith(("E", "M"))}
    assert scores == {(Reveal.EVALUATION_SCORE, "label"): 80, (Reveal.METRIC, "feature"): 12}
    *_, metrics, ways = after_training(first, [("test", 40)])
    assert (metrics.openings, ways.openings, ways.outcomes) == (12, 80, 16)
    assert "80 scores of 40 rows are opened to the label party" in ways.sentence
    assert before_training(params, first.layout, [("test", 40)])[-1] == ways


def test_trees_are_the_same_and_stopping_is() -> None:
    data, flipped = sides(*table(60), 2), sides(table(60)[0], 1 - table(60)[1], 2)
    shared = replace(TO_LABEL, evaluation_scores_to="none", eval_metric=("logloss",))
    shared = replace(shared, n_estimators=8, early_stopping_rounds=2)
    one, two = (
        train_both(replace(shared, evaluation_scores_to=to), data, evals={"a": flipped})
        for to in ("none", "label")
    )
    assert same_model(one, two)
    assert one[1].best_iteration == two[1].best_iteration == 0
    assert two[1].history["a"]["logloss"] == pytest.approx(one[1].history["a"]["logloss"], abs=6e-4)


def measured(params, margins, labels, weights=None, told=lambda words: words):
    rows, here = margins.size, (margins, labels, weights)

    def program(party, own):
        counting = CountingSource(party.source)
        party.source = counting
        words = encode(margins / params.target_scale, MARGIN_BITS) if own else np.zeros(rows)
        truth = EvaluationTargets(rows, weights is not None, *(here[1:] if own else (None, None)))
        check_measured(truth, "test", params, params.metrics)
        shared = Shared(words.astype(np.uint64).reshape(1, -1))
        (found,) = measured_metrics(party, params, [Measured("a", shared, truth)], params.metrics)
        sent = party.channel.traffic.bytes_sent // 8
        return found, party.rounds, sent, counting.budget.counts

    return run_parties(program, [True, False])


def test_a_regression_and_what_it_costs() -> None:
    params = replace(
        TO_LABEL, objective="reg:squarederror", target_exponent=2, eval_metric=("rmse", "mae")
    )
    margins, _, weights = sample(100, 3)
    labels = margins + np.random.default_rng(0).normal(size=100)
    (found, *label), (told, *feature) = measured(params, margins, labels, weights)
    assert found == told
    expected = [
        measure(labels, margins, sample_weight=weights)
        for measure in (root_mean_squared_error, mean_absolute_error)
    ]
    assert found == pytest.approx(expected, abs=4e-4)
    cost = metrics_cost(params, [MeasuredSet("a", 100, is_weighted=True)])
    assert label == [cost.rounds, cost.label_words, cost.correlations.counts]
    assert feature == [cost.rounds, cost.feature_words, cost.correlations.counts]


def test_what_is_refused(monkeypatch) -> None:
    for metric in ("aucpr", "ks", "error@0.4"):
        with pytest.raises(UsageError, match=r'evaluation_scores_to = "label"'):
            TrainingParams(eval_metric=(metric,))
    for metric in ("error@2", "error@x", "mae"):
        with pytest.raises(UsageError, match=r"does not exist .* aucpr, ks, error@t"):
            replace(TO_LABEL, eval_metric=(metric,))
    with pytest.raises(UsageError, match="leave auc_rows out"):
        replace(TO_LABEL, auc_rows=10)
    margins, _, weights = sample(5, 1)
    with pytest.raises(DataError, match="aucpr needs both classes in the evaluation set 'test'"):
        measured(TO_LABEL, margins, np.zeros(5))
    with pytest.raises(DataError, match="both classes"):
        measured(TO_LABEL, margins, np.eye(5)[0], 1 - np.eye(5)[0])
    monkeypatch.setattr("securexgb.boost.metrics.opened._rounded", lambda *_: float("nan"))
    with pytest.raises(MalformedFrame, match="no finite number"):
        measured(TO_LABEL, margins, np.eye(5)[0], weights)
