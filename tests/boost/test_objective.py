"""Gradients: equal on both backends, equal to the formulas within their units, right on average."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from securexgb.arith.fixedpoint import encode
from securexgb.boost.dither import Dither
from securexgb.boost.layout import Layout
from securexgb.boost.objective import logistic
from securexgb.boost.objective.logistic import Logistic, margin_bits
from securexgb.boost.objective.objective import (
    Labels,
    gradient_vectors,
    label_gradients,
    row_weights,
)
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.objective.squared import SquaredError
from securexgb.boost.params import TrainingParams
from securexgb.boost.scales import Outcomes
from securexgb.errors import DataError
from securexgb.mpc.numbers.sigmoid import sigmoid_table
from securexgb.mpc.open import open_shared
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.share import share
from securexgb.testing import run_parties

ROWS = 400


def vectors(params, margins, labels, weights, backend, block_rows=None, tree=0, alone=False):
    """Opened (g, h) of every row as reals, the format, the words; margins in the user's unit."""
    rows = margins.size
    layout = Layout.of(params, rows, (1, 1), weights is not None)
    numbers = layout.numbers(params)
    objective = objective_of(params)
    centre = objective.centre(Outcomes(labels, weights))
    coins = Dither.of(params.random_state, tree)

    def program(party, own):
        shape = margins.shape
        holds = own is not None
        words = encode((margins - centre) / numbers.target_scale, numbers.margin_bits)
        targets = objective.targets(labels, centre, numbers) if holds else None
        row_words = None
        if layout.weights:
            row_words = row_weights(Outcomes(labels, weights), params, numbers) if holds else None
            row_words = share(party, row_words, 0, shape)
        given = Labels(share(party, targets, 0, shape), row_words)
        margin_words = share(party, words, 0, shape)
        margin_words = margin_words.reshape(1, -1)
        if alone:
            rounds = party.rounds
            both = label_gradients(party, objective, margin_words, given, numbers, coins)
            assert party.rounds == rounds
        else:
            inputs = margin_words, given, numbers, coins
            both = gradient_vectors(party, objective, *inputs, block_rows)
        return open_shared(party, both[0], Reveal.METRIC)

    words = run_parties(program, [True, None], backend=backend)[0].view(np.int64)
    bits = np.array([numbers.row_gradient_bits, numbers.row_hessian_bits])
    return words / 2.0 ** bits[:, None], numbers, words


@pytest.mark.parametrize("weighted", [False, True])
def test_logistic(backend, weighted: bool) -> None:
    draw = np.random.default_rng(0)
    margins, labels = draw.normal(scale=4, size=ROWS), (draw.random(ROWS) < 0.4).astype(float)
    weights = draw.uniform(0, 5, ROWS) if weighted else None
    if weights is not None:
        weights[:5] = 0
    params = TrainingParams(weight_exponent=3, scale_pos_weight=2.0 if weighted else 1.0)
    (g, h), numbers, _ = vectors(params, margins, labels, weights, backend)
    p = 1 / (1 + np.exp(-margins))
    scale = weights * np.where(labels == 1, 2.0, 1.0) / 8 if weights is not None else np.ones(ROWS)
    assert numbers.weight_exponent == (3 if weighted else 0)
    # A step of the sigmoid's table is 2^-10 wide.
    assert np.max(np.abs(g - scale * (p - labels)) - 2.0**-10 * scale * p * (1 - p)) < 2.0**-18
    assert np.max(np.abs(h - scale * p * (1 - p)) - 2.0**-10 * scale * p * (1 - p)) < 2.0**-16
    assert np.all(np.abs(h[scale == 0]) <= 2.0**-18)


def test_backends_agree_bit_for_bit() -> None:
    draw = np.random.default_rng(1)
    margins, labels = draw.normal(scale=9, size=ROWS), (draw.random(ROWS) < 0.4).astype(float)
    weights = draw.uniform(0, 1, ROWS)
    words = [
        vectors(TrainingParams(), margins, labels, weights, backend)[2]
        for backend in ("plaintext", "shared")
    ]
    assert np.array_equal(*words)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror"])
