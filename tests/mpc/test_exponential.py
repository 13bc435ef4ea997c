"""Powers of e: right relatively or on average, bounded by the window, equal on both backends."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from securexgb.arith.exponential import exponential, power_of_e
from securexgb.arith.fixedpoint import encode
from securexgb.boost.dither import Dither
from securexgb.mpc.numbers.exponential import Power, Window, exp_table, exponentials
from tests.mpc.kit import on_both, public, shared

POINTS = np.concatenate([np.linspace(-40, 40, 801), [-99, 99, 5, -11]])


@pytest.mark.parametrize("exponent", [0.0, 0.7, -0.001, 11.0, -16.5])
def test_integers_are_the_power(exponent: float) -> None:
    assert float(power_of_e(Fraction(exponent))) == pytest.approx(math.exp(exponent), rel=1e-15)


def test_a_curve_falls_by_equal_steps() -> None:
    values = exponential(12, 5, Fraction(1, 2)) / 2.0**40
    middles = 5 - (np.arange(1 << 12) + 0.5) / 256
    np.testing.assert_allclose(values, np.exp(middles) / 2, atol=2.0**-40)


def test_what_no_word_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="too large for a table"):
        exponential(12, 11, Fraction(1000))


@pytest.mark.parametrize("fine", [False, True])
def test_powers_in_the_window_and_beside_it(fine: bool) -> None:
    coins = Dither.of(3, 1).tables
    window, factor = Window(5, 100.0, 4), power_of_e(Fraction(7, 10))
    powers = Power(Fraction(1), 20), Power(factor, 18)
    table = exp_table(window, powers, fine, (coins[:2], coins[2:]))
    x = encode(POINTS, 24).view(np.int64)
    found = on_both(exponentials, shared(x), public(table))
    step = 2.0**-10 if fine else 2.0**-8
    exact = np.exp(np.minimum(POINTS, 5.0))
    inside = POINTS > -11 + 16 / 64
    for row, scale, unit in ((found[0], 1.0, 2.0**-20), (found[1], math.exp(0.7), 2.0**-18)):
        values, right = row * unit, exact * scale
        assert np.all(np.abs(values - right)[inside] <= (step * right + 2 * unit)[inside])
        assert not values[POINTS < -11].any()


def test_small_powers_are_right_on_average() -> None:
    """Far below a unit, over the 64 classes of rows."""
    window, x = Window(8, 50.0), np.full(64, -7.0)
    coins = Dither.of(0, 5).tables
    table = exp_table(window, (Power(Fraction(1), 6),), True, (coins[:2],))
    (found,) = on_both(exponentials, shared(encode(x, 20).view(np.int64)), public(table))
    assert set(found.tolist()) == {0, 1}
    assert found.mean() / 2**6 == pytest.approx(math.exp(-7), abs=2.0**-12)
