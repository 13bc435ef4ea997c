"""Softmax: right relatively and on average near 0 and near 1, exact sums, on both backends."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import MARGIN_BITS
from securexgb.boost.dither import CLASSES, Dither
from securexgb.mpc.numbers.softmax import (
    SoftmaxTable,
    level_count,
    softmax,
    softmax_cost,
    softmax_table,
)
from tests.mpc.kit import Integers, on_both, public, shared

Real = NDArray[np.float64]
ONE = 1 << MARGIN_BITS
RANGE_BITS = 40
STEP = {True: 2.0**-10, False: 2.0**-8}


def table_of(classes: int, bits: int, tree: int = 0, *, fine: bool = True) -> SoftmaxTable:
    coins = [Dither.of(3, tree).of_step(k) for k in range(level_count(classes))]
    return softmax_table(bits, fine, [np.stack([*of.tables[:2], of.gradient]) for of in coins])


def exact(x: Integers) -> tuple[Real, Real]:
    """p, and 1 - p, of margins (classes, n)."""
    real = np.exp((x - x.max(axis=0)) / ONE)
    rest = np.stack([np.delete(real, k, axis=0).sum(axis=0) for k in range(len(real))])
    return real / real.sum(axis=0), rest / real.sum(axis=0)


def by_class(x: Integers, table: SoftmaxTable) -> Integers:
    """Probabilities of every column in every class of rows, (classes, n, 64)."""
    margins = np.repeat(x, CLASSES, axis=1)
    found = on_both(softmax, shared(margins), public(table), public(RANGE_BITS))
    return found.reshape(len(x), -1, CLASSES)


@pytest.mark.parametrize("fine", [True, False])
@pytest.mark.parametrize(("classes", "bits"), [(2, 20), (3, 20), (3, 16), (5, 20), (4, 4), (3, 0)])
def test_means_over_the_classes_of_rows_are_right(classes: int, bits: int, fine: bool) -> None:
    """Near 0 and near 1 relatively, to a step for each level, and a part of a unit."""
    draw = np.random.default_rng(classes)
    x = (draw.normal(scale=5, size=(classes, 60)) * ONE).astype(np.int64)
    found = by_class(x, table_of(classes, bits, fine=fine))
    assert found.min() >= 0
    assert (found.sum(axis=0) == 1 << bits).all()
    p, rest = exact(x)
    levels, unit = level_count(classes), 2.0**-bits
    smaller = np.minimum(p, rest)
    mean = np.abs(found.mean(axis=2) * unit - p)
    assert (mean <= smaller * STEP[fine] * 1.3 * levels + (2 * levels - 1) * unit).all()
    few = smaller * STEP[fine] * 1.3 * levels + unit / 4 * levels
    assert (mean <= few)[smaller < 200 * unit].all()


def test_a_rare_class_is_right_over_some_trees() -> None:
    """p of 1e-6, and 1 - p of the class that has the rest: to some hundredths."""
    bits = 20
    x = np.array([[0.0, -13.8, -9.2, 0.0], [-13.8, 0.0, 0.0, 0.1], [-13.0, -0.5, -14.0, -13.5]])
    margins = (x * ONE).astype(np.int64)
    trees = [by_class(margins, table_of(3, bits, tree)).mean(axis=2) for tree in range(8)]
    p, rest = exact(margins)
    found = np.mean(trees, axis=0) / 2.0**bits
    for one, wanted in ((found, p), (1 - found, rest)):
        assert (np.abs(one - wanted) <= wanted * 2.0**-9 + 2.0**-bits / 24).all()


def test_blocks_and_the_order_of_rows_in_them_change_nothing() -> None:
    x = (np.random.default_rng(2).normal(0, 6, (5, 700)) * ONE).astype(np.int64)
    table = table_of(5, 20)
    whole = on_both(softmax, shared(x), public(table), public(RANGE_BITS))
    parts = [
        on_both(softmax, shared(x[:, at : at + 192]), public(table), public(RANGE_BITS))
        for at in range(0, 700, 192)
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts, axis=1))


def test_far_margins_give_nothing_and_all() -> None:
    far = (1 << (RANGE_BITS - 2)) - 1
    x = np.array([[far, 0, -far, 20 * ONE], [0, 0, 0, 0], [-far, -far, far, 0]])
    found = on_both(softmax, shared(x), public(table_of(3, 20)), public(RANGE_BITS))
    half = 1 << 19
    np.testing.assert_array_equal(
        np.abs(found[:, [0, 2, 3]].T - [[1 << 20, 0, 0], [0, 0, 1 << 20], [1 << 20, 0, 0]]), 0
    )
    assert np.abs(found[:, 1] - [half, half, 0]).max() <= half / 1000


def test_more_classes_cost_look_ups_and_levels() -> None:
    costs = {k: softmax_cost(table_of(k, 20).shapes, 20, (k, 640), 40) for k in (2, 3, 4, 8)}
    assert costs[2].rounds < costs[3].rounds == costs[4].rounds < costs[8].rounds
    words = {k: cost.label_words + cost.feature_words for k, cost in costs.items()}
    assert words[3] < 3 * words[2] < words[8]
