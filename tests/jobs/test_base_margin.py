"""Base margins: rows that begin with a number of their own, which the label party alone knows."""

from dataclasses import replace

import numpy as np
import pytest
import xgboost

from securexgb.boost.objective.logistic import margin_bits
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.objective.start import needed_bound
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request
from securexgb.boost.scales import Outcomes
from securexgb.errors import DataError, UsageError
from securexgb.jobs.evaluation import measure
from securexgb.jobs.prediction import Predictor
from securexgb.jobs.training import train
from securexgb.testing import run_parties
from tests.boost.data import jobs, same_model, sides, table, train_both
from tests.reference.oracle import binned, compare_tree

ROWS, BINS = 400, 16
SMALL = {"n_estimators": 2, "max_depth": 2, "max_bin": BINS, "gradient_bits": 16}
KINDS = {
    "binary:logistic": {"base_margin_bound": 4.0},
    "reg:squarederror": {"base_margin_bound": 4096.0, "target_exponent": 6, "learning_rate": 0.5},
}


def data(objective, seed=0):
    """Rows of both sides; targets are far from 0 and near their base margins."""
    features, labels = table(ROWS, missing=0.1, seed=seed)
    draws = np.random.default_rng(seed + 50)
    margin = np.clip(draws.normal(size=ROWS), -3.5, 3.5)
    if objective == "reg:squarederror":
        margin = 2000.0 + 500.0 * margin
        labels = margin + 60.0 * labels + draws.normal(scale=20.0, size=ROWS)
    label, feature = sides(features, labels, 2)
    return features, (replace(label, base_margin=margin), feature)


def oracle(params, features, label):
    """xgboost on the same bins, and its predictions for the same rows."""
    matrix = xgboost.DMatrix(binned(features, BINS), label.labels, base_margin=label.base_margin)
    settings = {"objective": params.objective, "eta": params.learning_rate, "nthread": 1}
    settings |= {"tree_method": "hist", "max_bin": 512, "max_depth": params.max_depth}
    booster = xgboost.train(settings, matrix, params.n_estimators)
    return booster, booster.predict(matrix, output_margin=True)


def predicted(halves, given, recipient="label", backend="shared"):
    def program(party, own):
        return Predictor(party, halves[party.rank], Request(recipient, 4)).margins(own)

    return run_parties(program, given, backend=backend)


@pytest.mark.parametrize("objective", KINDS)
def test_equal_to_xgboost_with_the_same_base_margins(objective):
    params = TrainingParams(objective=objective, **SMALL, **KINDS[objective])
    features, both = data(objective)
    halves = train_both(params, both)
    booster, margins = oracle(params, features, both[0])
    for number in range(params.n_estimators):
        difference = compare_tree(halves, number, features, booster)
        assert difference.splits == []
        assert difference.leaf_gap < 2e-3 * halves[0].numbers.target_scale
    ours = predicted(halves, both)
    assert ours[1] is None
    np.testing.assert_allclose(ours[0], margins, atol=4e-3 * halves[0].numbers.target_scale)
    assert (halves[0].base, halves[0].centre) == ((0,), 0)


@pytest.mark.parametrize("splits", ["owner", "hidden"])
@pytest.mark.parametrize("objective", KINDS)
def test_both_backends_agree_bit_for_bit(objective, splits):
    params = TrainingParams(objective=objective, splits=splits, **SMALL, **KINDS[objective])
    _, both = data(objective, 3)
    _, valid = data(objective, 4)
    models = [train_both(params, both, kind, {"v": valid}) for kind in ("shared", "plaintext")]
    assert same_model(*models)
    assert models[0][0].history == models[1][0].history

    def last(party, own):
        return measure(party, models[0][party.rank], "v", own, params.metrics)

    metric = params.metrics[0]
    history = models[0][0].history["v"][metric]
    assert run_parties(last, valid)[0] == {metric: history[-1]}
    for recipient in ("label", "feature"):
        one, two = (
            predicted(models[0], valid, recipient, kind) for kind in ("shared", "plaintext")
        )
        for mine, other in zip(one, two, strict=True):
            assert (mine is None and other is None) or np.array_equal(mine, other)
    to_feature, to_label = predicted(models[0], valid, "feature")[1], predicted(models[0], valid)[0]
    unit = params.target_scale * 1e-4
    np.testing.assert_allclose(to_feature, to_label, atol=1.01 * unit)


def test_base_margins_send_nothing_and_cost_nothing():
    _, both = data("binary:logistic")
    bare = replace(both[0], base_margin=None), both[1]
    counts = []
    for given, bound in ((both, 4.0), (bare, None)):
        params = TrainingParams(**SMALL, splits="hidden", base_margin_bound=bound)

        def program(party, job):
            train(party, job)
            return party.rounds, party.channel.traffic.bytes_sent

        counts.append(run_parties(program, jobs(params, given), backend="shared"))
    with_margins, without = (np.array(each) for each in counts)
    assert with_margins[:, 0].tolist() == without[:, 0].tolist()
    # What both sides tell each other of their parameters is the text of one number longer.
    assert np.abs(with_margins[:, 1] - without[:, 1]).max() < 8


def test_what_does_not_fit_is_refused_in_words():
    _, (label, feature) = data("binary:logistic")
    params = TrainingParams(**SMALL, base_margin_bound=4.0)
    bare = replace(label, base_margin=None)

    def refused(given, params, kind, words):
        with pytest.raises(kind, match=words):
            train_both(params, given)

    refused((bare, feature), params, UsageError, "come without base margins")
    unset = replace(params, base_margin_bound=None)
    refused((label, feature), unset, DataError, r"is not set.*base_margin_bound = 4`")
    small = replace(params, base_margin_bound=0.5)
    refused((label, feature), small, DataError, r"is 0\.5.*base_margin_bound = 4`")
    theirs = replace(feature, base_margin=label.base_margin)
    refused((label, theirs), params, UsageError, "the label party's")
    holes = replace(label, base_margin=np.full(ROWS, np.nan))
    refused((holes, feature), params, DataError, "one finite base margin")
    halves = train_both(params, (label, feature))
    for given, asked in (((bare, feature), halves), ((label, theirs), halves)):
        with pytest.raises(UsageError):
            predicted(asked, given)
    with pytest.raises(UsageError, match="leave one of them out"):
        TrainingParams(base_margin_bound=1.0, base_score=0.5)
    with pytest.raises(UsageError, match="log odds"):
        TrainingParams(base_margin_bound=2000.0)


def test_the_bound_decides_how_many_bits_a_margin_has():
    few = {"n_estimators": 1, "learning_rate": 1e-3}
    bits = [margin_bits(TrainingParams(**few, base_margin_bound=b)) for b in (1.0, 100.0, 1000.0)]
    assert bits == [26, 28, 31]
    assert [needed_bound(np.array([x, 0.0])) for x in (0.0, 0.4, 1.0, -4.0, 4.1)] == [1, 1, 1, 4, 8]


def test_the_metric_before_the_first_tree_is_that_of_base_margins():
    _, (label, _) = data("binary:logistic")
    margin, truth = label.base_margin, label.labels
    rows = Outcomes(truth, None, margin)
    objective = objective_of(TrainingParams(base_margin_bound=4.0))
    p = 1 / (1 + np.exp(-margin))
    expected = -np.mean(truth * np.log(p) + (1 - truth) * np.log(1 - p))
    assert objective.constant_metric(rows, rows) == pytest.approx(expected)
