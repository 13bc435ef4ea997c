"""Numbers that reach a public bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.mpc.numbers.bound import reaches
from tests.mpc.kit import Integers, on_both, public, shared_bits
from tests.mpc.strategies import integers, quick


def bits_of(x: Integers, width: int) -> Integers:
    return (x[None] >> np.arange(width)[:, None]) & 1


@pytest.mark.parametrize("bound", range(-1, 18))
def test_every_number_and_bound_of_four_bits(bound: int) -> None:
    x = np.arange(16)
    result = on_both(reaches, shared_bits(bits_of(x, 4)), public(bound))
    np.testing.assert_array_equal(result, x >= bound)


@quick
@given(integers(0, (1 << 30) - 1), st.integers(1, 1 << 30))
def test_wide_numbers(x: Integers, bound: int) -> None:
    x[::3] = min(bound, (1 << 30) - 1)
    result = on_both(reaches, shared_bits(bits_of(x, 30)), public(bound))
    np.testing.assert_array_equal(result, x >= bound)
