"""Sign and magnitude: exact over the whole range, mirrored, and all ones outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.correlations.digits import WIDTHS, DigitTransfers
from securexgb.correlations.gates import KINDS
from securexgb.mpc.numbers.magnitude import Index, magnitude, magnitude_cost
from tests.mpc.kit import Integers, on_both, public, shared
from tests.mpc.strategies import integers, quick


def check(x: Integers, index: Index, seed: int = 0) -> None:
    negative, found = on_both(magnitude, shared(x, seed), public(index))
    np.testing.assert_array_equal(negative, (x < 0).astype(int))
    size = np.where(x < 0, -x - 1, x)
    number = np.minimum(size >> index.step_bits, (1 << index.bits) - 1)
    for part, marks in zip(index.parts, found, strict=True):
        expected = np.arange(1 << part)[:, None] == number & (1 << part) - 1
        np.testing.assert_array_equal(marks, expected.astype(int))
        number >>= part


@quick
@given(
    integers(-(1 << 61), (1 << 61) - 1),
    st.integers(1, 20),
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.data(),
)
def test_any_number(x: Integers, step_bits: int, parts: list[int], data: st.DataObject) -> None:
    range_bits = data.draw(st.integers(step_bits + sum(parts) + 2, 62))
    check(x >> (62 - range_bits), Index(step_bits, tuple(parts), range_bits))


@pytest.mark.parametrize("range_bits", [25, 26, 31, 36, 46])
@pytest.mark.parametrize("step_bits", [9, 10, 11, 12])
@pytest.mark.parametrize("seed", range(3))
def test_both_sides_of_every_power_of_two(range_bits: int, step_bits: int, seed: int) -> None:
    limit = 1 << (range_bits - 1)
    powers = 1 << np.arange(range_bits - 1)
    near = np.concatenate([powers - 1, powers, powers + 1, [limit - 1, 0]])
    near = near[near < limit]
    check(np.concatenate([near, ~near]), Index(step_bits, (15 - step_bits, 4, 4), range_bits), seed)


def test_the_sigmoid_s_parts() -> None:
    """A low part of 3 digits; above the index 3, for carries and for two equalities; of the index
    five digits, the lowest one of two bits, of which all parts but the highest are composed."""
    index = Index(10, (4, 3, 4, 3), 34)
    assert index.digits == (3, 3, 3, 3)
    assert [len(level) for level in index.network()] == [4, 4]
    cost = magnitude_cost(index, 64)
    assert cost.rounds == 2 + 2 + 5 * 2 + 3 + 1
    digits = {
        width: sum(cost.correlations[DigitTransfers(width, s)] for s in (0, 1)) for width in WIDTHS
    }
    assert digits == {2: 3, 7: 3, 8: 5}
    gates = {kind.width: cost.correlations[kind] for kind in KINDS}
    # Joins, and the sign with two equalities; turned digits, and those kept; products of marks.
    assert gates == {1: 0, 2: 8 + 2, 4: 3 + 1, 8: 1, 16: 0, 32: 2, 64: 0}
