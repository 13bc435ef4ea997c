"""The logistic curve in integers: right to a unit of 2^-52, and the same on every machine."""

from __future__ import annotations

import hashlib
import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from securexgb.arith.logistic import LIMIT_BITS, VALUE_BITS, Integers, logistic, softplus


@pytest.mark.parametrize("index_bits", [5, 12, 14])
def test_values_are_right_to_a_unit(index_bits: int) -> None:
    (p, h), losses = logistic(index_bits), softplus(index_bits)
    assert len(p) == len(h) == len(losses) == 1 << index_bits
    places = {*range(0, 1 << index_bits, max(1 << index_bits >> 8, 1)), (1 << index_bits) - 1}
    with localcontext() as context:
        context.prec = 50
        for place in places:
            power = (-Decimal(2 * place + 1) * (1 << LIMIT_BITS) / (2 << index_bits)).exp()
            share = power / (1 + power)
            exact = share, share * (1 - share), (1 + power).ln()
            for found, wanted in zip((p, h, losses), exact, strict=True):
                assert 0 <= wanted * (1 << VALUE_BITS) - int(found[place]) < 1 + Decimal("1e-9")


def test_every_value_agrees_with_floating_point() -> None:
    p, h = logistic(14)
    x = (np.arange(1 << 14) + 0.5) * 2.0 ** (LIMIT_BITS - 14)
    exact = np.array([1 / (1 + math.exp(value)) for value in x])
    for found, wanted in (
        (p, exact),
        (h, exact * (1 - exact)),
        (softplus(14), np.log1p(np.exp(-x))),
    ):
        assert np.abs(found * 2.0**-VALUE_BITS - wanted).max() < 2.0**-50


def digest(*arrays: Integers) -> str:
    return hashlib.sha256(b"".join(array.astype("<i8").tobytes() for array in arrays)).hexdigest()


def test_both_companies_have_the_same_values() -> None:
    """Pinned: a version that changes one bit of them cannot train with one that does not."""
    assert digest(*logistic(14)) == PINNED[0]
    assert digest(*logistic(12)) == PINNED[1]
    assert digest(softplus(14)) == PINNED[2]


PINNED = (
    "9fae95054187d65aba244da75192a3d561fe6afe1eb6d3c86df16fe735e8a50c",
    "2ac92c25f132aa7fecae5a2835605a9af699f16f41e2784706223e82d542a082",
    "fc2fa6c3dce288ec208b8675c7846af08d928af32fc13941fd6c7f63c49ba65e",
)
