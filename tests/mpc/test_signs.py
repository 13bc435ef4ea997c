"""Signs and equalities of private summands: every pair of summands of a few bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from securexgb.mpc.convert import plain_values
from securexgb.mpc.digits import DIGIT
from securexgb.mpc.numbers.signs import sign_tables
from securexgb.mpc.party import Party
from securexgb.mpc.shared import SharedBits
from tests.mpc.kit import recorded


@pytest.mark.parametrize("width", range(1, 7))
def test_every_pair_of_summands(width: int) -> None:
    values = np.arange(1 << width, dtype=np.uint64)
    # Bits above the width must not matter.
    rubbish = np.random.default_rng(width).integers(0, 2**40, 2, np.uint64) << np.uint64(width)
    first = np.repeat(values, values.size) + rubbish[0]
    second = np.tile(values, values.size) + rubbish[1]

    def program(party: Party, own: Any) -> Any:
        return sign_tables(party, own, width)

    shares, _, _ = recorded(program, [first, second])
    g, p, zero, two = plain_values(SharedBits(shares[0] ^ shares[1], first.size)).astype(bool)
    digits = -(-width // DIGIT)
    assert g.shape == (digits, first.size)

    total = first + second
    mask = np.uint64((1 << width) - 1)
    np.testing.assert_array_equal(zero.all(axis=0), total & mask == 0)
    np.testing.assert_array_equal(two.all(axis=0), (total + np.uint64(2)) & mask == 0)

    below = np.uint64((1 << (width - 1)) - 1)
    for carry_in in (0, 1):
        carry = np.full(first.size, carry_in, bool)
        for digit in range(digits):
            carry = g[digit] ^ (p[digit] & carry)
        into = ((first & below) + (second & below) + np.uint64(carry_in)) >> np.uint64(width - 1)
        np.testing.assert_array_equal(carry, into.astype(bool))
