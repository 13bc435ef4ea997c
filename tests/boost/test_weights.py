"""Leaf weights: exact quotients, and an end at 2^11 where a rare event's hessians are tiny."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.leaves import LevelSums, leaf_weights
from securexgb.boost.splits.weights import needs_clip, weigh
from securexgb.mpc.compare import DIGITS, Carries
from securexgb.mpc.garbled.carries import GARBLED
from securexgb.mpc.numbers.divide import quotient_by_one
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import REGISTRY
from securexgb.mpc.shared import Shared
from tests.mpc.kit import Integers, evaluate, on_both, shared, shared_bits


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
        return weigh(party, g, h, numbers, False)

    found, score = on_both(program, shared(gradient[None], 1), shared(hessian[None], 2))
    below = hessian + numbers.reg_lambda
    beyond = np.abs(gradient) > 2048 * below
    assert 10 < beyond.sum() < 190
    exact = np.where(beyond, 2048.0 * np.sign(gradient), gradient / np.maximum(below, 1))
    np.testing.assert_allclose(found[0] / 2.0**19, exact, rtol=2.0**-20, atol=2.0**-19)
    np.testing.assert_array_equal(score[0], gradient * found[0])


def test_the_edge_itself_is_a_quotient_and_all_beyond_it_one_number() -> None:
    numbers = numbers_of(10_000, reg_lambda=0.0, min_child_weight=0.0)
    x = np.array([2048 * 7, 2048 * 7 + 1, 9999999, 1, 2048 * 7 - 1, 0])
    a = np.array([7, 7, 7, 0, 7, 0])

    def program(party: Party, g: Shared, h: Shared) -> Shared:
        return weigh(party, g, h, numbers, False)[0]

    for sign in (1, -1):
        found = on_both(program, shared(sign * x[None], 1), shared(a[None], 2))[0]
        assert abs(found[0] - sign * 2048 * 2**19) <= 2**10
        np.testing.assert_array_equal(found[1:4], [quotient_by_one(sign * 2048)] * 3)
        assert abs(found[4]) < abs(found[0])
        assert found[5] == 0


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_of_a_column_all_rows_count_or_none(rows: int) -> None:
    numbers = numbers_of(10_000, min_child_weight=1.0)
    draw, unit = np.random.default_rng(rows), 1 << numbers.gradient_bits
    gradient = draw.integers(-9 * unit, 9 * unit, (rows, 70))
    hessian = draw.integers(0, 3 * unit, (rows, 70))

    def program(party: Party, g: Shared, h: Shared) -> Shared:
        return weigh(party, g, h, numbers, True)[0]

    found = on_both(program, shared(gradient, 1), shared(hessian, 2))
    heavy = (hessian >= numbers.min_child_weight).all(axis=0)
    exact = np.where(heavy, gradient / (hessian + numbers.reg_lambda), 0.0)
    np.testing.assert_allclose(found / 2.0**19, exact, rtol=2.0**-20, atol=2.0**-19)


def test_no_clip_where_public_terms_rule_it_out() -> None:
    assert not needs_clip(numbers_of(1000))
    assert needs_clip(numbers_of(10_000))
    assert not needs_clip(numbers_of(10_000, min_child_weight=10.0))


@pytest.mark.parametrize("settings", [{}, {"reg_lambda": 0.0, "min_child_weight": 0.0}])
@pytest.mark.parametrize("step", [2.0**-19, 0.7, 37.0, 1e9])
def test_max_delta_step_ends_weights_and_scores_are_what_they_earn(
    step: float, settings: dict[str, float]
) -> None:
    numbers = numbers_of(10_000, max_delta_step=step, **settings)
    draw, unit = np.random.default_rng(4), 1 << numbers.gradient_bits
    gradient = draw.integers(-9000 * unit, 9000 * unit, 200) >> draw.integers(0, 20, 200)
    hessian = draw.integers(0, 2000 * unit, 200) >> draw.integers(0, 27, 200)

    def program(party: Party, g: Shared, h: Shared) -> tuple[Shared, Shared]:
        return weigh(party, g, h, numbers, False)

    found, score = on_both(program, shared(gradient[None], 1), shared(hessian[None], 2))
    heavy, below = hessian >= numbers.min_child_weight, hessian + numbers.reg_lambda
    most = max(round(min(step, 1024.0) * 2.0**19), 1) / 2.0**19
    beyond = heavy & (np.abs(gradient) > most * below)
    assert beyond.any() or step == 1e9
    ends = np.sign(gradient) * most * 2.0**19
    np.testing.assert_array_equal(found[0][beyond], np.rint(ends[beyond]))
    weight = np.where(beyond, ends / 2.0**19, heavy * gradient / np.maximum(below, 1))
    np.testing.assert_allclose(found[0] / 2.0**19, weight, rtol=2.0**-20, atol=2.0**-19)
    earned = np.where(
        beyond, 2.0 * gradient * weight - below * weight**2, gradient * (found[0] / 2.0**19)
    )
    # The square is rounded to 2^-19.
    slack = np.abs(gradient) * (2.0**-20 + np.abs(weight) * 2.0**-20.5) + below * 2.0**-20
    assert (np.abs(score[0] / 2.0**19 - earned) <= slack).all()


@pytest.mark.parametrize("settings", [{}, {"reg_alpha": 0.5}, {"max_delta_step": 0.7}])
def test_weights_by_garbled_circuits_are_the_same_to_the_last_bit(
    settings: dict[str, float],
) -> None:
    numbers = numbers_of(10_000, **settings)
    draw, unit = np.random.default_rng(6), 1 << numbers.gradient_bits
    gradient = draw.integers(-9000 * unit, 9000 * unit, 90) >> draw.integers(0, 27, 90)
    hessian = draw.integers(0, 2000 * unit, 90) >> draw.integers(0, 27, 90)
    least = numbers.min_child_weight
    most = (1 << 30) - 1 - numbers.reg_lambda
    gradient[:8] = 0, 1, -1, (1 << 30) - 1, 1 - (1 << 30), 5, -5, 1 << 25
    hessian[:8] = 0, least, least - 1, most, most, 0, least + 1, most

    def program(party: Party, g: Shared, h: Shared, carries: Carries) -> tuple[Shared, Shared]:
        return weigh(party, g, h, numbers, False, carries)

    sums = shared(gradient[None], 1), shared(hessian[None], 2)
    found = [evaluate(program, *sums, (carries, carries)) for carries in (DIGITS, GARBLED)]
    plain = evaluate(program, *sums, (GARBLED, GARBLED), backend="plaintext")
    for weights, scores in found:
        np.testing.assert_array_equal(weights, plain[0])
        np.testing.assert_array_equal(scores, plain[1])


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("is_monotone", [False, True])
def test_a_slow_link_takes_fewer_rounds_for_the_same_leaves(depth: int, is_monotone: bool) -> None:
    numbers, draw = numbers_of(10_000), np.random.default_rng(depth)
    sides: tuple[list[LevelSums], list[LevelSums]] = ([], [])
    for level in range(depth):
        nodes = 1 << level
        sums = [
            shared(draw.integers(-(1 << 29), 1 << 29, nodes), level),
            shared(draw.integers(1 << 20, 1 << 29, nodes), level + 9),
            shared(draw.integers(0, 1 << 19, (2, nodes)), level + 18),
        ]
        turns = shared_bits(draw.integers(0, 2, (2, nodes))) if is_monotone else (None, None)
        for side, *parts in zip(sides, *sums, turns, strict=True):
            side.append(LevelSums(*parts))
    rounds = dict[int, int]()
    leaves = dict[int, Integers]()
    # A round of 20 ms at 100 Mbit/s, and of 5 ms at 1 Mbit/s, where words are dearer.
    for round_words in (0, 31_250, 78):

        def program(
            party: Party, levels: list[LevelSums], round_words: int = round_words
        ) -> tuple[Shared, Shared]:
            party.round_words = round_words
            made = leaf_weights(party, levels, numbers, 0.3, "gain")
            declared = REGISTRY["boost.splits.leaves.leaf_weights"]
            cost = declared.cost(party.prices, levels, numbers, 0.3, "gain")
            assert party.rounds == cost.rounds
            sent = party.channel.traffic.bytes_sent
            assert sent == 8 * (cost.feature_words if party.rank else cost.label_words)
            rounds[round_words] = cost.rounds
            return made.values, made.amounts

        values, amounts = evaluate(program, sides)
        leaves[round_words] = np.concatenate([values, amounts])
    np.testing.assert_array_equal(leaves[31_250], leaves[0])
    np.testing.assert_array_equal(leaves[78], leaves[0])
    assert rounds[31_250] <= rounds[0] - 18
    assert rounds[78] == rounds[0]
