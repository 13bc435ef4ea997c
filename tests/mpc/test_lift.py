"""Numbers from their bits: exact for every width, in the whole ring."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from securexgb.mpc.numbers.lift import Number, binary, lift_numbers
from tests.mpc.kit import Integers, on_both, public, shared_bits
from tests.mpc.strategies import flags, quick


@quick
@given(flags(62))
def test_binary_numbers(bits: Integers) -> None:
    numbers = (binary(bits.shape[0]),)
    expected = (bits << np.arange(bits.shape[0])[:, None]).sum(axis=0)
    result = on_both(lift_numbers, shared_bits(bits), public(numbers))
    np.testing.assert_array_equal(result, [expected])


@pytest.mark.parametrize("width", [1, 2, 16, 62])
def test_ends_of_the_range(width: int) -> None:
    bits = np.repeat([[0, 1]], width, axis=0)
    for seed in range(20):
        result = on_both(lift_numbers, shared_bits(bits, seed), public((binary(width),)))
        np.testing.assert_array_equal(result, [[0, (1 << width) - 1]])


@pytest.mark.parametrize("count", [1, 64, 65, 500])
def test_several_numbers_with_weights_of_their_own(count: int) -> None:
    bits = np.random.default_rng(count).integers(0, 2, (8, count))
    numbers = (binary(3), Number((1, 5), 3), Number((7, 4, 12), 5))
    expected = [
        bits[0] + 2 * bits[1] + 4 * bits[2],
        bits[3] + 5 * bits[4],
        7 * bits[5] + 4 * bits[6] + 12 * bits[7],
    ]
    result = on_both(lift_numbers, shared_bits(bits), public(numbers))
    np.testing.assert_array_equal(result, expected)
