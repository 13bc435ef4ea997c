"""Scores: their formula bit for bit, ties, and the bound beyond which they rank right."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.score import ChildSums, least_score, score_bits, scores
from securexgb.mpc.numbers.logarithm import LOG_BITS, MANTISSA_BITS, log_tables
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from tests.boost.oracle import RANKED
from tests.mpc.kit import Integers, on_both, shared


def numbers_of(rows: int = 1000, **params: float) -> NumberFormat:
    terms = TrainingParams(**{"min_child_weight": 0.0, **params})  # type: ignore[arg-type]
    return Layout.of(terms, rows, (1, 1), False).numbers(terms)


@dataclass(frozen=True)
class Node:
    """One node's sums and its candidates' (c,)."""

    gradient: int
    hessian: int
    child_gradient: Integers
    child_hessian: Integers

    def determinants(self, numbers: NumberFormat) -> list[int]:
        whole = self.hessian + 2 * numbers.reg_lambda
        return [
            int(g) * whole - self.gradient * (int(h) + numbers.reg_lambda)
            for g, h in zip(self.child_gradient, self.child_hessian, strict=True)
        ]

    def penalised(self, numbers: NumberFormat) -> list[tuple[int, int]]:
        """(H_L', H_R')."""
        return [
            (int(h) + numbers.reg_lambda, self.hessian - int(h) + numbers.reg_lambda)
            for h in self.child_hessian
        ]

    def valid(self, numbers: NumberFormat) -> NDArray[np.bool_]:
        least = numbers.min_child_weight
        heavy = (self.child_hessian >= least) & (self.hessian - self.child_hessian >= least)
        bound = numbers.min_child_weight + numbers.reg_lambda
        small = 2 * Fraction(bound) ** 3 * Fraction(1e-6) * 2**numbers.gradient_bits
        places = 0
        while 4 ** (places + 1) <= small:
            places += 1
        found: NDArray[np.bool_] = heavy & np.array(
            [magnitude(d) >= 1 << places for d in self.determinants(numbers)]
        )
        return found

    def scores(self, numbers: NumberFormat) -> Integers:
        """What ``scores`` gives."""
        inputs = [
            shared(self.child_gradient[None], 1),
            shared(self.child_hessian[None], 2),
            shared([self.gradient], 3),
            shared([self.hessian], 4),
        ]

        def program(party: Party, *sums: Shared) -> Shared:
            # Modulo 2^score_bits, of which the highest bit is 0.
            found = scores(party, ChildSums(*sums), numbers)
            return found.scale(1 << (64 - score_bits(numbers)))

        found: Integers = on_both(program, *inputs)[0]
        return found >> (64 - score_bits(numbers))


def magnitude(value: int) -> int:
    """As one's complement."""
    return value if value >= 0 else -value - 1


def logarithm(value: int) -> int:
    """The formula of ``mpc.numbers.logarithm``, in plain integers."""
    exponent = value.bit_length() - 1
    mantissa = (value << MANTISSA_BITS >> exponent) - (1 << MANTISSA_BITS)
    base, slope = log_tables()
    high, middle, low = mantissa >> 10, mantissa >> 5 & 31, mantissa & 31
    return (exponent << LOG_BITS) + int(base[high, middle]) + int(slope[high, low])


def random_node(seed: int, numbers: NumberFormat, candidates: int = 300) -> Node:
    """Sums as of a thousand rows, the first and the last candidates alike."""
    draw = np.random.default_rng(seed)
    unit = 1 << numbers.gradient_bits
    child_hessian = draw.integers(1, 200 * unit, candidates)
    hessian = int(child_hessian.max()) + int(draw.integers(1, 40 * unit))
    child_gradient = np.rint(draw.uniform(-1, 1, candidates) * child_hessian).astype(np.int64)
    child_gradient[-20:], child_hessian[-20:] = child_gradient[:20], child_hessian[:20]
    gradient = int(draw.integers(-hessian, hessian) >> int(draw.integers(0, 12)))
    return Node(gradient, hessian, child_gradient, child_hessian)


