"""Scales: powers that fit the data, whatever its scale, and sentences where a term does not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from securexgb.boost.objective.proposals import (
    proposed_lines,
    proposed_metric_exponent,
    with_scales,
)
from securexgb.boost.params import TrainingParams
from securexgb.boost.scales import (
    Outcomes,
    centre_of,
    check_targets,
    check_weights,
    needed_target_exponent,
    needed_weight_exponent,
)
from securexgb.errors import DataError

CLASSES = TrainingParams()
VALUES = TrainingParams(objective="reg:squarederror")
DRAW = np.random.default_rng(0)
LABELS = (DRAW.random(500) < 0.3).astype(np.float64)
TARGETS = DRAW.normal(size=500)


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e-7, 1.0, 3.0, 1e5, 1e12, 1e300])
def test_weights_have_a_mean_of_at_most_one_and_more_than_a_half(scale: float) -> None:
    weights = DRAW.lognormal(0.0, 3.0, 500) * scale
    exponent = needed_weight_exponent(Outcomes(LABELS, weights), CLASSES)
    assert exponent is not None
    assert 0.5 < np.mean(weights / 2.0**exponent) <= 1.0


def test_a_power_of_two_is_its_own_bound() -> None:
    for exponent in (-40, -1, 0, 3, 40):
        weights = np.full(500, 2.0**exponent)
        assert needed_weight_exponent(Outcomes(LABELS, weights), CLASSES) == exponent


def test_scale_pos_weight_counts_and_without_any_weight_nothing_is_needed() -> None:
    rows = Outcomes(LABELS)
    assert needed_weight_exponent(rows, CLASSES) is None
    assert needed_weight_exponent(Outcomes(LABELS, np.zeros(500)), CLASSES) is None
    mean = 1.0 + (1e4 - 1.0) * LABELS.mean()
    found = needed_weight_exponent(rows, replace(CLASSES, scale_pos_weight=1e4))
    assert found == math.ceil(math.log2(mean))


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_targets_have_a_root_mean_square_of_at_most_one(offset: float, scale: float) -> None:
    targets = (TARGETS + offset) * scale
    exponent = needed_target_exponent(Outcomes(targets), VALUES)
    assert exponent is not None
    assert 0.5 < np.std(targets) / 2.0**exponent <= 1.0


def test_a_base_score_is_the_centre() -> None:
    params = replace(VALUES, base_score=100.0)
    assert centre_of(Outcomes(TARGETS), params) == 100.0
    assert needed_target_exponent(Outcomes(TARGETS), params) == 7


def test_constant_targets_need_no_scale() -> None:
    for value in (0.0, 0.1, -1e9):
        rows = Outcomes(np.full(333, value), DRAW.random(333))
        assert centre_of(rows, VALUES) == value
        assert needed_target_exponent(rows, VALUES) is None
        assert with_scales(VALUES, rows).target_exponent == 0


def test_a_far_target_counts_even_where_its_weight_is_next_to_nothing() -> None:
    targets = np.where(np.arange(500) == 7, 1e12, TARGETS)
    for weight in (0.0, 1e-30):
        rows = Outcomes(targets, np.where(np.arange(500) == 7, weight, 1.0))
        exponent = needed_target_exponent(rows, VALUES)
        assert exponent is not None
        assert 1e12 / 2.0**exponent <= 2.0**25


def test_metrics_have_four_digits_of_the_constant_model() -> None:
    rare = Outcomes((np.arange(100_000) == 5).astype(np.float64))
    assert proposed_metric_exponent(rare, (), CLASSES) == -7  # 1.25e-4
    assert proposed_metric_exponent(Outcomes(LABELS), (), CLASSES) == -4  # .6
    assert proposed_metric_exponent(rare, (Outcomes(LABELS),), CLASSES) == -3  # 3.2
    assert proposed_metric_exponent(rare, (Outcomes(LABELS), rare), CLASSES) == -7
    tiny = Outcomes(TARGETS * 1e-9)
    assert proposed_metric_exponent(tiny, (), VALUES) in (-13, -12)
    assert proposed_metric_exponent(Outcomes(np.ones(9)), (), VALUES) is None


def test_who_has_all_labels_sets_what_is_not_set_and_nothing_else() -> None:
    weighted = Outcomes(LABELS, np.full(500, 1e-7))
    params = with_scales(CLASSES, weighted)
    assert (params.weight_exponent, params.target_exponent) == (-23, None)
    assert params.metric_exponent == -4
    check_weights(weighted, params)
    given = TrainingParams(weight_exponent=-22, metric_exponent=-6)
    assert with_scales(given, weighted) == given


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e5])
def test_what_is_proposed_fits(scale: float) -> None:
    rows = Outcomes(TARGETS * scale, DRAW.lognormal(0.0, 2.0, 500) * scale)
    params = with_scales(VALUES, rows)
    check_weights(rows, params)
    check_targets(rows, params)


@pytest.mark.parametrize(
    ("weights", "exponent", "sentence"),
    [
        (1e5, None, r"is above 2\^0 \(weight_exponent is not set.*`weight_exponent = 17`"),
        (1e-7, None, r"far below 2\^0 .*`weight_exponent = -23`"),
        (1.1, 0, r"weight_exponent is 0\).*`weight_exponent = 1`"),
        (1e30, 60, "by a factor on the whole column"),
    ],
)
def test_weights_that_do_not_fit_are_refused_with_the_cure(weights, exponent, sentence) -> None:
    params = TrainingParams(weight_exponent=exponent)
    with pytest.raises(DataError, match=sentence):
        check_weights(Outcomes(LABELS, np.full(500, weights)), params)


@pytest.mark.parametrize(
    ("scale", "exponent", "sentence"),
    [
        (1.0, None, "needs target_exponent.*`target_exponent = [01]`"),
        (100.0, 3, r"is above 2\^3 .*`target_exponent = [67]`"),
        (1e-9, 0, r"far below 2\^0 .*`target_exponent = -(29|30)`"),
        (1e-50, 0, "by a factor on the whole column"),
    ],
)
def test_targets_that_do_not_fit_are_refused_with_the_cure(scale, exponent, sentence) -> None:
    params = replace(VALUES, target_exponent=exponent)
    with pytest.raises(DataError, match=sentence):
        check_targets(Outcomes(np.abs(TARGETS) * scale), params)


def test_a_weight_bound_refuses_and_does_nothing_else() -> None:
    with pytest.raises(DataError, match="weight_bound 2:"):
        check_weights(Outcomes(LABELS, 3.0 * LABELS), TrainingParams(weight_bound=2.0))
    check_weights(Outcomes(LABELS, 2.0 * LABELS), TrainingParams(weight_bound=2.0))


def test_lines_are_proposed_where_a_term_is_missing_or_far_from_the_data() -> None:
    rows = Outcomes(TARGETS * 100.0, np.full(500, 1e-7))
    lines = proposed_lines(VALUES, rows)
    assert lines == {"weight_exponent": -23, "target_exponent": 7, "metric_exponent": -2}
    fitting = replace(VALUES, **lines)
    assert proposed_lines(fitting, rows) == {}
    assert proposed_lines(replace(fitting, target_exponent=8), rows) == {}
    for exponent in (6, 9):
        changed = replace(fitting, target_exponent=exponent)
        assert proposed_lines(changed, rows) == {"target_exponent": 7}
    assert proposed_lines(TrainingParams(metric_exponent=-4), Outcomes(LABELS)) == {}
