"""Formats: nothing overflows for any terms, and what leaves too few bits is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.arith.fixedpoint import (
    ROW_WEIGHT_BITS,
    SUM_BITS,
    NumberFormat,
    Penalties,
    decode,
    encode,
)
from securexgb.errors import UsageError


@given(st.floats(-1e6, 1e6), st.integers(0, 40))
def test_decode_undoes_encode_within_half_a_unit(value: float, bits: int) -> None:
    assert abs(float(decode(encode(value, bits), bits)) - value) <= 2.0 ** -(bits + 1) + 1e-10


def test_negative_values_are_twos_complement() -> None:
    assert encode(np.array([-1.0]), 4)[0] == np.uint64(2**64 - 16)


@given(
    rows=st.integers(1, 1 << 25),
    squared=st.booleans(),
    cap=st.integers(4, 20),
    weight=st.floats(1e-3, 1e4),
    penalty=st.floats(0, 1e5),
)
def test_the_worst_sums_fit(
    rows: int, squared: bool, cap: int, weight: float, penalty: float
) -> None:
    penalties = Penalties(reg_lambda=penalty, reg_alpha=1.0, gamma=1.0, min_child_weight=1.0)
    try:
        numbers = NumberFormat.for_job(
            rows=rows,
            squared_error=squared,
            gradient_cap=cap,
            weight_bound=weight,
            target_scale=1.0,
            penalties=penalties,
        )
    except UsageError:
        return
    unit = 2**numbers.gradient_bits
    most_g = rows * ((2.0 if squared else 1.0) * weight * unit + 1)
    most_h = rows * ((unit if squared else 0.25 * unit + 1.5) * weight + 1)
    assert most_g < 2**SUM_BITS
    assert most_h + numbers.reg_lambda < 2**SUM_BITS
    assert most_g < 2 ** (numbers.low_bits - 1)
    assert most_h < 2**numbers.high_bits
    assert numbers.low_bits + numbers.high_bits <= 64
    assert most_h + numbers.reg_lambda < 2**numbers.hessian_bits
    for left in {0, 1, rows // 2, rows}:
        parts = left / rows, 1 - left / rows
        sides = [(part * most_g, part * most_h + numbers.reg_lambda) for part in parts]
        determinant = sides[0][0] * sides[1][1] + sides[1][0] * sides[0][1]
        assert determinant * (1 - 2**-40) < 2 ** (numbers.determinant_bits - 1)
    assert numbers.determinant_bits <= 62
    assert numbers.gradient_bits <= cap
    assert 2 * weight * unit * 2**ROW_WEIGHT_BITS < 2**62


def test_too_many_rows_are_refused_with_a_sentence() -> None:
    penalties = Penalties(0.0, 0.0, 0.0, 0.0)
    with pytest.raises(UsageError, match="bits for a gradient"):
        NumberFormat.for_job(
            rows=1 << 25,
            squared_error=True,
            gradient_cap=16,
            weight_bound=4.0,
            target_scale=1.0,
            penalties=penalties,
        )
