"""The sigmoid under CKKS: its series, its error over the whole range, its saturation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb.hybrid.ckks_products import agree_keys
from securexgb.hybrid.ckks_sigmoid import ckks_sigmoid
from securexgb.hybrid.fourier import SERIES, waves_of
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from securexgb.mpc.sigmoid import MARGIN_BITS
from securexgb.testing.harness import Backend
from tests.mpc.kit import Integers, evaluate, public, shared

Real = NDArray[np.float64]
LIMIT = (1 << 45) - (8 << MARGIN_BITS) - 1


def logistic(x: Real) -> Real:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def minimax(terms: int, reach: float) -> tuple[Real, float]:
    """Series and its greatest error: Lawson's iteration, least squares with growing weights."""
    x = reach * np.cos(np.linspace(0, np.pi / 2, 2000))
    waves = np.sin(2 * np.pi / 32 * np.outer(x, np.arange(1, terms + 1)))
    weights, target = np.ones(x.size), logistic(x) - 0.5
    series = np.zeros(terms)
    for _ in range(60):
        root = np.sqrt(weights)
        series = np.linalg.lstsq(waves * root[:, None], target * root)[0]
        weights = weights * np.abs(waves @ series - target)
        weights /= weights.sum()
    return series, float(np.abs(waves @ series - target).max())


def test_the_series_is_the_best_one() -> None:
    series, error = minimax(len(SERIES), 11.0)
    np.testing.assert_allclose(SERIES, series, atol=1e-5)
    assert error < 3.4e-4


@pytest.mark.parametrize(("terms", "error"), [(8, 1.8e-3), (10, 4.6e-4), (12, 1.2e-4)])
def test_errors_stated_for_twelve(terms: int, error: float) -> None:
    assert minimax(terms, 12.0)[1] < error


def test_sums_stay_below_two_whatever_the_margin() -> None:
    """The hiding of he.ckks rests on it."""
    assert np.abs(SERIES).sum() < 2


def test_the_wrap_of_the_ring_is_absorbed() -> None:
    margins = np.random.default_rng(0).integers(-(1 << 40), 1 << 40, 500)
    first, second = shared(margins)
    together = waves_of(first.words) * waves_of(second.words)
    np.testing.assert_allclose(together, waves_of(margins.view(np.uint64)), atol=1e-9)


def sigmoid(party: Party, margins: Shared, out_bits: int) -> Shared:
    return ckks_sigmoid(party, agree_keys(party), margins, out_bits)


def around() -> Integers:
    """A grid of [-20, 20), aliases of the period, both sides of the clamp, the ends."""
    grid = np.linspace(-20 << MARGIN_BITS, 20 << MARGIN_BITS, 3001).astype(np.int64)
    edges = (np.array([-32, -16, -7, 0, 7, 16, 32]) << MARGIN_BITS)[:, None] + [-1, 0, 1]
    ends = [-LIMIT, -(1 << 31), 1 << 31, LIMIT]
    return np.unique(np.concatenate([grid, edges.ravel(), ends]))


@pytest.mark.parametrize("backend", ["shared", "plaintext"])
def test_error_over_the_whole_range(backend: Backend) -> None:
    """Both backends within the bound: noise keeps them from being equal bit for bit."""
    x = around()
    p = evaluate(sigmoid, shared(x), public(20), backend=backend) / 2.0**20
    margin = x / 2.0**MARGIN_BITS
    exact = logistic(margin)
    error = np.abs(p - exact)
    assert error.max() <= 6e-4
    assert error[np.abs(margin) < 7].max() <= 3.6e-4
    assert np.abs(p * (1 - p) - exact * (1 - exact)).max() <= 6e-4
    assert np.diff(p).min() >= -(2.0**-15)
    assert p.min() == 2.0**-11
    assert p.max() == 1 - 2.0**-11
    assert (p[margin < -7] == p.min()).all()
    assert (p[margin >= 7] == p.max()).all()


@pytest.mark.parametrize("out_bits", [4, 16, 24])
def test_any_unit_and_any_split(out_bits: int) -> None:
    x = np.random.default_rng(out_bits).normal(0, 3, 70) * 2**MARGIN_BITS
    p = evaluate(sigmoid, shared(x, seed=out_bits), public(out_bits)) / 2.0**out_bits
    assert np.abs(p - logistic(x / 2.0**MARGIN_BITS)).max() <= 6e-4 + 2.0 ** -(out_bits + 1)


def test_equal_margins_as_before_the_first_tree() -> None:
    p = evaluate(sigmoid, shared(np.full(5000, -(2 << MARGIN_BITS))), public(20)) / 2.0**20
    assert np.abs(p - logistic(np.array(-2.0))).max() <= 4e-4
