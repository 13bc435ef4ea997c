"""Sigmoid and softplus: error over the whole range, monotone, equal on both backends."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from securexgb.mpc.piecewise import MARGIN_BITS, sigmoid, softplus
from tests.mpc.kit import Integers, on_both, public, shared
from tests.mpc.strategies import quick, symmetric

LIMIT = (1 << 45) - (8 << MARGIN_BITS) - 1
"""The greatest margin that is allowed, in units of 2^-20."""
LINE_LIMIT = (1 << 37) - 1
"""The greatest one where a function goes on as a line."""


def around(limit: int = LIMIT) -> Integers:
    """A fine grid of [-20, 20), both sides of every joint, and the ends of the range."""
    joints = np.arange(-32, 33) << (MARGIN_BITS - 1)
    grid = np.linspace(-20 << MARGIN_BITS, 20 << MARGIN_BITS, 6001).astype(np.int64)
    ends = [-limit, -(1 << 31), -(1 << 28), 1 << 28, 1 << 31, limit]
    return np.unique(np.concatenate([grid, joints - 1, joints, joints + 1, ends]))


def test_sigmoid() -> None:
    x = around()
    p = on_both(sigmoid, shared(x), public(20)) / 2.0**20
    margin = x / 2.0**MARGIN_BITS
    with np.errstate(over="ignore"):
        error = np.abs(p - 1 / (1 + np.exp(-margin)))
    assert error.max() <= 6e-4
    assert error[np.abs(margin) < 7.5].max() <= 2.5e-4
    assert (np.diff(p) >= -(2.0**-19)).all()
    assert p.min() >= 2.0**-11
    assert p.max() <= 1 - 2.0**-11


def test_sigmoid_in_coarse_units_stays_between_zero_and_one() -> None:
    p = on_both(sigmoid, shared(around()), public(4))
    assert p.min() >= 0
    assert p.max() <= 16


def test_softplus() -> None:
    x = around(LINE_LIMIT)
    value = on_both(softplus, shared(x), public(20)) / 2.0**20
    margin = x / 2.0**MARGIN_BITS
    assert np.abs(value - np.logaddexp(0, margin)).max() <= 4e-4
    assert value.min() >= 0


@quick
@given(symmetric(44))
def test_any_margin_on_both_backends(x: Integers) -> None:
    p = on_both(sigmoid, shared(x), public(16))
    assert ((p >= 2**5) & (p <= 2**16 - 2**5)).all()
