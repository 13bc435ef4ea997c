"""The layout: no cross terms, every value in its place, the same for both sides."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.he.layout import Shape, batch_limit, best_layout, layout_of
from securexgb.he.noise import DEGREE, MODULUS


@pytest.mark.parametrize(("degree", "width"), [(64, 1), (64, 4), (64, 5), (60, 7), (64, 64)])
def test_coefficients_are_sums_per_column(degree: int, width: int) -> None:
    """Also for widths that do not divide the degree."""
    rng = np.random.default_rng(width)
    w = degree // width
    a = rng.integers(-1000, 1000, w)
    columns = rng.integers(0, width, w)
    vector, ones = np.zeros(degree, int), np.zeros(degree, int)
    vector[:w] = a
    for i, column in enumerate(columns):
        exponent = column * w - i
        ones[exponent % degree] += 1 if exponent >= 0 else -1
    whole = np.convolve(vector, ones)
    product = whole[:degree].copy()
    product[: degree - 1] -= whole[degree:]
    expected = np.bincount(columns, weights=a, minlength=width)
    np.testing.assert_array_equal(product[np.arange(width) * w], expected)


@pytest.mark.parametrize("width", [1, 4, 16])
@pytest.mark.parametrize("levels", [0, 1, 5])
def test_every_value_has_one_place(width: int, levels: int) -> None:
    layout = layout_of(Shape(5000, 3, 7, 1000), 5, width, levels)
    seen = np.zeros((5, 21), int)
    for result in range(layout.results):
        places, vectors, columns = layout.places(result)
        assert places.dtype == np.uint32
        assert len(set(places.tolist())) == places.size
        assert places.max() < DEGREE
        np.add.at(seen, (vectors, columns), 1)
    assert (seen == 1).all()


def test_the_cost_model_balances_bytes_against_merging() -> None:
    wide = best_layout(Shape(10_000, 10, 17, 10**6), 4)
    tall = best_layout(Shape(1_000_000, 10, 17, 10**6), 4)
    assert wide.width > tall.width
    assert wide.levels > 0
    for other in (1, 2, 8, 16):
        assert layout_of(wide.shape, 4, other, wide.levels - 2).seconds >= wide.seconds


def test_two_sides_find_the_same_and_memory_is_bounded() -> None:
    shape = Shape(1_000_000, 10, 17, 10**6)
    count = batch_limit(shape)
    layout = best_layout(shape, count)
    assert layout == best_layout(Shape(1_000_000, 10, 17, 10**6), count)
    assert count * layout.blocks * 6 * DEGREE * 8 <= 1 << 29
    assert MODULUS >> 149 == 1
