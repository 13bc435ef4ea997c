"""Formats: nothing overflows for any terms, and what leaves too few bits is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.arith.fixedpoint import (
    MOST_ROWS,
    SUM_BITS,
    NumberFormat,
    Penalties,
    Scales,
    decode,
    encode,
)
from securexgb.errors import SecureXGBError, UsageError


@given(st.floats(-1e6, 1e6), st.integers(0, 40))
def test_decode_undoes_encode_within_half_a_unit(value: float, bits: int) -> None:
    assert abs(float(decode(encode(value, bits), bits)) - value) <= 2.0 ** -(bits + 1) + 1e-10


def test_negative_values_are_twos_complement() -> None:
    assert encode(np.array([-1.0]), 4)[0] == np.uint64(2**64 - 16)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2.0**59, -(2.0**63)])
def test_what_fits_no_word_is_refused(value: float) -> None:
    with pytest.raises(SecureXGBError, match="does not fit a ring word"):
        encode(np.array([1.0, value]), 4)


def _format(
    rows: int,
    *,
    squared: bool = False,
    subsampled: bool = False,
    cap: int | None = None,
    exponent: int = 0,
    penalty: float = 1.0,
) -> NumberFormat:
    penalties = Penalties(reg_lambda=penalty, reg_alpha=1.0, gamma=1.0, min_child_weight=1.0)
    return NumberFormat.for_job(
        rows=rows,
        most=((16.0 if subsampled else 1.5), 1.0) if squared else (1.0, 0.25),
        gradient_cap=cap,
        weight_exponent=exponent,
        scales=Scales(),
        penalties=penalties,
    )


@given(
    rows=st.integers(1, MOST_ROWS),
    squared=st.booleans(),
    subsampled=st.booleans(),
    cap=st.none() | st.integers(4, 20),
    exponent=st.integers(-30, 30),
    penalty=st.floats(0, 1e5),
)
def test_the_worst_sums_fit(
    rows: int, squared: bool, subsampled: bool, cap: int | None, exponent: int, penalty: float
) -> None:
    try:
        numbers = _format(
            rows,
            squared=squared,
            subsampled=subsampled,
            cap=cap,
            exponent=exponent,
            penalty=penalty,
        )
    except UsageError:
        return
    row_g, row_h = (2**bits for bits in (numbers.row_gradient_bits, numbers.row_hessian_bits))
    mean_g = (16.0 if subsampled else 1.0) if squared else 1.0
    exact_g = rows * (mean_g * row_g + 2)
    exact_h = rows * ((1.0 if squared else 0.25) * row_h + 4)
    assert exact_g < 2 ** (numbers.gradient_sum_bits - 1)
    assert exact_h < 2**numbers.hessian_sum_bits
    drop_g, drop_h = numbers.dropped_bits
    assert min(drop_g, drop_h) >= 0
    most_g, most_h = exact_g / 2**drop_g + 0.5, exact_h / 2**drop_h + 0.5
    assert most_g < 2**SUM_BITS
    assert most_h + numbers.reg_lambda < 2**SUM_BITS
    assert most_g < 2 ** (numbers.signed_bits - 1)
    assert most_h + numbers.reg_lambda < 2**numbers.hessian_bits
    for left in {0, 1, rows // 2, rows}:
        parts = left / rows, 1 - left / rows
        sides = [(part * most_g, part * most_h + numbers.reg_lambda) for part in parts]
        determinant = sides[0][0] * sides[1][1] + sides[1][0] * sides[0][1]
        assert determinant * (1 - 2**-40) < 2 ** (numbers.determinant_bits - 1)
    assert numbers.determinant_bits <= 62
    assert numbers.gradient_bits <= (16 if cap is None else cap) + max(exponent, 0)
    if cap is not None:
        assert row_g == row_h == 2**numbers.gradient_bits


@pytest.mark.parametrize(
    ("rows", "sums", "row_bits", "widths"),
    [
        (10_000, 16, (20, 18), (35, 30)),
        (1 << 17, 12, (20, 18), (39, 34)),
        (1_000_000, 10, (16, 14), (37, 32)),
        (10_000_000, 6, (16, 14), (41, 36)),
        (1 << 24, 5, (16, 14), (42, 37)),
        (1 << 25, 4, (15, 13), (42, 37)),
        (100_000_000, 3, (13, 11), (41, 36)),
        (1 << 27, 2, (13, 11), (42, 37)),
    ],
)
def test_rows_are_finer_than_sums(
    rows: int, sums: int, row_bits: tuple[int, int], widths: tuple[int, int]
) -> None:
    numbers = _format(rows)
    assert numbers.gradient_bits == sums
    assert (numbers.row_gradient_bits, numbers.row_hessian_bits) == row_bits
    assert (numbers.gradient_sum_bits, numbers.hessian_sum_bits) == widths


@pytest.mark.parametrize("exponent", [-5, 5, 12])
def test_weights_scale_changes_no_tree(exponent: int) -> None:
    """Dividing weights by 2^k divides every penalty by it, exactly."""
    one, other = _format(1000), _format(1000, exponent=exponent)
    units = 2.0**one.gradient_bits, 2.0**other.gradient_bits
    for name in ("reg_lambda", "min_child_weight", "reg_alpha"):
        reals = [getattr(fmt, name) / unit for fmt, unit in zip((one, other), units, strict=True)]
        assert reals[1] * 2.0**exponent == reals[0]
    assert other.gamma * 2.0**exponent == one.gamma
    assert other.least_gain * 2.0**exponent == one.least_gain


def test_heavier_weights_are_as_fine_as_repeated_rows() -> None:
    """A mean weight of 2^k: the same absolute units as 2^k times the rows have."""
    weighted, repeated = _format(500, exponent=4), _format(8000)
    assert weighted.gradient_bits - 4 == repeated.gradient_bits == 16
    assert weighted.row_gradient_bits - 4 == repeated.row_gradient_bits == 20
    assert weighted.row_hessian_bits - 4 == repeated.row_hessian_bits == 18
    assert weighted.reg_lambda == repeated.reg_lambda
    # But no wider than sums over 2^17 rows.
    assert _format(100_000, exponent=13).gradient_sum_bits <= 39


def test_too_many_rows_are_refused_with_a_sentence() -> None:
    with pytest.raises(UsageError, match="no bits for a gradient"):
        _format(1 << 25, exponent=-20, penalty=1e6)
