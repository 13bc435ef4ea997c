"""Metrics: equal to scikit-learn's within the stated error, and nothing else is opened."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_squared_error, roc_auc_score

from securexgb.arith.fixedpoint import MARGIN_BITS, encode
from securexgb.boost.costs.metrics import MeasuredSet, metric_cost
from securexgb.boost.metrics.auc import EvaluationTargets, sampled
from securexgb.boost.metrics.evaluation import check_metrics, metric_value
from securexgb.boost.params import TrainingParams
from securexgb.correlations.counting import CountingSource
from securexgb.errors import DataError, UsageError
from securexgb.mpc.shared import Shared
from securexgb.testing import run_parties

REGRESSION = TrainingParams(objective="reg:squarederror", target_exponent=3)
SOFTPLUS_ERROR = 2.0**-11


def value(metric, margins, labels, backend, weights=None, params=None, centre=0.0):
    params = params or TrainingParams()
    rows = margins.size
    words = encode((margins - centre) / params.target_scale, MARGIN_BITS)
    mask = np.random.default_rng(0).integers(0, 2**64, rows, np.uint64)

    def program(party, _):
        mine = Shared(words - mask if party.rank == 0 else mask)
        here = party.rank == 0
        truth = EvaluationTargets(
            rows,
            weights is not None,
            labels if here else None,
            weights if here else None,
            centre if here else 0.0,
        )
        check_metrics(truth, "test", params, (metric,))
        result = metric_value(party, metric, mine.reshape(1, -1), truth, params)
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


def test_auc_of_a_sample_is_that_of_the_sampled_rows(backend) -> None:
    margins, labels, _ = sample(200)
    params = TrainingParams(auc_rows=70)
    used = sampled(params, 200)
    assert np.unique(used).size == 70
    found = value("auc", margins, labels, backend, params=params)
    expected = roc_auc_score(labels[used], margins[used])
    assert found == pytest.approx(expected, abs=2.0**-15 + 1e-9)
    np.testing.assert_array_equal(sampled(TrainingParams(auc_rows=300), 200), np.arange(200))


@pytest.mark.parametrize(("rows", "auc_rows"), [(2, 0), (100, 0), (100, 65)])
def test_auc_costs_what_is_declared(rows: int, auc_rows: int) -> None:
    params, (margins, labels, _) = TrainingParams(auc_rows=auc_rows), sample(rows)

    def program(party, _):
        counting = CountingSource(party.source)
        party.source = counting
        truth = EvaluationTargets(rows, False, labels if party.rank == 0 else None, None)
        words = encode(margins, MARGIN_BITS) if party.rank == 0 else np.zeros(rows, np.uint64)
        metric_value(party, "auc", Shared(words).reshape(1, -1), truth, params)
        return party.rounds, party.channel.traffic.bytes_sent // 8, counting.budget.counts

    label, feature = run_parties(program, [None, None])
    cost = metric_cost("auc", MeasuredSet("test", rows), params)
    assert label == (cost.rounds, cost.label_words, cost.correlations.counts)
    assert feature == (cost.rounds, cost.feature_words, cost.correlations.counts)


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
        refuse(EvaluationTargets(3, False, np.ones(3), None), ("auc",))
    with pytest.raises(UsageError, match="no weights"):
        refuse(EvaluationTargets(3, True, None, None), ("auc",))
    with pytest.raises(DataError, match="no rows"):
        refuse(EvaluationTargets(0, False, None, None), ("error",))
    with pytest.raises(DataError, match="every weight"):
        refuse(EvaluationTargets(3, True, np.ones(3), np.zeros(3)), ("error",))
    far = EvaluationTargets(2, False, np.array([1e6 + 8.0 * 8191, 1e6]), None, 1e6)
    refuse(far, ("rmse",), REGRESSION)
    with pytest.raises(DataError, match="too far"):
        refuse(replace(far, centre=1e6 - 10), ("rmse",), REGRESSION)
    refuse(EvaluationTargets(3, False, None, None), ("auc",))


def steps_of(metric, exponent, margins, labels, weights=None, objective="binary:logistic"):
    """A metric, opened in steps of at most 10^exponent."""
    scale = 0 if objective == "reg:squarederror" else None
    params = TrainingParams(objective=objective, metric_exponent=exponent, target_exponent=scale)
    return value(metric, margins, labels, "plaintext", weights, params)


@pytest.mark.parametrize("exponent", [-1, -3, -5])
def test_metrics_are_opened_in_the_largest_steps_that_the_terms_allow(exponent: int) -> None:
    margins, labels, _ = sample(1000)
    exact = log_loss(labels, 1 / (1 + np.exp(-margins)))
    unit = 10.0**exponent
    # A step is 2^k / 1000 here.
    step = 2.0 ** np.floor(np.log2(unit * 1000)) / 1000
    found = steps_of("logloss", exponent, margins, labels)
    assert unit / 2 < step <= unit
    assert found / step == pytest.approx(round(found / step), abs=1e-6)
    assert found == pytest.approx(exact, abs=step / 2 + SOFTPLUS_ERROR)


def test_auc_and_error_have_four_decimals_whatever_the_terms_say() -> None:
    margins, labels, _ = sample(20_000)
    wrong = np.mean((margins > 0) != (labels == 1))
    found = steps_of("error", -9, margins, labels)
    assert found == pytest.approx(wrong, abs=5e-5)
    assert found * 20_000 % 2 == 0  # 10^-4 is two rows
    area = steps_of("auc", -9, margins, labels)
    assert (area * 2**14).is_integer()
    assert area == pytest.approx(roc_auc_score(labels, margins), abs=2.0**-15 + 1e-9)


@pytest.mark.parametrize("heavy", [1.0, 1e3, 1e9])
@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e5])
def test_weights_of_any_scale_and_tail_have_the_same_digits(scale: float, heavy: float) -> None:
    draw = np.random.default_rng(7)
    rows = 30_000
    weights = scale * draw.lognormal(0.0, 2.0, rows)
    weights[17] *= heavy
    margins = draw.normal(-6.0, 1.0, rows)
    labels = (draw.random(rows) < 1 / (1 + np.exp(-margins))).astype(np.float64)
    exact = log_loss(labels, 1 / (1 + np.exp(-margins)), sample_weight=weights)
    found = steps_of("logloss", -6, margins, labels, weights)
    assert found == pytest.approx(exact, rel=1e-3, abs=SOFTPLUS_ERROR)
    gaps = draw.normal(size=rows)
    exact = np.average(gaps**2, weights=weights) ** 0.5
    found = steps_of("rmse", -4, gaps, np.zeros(rows), weights, "reg:squarederror")
    assert found == pytest.approx(exact, rel=1e-4)


def test_one_row_may_have_all_the_weight_and_the_greatest_value() -> None:
    rows = 1 << 17
    weights = np.full(rows, 1e-12)
    weights[5] = 1.0
    gaps = np.full(rows, 1e-3)
    gaps[5] = -8191.5
    found = steps_of("rmse", -2, gaps, np.zeros(rows), weights, "reg:squarederror")
    assert found == pytest.approx(8191.5, rel=1e-6)
    gaps[:] = 8191.0
    assert steps_of("rmse", -2, gaps, np.zeros(rows), None, "reg:squarederror") == pytest.approx(
        8191.0, rel=1e-6
    )


@pytest.mark.parametrize("exponent", [-9, 0, 9])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_rmse_has_four_digits_at_any_offset_and_scale(exponent: int, offset: float) -> None:
    draw = np.random.default_rng(11)
    scale = 10.0**exponent
    labels = (draw.normal(size=800) + offset) * scale
    margins = labels + 0.4466 * scale * draw.normal(size=800)
    exact = mean_squared_error(labels, margins) ** 0.5
    params = TrainingParams(
        objective="reg:squarederror",
        target_exponent=round(np.log2(scale)),
        metric_exponent=exponent - 4,
    )
    found = value("rmse", margins, labels, "plaintext", None, params, offset * scale)
    assert found == pytest.approx(exact, abs=scale * 1e-4)


def test_unset_rmse_has_four_digits_of_the_targets_scale() -> None:
    draw = np.random.default_rng(12)
    gaps = draw.normal(size=500) * 2.0**-20
    params = TrainingParams(objective="reg:squarederror", target_exponent=-20)
    found = value("rmse", gaps, np.zeros(500), "plaintext", None, params)
    assert found == pytest.approx(np.sqrt(np.mean(gaps**2)), abs=1e-4 * 2.0**-20)


def test_wide_values_agree_bit_for_bit() -> None:
    draw = np.random.default_rng(13)
    gaps, weights = draw.normal(scale=30, size=200), draw.lognormal(0.0, 4.0, 200)
    params = TrainingParams(objective="reg:squarederror", target_exponent=0, metric_exponent=-6)
    plain, shared = (
        value("rmse", gaps, np.zeros(200), backend, weights, params)
        for backend in ("plaintext", "shared")
    )
    assert plain == shared
