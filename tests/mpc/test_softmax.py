"""Softmax: right relatively and on average near 0 and near 1, on both backends."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import MARGIN_BITS
from securexgb.boost.dither import CLASSES, Dither
from securexgb.mpc.numbers.sigmoid import SigmoidTable, sigmoid_table
from securexgb.mpc.numbers.softmax import softmax, softmax_cost
from tests.mpc.kit import Integers, on_both, public, shared

Real = NDArray[np.float64]
ONE = 1 << MARGIN_BITS
RANGE_BITS = 40
NOTHING = 1.13e-7
"""exp(-16): what is less is 0."""
STEP = {True: 2.0**-10, False: 2.0**-8}


def table_of(bits: int, tree: int = 0, *, fine: bool = True) -> SigmoidTable:
    return sigmoid_table(bits, bits, fine, Dither.of(3, tree).tables)


def exact(x: Integers) -> tuple[Real, Real]:
    """p, and 1 - p, of margins (classes, n)."""
    real = np.exp((x - x.max(axis=0)) / ONE)
    rest = np.stack([np.delete(real, k, axis=0).sum(axis=0) for k in range(len(real))])
    return real / real.sum(axis=0), rest / real.sum(axis=0)


def by_class(x: Integers, table: SigmoidTable) -> tuple[Integers, Integers]:
    """p and p (1 - p) of every column in every class of rows, (classes, n, 64)."""
    margins = np.repeat(x, CLASSES, axis=1)
    p, h = on_both(softmax, shared(margins), public(table), public(RANGE_BITS))
    return p.reshape(len(x), -1, CLASSES), h.reshape(len(x), -1, CLASSES)


@pytest.mark.parametrize(
    ("classes", "bits", "fine"),
    [(2, 20, True), (3, 20, True), (3, 16, False), (5, 20, True), (9, 20, True), (4, 4, True)],
)
def test_means_over_the_classes_of_rows_are_right(classes: int, bits: int, fine: bool) -> None:
    """Relatively, to a step and what is joined, near 0 and near 1; and to a part of a unit."""
    draw = np.random.default_rng(classes)
    x = (draw.normal(scale=5, size=(classes, 60)) * ONE).astype(np.int64)
    found = by_class(x, table_of(bits, fine=fine))
    p, rest = exact(x)
    steps, unit = 2 * (classes - 1).bit_length() - 1, 2.0**-bits
    for one, wanted, smaller in (
        (found[0], p, np.minimum(p, rest)),
        (found[1], p * rest, p * rest),
    ):
        slack = STEP[fine] * 1.3 + steps * 2.0**-11
        allowed = smaller * slack + unit * np.where(smaller / unit < 600, 1 / 32, 1) + NOTHING
        assert (np.abs(one.mean(axis=2) * unit - wanted) <= allowed).all()
        assert (np.abs(one * unit - wanted[..., None]) <= allowed[..., None] + 2 * unit).all()


def test_rows_of_equal_margins_have_equal_large_numbers() -> None:
    x = (np.random.default_rng(0).normal(scale=1, size=(3, 40)) * ONE).astype(np.int64)
    p, h = by_class(x, table_of(20))
    assert (p == p[..., :1]).all()
    assert (h == h[..., :1]).all()


def test_blocks_change_nothing() -> None:
    x = (np.random.default_rng(2).normal(0, 6, (5, 300)) * ONE).astype(np.int64)
    table = table_of(20)
    whole = on_both(softmax, shared(x), public(table), public(RANGE_BITS))
    parts = [
        on_both(softmax, shared(x[:, at : at + 192]), public(table), public(RANGE_BITS))
        for at in range(0, 300, 192)
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts, axis=2))


def test_far_margins_give_nothing_and_all() -> None:
    far = (1 << (RANGE_BITS - 3)) - 1
    x = np.array([[far, -far, 20 * ONE], [0, 0, 0], [-far, far, 0]])
    p, h = on_both(softmax, shared(x), public(table_of(20)), public(RANGE_BITS))
    np.testing.assert_array_equal(p.T, [[1 << 20, 0, 0], [0, 0, 1 << 20], [1 << 20, 0, 0]])
    assert not h.any()


def test_more_classes_cost_look_ups_and_steps() -> None:
    shape = table_of(20).shape
    costs = {k: softmax_cost(shape, (k, 640), 40) for k in (2, 3, 4, 8)}
    assert costs[2].rounds < costs[3].rounds < costs[4].rounds < costs[8].rounds
    words = {k: cost.label_words for k, cost in costs.items()}
    assert words[8] < 3 * words[4] < 6 * words[3]
