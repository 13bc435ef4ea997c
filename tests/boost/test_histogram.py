"""Histograms: running sums of nodes, rounded exactly; children add up to their parent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.boost.executor import LocalExecutor
from securexgb.boost.histogram import NoisySums, build, matrix_shape, running, siblings
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.mpc.matrix import MatrixShape, register
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from securexgb.testing.harness import Backend
from tests.mpc.kit import Integers, evaluate, on_both, shared
from tests.mpc.strategies import quick

BINS = 5
Sums = tuple[Integers, Integers]
NUMERIC = np.zeros((5, 1), np.bool_)
"""No bin is a category."""


def numbers_of(rows: int, **params: Any) -> NumberFormat:
    terms = TrainingParams(**params)
    return Layout.of(terms, rows, (1, 1), False).numbers(terms)


def shape_of(numbers: NumberFormat, rows: int, features: tuple[int, int], bins: int) -> MatrixShape:
    bits = 1 + numbers.gradient_sum_bits, 1 + numbers.hessian_sum_bits
    return MatrixShape(rows, features, bins, bits)


def rounded(sums: Integers, dropped: int) -> Integers:
    half = 1 << dropped >> 1
    return (sums + half) >> dropped


def brute_force(buckets: Integers, values: Integers) -> Integers:
    """Running sums of values (nodes, rows) by node, column and bin."""
    result = np.zeros((len(values), buckets.shape[1], BINS), np.int64)
    for node, row_values in enumerate(values):
        for row, value in enumerate(row_values):
            for column, bucket in enumerate(buckets[row]):
                result[node, column, bucket:] += value
    return result


@quick
@given(st.integers(1, 70), st.integers(1, 3), st.booleans(), st.integers(0, 2**32))
def test_equal_to_plain_sums(rows: int, nodes: int, fine: bool, seed: int) -> None:
    draw = np.random.default_rng(seed)
    numbers = numbers_of(rows, gradient_bits=None if fine else 14)
    unit_g, unit_h = 1 << numbers.row_gradient_bits, 1 << numbers.row_hessian_bits
    buckets = draw.integers(0, BINS, (rows, 5))
    gradient = draw.integers(-unit_g, unit_g + 1, (nodes, rows))
    hessian = draw.integers(0, unit_h // 4 + 1, (nodes, rows))
    sides = tuple(part.astype(np.uint8) for part in (buckets[:, :2], buckets[:, 2:]))
    shape, used = shape_of(numbers, rows, (2, 3), BINS), np.array([0, 1, 3])

    def program(party: Party, own: np.ndarray, vectors: Shared) -> tuple[Shared, Shared]:
        own = np.ascontiguousarray(own)
        register(party, shape, own)
        sums = build(party, shape, LocalExecutor(own, BINS, BINS), vectors)
        histogram = running(party, shape, sums, used, numbers, NUMERIC)
        return histogram.gradient, histogram.hessian

    found = on_both(program, sides, shared(np.stack([gradient, hessian], axis=1), seed))
    for sums, values, dropped in zip(found, (gradient, hessian), numbers.dropped_bits, strict=True):
        expected = rounded(brute_force(buckets, values), dropped)[:, used]
        np.testing.assert_array_equal(sums, expected)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("rows", [1, 64, 3000])
def test_all_rows_at_the_limit_of_the_format(sign: int, rows: int, backend: Backend) -> None:
    """Every row with the greatest gradient and hessian that a loss may give, in one bin."""
    numbers = numbers_of(rows)
    most = sign * ((1 << numbers.row_gradient_bits) + 2)
    heavy = (1 << numbers.row_hessian_bits - 2) + 3
    shape = shape_of(numbers, rows, (1, 0), 2)
    vectors = shared(np.array([[[most] * rows, [heavy] * rows]]))

    def program(party: Party, given: Shared) -> tuple[Shared, Shared]:
        own = np.zeros((rows, 1 - party.rank), np.uint8)
        register(party, shape, own)
        sums = build(party, shape, LocalExecutor(own, 2, 2), given)
        histogram = running(party, shape, sums, np.array([0]), numbers, NUMERIC)
        return histogram.gradient, histogram.hessian

    gradient, hessian = evaluate(program, vectors, backend=backend)
    no_g, no_h = numbers.dropped_bits
    assert (gradient == rounded(np.array(most * rows), no_g)).all()
    assert (hessian == rounded(np.array(heavy * rows), no_h)).all()
    # What comes behind counts on these widths.
    assert abs(gradient).max() < 1 << numbers.signed_bits - 1
    assert hessian.max() < 1 << numbers.hessian_bits


def test_siblings_add_up_to_their_parents_and_stand_in_heap_order() -> None:
    draw = np.random.default_rng(0)
    parent, left = (
        NoisySums(Shared(draw.integers(0, 2**64, (3, 2, 2, 4), np.uint64))) for _ in range(2)
    )
    children = siblings(parent, left).sums.words
    np.testing.assert_array_equal(children[0::2] + children[1::2], parent.sums.words)
    np.testing.assert_array_equal(children[0::2], left.sums.words)


def noisy(sums: Integers, noise: Integers, bits: int, seed: int) -> tuple[Any, Any]:
    """Both parties' halves of 2^bits times sums, and noise."""
    words = (sums.view(np.uint64) << np.uint64(bits)) + noise.view(np.uint64)
    first, second = shared(words.view(np.int64), seed)
    return NoisySums(first), NoisySums(second)


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, -1), (1, -1, 1), None])
@pytest.mark.parametrize("depth", [1, 3, 6])
def test_equal_partitions_tie_down_the_chain_whatever_the_noise(
    depth: int, signs: tuple[int, ...] | None
) -> None:
    """The right child of right children, each its parent minus its sibling, at its worst noise.

    Both columns part the rows alike. Their running sums are those of the exact sums, rounded once.
    """
    layout = Layout.of(TrainingParams(max_bin=BINS - 1), 5000, (1, 1), False)
    numbers = layout.numbers(TrainingParams(max_bin=BINS - 1))
    bits = 14
    shape = matrix_shape(layout, numbers, depth, bits)
    draw = np.random.default_rng(depth)
    # A bin's noise in one vector is such that running sums of a chain just stay below the limit.
    most = ((1 << bits - 1) - 1) // (BINS * depth)
    by_bin = np.array([1 << 33, 1 << 28])[:, None] // (2 * BINS * depth)
    exact, given = [], []
    for level in range(depth):
        drawn = draw.integers(0, by_bin, (2, BINS))
        drawn[0] -= by_bin[0] // 2
        if level == 0:
            drawn[1] += depth * by_bin[1]  # the root has what its descendants have
        exact.append(np.broadcast_to(drawn[None, :, None], (1, 2, 2, BINS)))
        reach = draw.integers(-most, most + 1, (1, 2, 2, BINS))
        if signs is not None:
            reach[:] = most * signs[level % 3] * (1 if level == 0 else -1)
            reach[:, :, 1] *= -1
        given.append(noisy(exact[-1], reach, bits, level))

    def program(party: Party, *sums: NoisySums) -> tuple[Shared, Shared]:
        node = sums[0]
        for left in sums[1:]:
            node = NoisySums(siblings(node, left).sums[1:])
        histogram = running(party, shape, node, np.arange(2), numbers, NUMERIC)
        return histogram.gradient, histogram.hessian

    left_over = exact[0] - sum(exact[1:], np.zeros_like(exact[0]))
    found = on_both(program, *given)
    for word, sums in enumerate(found):
        expected = rounded(left_over[:, word].cumsum(axis=2), numbers.dropped_bits[word])
        np.testing.assert_array_equal(sums, expected)
        np.testing.assert_array_equal(sums[:, 0], sums[:, 1])
    assert (np.diff(found[1], axis=2) >= 0).all()


def test_noise_is_reckoned_with_for_a_vector_a_level() -> None:
    params = TrainingParams()
    layout = Layout.of(params, 1000, (2, 1), False)
    shape = matrix_shape(layout, layout.numbers(params), params.max_depth)
    assert shape.chain == params.max_depth
    assert shape.matrix(1) == replace(shape.matrix(0), owner=1, columns=layout.all_bins)
