"""Sigmoid and softplus: right on average and relatively, mirrored, equal on both backends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import MARGIN_BITS
from securexgb.boost.dither import FRACTION_BITS, Dither
from securexgb.mpc.numbers.curves import COIN_BITS
from securexgb.mpc.numbers.sigmoid import (
    SigmoidTable,
    sigmoid,
    sigmoid_cost,
    sigmoid_shape,
    sigmoid_table,
    softplus,
    softplus_cost,
)
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from tests.mpc.kit import Integers, on_both, public, shared
from tests.mpc.strategies import quick, symmetric

Real = NDArray[np.float64]
ONE = 1 << MARGIN_BITS
CLASSES = 64
LIMIT = (1 << 45) - 1
"""The greatest margin that is allowed, in units of 2^-20."""
STEP = {True: 2.0**-10, False: 2.0**-8}


def even_coins(seed: int = 0) -> Integers:
    """64 evenly spaced fractions, another order and offset for each of four roundings."""
    draw = np.random.default_rng(seed)
    spaced = np.stack([draw.permutation(CLASSES) for _ in range(4)]) << (COIN_BITS - 6)
    return spaced + draw.integers(0, 1 << (COIN_BITS - 6), (4, 1))


def logistic(x: Integers) -> Real:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x / ONE))


def around() -> Integers:
    """A fine grid of [-20, 20), both sides of many steps, and the ends of the range."""
    steps = np.arange(-17 << 7, 17 << 7) << (MARGIN_BITS - 7)
    grid = np.linspace(-20 * ONE, 20 * ONE, 6001).astype(np.int64)
    ends = [-LIMIT, -(1 << 31), -(1 << 28), 1 << 28, 1 << 31, LIMIT]
    return np.unique(np.concatenate([grid, steps - 1, steps, ends]))


def by_class(x: Integers, table: SigmoidTable, range_bits: int = 46) -> tuple[Integers, Integers]:
    """p and h of every x in every class, (n, 64)."""
    margins = np.repeat(x, CLASSES)
    p, h = on_both(sigmoid, shared(margins), public(table), public(range_bits))
    return p.reshape(-1, CLASSES), h.reshape(-1, CLASSES)


@pytest.mark.parametrize("fine", [True, False])
@pytest.mark.parametrize(("gradient_bits", "hessian_bits"), [(20, 18), (16, 14), (9, 9), (4, 0)])
def test_means_over_the_classes_are_right(
    gradient_bits: int, hessian_bits: int, fine: bool
) -> None:
    """Relatively to a step, and a 64th of a unit for each of two coins, where coins are left."""
    x = np.concatenate([np.linspace(-15, 15, 301), [-9.21, -13.8, 0.0]]) * ONE
    x = x.astype(np.int64)
    table = sigmoid_table(gradient_bits, hessian_bits, fine, even_coins())
    p, h = by_class(x, table)
    exact = logistic(x)
    small = np.minimum(exact, 1 - exact)
    for found, wanted, smaller, bits in (
        (p, exact, small, gradient_bits),
        (h, exact * (1 - exact), exact * (1 - exact), hessian_bits),
    ):
        unit = 2.0**-bits
        allowed = smaller * STEP[fine] * 1.3 + unit * np.where(smaller / unit < 600, 1 / 32, 1)
        assert (np.abs(found.mean(axis=1) * unit - wanted) <= allowed).all()
        assert (np.abs(found * unit - wanted[:, None]) <= allowed[:, None] + 2 * unit).all()


@pytest.mark.parametrize("bits", [(20, 18), (16, 14)])
def test_rare_events_are_right_over_some_trees(bits: tuple[int, int]) -> None:
    """With the coins of trees: p of 1e-6, a unit and less, to one in a hundred."""
    assert FRACTION_BITS == COIN_BITS
    x = (np.array([-13.8, -11.5, -9.2]) * ONE).astype(np.int64)
    exact = logistic(x)
    means = []
    for tree in range(16):
        table = sigmoid_table(*bits, True, Dither.of(7, tree).tables)
        found = by_class(x, table)
        means.append([one.mean(axis=1) / 2.0**of for one, of in zip(found, bits, strict=True)])
    p, h = np.mean(means, axis=0)
    slack = 2.0 ** -np.array(bits) / 64
    assert (np.abs(p - exact) <= exact * 2.0**-10 + slack[0]).all()
    assert (np.abs(h - exact * (1 - exact)) <= exact * 2.0**-10 + slack[1]).all()


@pytest.mark.parametrize("fine", [True, False])
def test_large_entries_are_the_same_in_all_classes(fine: bool) -> None:
    """Rows with equal margins have equal gradients, and ties stay ties."""
    x = (np.linspace(-6, 6, 101) * ONE).astype(np.int64)
    p, h = by_class(x, sigmoid_table(20, 20, fine, even_coins()))
    assert (p == p[:, :1]).all()
    assert (h == h[:, :1]).all()


@pytest.mark.parametrize("bits", [0, 1, 2, 3, 16, 20])
def test_nothing_is_left_beyond_sixteen(bits: int) -> None:
    x = np.array([16 * ONE, 17 * ONE, 1 << 31, LIMIT])
    p, h = by_class(np.concatenate([-x, x]), sigmoid_table(bits, bits, True, even_coins()))
    assert (p[:4] == 0).all()
    assert (p[4:] == 1 << bits).all()
    assert (h == 0).all()


@pytest.mark.parametrize("fine", [True, False])
@pytest.mark.parametrize("bits", [0, 1, 5, 20])
def test_the_other_sign_is_the_complement(bits: int, fine: bool) -> None:
    x, table = around(), sigmoid_table(bits, bits, fine, even_coins())
    p, h = on_both(sigmoid, shared(x), public(table))
    q, k = on_both(sigmoid, shared(~x), public(table))
    np.testing.assert_array_equal(p + q, np.full(x.size, 1 << bits))
    np.testing.assert_array_equal(h, k)
    assert p.min() >= 0
    assert h.min() >= 0


def test_blocks_and_the_bound_of_margins_change_nothing() -> None:
    table = sigmoid_table(12, 10, False, even_coins())
    x = (np.random.default_rng(2).normal(0, 6, 1000) * ONE).astype(np.int64)

    def in_blocks(party: Party, margins: Shared) -> tuple[Shared, Shared]:
        parts = [sigmoid(party, margins[at : at + 192], table, 27) for at in range(0, 1000, 192)]
        p, h = (Shared.concatenate(part) for part in zip(*parts, strict=True))
        return p, h

    whole, blocks = on_both(sigmoid, shared(x), public(table)), on_both(in_blocks, shared(x))
    np.testing.assert_array_equal(whole, blocks)


@pytest.mark.parametrize("bits", range(21))
def test_what_is_sent_does_not_depend_on_the_coins(bits: int) -> None:
    """Widths are those of the shape: every entry of every coin fits."""
    for seed, fine in ((0, True), (1, False)):
        shape = sigmoid_shape(bits, 20 - bits, fine)
        extremes = np.random.default_rng(seed).choice([0, (1 << COIN_BITS) - 1], (4, CLASSES))
        for coins in (even_coins(seed), extremes):
            table = sigmoid_table(bits, 20 - bits, fine, coins)
            assert table.shape is shape
            for entries, widths in zip(table.tables, shape.parts, strict=True):
                assert entries.out_bits == sum(widths)
                assert int(entries.entries.max()).bit_length() <= sum(widths)


def test_costs() -> None:
    """Rounds and bits a row, both directions together: those of one table of these widths."""
    fine, coarse = sigmoid_shape(20, 18, True), sigmoid_shape(16, 14, False)
    for shape, rounds, bits in ((fine, 23, 3725), (coarse, 20, 2589)):
        cost = sigmoid_cost(shape, 10_000)
        assert cost.rounds == rounds
        assert (cost.label_words + cost.feature_words) * 64 // 10_000 == bits
    assert sigmoid_cost(fine, 10_000, 26).label_words < sigmoid_cost(fine, 10_000).label_words


def test_softplus() -> None:
    x = around()
    value = on_both(softplus, shared(x)) / ONE
    tail = np.logaddexp(0, -np.abs(x) / ONE)
    error = np.abs(value - np.logaddexp(0, x / ONE))
    assert error.max() <= 4e-4
    assert (error <= tail * 2.0**-10 + 2.0**-20)[np.abs(x) < 1 << 40].all()
    assert value.min() >= 0
    near = np.abs(x) < 31 * ONE
    np.testing.assert_array_equal(on_both(softplus, shared(x[near]), public(27)), value[near] * ONE)
    assert softplus_cost(100, 27).label_words < softplus_cost(100).label_words


def test_the_loss_of_rare_events() -> None:
    """A log-loss at a rate of 3e-4 is right to a thousandth."""
    x = np.random.default_rng(0).normal(-8.5, 1.5, 20_000)
    exact = np.logaddexp(0, np.rint(x * ONE) / ONE).mean()
    value = on_both(softplus, shared(np.rint(x * ONE))).mean() / ONE
    assert abs(value - exact) < 1e-3 * exact


@quick
@given(symmetric(45), st.integers(0, 20), st.integers(0, 20), st.integers(0, 2**32))
def test_any_margin_on_both_backends(x: Integers, bits: int, others: int, seed: int) -> None:
    table = sigmoid_table(bits, others, bool(seed & 1), even_coins(seed))
    p, h = on_both(sigmoid, shared(x, seed), public(table))
    assert ((p >= 0) & (p <= 1 << bits)).all()
    assert ((h >= 0) & (h <= (1 << others >> 2) + 2)).all()
