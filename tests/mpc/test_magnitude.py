"""Sign and magnitude: exact over the whole range, mirrored, and all ones outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.correlations.digits import DigitTransfers
from securexgb.mpc.numbers.magnitude import Index, magnitude, magnitude_cost
from tests.mpc.kit import Integers, on_both, public, shared
from tests.mpc.strategies import integers, quick


def check(x: Integers, index: Index, seed: int = 0) -> None:
    negative, found = on_both(magnitude, shared(x, seed), public(index))
    np.testing.assert_array_equal(negative, (x < 0).astype(int))
    number = (found << np.arange(index.bits)[:, None]).sum(axis=0)
    size = np.where(x < 0, -x - 1, x)
    np.testing.assert_array_equal(
        number, np.minimum(size >> index.step_bits, (1 << index.bits) - 1)
    )


@quick
@given(integers(-(1 << 61), (1 << 61) - 1), st.integers(1, 20), st.integers(1, 20), st.data())
def test_any_number(x: Integers, step_bits: int, bits: int, data: st.DataObject) -> None:
    range_bits = data.draw(st.integers(step_bits + bits + 2, 62))
    check(x >> (62 - range_bits), Index(step_bits, bits, range_bits))


@pytest.mark.parametrize("range_bits", [25, 26, 31, 36, 46])
@pytest.mark.parametrize("step_bits", [9, 10, 11, 12])
@pytest.mark.parametrize("seed", range(3))
def test_both_sides_of_every_power_of_two(range_bits: int, step_bits: int, seed: int) -> None:
    limit = 1 << (range_bits - 1)
    powers = 1 << np.arange(range_bits - 1)
    near = np.concatenate([powers - 1, powers, powers + 1, [limit - 1, 0]])
    near = near[near < limit]
    check(np.concatenate([near, ~near]), Index(step_bits, 23 - step_bits, range_bits), seed)


def test_the_sigmoid_s_parts() -> None:
    """Low part and index of 3 digits each; above them 4, for carries and for two equalities."""
    index = Index(12, 11, 36)
    assert index.digits == (3, 4, 4, 4, 3)
    assert [len(level) for level in index.network()] == [1 + 2 + 2 + 2 + 1, 1 + 1 + 1 + 1]
    cost = magnitude_cost(index, 64)
    assert cost.rounds == 2 + 2 + 4
    assert cost.correlations[DigitTransfers(2, 0)] + cost.correlations[DigitTransfers(2, 1)] == 3
    assert (
        cost.correlations[DigitTransfers(7, 0)] + cost.correlations[DigitTransfers(7, 1)] == 3 + 4
    )