def test_the_label_party_alone_has_the_words_of_the_protocol(
    backend, objective: str, weighted: bool
) -> None:
    draw = np.random.default_rng(5)
    margins, labels = draw.normal(scale=9, size=ROWS), (draw.random(ROWS) < 0.4).astype(float)
    weights = draw.uniform(0, 1, ROWS) if weighted else None
    exponent = 0 if objective == "reg:squarederror" else None
    params = TrainingParams(objective=objective, target_exponent=exponent)
    words = [
        vectors(params, margins, labels, weights, backend, alone=alone)[2]
        for alone in (False, True)
    ]
    np.testing.assert_array_equal(*words)


@pytest.mark.parametrize(
    ("terms", "bits"),
    [({}, 36), ({"n_estimators": 10_000, "learning_rate": 1.0}, 46), ({"n_estimators": 1}, 31)],
)
def test_margins_stay_in_their_bits(terms: dict[str, Any], bits: int) -> None:
    params = TrainingParams(**terms)
    assert margin_bits(params) == bits
    most = params.n_estimators * params.learning_rate * 2**11 + 14
    margins = np.array([most, -most, 0.1, -0.1])
    (g, h), _, _ = vectors(params, margins, np.zeros(4), None, "shared")
    np.testing.assert_allclose(g, [1, 0, 0.525, 0.475], atol=1e-3)
    np.testing.assert_array_equal(h[:2], 0)


def test_a_base_far_out_has_room() -> None:
    assert margin_bits(TrainingParams(base_score=1e-300, n_estimators=1, learning_rate=0.1)) == 31


@pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror"])
def test_blocks_of_any_size_give_the_same_pairs(backend, objective: str) -> None:
    draw = np.random.default_rng(4)
    margins, labels = draw.normal(size=ROWS), (draw.random(ROWS) < 0.5).astype(float)
    weights = draw.uniform(0, 1, ROWS)
    exponent = 0 if objective == "reg:squarederror" else None
    params = TrainingParams(objective=objective, target_exponent=exponent)
    words = [
        vectors(params, margins, labels, weights, backend, size)[2] for size in (64, 192, None)
    ]
    np.testing.assert_array_equal(words[0], words[1])
    np.testing.assert_array_equal(words[0], words[2])


def test_a_tree_s_tables_are_made_once(monkeypatch) -> None:
    made = []

    def counted(*arguments):
        made.append(arguments)
        return sigmoid_table(*arguments)

    monkeypatch.setattr(logistic, "sigmoid_table", counted)
    margins, labels = np.zeros(ROWS), np.zeros(ROWS)
    vectors(TrainingParams(), margins, labels, None, "plaintext", block_rows=64)
    assert len(made) == 2  # one at each party


def test_rare_events_are_right_on_average_in_coarse_units() -> None:
    """p = e^-11 in units of 2^-8: 0 in most rows, 1 in a few, its mean is right."""
    rows = 64 * 200
    margins, nothing = np.full(rows, -11.0), np.zeros(rows)
    params = TrainingParams(gradient_bits=8)
    found = [
        vectors(params, margins, nothing, None, "plaintext", tree=tree)[0] for tree in range(60)
    ]
    p = np.exp(-11.0)
    g, h = np.mean(found, axis=(0, 2))
    # 60 trees draw one fraction within a class's 1/64 each, for either of two tables.
    assert g == pytest.approx(p, rel=0.5)
    assert h == pytest.approx(p, rel=0.5)
    assert set(np.unique(found)) == {0.0, 2.0**-8}


@pytest.mark.parametrize("weighted", [False, True])
def test_nothing_is_added_beyond_sixteen(weighted: bool) -> None:
    margins = np.array([-40.0, -16.0, 16.0, 40.0] * 16)
    weights = np.ones(64) if weighted else None
    labels = np.array([0.0, 0.0, 1.0, 1.0] * 16)
    (g, h), _, _ = vectors(TrainingParams(), margins, labels, weights, "plaintext")
    np.testing.assert_array_equal(g, 0)
    np.testing.assert_array_equal(h, 0)


