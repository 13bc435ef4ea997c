"""count:poisson, reg:gamma, reg:tweedie: gradients, scales, labels, metrics, and whole models."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import xgboost

from securexgb.boost.costs.metrics import MeasuredSet, metric_cost
from securexgb.boost.metrics.auc import EvaluationTargets
from securexgb.boost.metrics.evaluation import metric_value
from securexgb.boost.metrics.opened import Scored, metric_of
from securexgb.boost.objective.log_link import log_bound
from securexgb.boost.objective.proposals import with_scales
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict
from securexgb.boost.scales import Outcomes
from securexgb.correlations.counting import CountingSource
from securexgb.errors import DataError, UsageError
from securexgb.mpc.shared import Shared
from securexgb.testing import run_parties
from tests.boost.data import sides, train_both
from tests.boost.test_evaluation import value
from tests.boost.test_objective import vectors
from tests.reference.oracle import binned, compare_tree, xgboost_on_bins

OBJECTIVES = ("count:poisson", "reg:gamma", "reg:tweedie")
ROWS = 300


def problem(objective: str, seed: int = 0, rows: int = ROWS):
    """Features (rows, 4) and labels."""
    draw = np.random.default_rng(seed)
    features = np.round(draw.normal(size=(rows, 4)), 1)
    mean = np.exp(0.4 * features[:, 0] + 0.4 * (features[:, 2] > 0) - 0.7)
    counts = draw.poisson(mean).astype(float)
    amounts = draw.gamma(2.0, 150.0, rows)
    labels = {"count:poisson": counts, "reg:gamma": amounts * mean}
    return features, labels.get(objective, counts * amounts)


def terms(objective: str, labels, weights=None, **more) -> TrainingParams:
    given = {"objective": objective, "n_estimators": 3, "max_depth": 3, "max_bin": 16} | more
    return with_scales(TrainingParams(**given), Outcomes(labels, weights))


def expected(params: TrainingParams, m, y):
    """g and h by the formulas."""
    if params.objective == "count:poisson":
        return np.exp(m) - y, np.exp(m + params.delta_step)
    r = 2.0 if params.objective == "reg:gamma" else params.tweedie_variance_power
    a, b = np.exp((2 - r) * m), y * np.exp((1 - r) * m)
    return a - b, (2 - r) * a + (r - 1) * b


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_are_the_formulas_and_equal_on_both_backends(objective: str, weighted) -> None:
    draw = np.random.default_rng(1)
    _, labels = problem(objective)
    weights = draw.uniform(0.1, 4, ROWS) if weighted else None
    power = 1.3 if objective == "reg:tweedie" else 1.5
    params = terms(objective, labels, weights, tweedie_variance_power=power)
    margins = np.log(labels.mean()) + draw.normal(size=ROWS)
    found = [vectors(params, margins, labels, weights, b) for b in ("plaintext", "shared")]
    np.testing.assert_array_equal(found[0][2], found[1][2])
    (g, h), _, words = found[0]
    scales = objective_of(params).scales
    factor = 1.0 if weights is None else weights / params.weight_scale
    exact_g, exact_h = expected(params, margins, labels)
    size = factor * np.exp(np.abs(np.log(np.abs(exact_h))))  # of what is looked up
    room = 2.0**-9 * (size + factor * np.abs(exact_g)) / scales.hessian + 2.0**-15
    assert np.all(np.abs(g - factor * exact_g / scales.gradient) <= room)
    assert np.all(np.abs(h - factor * exact_h / scales.hessian) <= room)
    alone = vectors(params, margins, labels, weights, "shared", alone=True)[2]
    np.testing.assert_array_equal(alone, words)
    blocks = vectors(params, margins, labels, weights, "plaintext", 64)[2]
    np.testing.assert_array_equal(blocks, words)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_margins_far_out_stay_in_their_bits(objective: str) -> None:
    params = terms(objective, np.array([1.0, 3.0]), learning_rate=1.0)
    far = log_bound(params) - 1
    margins, labels = np.array([far, -far, far, -far]), np.array([1.0, 1.0, 9.0, 9.0])
    (g, h), _, _ = vectors(params, margins, labels, None, "shared")
    assert np.all(g[[0, 2]] > 0 if objective != "count:poisson" else g[[0, 2]] > 100)
    assert np.all(g[[1, 3]] < 0)
    assert np.all(h >= 0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_models_are_xgboosts(objective: str, weighted: bool) -> None:
    features, labels = problem(objective, seed=4)
    weights = np.random.default_rng(2).uniform(0.2, 2, ROWS) if weighted else None
    # Of counts with weights without the bound that they have by themselves.
    step = {"max_delta_step": 0.0} if objective == "count:poisson" and weighted else {}
    params = terms(objective, labels, weights, **step)
    halves = train_both(params, sides(features, labels, 2, weights))
    booster = xgboost_on_bins(features, labels, params, weights)
    differences = [compare_tree(halves, number, features, booster) for number in range(3)]
    assert [one.splits for one in differences] == [[], [], []]
    assert max(one.leaf_gap for one in differences) < 2e-3
    parts = features[:, :2], features[:, 2:]
    ours = run_parties(
        lambda party, half: predict(party, half, parts[half.rank], Request()), halves
    )[0]
    plain = booster.predict(xgboost.DMatrix(binned(features, params.max_bin)))
    name = params.known_metrics[0]
    losses = [
        metric_of(name, Scored(np.log(means)[None], means, labels, weights))
        for means in (ours, plain.astype(float))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("step", [None, 0.2])
def test_splits_are_xgboosts_where_leaves_of_counts_end(step: float | None) -> None:
    """Candidates rank by what weights within max_delta_step earn; 0.7 where none is given."""
    features, _ = problem("count:poisson", seed=4)
    rare = np.exp(2.0 * features[:, 0] + 1.5 * features[:, 1] - 2.0)
    labels = np.random.default_rng(3).poisson(rare).astype(float)
    params = terms("count:poisson", labels, max_delta_step=step, min_child_weight=0.1)
    halves = train_both(params, sides(features, labels, 2))
    booster = xgboost_on_bins(features, labels, params)
    differences = [compare_tree(halves, number, features, booster) for number in range(3)]
    assert [one.splits for one in differences] == [[], [], []]
    assert max(one.leaf_gap for one in differences) < 1e-3
    dump = " ".join(booster.get_dump())
    assert dump.count(f"leaf={params.delta_step * 0.3:.3g}") > 2


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_both_backends_grow_the_same_trees_in_both_modes(objective: str) -> None:
    features, labels = problem(objective, rows=64)
    params = terms(objective, labels, n_estimators=2, max_depth=1, max_bin=6)
    data = sides(features, labels, 2)
    found = []
    for splits in ("owner", "hidden"):
        for backend in ("plaintext", "shared"):
            halves = train_both(replace(params, splits=splits), data, backend, {"test": data})
            trees = zip(halves[0].trees, halves[1].trees, strict=True)
            leaves = [(one.leaf_values + two.leaf_values).tolist() for one, two in trees]
            found.append((leaves, halves[0].history))
    assert all(one == found[0] for one in found[1:])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_metrics_are_xgboosts(backend, objective: str, weighted: bool) -> None:
    draw = np.random.default_rng(6)
    features, labels = problem(objective)
    weights = draw.uniform(0.1, 3, ROWS) if weighted else None
    params = terms(objective, labels, metric_exponent=-5)
    margins = np.log(labels.mean()) + draw.normal(scale=0.7, size=ROWS)
    matrix = xgboost.DMatrix(features, labels, weight=weights, base_margin=margins)
    asked = list(params.known_metrics)
    settings = {"objective": objective, "eval_metric": asked, "eta": 0.0, "base_score": 1.0}
    history: dict[str, dict[str, list[float]]] = {}
    sets = [(matrix, "t")]
    xgboost.train(settings, matrix, 1, evals=sets, evals_result=history, verbose_eval=False)
    for metric in asked:
        right = history["t"][metric][0]
        found = value(metric, margins, labels, backend, weights, params)
        assert found == pytest.approx(right, rel=2e-4, abs=2e-4)
        scored = Scored(margins[None], np.exp(margins), labels, weights)
        assert metric_of(metric, scored) == pytest.approx(right, rel=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_metrics_cost_what_is_declared(objective: str, weighted: bool) -> None:
    _, labels = problem(objective)
    params = terms(objective, labels)
    weights = np.ones(ROWS) if weighted else None
    for metric in params.known_metrics:
        cost = metric_cost(metric, MeasuredSet("", ROWS, weighted), params)

        def program(party, _, metric=metric):
            here = party.rank == 0
            margins = Shared.zeros(1, ROWS)
            given = (labels, weights) if here else (None, None)
            truth = EvaluationTargets(ROWS, weighted, *given)
            party.source = counting = CountingSource(party.source)
            rounds = party.rounds
            metric_value(party, metric, margins, truth, params)
            return party.rounds - rounds, counting.budget

        rounds, budget = run_parties(program, [None, None])[0]
        assert (rounds, budget) == (cost.rounds, cost.correlations)


@pytest.mark.parametrize(
    ("objective", "label", "sentence"),
    [
        ("count:poisson", -1.0, "must not be negative"),
        ("reg:tweedie", -0.5, "must not be negative"),
        ("reg:gamma", 0.0, "must be above 0 for 'reg:gamma'"),
        ("reg:gamma", 1e-30, "between 0 and 1e-15"),
        ("count:poisson", np.nan, "missing, infinite"),
    ],
)
def test_labels_that_do_not_fit_are_refused(objective: str, label: float, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        objective_of(TrainingParams(objective=objective)).check_labels(np.array([1.0, label]))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"objective": "count:poisson", "scale_pos_weight": 2.0}, "scale_pos_weight is for"),
        ({"objective": "reg:gamma", "sigmoid": "ckks"}, "sigmoid is for"),
        ({"objective": "reg:gamma", "base_score": 0.0}, "base_score must be above 0"),
        ({"objective": "reg:gamma", "tweedie_variance_power": 1.2}, "is for objective"),
        ({"objective": "reg:tweedie", "tweedie_variance_power": 2.0}, "must be at least 1.05"),
        ({"objective": "count:poisson", "max_delta_step": 9.0}, "at most 4 for"),
        ({"objective": "reg:tweedie", "eval_metric": "tweedie-nloglik@1.7"}, "does not exist"),
        ({"objective": "count:poisson", "eval_metric": "rmse"}, "is not computed in shares"),
    ],
)
def test_terms_that_do_not_combine_are_refused(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        TrainingParams.from_mapping(given)


def test_scales_follow_from_the_mean() -> None:
    counts = Outcomes(np.array([0.0, 1.0, 2.0, 9.0]))
    params = with_scales(TrainingParams(objective="count:poisson"), counts)
    assert params.target_exponent == 2
    assert params.target_scale == 1.0
    objective = objective_of(params)
    assert objective.scales.gradient == objective.scales.hessian == 4.0
    assert objective.base_margin(counts) == pytest.approx(math.log(3))
    objective.check_scales(counts)
    with pytest.raises(DataError, match="target_exponent = 2"):
        objective_of(replace(params, target_exponent=1)).check_scales(counts)
    with pytest.raises(DataError, match="every label of the label party is 0"):
        objective.check_scales(Outcomes(np.zeros(3)))
    assert with_scales(TrainingParams(objective="reg:gamma"), counts).target_exponent is None
    low = TrainingParams(objective="reg:gamma", base_score=0.1)
    with pytest.raises(DataError, match="too far below the logarithm"):
        objective_of(low).check_scales(counts)
