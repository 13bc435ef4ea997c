"""Every kernel equals its NumPy reference, on random shapes and values."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb import _kernels
from tests.kernels import reference

KEYS = st.binary(min_size=16, max_size=16)
SEEDS = st.integers(0, 2**32 - 1)
WIDTHS = st.integers(1, 64)


def words(seed: int, *shape: int) -> reference.Words:
    return np.random.default_rng(seed).integers(0, 2**64, shape, dtype=np.uint64)


def bins_of(seed: int, rows: int, features: int, n_bins: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, n_bins, (rows, features), dtype=np.uint8)


def test_portable_is_always_there() -> None:
    assert _kernels.simd_paths()[0] == "portable"


@given(KEYS, st.integers(0, 2**40), st.integers(0, 400))
def test_the_stream_is_aes_in_counter_mode(key: bytes, start: int, count: int) -> None:
    expected = reference.prg_words(key, start, count)
    assert np.array_equal(_kernels.prg_words(key, start, count), expected)


@given(st.lists(st.integers(0, 1), max_size=200))
def test_bits_pack_and_return(bits: list[int]) -> None:
    array = np.array(bits, np.uint8)
    packed = _kernels.pack_bits(array)
    assert np.array_equal(packed, reference.pack_bits(array))
    assert np.array_equal(_kernels.unpack_bits(packed, len(bits)), array)


@given(SEEDS, st.integers(0, 1200), WIDTHS)
def test_slices_are_the_transpose_and_return(seed: int, count: int, width: int) -> None:
    elements = words(seed, count)
    slices = _kernels.to_slices(elements, width)
    assert np.array_equal(slices, reference.pack_bits(reference.bits_of(elements, width).T))
    mask = np.uint64(2**width - 1)
    assert np.array_equal(_kernels.from_slices(slices, count), elements & mask)


@given(SEEDS, st.integers(0, 200), WIDTHS)
def test_words_pack_densely_and_return(seed: int, count: int, bits: int) -> None:
    elements = words(seed, count)
    data = _kernels.pack_words(elements, bits)
    assert np.array_equal(data, reference.pack_words(elements, bits))
    short = elements & np.uint64(2**bits - 1)
    for buffer in (data, data.tobytes(), bytearray(data), memoryview(data.tobytes())):
        assert np.array_equal(_kernels.unpack_words(buffer, count, bits), short)


@given(SEEDS, st.integers(0, 60), st.integers(0, 6), st.integers(1, 256), st.integers(0, 18), KEYS)
def test_histograms_and_matrices(
    seed: int, rows: int, features: int, n_bins: int, count: int, key: bytes
) -> None:
    bins = bins_of(seed, rows, features, n_bins)
    values = words(seed, count, rows)
    bucket = reference.one_hot(bins, n_bins)
    sums = _kernels.histogram(bins, values, n_bins)
    assert sums.shape == (count, features, n_bins)
    start, columns = seed, features * n_bins
    sums = sums.reshape(count, columns)
    assert np.array_equal(sums, values @ bucket)

    mask = reference.prg_words(key, start, rows * columns).reshape(rows, columns)
    masked = _kernels.mask_bucket_matrix(bins, n_bins, key, start)
    assert np.array_equal(masked, bucket - mask)

    product = _kernels.matrix_product(masked, values)
    drawn = _kernels.prg_matrix_product(key, start, rows, columns, values)
    assert np.array_equal(product, values @ masked)
    assert np.array_equal(drawn, values @ mask)
    assert np.array_equal(product + drawn, sums)


@pytest.mark.parametrize(("rows", "columns", "count"), [(500, 330, 64), (3, 40_000, 2)])
def test_products_over_several_blocks(rows: int, columns: int, count: int) -> None:
    key, vectors = bytes(range(16)), words(1, count, rows)
    matrix = reference.prg_words(key, 5, rows * columns).reshape(rows, columns)
    assert np.array_equal(_kernels.matrix_product(matrix, vectors), vectors @ matrix)
    drawn = _kernels.prg_matrix_product(key, 5, rows, columns, vectors)
    assert np.array_equal(drawn, vectors @ matrix)


def test_histograms_over_several_tiles() -> None:
    bins, values = bins_of(1, 300, 60, 255), words(2, 15, 300)
    sums = _kernels.histogram(bins, values, 255)
    assert np.array_equal(sums.reshape(15, -1), values @ reference.one_hot(bins, 255))


@given(SEEDS, st.integers(0, 100))
def test_beaver_multiplication(seed: int, count: int) -> None:
    x, y, a, b, c = words(seed, 10, count).reshape(5, 2, count)
    c[1] = (a[0] + a[1]) * (b[0] + b[1]) - c[0]
    opened = sum(_kernels.triple_open(x[r], y[r], a[r], b[r]) for r in (0, 1))
    z = sum(_kernels.triple_close(opened, a[r], b[r], c[r], r) for r in (0, 1))
    assert np.array_equal(z, (x[0] + x[1]) * (y[0] + y[1]))


@given(SEEDS, st.integers(0, 40), st.integers(0, 5))
def test_ands_of_shared_bits(seed: int, count: int, width: int) -> None:
    """Lines of triples may lie apart, as those of a piece of a block do."""
    gate, a = words(seed, 2, 2, count)
    bits, b, c = words(seed + 1, 3, 2, width, count + 3)[..., 1 : count + 1]
    c[1] = (a[0] ^ a[1]) & (b[0] ^ b[1]) ^ c[0]
    mine = np.empty((2, (1 + width) * count), np.uint64)
    for r in (0, 1):
        _kernels.gates_open(gate[r], bits[r], a[r], b[r], mine[r])
    products = np.empty((2, width * count), np.uint64)
    for r in (0, 1):
        _kernels.gates_close(mine[0] ^ mine[1], a[r], b[r], c[r], r, products[r])
    expected = (gate[0] ^ gate[1]) & (bits[0] ^ bits[1])
    assert np.array_equal(products[0] ^ products[1], expected.reshape(-1))


def test_threads_share_the_kernels() -> None:
    results: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: results.append(_kernels.prg_words(bytes(16), 0, 10**6)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(result, results[0]) for result in results)


@given(SEEDS, st.integers(1, 200), st.integers(1, 9), st.lists(st.integers(0, 400), max_size=9))
def test_marks_are_selected_by_bits(seed: int, count: int, outputs: int, runs: list[int]) -> None:
    length = 1 + sum(runs) // 64
    marks, wide = words(seed, count, length), -(-count // 64)
    selections = words(seed + 1, len(runs) * outputs, wide).reshape(len(runs), outputs, wide)
    expected = reference.xor_marked(marks, selections, runs)
    assert np.array_equal(_kernels.xor_marked(marks, selections, runs), expected)
