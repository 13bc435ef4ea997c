"""Sign and magnitude: exact over the whole range, mirrored, and all ones outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.mpc.magnitude import RANGE_BITS, magnitude
from tests.mpc.kit import Integers, on_both, public, shared
from tests.mpc.strategies import integers, quick

LIMIT = 1 << (RANGE_BITS - 1)


def check(x: Integers, step_bits: int, index_bits: int, seed: int = 0) -> None:
    negative, index = on_both(magnitude, shared(x, seed), public(step_bits), public(index_bits))
    np.testing.assert_array_equal(negative, (x < 0).astype(int))
    found = (index << np.arange(index_bits)[:, None]).sum(axis=0)
    size = np.where(x < 0, -x - 1, x)
    np.testing.assert_array_equal(found, np.minimum(size >> step_bits, (1 << index_bits) - 1))


@quick
@given(integers(-LIMIT, LIMIT - 1), st.integers(1, 20), st.integers(1, 20))
def test_any_number(x: Integers, step_bits: int, index_bits: int) -> None:
    check(x, step_bits, index_bits)


@pytest.mark.parametrize("step_bits", [10, 12])
@pytest.mark.parametrize("seed", range(5))
def test_both_sides_of_every_power_of_two(step_bits: int, seed: int) -> None:
    powers = 1 << np.arange(RANGE_BITS - 1)
    near = np.concatenate([powers - 1, powers, powers + 1, [LIMIT - 1, 0]])
    check(np.concatenate([near, ~near]), step_bits, 23 - step_bits, seed)
