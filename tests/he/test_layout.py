"""The layout: no cross terms, every value in its place, batches that both sides agree on."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.he.layout import (
    GALOIS_KEY_BYTES,
    LEAST_VECTORS,
    MOST_VECTORS,
    Layout,
    batch_vectors,
    first_vectors,
    messages_of,
)
from securexgb.he.noise import DEGREE, SHORT, Sums, sums_precision

PRECISION = sums_precision(Sums(1000, 40, 8, 3, 10**6))


@pytest.mark.parametrize(
    ("degree", "vectors", "side"), [(64, 1, 1), (64, 4, 1), (64, 64, 1), (64, 2, 4), (64, 4, 16)]
)
def test_coefficients_are_the_products_of_each_vector(degree: int, vectors: int, side: int) -> None:
    rng = np.random.default_rng(vectors)
    distance = degree // vectors
    piece = distance // side
    secrets = rng.integers(-1, 2, (vectors, piece))
    columns = rng.integers(-1000, 1000, (side, piece))
    spread, short = np.zeros(degree, int), np.zeros(degree, int)
    short[:distance] = columns.reshape(-1)
    for v in range(vectors):
        for j in range(piece):
            exponent = v * distance - j
            spread[exponent % degree] += secrets[v, j] * (1 if exponent >= 0 else -1)
    whole = np.convolve(spread, short)
    product = whole[:degree].copy()
    product[: degree - 1] -= whole[degree:]
    np.testing.assert_array_equal(product[::piece].reshape(vectors, side), secrets @ columns.T)


@pytest.mark.parametrize("vectors", [8, 16, 64, 128])
@pytest.mark.parametrize("columns", [1, 2, 21, 64, 400])
def test_every_value_has_one_place(columns: int, vectors: int) -> None:
    layout = Layout(columns, vectors, PRECISION)
    seen = np.zeros((vectors, columns), int)
    for result in range(layout.results):
        indices, owners, of = layout.indices(result)
        assert indices.dtype == np.uint32
        assert len(set(indices.tolist())) == indices.size
        assert indices.max() < DEGREE
        np.add.at(seen, (owners, of), 1)
    assert (seen == 1).all()
    assert layout.spacings == tuple(layout.distance >> i for i in range(layout.levels))
    assert all(spacing >= 2 for spacing in layout.spacings)
    assert layout.groups * DEGREE == vectors * layout.side * SHORT


def test_small_batches_fill_products_with_columns_side_by_side() -> None:
    found = {v: Layout(170, v, PRECISION) for v in (8, 16, 32, 64, 128)}
    assert [layout.side for layout in found.values()] == [4, 2, 1, 1, 1]
    assert [layout.groups for layout in found.values()] == [16, 16, 16, 32, 64]
    assert [layout.summands for layout in found.values()] == [43, 85, 170, 170, 170]
    assert [Layout(columns, 8, PRECISION).side for columns in (1, 2, 3, 4)] == [1, 2, 4, 4]


def test_few_columns_are_merged_no_further_than_they_fill() -> None:
    assert Layout(1, 16, PRECISION).levels == 0
    assert Layout(5, 16, PRECISION).levels == 2
    assert Layout(5, 32, PRECISION).levels == 3
    assert Layout(10_000, 8, PRECISION).levels == 8
    assert Layout(10_000, 128, PRECISION).levels == 6


def test_batches_are_powers_of_two_within_bounds() -> None:
    assert [batch_vectors(n) for n in (1, 8, 17, 100, 128, 5000)] == [8, 8, 32, 128, 128, 128]
    assert (LEAST_VECTORS, MOST_VECTORS) == (8, 128)
    assert [first_vectors(a_tree) for a_tree in (8, 9, 64)] == [8, 128, 128]
    assert [first_vectors(a_tree, is_far=True) for a_tree in (8, 9, 64)] == [8, 9, 64]
    assert messages_of(35) == [16, 16, 3]
    assert messages_of(32) == [16, 16]


def test_bytes_do_not_depend_on_rows_and_fall_with_the_batch() -> None:
    a_vector = [Layout(170, v, PRECISION).bytes_sent / v for v in (8, 16, 32, 64, 128)]
    assert a_vector == sorted(a_vector, reverse=True)
    assert a_vector[-1] < 80_000
    assert GALOIS_KEY_BYTES == 153_600
