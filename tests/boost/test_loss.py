"""Gradient pairs: equal on both backends, equal to the formulas within their units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from securexgb.arith.fixedpoint import NumberFormat, encode
from securexgb.boost.layout import Layout
from securexgb.boost.loss import (
    Labels,
    Logistic,
    SquaredError,
    gradient_pairs,
    margin_bits,
    objective_of,
    row_weights,
)
from securexgb.boost.params import TrainingParams
from securexgb.boost.rows import BLOCK_ROWS
from securexgb.errors import DataError
from securexgb.mpc.open import open_shared
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.share import share
from securexgb.testing import run_parties

ROWS = 400


def pairs(params, margins, labels, weights, backend, block_rows=BLOCK_ROWS):
    """Opened (g, h) of every row."""
    rows = margins.size
    layout = Layout.of(params, rows, (1, 1), weights is not None)
    numbers = layout.numbers(params)
    objective = objective_of(params)

    def program(party, own):
        margin_words = encode(margins / numbers.target_scale, numbers.margin_bits)
        holds = own is not None
        targets = share(
            party, objective.targets(labels, numbers) if holds else None, 0, margins.shape
        )
        row_words = None
        if layout.weights:
            words = row_weights(labels, weights, params, numbers) if holds else None
            row_words = share(party, words, 0, margins.shape)
        shared = share(party, margin_words, 0, margins.shape)
        given = Labels(targets, row_words)
        words = gradient_pairs(party, objective, shared, given, numbers, block_rows)
        return open_shared(party, words, Reveal.METRIC)

    words = run_parties(program, [True, None], backend=backend)[0]
    return unpack(words, numbers), numbers, words


def unpack(words: np.ndarray, numbers: NumberFormat) -> tuple[np.ndarray, np.ndarray]:
    shift = np.uint64(64 - numbers.low_bits)
    g = (words << shift).view(np.int64) >> np.int64(64 - numbers.low_bits)
    h = (words - g.view(np.uint64)) >> np.uint64(numbers.low_bits)
    unit = 2.0**numbers.gradient_bits
    return g / unit, h.view(np.int64) / unit


@pytest.mark.parametrize("weighted", [False, True])
def test_logistic(backend, weighted: bool) -> None:
    draw = np.random.default_rng(0)
    margins, labels = draw.normal(scale=4, size=ROWS), (draw.random(ROWS) < 0.4).astype(float)
    weights = draw.uniform(0, 5, ROWS) if weighted else None
    if weights is not None:
        weights[:5] = 0
    scaled = 2.0 if weighted else 1.0
    params = TrainingParams(weight_bound=5.0, scale_pos_weight=scaled, gradient_bits=16)
    (g, h), _, _ = pairs(params, margins, labels, weights, backend)
    p = 1 / (1 + np.exp(-margins))
    scale = weights * np.where(labels == 1, 2.0, 1.0) if weights is not None else 1.0
    assert np.max(np.abs(g - scale * (p - labels))) < 1e-3 * np.max(scale)
    assert np.max(np.abs(h - scale * p * (1 - p))) < 1e-3 * np.max(scale)
    assert np.all(h[scale * np.ones(ROWS) > 0] > 0)
    assert np.all(h[scale * np.ones(ROWS) == 0] == 0)
    assert np.all(np.abs(g) <= 2.0**11 * h + 2.0**-10)


def test_backends_agree_bit_for_bit() -> None:
    draw = np.random.default_rng(1)
    margins, labels = draw.normal(scale=9, size=ROWS), (draw.random(ROWS) < 0.4).astype(float)
    weights = draw.uniform(0, 1, ROWS)
    words = [
        pairs(TrainingParams(), margins, labels, weights, backend)[2]
        for backend in ("plaintext", "shared")
    ]
    assert np.array_equal(*words)


@pytest.mark.parametrize(
    ("terms", "bits"),
    [({}, 36), ({"n_estimators": 10_000, "learning_rate": 1.0}, 46), ({"n_estimators": 1}, 31)],
)
def test_margins_stay_in_their_bits(terms: dict[str, Any], bits: int) -> None:
    params = TrainingParams(**terms)
    assert margin_bits(params) == bits
    most = params.n_estimators * params.learning_rate * 2**11 + 14
    margins = np.array([most, -most, 0.1, -0.1])
    (g, _), _, _ = pairs(params, margins, np.zeros(4), None, "shared")
    np.testing.assert_allclose(g, [1 - 2**-11, 2**-11, 0.525, 0.475], atol=1e-3)


def test_a_base_far_out_has_room() -> None:
    assert margin_bits(TrainingParams(base_score=1e-300, n_estimators=1, learning_rate=0.1)) == 31


@pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror"])
def test_blocks_of_any_size_give_the_same_pairs(backend, objective: str) -> None:
    draw = np.random.default_rng(4)
    margins, labels = draw.normal(size=ROWS), (draw.random(ROWS) < 0.5).astype(float)
    weights = draw.uniform(0, 1, ROWS)
    bound = 1.0 if objective == "reg:squarederror" else None
    params = TrainingParams(objective=objective, target_bound=bound)
    words = [
        pairs(params, margins, labels, weights, backend, size)[2] for size in (64, 192, BLOCK_ROWS)
    ]
    np.testing.assert_array_equal(words[0], words[1])
    np.testing.assert_array_equal(words[0], words[2])


def test_a_row_with_weight_never_has_hessian_zero() -> None:
    """Also in the coarsest units, where the sigmoid's ends round to 0 and 1."""
    margins = np.linspace(-30, 30, 101)
    params = TrainingParams(gradient_bits=4)
    (g, h), _, _ = pairs(params, margins, np.zeros(101), None, "plaintext")
    assert np.all(h > 0)
    assert np.all(np.abs(g) <= 2.0**11 * h)


