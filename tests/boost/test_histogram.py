"""Histograms: equal to plain sums, children add up to their parent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.boost.executor import LocalExecutor
from securexgb.boost.histogram import Histogram, build, interleave, siblings
from securexgb.mpc.matrix import MatrixShape, register
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from securexgb.testing.harness import Backend
from tests.mpc.kit import Integers, evaluate, on_both, shared
from tests.mpc.strategies import quick

BINS, LOW_BITS = 5, 30
UNIT = 1 << 12


def sums(program_result: tuple[Integers, Integers]) -> Integers:
    """(2, nodes, columns, bins)."""
    return np.stack(program_result)


def brute_force(buckets: Integers, values: Integers) -> Integers:
    """Sums of values (nodes, rows) by node, column and bin."""
    result = np.zeros((len(values), buckets.shape[1], BINS), np.int64)
    for node, row_values in enumerate(values):
        for row, value in enumerate(row_values):
            for column, bucket in enumerate(buckets[row]):
                result[node, column, bucket] += value
    return result


@quick
@given(st.integers(1, 70), st.integers(1, 3), st.integers(0, 2**32))
def test_equal_to_plain_sums(rows: int, nodes: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    buckets = draw.integers(0, BINS, (rows, 5))
    gradient = draw.integers(-UNIT, UNIT + 1, (nodes, rows))
    hessian = draw.integers(0, UNIT + 1, (nodes, rows))
    sides = tuple(part.astype(np.uint8) for part in (buckets[:, :2], buckets[:, 2:]))
    shape = MatrixShape(rows, (2, 3), BINS)

    def program(party: Party, own: np.ndarray, pairs: Shared) -> tuple[Shared, Shared]:
        own = np.ascontiguousarray(own)
        register(party, shape, own)
        histogram = build(party, shape, LocalExecutor(own, BINS, BINS), pairs, LOW_BITS)
        return histogram.gradient, histogram.hessian

    pairs = shared(gradient + (hessian << LOW_BITS), seed)
    found = sums(on_both(program, sides, pairs))
    expected = np.stack([brute_force(buckets, gradient), brute_force(buckets, hessian)])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("sign", [-1, 1])
def test_all_rows_at_the_limit_of_the_format(sign: int, backend: Backend) -> None:
    """Every row with the greatest gradient and hessian in one bin."""
    rows = 64
    buckets = np.zeros((rows, 1), np.uint8)
    shape = MatrixShape(rows, (1, 0), 2)
    most = (1 << (LOW_BITS - 1)) // rows - 1
    heavy = ((1 << (64 - LOW_BITS)) - 1) // rows
    word = np.uint64((sign * most + (heavy << LOW_BITS)) % 2**64)
    pairs = shared(np.full((1, rows), word).view(np.int64))

    def program(party: Party, vectors: Shared) -> tuple[Shared, Shared]:
        own = buckets if party.rank == 0 else np.zeros((rows, 0), np.uint8)
        register(party, shape, own)
        histogram = build(party, shape, LocalExecutor(own, 2, 2), vectors, LOW_BITS)
        return histogram.gradient, histogram.hessian

    gradient, hessian = evaluate(program, pairs, backend=backend)
    assert gradient[0, 0, 0] == sign * most * rows
    assert hessian[0, 0, 0] == heavy * rows
    assert not gradient[0, 0, 1]
    assert not hessian[0, 0, 1]


def test_siblings_add_up_to_their_parents_and_stand_in_heap_order() -> None:
    draw = np.random.default_rng(0)
    parent, left = (
        Histogram(*(Shared(draw.integers(0, 2**64, (3, 2, 4), np.uint64)) for _ in range(2)))
        for _ in range(2)
    )
    level = siblings(parent, left)
    for name in ("gradient", "hessian"):
        children, above = getattr(level, name).words, getattr(parent, name).words
        np.testing.assert_array_equal(children[0::2] + children[1::2], above)
        np.testing.assert_array_equal(children[0::2], getattr(left, name).words)


def test_interleave() -> None:
    left, right = Shared(np.array([1, 3], np.uint64)), Shared(np.array([2, 4], np.uint64))
    np.testing.assert_array_equal(interleave(left, right).words, [1, 2, 3, 4])


def test_columns() -> None:
    words = np.arange(12, dtype=np.uint64).reshape(1, 3, 4)
    histogram = Histogram(Shared(words), Shared(words + np.uint64(100)))
    kept = histogram.columns(np.array([0, 2]))
    np.testing.assert_array_equal(kept.gradient.words, words[:, [0, 2]])
    np.testing.assert_array_equal(kept.hessian.words, words[:, [0, 2]] + np.uint64(100))
