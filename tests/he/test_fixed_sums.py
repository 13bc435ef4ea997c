"""Parameters of sums of fixed words: security, noise and failure, what is refused."""

from __future__ import annotations

import pytest

from securexgb.he.fixed_sums import (
    DEGREE,
    FAILURE_LOG2,
    MOST_WORDS,
    PRIME,
    PRIME_BITS,
    TABLE_BYTES,
    FixedLayout,
    failure_log2,
    plan_fixed_sums,
)
from securexgb.he.noise import STANDARD_BITS


def test_the_modulus_is_within_the_standards_table() -> None:
    assert PRIME < 1 << PRIME_BITS <= 1 << STANDARD_BITS[DEGREE]
    assert PRIME % (2 * DEGREE) == 1


def test_the_figures_of_the_page() -> None:
    layout = plan_fixed_sums(100, 16, 31)
    assert layout == FixedLayout(100, 16, 31, 14)
    assert failure_log2(layout) == pytest.approx(-113, abs=1)
    assert failure_log2(FixedLayout(100, 16, 31, 13)) > FAILURE_LOG2
    assert (layout.upload_bytes, layout.table_bytes) == (20_492_800, 54_525_952)
    # Of 256 rows and of one more: 100 trees take 13 results of 8.
    assert [layout.results(rows) for rows in (1, 256, 257)] == [13, 13, 26]
    assert layout.results(256) * layout.sent_bytes / 256 == pytest.approx(585)


@pytest.mark.parametrize(
    ("trees", "words", "word_bits"),
    [(1, 2 * MOST_WORDS, 31), (1, 2, 49), (0, 2, 31), (TABLE_BYTES // DEGREE, 2, 31)],
)
def test_what_does_not_fit_is_not_planned(trees: int, words: int, word_bits: int) -> None:
    assert plan_fixed_sums(trees, words, word_bits) is None


def test_more_trees_take_more_guard_bits() -> None:
    bits = []
    for trees in (1, 100, 500):
        layout = plan_fixed_sums(trees, 16, 31)
        assert layout is not None
        assert layout.sent_bits >= 33
        bits.append(layout.guard_bits)
    assert bits == sorted(set(bits))
