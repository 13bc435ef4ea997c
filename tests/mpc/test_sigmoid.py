"""Sigmoid and softplus: error over the whole range, monotone, mirrored, equal on both backends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.mpc.sigmoid import MARGIN_BITS, sigmoid, sigmoid_table, softplus
from tests.mpc.kit import Integers, on_both, public, shared
from tests.mpc.strategies import quick, symmetric

LIMIT = (1 << 45) - 1
"""The greatest margin that is allowed, in units of 2^-20."""


def around() -> Integers:
    """A fine grid of [-20, 20), both sides of every step of [-9, 9), and the ends of the range."""
    steps = np.arange(-9 << 10, 9 << 10) << (MARGIN_BITS - 10)
    grid = np.linspace(-20 << MARGIN_BITS, 20 << MARGIN_BITS, 6001).astype(np.int64)
    ends = [-LIMIT, -(1 << 31), -(1 << 28), 1 << 28, 1 << 31, LIMIT]
    return np.unique(np.concatenate([grid, steps - 1, steps, ends]))


@pytest.mark.parametrize("bits", [12, 13, 16, 20])
def test_sigmoid(bits: int) -> None:
    x = around()
    p, h = on_both(sigmoid, shared(x), public(bits)) / np.float64(2.0**bits)
    with np.errstate(over="ignore"):
        exact = 1 / (1 + np.exp(-x / 2.0**MARGIN_BITS))
    half = 2.0 ** -(bits + 1)
    assert np.abs(p - exact).max() <= 2.0**-11 + 2 * half
    assert np.abs(h - exact * (1 - exact)).max() <= 2.0**-11 + 2 * half
    inside = np.abs(x) < 7.5 * 2**MARGIN_BITS
    steps = 2.0**-11 + half if bits <= 12 else 2.0**-13 + 2 * half
    assert np.abs(p - exact)[inside].max() <= steps
    assert np.diff(p).min() >= (0 if bits <= 12 else -max(2.0**-bits, 2.0**-16))
    assert p.min() == 2.0**-11
    assert p.max() == 1 - 2.0**-11
    assert (p <= 2.0**11 * h).all()
    assert (1 - p <= 2.0**11 * h).all()


def test_the_other_sign_is_the_complement() -> None:
    x = around()
    p, h = on_both(sigmoid, shared(x), public(16))
    q, k = on_both(sigmoid, shared(~x), public(16))
    np.testing.assert_array_equal(p + q, np.full(x.size, 1 << 16))
    np.testing.assert_array_equal(h, k)


@pytest.mark.parametrize("bits", range(4, 12))
def test_coarse_units(bits: int) -> None:
    x = around()
    p, h = on_both(sigmoid, shared(x), public(bits))
    with np.errstate(over="ignore"):
        exact = 1 / (1 + np.exp(-x / 2.0**MARGIN_BITS))
    assert np.abs(p / 2.0**bits - exact).max() <= 2.0**-11 + 2.0**-bits
    assert (np.diff(p) >= 0).all()
    assert h.min() >= 1
    assert (np.maximum(p, (1 << bits) - p) <= h << 11).all()


@pytest.mark.parametrize(("bits", "entries"), [(4, [2048]), (12, [2048]), (16, [512, 2048])])
def test_finer_gradients_have_finer_steps(bits: int, entries: list[int]) -> None:
    table = sigmoid_table(bits)
    assert [part.entries.size for part in table.tables] == entries
    assert table.tables[0].low_bits == bits - 1


def test_softplus() -> None:
    x = around()
    value = on_both(softplus, shared(x)) / 2.0**20
    error = np.abs(value - np.logaddexp(0, x / 2.0**MARGIN_BITS))
    assert error.max() <= 4e-4
    assert value.min() >= 0


@quick
@given(symmetric(45), st.integers(0, 2**32))
def test_any_margin_on_both_backends(x: Integers, seed: int) -> None:
    p, h = on_both(sigmoid, shared(x, seed), public(16))
    assert ((p >= 2**5) & (p <= 2**16 - 2**5)).all()
    assert (h >= 2**5 - 1).all()