@pytest.mark.parametrize("reg_lambda", [0.0, 1.0, 30.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_formula_bit_for_bit(seed: int, reg_lambda: float) -> None:
    numbers = numbers_of(reg_lambda=reg_lambda, min_child_weight=5.0 * seed)
    node = random_node(seed, numbers)
    found, valid = node.scores(numbers), node.valid(numbers)
    assert found.min() >= 0
    assert found.max() < 1 << (score_bits(numbers) - 1)
    least = least_score(numbers)
    assert (found[~valid] < least).all()
    expected = np.array(
        [
            2 * logarithm(magnitude(d)) - logarithm(left) - logarithm(right)
            for d, (left, right), good in zip(
                node.determinants(numbers), node.penalised(numbers), valid, strict=True
            )
            if good
        ]
    )
    assert np.unique(found[valid] - expected).size == 1, "but for a constant"
    assert found[valid].min() >= least


@pytest.mark.parametrize("seed", range(8))
def test_order_is_right_beyond_the_bound_and_ties_stay_ties(seed: int) -> None:
    numbers = numbers_of()
    node = random_node(seed, numbers)
    # Half of the candidates almost tie with the others.
    half = node.child_gradient.size // 2
    draw = np.random.default_rng(seed)
    node.child_hessian[half : 2 * half - 20] = node.child_hessian[: half - 20]
    moved = node.child_gradient[: half - 20]
    node.child_gradient[half : 2 * half - 20] = moved + np.rint(
        moved * draw.normal(scale=2.0**-11, size=half - 20)
    ).astype(np.int64)
    found, valid = node.scores(numbers), node.valid(numbers)
    np.testing.assert_array_equal(found[-20:], found[:20])
    values = [
        Fraction(magnitude(d) ** 2, left * right)
        for d, (left, right) in zip(
            node.determinants(numbers), node.penalised(numbers), strict=True
        )
    ]
    order = sorted(np.flatnonzero(valid), key=lambda place: values[place])
    highest = -1
    beyond = 0
    for place in order:
        while values[order[beyond]] * Fraction(1 + RANKED) < values[place]:
            highest = max(highest, int(found[order[beyond]]))
            beyond += 1
        assert found[place] > highest


def test_a_mirrored_candidate_scores_the_same_but_for_a_unit() -> None:
    numbers = numbers_of()
    node = random_node(1, numbers)
    mirrored = Node(
        node.gradient,
        node.hessian,
        node.gradient - node.child_gradient,
        node.hessian - node.child_hessian,
    )
    gap = np.abs(node.scores(numbers) - mirrored.scores(numbers))
    assert gap.max() <= 2.0 ** (LOG_BITS - 11)
    assert (gap == 0).mean() > 0.99


def test_children_without_rows_or_without_gain_are_not_valid() -> None:
    """lambda = 0, min_child_weight = 0: an empty child has H' = 0."""
    numbers = numbers_of(reg_lambda=0.0)
    unit = 1 << numbers.gradient_bits
    child_gradient = np.array([0, 5 * unit, 2 * unit, 3 * unit])
    child_hessian = np.array([0, 10 * unit, 4 * unit, 4 * unit])
    found = Node(5 * unit, 10 * unit, child_gradient, child_hessian).scores(numbers)
    np.testing.assert_array_equal(found >= least_score(numbers), [False, False, False, True])


@pytest.mark.parametrize("least", [0.0, 3.0])
def test_with_alpha_scores_are_sums_of_quotients(least: float) -> None:
    check_quotients(numbers_of(reg_alpha=2.0, min_child_weight=least), least, 2.0, np.inf)


@pytest.mark.parametrize("least", [0.0, 3.0])
@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_with_max_delta_step_scores_are_what_weights_within_it_earn(
    alpha: float, least: float
) -> None:
    numbers = numbers_of(reg_alpha=alpha, max_delta_step=0.125, min_child_weight=least)
    check_quotients(numbers, least, alpha, 0.125)


def check_quotients(numbers: NumberFormat, least: float, alpha: float, step: float) -> None:
    node = random_node(5, numbers, 100)
    found, unit, ended = node.scores(numbers), 1 << numbers.gradient_bits, 0
    exact = np.zeros(found.size)
    for g, h in (
        (node.child_gradient, node.child_hessian),
        (node.gradient - node.child_gradient, node.hessian - node.child_hessian),
    ):
        short, below = np.maximum(np.abs(g) / unit - alpha, 0), h / unit + 1.0
        weight = np.minimum(short / below, step)
        ended += np.count_nonzero(short / below > step)
        exact += 2 * short * weight - below * weight**2
    assert 0 < ended < 2 * found.size or step == np.inf
    heavy = np.minimum(node.child_hessian, node.hessian - node.child_hessian) >= least * unit
    exact = np.where(heavy, exact, 0.0)
    scale = 2.0 ** (numbers.gradient_bits + 19)
    np.testing.assert_allclose(found / scale, exact, rtol=2.0**-19, atol=2.0**-8)
    assert score_bits(numbers) == 63
