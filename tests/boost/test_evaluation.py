"""Metrics: equal to scikit-learn's within the stated error, and nothing else is opened."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_squared_error, roc_auc_score

from securexgb.arith.fixedpoint import MARGIN_BITS, encode
from securexgb.boost.evaluation import Truth, check_metrics, metric_value
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, UsageError
from securexgb.mpc.shared import Shared
from securexgb.testing import run_parties

REGRESSION = TrainingParams(objective="reg:squarederror", target_exponent=3)


def value(metric, margins, labels, backend, weights=None, params=None, centre=0.0):
    params = params or TrainingParams()
    rows = margins.size
    words = encode((margins - centre) / params.target_scale, MARGIN_BITS)
    mask = np.random.default_rng(0).integers(0, 2**64, rows, np.uint64)

    def program(party, _):
        mine = Shared(words - mask if party.rank == 0 else mask)
        here = party.rank == 0
        truth = Truth(
            rows,
            weights is not None,
            labels if here else None,
            weights if here else None,
            centre if here else 0.0,
        )
        check_metrics(truth, "test", params, (metric,))
        result = metric_value(party, metric, mine, truth, params)
        return result, party.ledger.rows()

    results = run_parties(program, [None, None], backend=backend)
    assert results[0][0] == results[1][0]
    if backend == "shared":
        assert [(row["reveal"], row["values"]) for row in results[0][1]] == [("METRIC", 1)]
    return results[0][0]


def sample(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    margins = np.round(draw.normal(scale=2, size=rows), 1)
    labels = (draw.random(rows) < 1 / (1 + np.exp(-margins))).astype(np.float64)
    labels[:2] = 0, 1
    return margins, labels, draw.uniform(0, 3, rows)


@pytest.mark.parametrize("rows", [2, 3, 64, 333])
def test_auc_counts_ties_as_half(backend, rows: int) -> None:
    margins, labels, _ = sample(rows)
    margins = np.round(margins)
    expected = roc_auc_score(labels, margins)
    assert value("auc", margins, labels, backend) == pytest.approx(expected, abs=2.0**-15 + 1e-9)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [1, 333])
def test_logloss(backend, rows: int, weighted: bool) -> None:
    margins, labels, weights = sample(max(rows, 2))
    margins, labels, weights = margins[:rows], labels[:rows], weights[:rows]
    chosen = weights if weighted else None
    probabilities = 1 / (1 + np.exp(-margins))
    expected = log_loss(labels, probabilities, sample_weight=chosen, labels=[0, 1])
    assert value("logloss", margins, labels, backend, chosen) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("weighted", [False, True])
def test_error(backend, weighted: bool) -> None:
    margins, labels, weights = sample(333)
    chosen = weights if weighted else None
    expected = np.average((margins > 0) != (labels == 1), weights=chosen)
    assert value("error", margins, labels, backend, chosen) == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [1, 333])
def test_rmse(backend, rows: int, weighted: bool) -> None:
    draw = np.random.default_rng(3)
    labels, weights = draw.uniform(-20, 20, rows), draw.uniform(0, 3, rows)
    margins = labels + draw.normal(size=rows)
    chosen = weights if weighted else None
    expected = mean_squared_error(labels, margins, sample_weight=chosen) ** 0.5
    found = value("rmse", margins, labels, backend, chosen, REGRESSION)
    assert found == pytest.approx(expected, rel=1e-3)


def test_weights_far_apart_do_not_overflow() -> None:
    margins, labels, _ = sample(500)
    weights = np.where(np.arange(500) == 3, 1e6, 1e-3)
    expected = log_loss(labels, 1 / (1 + np.exp(-margins)), sample_weight=weights)
    assert value("logloss", margins, labels, "plaintext", weights) == pytest.approx(
        expected, abs=1e-3
    )


def test_backends_agree_bit_for_bit() -> None:
    margins, labels, weights = sample(200)
    for metric in ("logloss", "error", "auc"):
        chosen = None if metric == "auc" else weights
        plain, shared = (
            value(metric, margins, labels, backend, chosen) for backend in ("plaintext", "shared")
        )
        assert plain == shared


def refuse(truth, metrics, params=None) -> None:
    check_metrics(truth, "test", params or TrainingParams(), metrics)


def test_what_a_metric_is_not_defined_for_is_refused() -> None:
    with pytest.raises(DataError, match="both classes"):
        refuse(Truth(3, False, np.ones(3), None), ("auc",))
    with pytest.raises(UsageError, match="no weights"):
        refuse(Truth(3, True, None, None), ("auc",))
    with pytest.raises(DataError, match="no rows"):
        refuse(Truth(0, False, None, None), ("error",))
    with pytest.raises(DataError, match="every weight"):
        refuse(Truth(3, True, np.ones(3), np.zeros(3)), ("error",))
    far = Truth(2, False, np.array([1e6 + 8.0 * 8191, 1e6]), None, 1e6)
    refuse(far, ("rmse",), REGRESSION)
    with pytest.raises(DataError, match="too far"):
        refuse(replace(far, centre=1e6 - 10), ("rmse",), REGRESSION)
    refuse(Truth(3, False, None, None), ("auc",))
