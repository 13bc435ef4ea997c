"""Leaf weights: exact quotients, and an end at 2^11 where a rare event's hessians are tiny."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.weights import clipped, needs_clip, weigh
from securexgb.mpc.multiply import multiply
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits
from tests.mpc.kit import on_both, shared


def numbers_of(rows: int, **params: float) -> NumberFormat:
    terms = TrainingParams(**params)  # type: ignore[arg-type]
    return Layout.of(terms, rows, (1, 1), False).numbers(terms)


@pytest.mark.parametrize("reg_lambda", [0.0, 2.0**-14, 1.0])
def test_weights_end_where_hessians_are_tiny(reg_lambda: float) -> None:
    numbers = numbers_of(10_000, reg_lambda=reg_lambda, min_child_weight=0.0)
    assert needs_clip(numbers)
    draw = np.random.default_rng(3)
    unit = 1 << numbers.gradient_bits
    gradient = draw.integers(-9000 * unit, 9000 * unit, 200) >> draw.integers(0, 20, 200)
    hessian = draw.integers(0, 2000 * unit, 200) >> draw.integers(0, 27, 200)

    def program(party: Party, g: Shared, h: Shared) -> tuple[Shared, Shared]:
        weights, thresholded = weigh(party, g, h, numbers, False)
        return weights, multiply(party, thresholded, weights)

    found, score = on_both(program, shared(gradient[None], 1), shared(hessian[None], 2))
    below = hessian + numbers.reg_lambda
    beyond = np.abs(gradient) > 2048 * below
    assert 10 < beyond.sum() < 190
    exact = np.where(beyond, 2048.0 * np.sign(gradient), gradient / np.maximum(below, 1))
    np.testing.assert_allclose(found[0] / 2.0**19, exact, rtol=2.0**-20, atol=2.0**-19)
    np.testing.assert_array_equal(score[0], gradient * found[0])


def test_the_edge_itself_is_a_quotient() -> None:
    x = np.zeros(64, np.int64)
    x[:6] = [2048 * 7, 2048 * 7 + 1, -2048 * 7, -2048 * 7 - 1, 1, 0]
    a = np.zeros(64, np.int64)
    a[:4] = 7

    def program(party: Party, x: Shared, a: Shared) -> tuple[Shared, Shared, SharedBits]:
        return clipped(party, x, a)

    above, below, bits = on_both(program, shared(x, 1), shared(a, 2))
    np.testing.assert_array_equal(above[:6], [14336, 2048, -14336, -2048, 2048, 0])
    np.testing.assert_array_equal(below[:6], [7, 1, 7, 1, 1, 0])
    np.testing.assert_array_equal((bits << np.arange(30)[:, None]).sum(axis=0), below)


def test_no_clip_where_public_terms_rule_it_out() -> None:
    assert not needs_clip(numbers_of(1000))
    assert needs_clip(numbers_of(10_000))
    assert not needs_clip(numbers_of(10_000, min_child_weight=10.0))