@pytest.mark.parametrize("weighted", [False, True])
def test_squared_error(backend, weighted: bool) -> None:
    draw = np.random.default_rng(2)
    labels = draw.uniform(-50, 50, ROWS)
    margins = labels + draw.normal(scale=20, size=ROWS)
    weights = draw.uniform(0, 1, ROWS) if weighted else None
    params = TrainingParams(objective="reg:squarederror", target_exponent=5)
    (g, h), numbers, _ = vectors(params, margins, labels, weights, backend)
    scale = np.ones(ROWS) if weights is None else weights
    assert np.max(np.abs(g - (margins - labels) / 32 * scale)) < 2.0**-17
    assert np.max(np.abs(h - scale)) < 2.0**-17
    assert numbers.target_scale == 32.0


def test_targets_are_centred() -> None:
    labels = np.array([1e9, 1e9 + 2, 1e9 + 4])
    params = TrainingParams(objective="reg:squarederror", target_exponent=1)
    (g, _), _, _ = vectors(params, np.full(3, 1e9 + 2), labels, None, "plaintext")
    np.testing.assert_allclose(g, [1, 0, -1], atol=2.0**-20)


def test_base_is_xgboosts() -> None:
    labels = np.array([0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert Logistic(TrainingParams()).base_margin(Outcomes(labels)) == pytest.approx(np.log(1 / 3))
    given = Logistic(TrainingParams(base_score=0.2)).base_margin(Outcomes(labels))
    assert given == pytest.approx(np.log(0.25))
    squared = SquaredError(TrainingParams(objective="reg:squarederror", target_exponent=2))
    assert squared.base_margin(Outcomes(labels * 8)) == 0.0
    assert squared.centre(Outcomes(labels * 8)) == 2.0
    assert squared.centre(Outcomes(labels * 8, np.array([0.0, 3.0, *[1.0] * 6]))) == 32 / 9


def test_one_class_gives_a_finite_base() -> None:
    assert np.isfinite(Logistic(TrainingParams()).base_margin(Outcomes(np.ones(3))))


@pytest.mark.parametrize("labels", [[0.0, 2.0], [0.0, 1.0, 2.0], [np.nan, 1.0], [-1.0, 1.0]])
def test_labels_that_are_no_classes_are_refused(labels: list[float]) -> None:
    with pytest.raises(DataError, match="must hold 0 and 1"):
        Logistic(TrainingParams()).check_labels(np.array(labels))


def test_weights_beyond_the_public_scale_are_refused() -> None:
    labels, weights = np.zeros(4), np.array([1.0, 1.0, 9.0, 1.0])
    with pytest.raises(DataError, match="weight_exponent = 2"):
        Logistic(TrainingParams()).check_scales(Outcomes(labels, weights))
    Logistic(TrainingParams(weight_exponent=2)).check_scales(Outcomes(labels, weights))
    with pytest.raises(DataError, match="above weight_bound 8"):
        Logistic(TrainingParams(weight_exponent=2, weight_bound=8.0)).check_scales(
            Outcomes(labels, weights)
        )


def test_targets_beyond_the_bound_are_refused() -> None:
    squared = SquaredError(
        TrainingParams(objective="reg:squarederror", target_exponent=2, target_bound=5.0)
    )
    squared.check_labels(np.array([-5.0, 5.0]))
    for target in (5.1, np.nan, np.inf):
        with pytest.raises(DataError, match="target_bound"):
            squared.check_labels(np.array([0.0, target]))


def test_rare_events_are_refused_under_ckks() -> None:
    labels = np.zeros(1000)
    labels[:5] = 1
    with pytest.raises(DataError, match="table"):
        Logistic(TrainingParams(sigmoid="ckks")).check_scales(Outcomes(labels))
