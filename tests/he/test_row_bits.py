"""Parameters of row bits: security, noise, failure, layouts by what they send, refusals."""

from __future__ import annotations

import math

import pytest

from securexgb.errors import UsageError
from securexgb.he import row_bits
from securexgb.he.noise import ERROR_VARIANCE, STANDARD_BITS
from securexgb.he.row_bits import (
    DEGREE,
    GROUPS,
    MOST_SUMMANDS,
    SENT_BYTES,
    check_row_bits,
    failure_log2,
    most_groups,
    plan_row_bits,
    spread,
)


def test_the_modulus_is_within_the_standards_table() -> None:
    assert row_bits.MODULUS_BITS <= STANDARD_BITS[DEGREE] == 27
    assert math.sqrt(ERROR_VARIANCE) >= 8 / math.sqrt(2 * math.pi)


def test_the_figures_of_the_page() -> None:
    assert failure_log2(MOST_SUMMANDS, 1 << 29) == pytest.approx(-59, abs=0.6)
    assert failure_log2(768, 1 << 29) == pytest.approx(-98, abs=0.6)
    assert SENT_BYTES == 1280
    layout = plan_row_bits(10, 17, 70, 10_000)
    assert layout.upload_bytes == 2048 * layout.groups * 171
    assert layout.bytes_for(10_000) == layout.upload_bytes + 1280 * 345


def test_the_spread_is_the_sum_of_its_parts() -> None:
    q = 2.0**16
    parts = [10.5 * 640 / q**2, 2 * 10.5 * 1024 / q**2, 1024 * (2.0**-10) ** 2 / 12]
    assert spread(640) == pytest.approx(math.sqrt(sum(parts)))


@pytest.mark.parametrize(
    ("columns", "bins", "nodes", "rows", "groups", "rho"),
    [
        (10, 17, 70, 10_000, 2, 29),
        (12, 33, 310, 50_000, 4, 13),
        (10, 33, 150, 200_000, 4, 26),
        (10, 17, 150, 1_000_000, 4, 26),
        # Wide: many secrets would cost more than they save.
        (300, 256, 150, 1_000_000, 1, 6),
        # As many columns as there may be: a row a result.
        (16_384, 2, 32, 1000, 1, 1),
        (1, 2, 1, 5, 1, 1024),
        (1, 2, 8192, 5, 8, 1),
    ],
)
def test_layouts_send_least(
    columns: int, bins: int, nodes: int, rows: int, groups: int, rho: int
) -> None:
    layout = plan_row_bits(columns, bins, nodes, rows)
    assert (layout.groups, layout.rows) == (groups, rho)
    assert layout.rows * columns <= MOST_SUMMANDS
    assert layout.rows * -(-nodes // groups) <= DEGREE
    for other in GROUPS:
        width = -(-nodes // other)
        tables = 2048 * (other + 1) * columns * bins
        if width <= DEGREE and (width >= 32 or other == 1) and tables <= row_bits.TABLE_BYTES:
            per_result = min(DEGREE // width, MOST_SUMMANDS // columns)
            sent = 2048 * other * (columns * bins + 1) + 1280 * -(-rows // per_result)
            assert layout.bytes_for(rows) <= sent


@pytest.mark.parametrize("columns", [1, 10, 400, 1024])
def test_so_many_groups_fit_and_no_more(columns: int) -> None:
    groups, bins = most_groups(columns * 256), 256
    assert plan_row_bits(columns, bins, groups * DEGREE, 1).groups == groups
    if groups < max(GROUPS):
        with pytest.raises(UsageError, match="smaller batches"):
            plan_row_bits(columns, bins, groups * DEGREE + 1, 1)


def test_what_does_not_fit_is_refused() -> None:
    check_row_bits(MOST_SUMMANDS, 16, 1 << 29)
    with pytest.raises(UsageError, match=r"16385 columns, more than the 16384.*splits = \"owner\""):
        plan_row_bits(MOST_SUMMANDS + 1, 2, 10, 10)
    with pytest.raises(UsageError, match=r"above 2\^-40.*fewer rows"):
        check_row_bits(10, 17, 1 << 49)
    with pytest.raises(UsageError, match=r"8193 nodes over 170 bins.*smaller batches"):
        plan_row_bits(10, 17, 8193, 10)
    with pytest.raises(
        UsageError, match=r"512000 bins in its 2000 .* the 262144 that fit.*fewer bins"
    ):
        plan_row_bits(2000, 256, 10, 10)
    check_row_bits(1024, 256, 10)
    assert plan_row_bits(1024, 256, DEGREE, 10).table_bytes == row_bits.TABLE_BYTES


def test_a_modulus_beyond_the_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_bits, "MODULUS_BITS", 28)
    with pytest.raises(UsageError, match="128 bits of security"):
        check_row_bits(10, 17, 10)
