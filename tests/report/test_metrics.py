"""The report's metrics against scikit-learn and against hand-made cases."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from securexgb.report import metrics


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(5)
    labels = (draws.random(500) < 0.3).astype(float)
    scores = np.clip(0.3 * labels + draws.normal(0.3, 0.2, 500), 0.001, 0.999).round(2)
    return labels, scores


def index_of(expected, actual) -> float:
    return metrics.stability(("old", expected), ("new", actual)).index


def test_agrees_with_scikit_learn(scored):
    labels, scores = scored
    assert metrics.auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    assert metrics.brier(labels, scores) == pytest.approx(brier_score_loss(labels, scores))
    assert metrics.log_loss(labels, scores) == pytest.approx(sklearn_log_loss(labels, scores))


def test_ks_is_the_greatest_distance_and_names_its_score(scored):
    labels, scores = scored
    found = metrics.kolmogorov_smirnov(labels, scores)
    distances = {
        s: abs((scores[labels == 1] >= s).mean() - (scores[labels == 0] >= s).mean())
        for s in np.unique(scores)
    }
    assert found.value == pytest.approx(max(distances.values()))
    assert distances[found.score] == pytest.approx(found.value)


def test_perfect_ranking():
    labels, scores = np.array([0.0, 0, 1, 1]), np.array([0.1, 0.2, 0.7, 0.9])
    result = metrics.binary_metrics(labels, scores)
    assert (result.auc, result.gini, result.ks, result.ks_score) == (1.0, 1.0, 1.0, 0.7)
    assert result.error == 0.0


def test_one_class_has_no_ranking_metric():
    result = metrics.binary_metrics(np.ones(3), np.array([0.5, 0.6, 0.7]))
    assert result.auc is result.gini is result.ks is None
    assert result.roc == []
    assert result.logloss > 0


def test_lift_table_accounts_for_every_row_and_every_positive(scored):
    labels, scores = scored
    table = metrics.lift_table(labels, scores)
    assert len(table) == 10
    assert sum(band.rows for band in table) == labels.size
    assert sum(band.positives for band in table) == pytest.approx(labels.sum())
    assert table[-1].captured == pytest.approx(1.0)
    assert table[0].lift > 1 > table[-1].lift


def test_lift_table_of_fewer_rows_than_bands():
    assert len(metrics.lift_table(np.array([0.0, 1]), np.array([0.2, 0.4]))) == 2


def test_a_constant_score_has_lift_one_in_every_band():
    for labels in (np.repeat([1.0, 0.0], [20, 80]), np.repeat([0.0, 1.0], [80, 20])):
        table = metrics.lift_table(labels, np.full(100, 0.2))
        assert [band.lift for band in table] == pytest.approx([1.0] * 10)
        assert [band.positives for band in table] == pytest.approx([2.0] * 10)


def test_the_order_of_rows_says_nothing_to_a_lift_table(scored):
    labels, scores = scored
    shuffled = np.random.default_rng(1).permutation(labels.size)
    for one, other in zip(
        metrics.lift_table(labels, scores),
        metrics.lift_table(labels[shuffled], scores[shuffled]),
        strict=True,
    ):
        assert one.positives == pytest.approx(other.positives)


def test_the_ks_curve_goes_through_its_distance_and_bins_hold_every_row(scored):
    labels, scores = scored
    curve = metrics.cumulated(labels, scores)
    distance = max(abs(point.positives - point.negatives) for point in curve)
    assert distance == pytest.approx(metrics.kolmogorov_smirnov(labels, scores).value)
    assert (curve[-1].positives, curve[-1].negatives) == (1.0, 1.0)
    bins = metrics.distribution(labels, scores)
    assert sum(entry.positives for entry in bins) == labels.sum()
    assert sum(entry.positives + entry.negatives for entry in bins) == labels.size
    flat = metrics.distribution(labels, np.full(labels.size, 0.5))
    assert sum(entry.negatives for entry in flat) == (labels == 0).sum()


def test_calibration_bins_hold_every_row(scored):
    labels, scores = scored
    bins = metrics.calibration(labels, scores)
    assert sum(entry.rows for entry in bins) == labels.size
    assert all(0 <= entry.observed <= 1 for entry in bins)


def test_stability_index_is_zero_on_itself_and_grows_with_a_shift(scored):
    _, scores = scored
    assert index_of(scores, scores) == 0.0
    near, far = (index_of(scores, scores + shift) for shift in (0.02, 0.3))
    assert 0 < near < far


def test_an_emptied_band_raises_the_stability_index_by_what_is_stated():
    expected = np.repeat(np.arange(10.0), 100)
    edge = 1e-4 / 0.1
    without = expected[expected != 0.0]
    moved = np.log(1000 / 900) * (1 / 9 - 0.1) * 9
    emptied = (1e-4 - 0.1) * np.log(edge)
    assert index_of(expected, without) == pytest.approx(emptied + moved)
    assert index_of(expected, without) > 0.25
    bands = metrics.stability(("old", expected), ("new", without)).bands
    assert (bands[0].expected, bands[0].actual, bands[-1].below) == (0.1, 0.0, None)
    assert sum(band.actual for band in bands) == pytest.approx(1.0)


def test_regression_metrics():
    result = metrics.regression_metrics(np.array([1.0, 2, 3]), np.array([1.0, 2, 5]))
    assert result.rmse == pytest.approx(np.sqrt(4 / 3))
    assert result.mae == pytest.approx(2 / 3)
    assert result.r2 == pytest.approx(-1.0)
    assert metrics.regression_metrics(np.ones(2), np.ones(2)).r2 is None


def test_several_classes_one_by_one():
    xgboost = pytest.importorskip("xgboost")
    draws = np.random.default_rng(6)
    labels = draws.integers(0, 3, 200).astype(float)
    odds = draws.normal(size=(200, 3)) + 1.5 * (labels[:, None] == np.arange(3))
    p = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    found = metrics.class_metrics(labels, p)
    assert found.mlogloss == pytest.approx(sklearn_log_loss(labels, p))
    chosen = p.argmax(axis=1)
    for number, one in enumerate(found.each):
        own = labels == number
        assert one.taken_for == [int(((chosen == other) & own).sum()) for other in range(3)]
        assert one.recall == pytest.approx((chosen[own] == number).mean())
        assert one.precision == pytest.approx(own[chosen == number].mean())
        assert one.auc == pytest.approx(roc_auc_score(own, p[:, number]))
    # xgboost's auc of several classes, of a model that gives these margins.
    rows = xgboost.DMatrix(np.zeros((200, 1)), labels)
    rows.set_base_margin(odds)
    terms = {"objective": "multi:softprob", "num_class": 3, "eval_metric": "auc", "base_score": 0}
    booster = xgboost.train(terms, rows, 0)
    theirs = float(booster.eval(rows).split(":")[-1])
    assert found.auc == pytest.approx(theirs, abs=1e-5)
    lacking = metrics.class_metrics(labels[labels < 2], p[labels < 2])
    assert lacking.auc is None
    assert lacking.each[2].recall is None