@pytest.mark.parametrize("weighted", [False, True])
def test_squared_error(backend, weighted: bool) -> None:
    draw = np.random.default_rng(2)
    labels = draw.uniform(-50, 50, ROWS)
    margins = labels + draw.normal(scale=20, size=ROWS)
    margins[0] = labels[0] + 170.0  # beyond the clamp
    weights = draw.uniform(0, 2, ROWS) if weighted else None
    params = TrainingParams(
        objective="reg:squarederror", target_bound=50.0, weight_bound=2.0, gradient_bits=16
    )
    (g, h), _, _ = pairs(params, margins, labels, weights, backend)
    scale = np.ones(ROWS) if weights is None else weights
    residual = np.clip((margins - labels) / 50, -2, 2)
    assert np.max(np.abs(g - residual * scale)) < 1e-4
    assert np.max(np.abs(h - scale)) < 1e-4
    assert g[0] == pytest.approx(2.0 * scale[0], abs=1e-4)


def test_base_is_xgboosts() -> None:
    labels = np.array([0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert Logistic(TrainingParams()).base_margin(labels, None) == pytest.approx(np.log(1 / 3))
    given = Logistic(TrainingParams(base_score=0.2)).base_margin(labels, None)
    assert given == pytest.approx(np.log(0.25))
    params = TrainingParams(objective="reg:squarederror", target_bound=10.0)
    assert SquaredError(params).base_margin(labels * 8, None) == pytest.approx(0.2)


def test_one_class_gives_a_finite_base() -> None:
    assert np.isfinite(Logistic(TrainingParams()).base_margin(np.ones(3), None))


@pytest.mark.parametrize("labels", [[0.0, 2.0], [0.0, 1.0, 2.0], [np.nan, 1.0], [-1.0, 1.0]])
def test_labels_that_are_no_classes_are_refused(labels: list[float]) -> None:
    with pytest.raises(DataError, match="must hold 0 and 1"):
        Logistic(TrainingParams()).check_labels(np.array(labels))


@pytest.mark.parametrize("weights", [[-1.0, 1.0], [1.5, 1.0], [np.nan, 1.0]])
def test_weights_beyond_the_public_bound_are_refused(weights: list[float]) -> None:
    numbers = Layout.of(TrainingParams(), 2, (1, 1), True).numbers(TrainingParams())
    with pytest.raises(DataError, match="weight_bound"):
        row_weights(np.zeros(2), np.array(weights), TrainingParams(), numbers)
