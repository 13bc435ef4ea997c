"""The sigmoid under CKKS: its series, its error over the whole range, its saturation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import MARGIN_BITS
from securexgb.errors import DataError
from securexgb.hybrid.ckks_products import agree_keys
from securexgb.hybrid.ckks_sigmoid import ckks_sigmoid, refuse_rare
from securexgb.hybrid.fourier import SERIES, waves_of
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
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


def sigmoid(
    party: Party, margins: Shared, gradient_bits: int, hessian_bits: int
) -> tuple[Shared, Shared]:
    return ckks_sigmoid(party, agree_keys(party), margins, gradient_bits, hessian_bits)


def around() -> Integers:
    """A grid of [-20, 20), aliases of the period, both sides of the clamp, the ends."""
    grid = np.linspace(-20 << MARGIN_BITS, 20 << MARGIN_BITS, 3001).astype(np.int64)
    edges = (np.array([-32, -16, -8, 0, 8, 16, 32]) << MARGIN_BITS)[:, None] + [-1, 0, 1]
    ends = [-LIMIT, -(1 << 31), 1 << 31, LIMIT]
    return np.unique(np.concatenate([grid, edges.ravel(), ends]))


@pytest.mark.parametrize("backend", ["shared", "plaintext"])
def test_error_over_the_whole_range(backend: Backend) -> None:
    """Both backends within the bound: noise keeps them from being equal bit for bit."""
    x = around()
    p, h = evaluate(sigmoid, shared(x), public(20), public(18), backend=backend)
    p, h, margin = p / 2.0**20, h / 2.0**18, x / 2.0**MARGIN_BITS
    exact, inside = logistic(margin), (margin >= -8) & (margin < 8)
    assert np.abs(p - exact).max() <= 3.5e-4
    assert np.abs(h - exact * (1 - exact)).max() <= 3.5e-4
    assert np.abs(h - p * (1 - p)).max() <= 2.0**-18
    assert (p[margin < -8] == 0).all()
    assert (p[margin >= 8] == 1).all()
    assert (h[~inside] == 0).all()
    assert p[inside].min() > 6e-4
    assert p[inside].max() < 1 - 6e-4
    assert h[inside].min() > 6e-4
    steep = np.abs(margin) < 7
    assert np.diff(p[steep]).min() >= -(2.0**-15)


@pytest.mark.parametrize(("gradient_bits", "hessian_bits"), [(4, 4), (16, 14), (20, 20), (0, 0)])
def test_any_unit_and_any_split(gradient_bits: int, hessian_bits: int) -> None:
    x = np.random.default_rng(gradient_bits).normal(0, 3, 70) * 2**MARGIN_BITS
    given = public(gradient_bits), public(hessian_bits)
    p, h = evaluate(sigmoid, shared(x, seed=gradient_bits), *given)
    exact = logistic(x / 2.0**MARGIN_BITS)
    for found, wanted, bits in ((p, exact, gradient_bits), (h, exact - exact**2, hessian_bits)):
        assert np.abs(found / 2.0**bits - wanted).max() <= 4e-4 + 2.0 ** -(bits + 1)


def test_equal_margins_as_before_the_first_tree() -> None:
    x = np.full(5000, -(2 << MARGIN_BITS))
    p, _ = evaluate(sigmoid, shared(x), public(20), public(18))
    assert np.abs(p / 2.0**20 - logistic(np.array(-2.0))).max() <= 4e-4


@pytest.mark.parametrize("mean", [0.0, 1e-4, 0.0199, 0.981, 1.0])
def test_rare_events_are_sent_to_the_table(mean: float) -> None:
    with pytest.raises(DataError, match='sigmoid = "table"'):
        refuse_rare(mean)


@pytest.mark.parametrize("mean", [0.02, 0.5, 0.98])
def test_others_are_not(mean: float) -> None:
    refuse_rare(mean)
