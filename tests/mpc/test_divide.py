"""Quotients: within their stated error over the whole range, equal for equal inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from securexgb.mpc.convert import highest_bit, to_bits
from securexgb.mpc.numbers.divide import (
    DENOMINATOR_BITS,
    QUOTIENT_BITS,
    divide,
    quotient_by_one,
    reciprocal,
)
from securexgb.mpc.numbers.truncate import in_time
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits
from tests.mpc.kit import Integers, on_both, shared, shared_bits
from tests.mpc.strategies import integers, quick

MOST = (1 << DENOMINATOR_BITS) - 1


def quotients(party: Party, x: Shared, a: Shared) -> Shared:
    bits = to_bits(party, a, DENOMINATOR_BITS)
    return in_time(party, divide(party, x, a, bits, highest_bit(party, bits)))


def within_bound(x: Integers, a: Integers) -> bool:
    """Units of 2^-19: 1/2 for the rounding, and 2^-20.5 of the quotient."""
    result = on_both(quotients, shared(x, 1), shared(a, 2))
    exact = x.astype(float) / a * 2.0**QUOTIENT_BITS
    return bool((np.abs(result - exact) <= 0.5 + np.abs(exact) * 2.0**-20.5).all())


@quick
@given(integers(1, MOST), st.integers(0, 2**32))
def test_the_error_is_as_stated(a: Integers, seed: int) -> None:
    most = np.minimum(a * 2048, MOST)
    x = np.round(np.random.default_rng(seed).uniform(-1, 1, a.size) * most).astype(np.int64)
    x[::5] = most[::5]
    assert within_bound(x, a)


def test_every_power_of_two_and_its_neighbours() -> None:
    powers = [1 << k for k in range(DENOMINATOR_BITS)]
    a = np.array(sorted({v + d for v in powers for d in (-1, 0, 1)} - {0} | {MOST}))
    for sign in (-1, 1):
        assert within_bound(sign * np.minimum(a * 2048, MOST), a)
        assert within_bound(sign * np.ones_like(a), a)


def test_zeros_give_zero() -> None:
    x, a = np.array([5, 0, 0, 0, -MOST]), np.array([0, 3, MOST, 0, 0])
    np.testing.assert_array_equal(on_both(quotients, shared(x), shared(a)), np.zeros(5))


def test_a_public_quotient_is_that_of_shares() -> None:
    x = np.array([2048, -2048, 2047, 1, -1, 0])
    result = on_both(quotients, shared(x, 1), shared(np.ones_like(x), 2))
    np.testing.assert_array_equal(result, [quotient_by_one(int(value)) for value in x])


def test_equal_inputs_have_equal_quotients() -> None:
    x, a = np.full(200, 12345), np.full(200, 67891)
    result = on_both(quotients, shared(x, 1), shared(a, 2))
    assert np.unique(result).size == 1


def test_scaling_both_by_a_power_of_two_changes_nothing() -> None:
    """The denominator is normalised, so the error does not depend on its size."""
    x, a = np.array([1234, -77]), np.array([777, 8191])

    def run(shift: int) -> Any:
        return on_both(quotients, shared(x << shift), shared(a << shift))

    np.testing.assert_array_equal(run(0), run(15))


def test_reciprocal() -> None:
    y = np.linspace(1 << 29, (1 << 30) - 1, 500).astype(np.int64)

    def program(party: Party, y: Shared, upper: SharedBits) -> Shared:
        return in_time(party, reciprocal(party, y, upper))

    result = on_both(program, shared(y, 1), shared_bits(y >= 3 << 28, 2))
    assert np.abs(result / 2.0**20 - 2.0**30 / y).max() <= 2.0**-20.1
