"""Row-block work: sums and left bits are the same in blocks of any size."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.boost.executor import Cuts, Executor, LocalExecutor
from securexgb.boost.rows import BLOCK_ROWS, blocks, sending_block

ROWS, FEATURES, BINS = 500, 3, 6
MISSING = BINS - 1


def buckets() -> np.ndarray:
    return np.random.default_rng(0).integers(0, BINS, (ROWS, FEATURES), np.uint8)


def executor(block_rows: int) -> Executor:
    return LocalExecutor(buckets(), BINS, MISSING, block_rows)


@pytest.mark.parametrize("block_rows", [64, 192, BLOCK_ROWS])
def test_sums_are_those_over_all_rows(block_rows: int) -> None:
    values = np.random.default_rng(1).integers(0, 2**64, (2, ROWS), np.uint64)
    one_hot = (buckets()[:, :, None] == np.arange(BINS)).astype(np.uint64)
    expected = np.einsum("vn,nfb->vfb", values, one_hot)
    np.testing.assert_array_equal(executor(block_rows).sums(values), expected)


@pytest.mark.parametrize("block_rows", [64, 192, BLOCK_ROWS])
def test_left_bits(block_rows: int) -> None:
    cuts = Cuts(np.array([0, 2]), np.array([1, 3]), np.array([True, False]), np.zeros(2, np.bool_))
    left = executor(block_rows).left(cuts)
    first, second = buckets()[:, 0], buckets()[:, 2]
    np.testing.assert_array_equal(left[0], (first <= 1) | (first == MISSING))
    np.testing.assert_array_equal(left[1], (second <= 3) & (second != MISSING))


def test_no_splits_of_its_own() -> None:
    none = Cuts(
        np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros(0, np.bool_)
    )
    assert executor(64).left(none).shape == (0, ROWS)


@pytest.mark.parametrize("rows", [1, 64, 127, 128, 500])
def test_blocks_cover_every_row_once(rows: int) -> None:
    covered = [row for block in blocks(rows, 128) for row in range(rows)[block]]
    assert covered == list(range(rows))


@pytest.mark.parametrize(
    ("rows", "count"),
    [(1, 1), (BLOCK_ROWS, 1), (BLOCK_ROWS + 1, 2), (10**6 + 1, 4), (5 * 10**6, 4)],
)
def test_at_most_four_blocks_send(rows: int, count: int) -> None:
    size = sending_block(rows)
    assert len(list(blocks(rows, size))) == count
    assert size >= BLOCK_ROWS
    assert size % 64 == 0
