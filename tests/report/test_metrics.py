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
    assert sum(band.positives for band in table) == labels.sum()
    assert table[-1].captured == pytest.approx(1.0)
    assert table[0].lift > 1 > table[-1].lift


def test_lift_table_of_fewer_rows_than_bands():
    assert len(metrics.lift_table(np.array([0.0, 1]), np.array([0.2, 0.4]))) == 2


def test_calibration_bins_hold_every_row(scored):
    labels, scores = scored
    bins = metrics.calibration(labels, scores)
    assert sum(entry.rows for entry in bins) == labels.size
    assert all(0 <= entry.observed <= 1 for entry in bins)


def test_stability_index_is_zero_on_itself_and_grows_with_a_shift(scored):
    _, scores = scored
    assert metrics.stability_index(scores, scores) == 0.0
    near, far = (metrics.stability_index(scores, scores + shift) for shift in (0.02, 0.3))
    assert 0 < near < far


def test_regression_metrics():
    result = metrics.regression_metrics(np.array([1.0, 2, 3]), np.array([1.0, 2, 5]))
    assert result.rmse == pytest.approx(np.sqrt(4 / 3))
    assert result.mae == pytest.approx(2 / 3)
    assert result.r2 == pytest.approx(-1.0)
    assert metrics.regression_metrics(np.ones(2), np.ones(2)).r2 is None
