"""The kernels of ring-LWE pads against their definitions in Python's integers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.he.noise import PRIMES
from tests.kernels.reference import prg_words

N = 64
PAIR = PRIMES[:2]
COINS, SECRETS, ERRORS = (bytes([i]) * 16 for i in range(1, 4))
Integers = NDArray[np.object_]


def polynomial(block: int, bits: int) -> Integers:
    """A_beta, uniform modulo 2^bits."""
    words = [int(w) for w in prg_words(COINS, 2 * block * N, 2 * N)]
    pairs = zip(words[::2], words[1::2], strict=True)
    return np.array([(low | high << 64) % (1 << bits) for low, high in pairs], object)


def short(number: int) -> Integers:
    return np.array([(int(w) * 3 >> 64) - 1 for w in prg_words(SECRETS, number * N, N)], object)


def pad(number: int, rows: int, bits: int) -> tuple[Integers, Integers]:
    """A s without errors, and the errors: (rows,) each."""
    products, errors, low = [], [], (1 << 21) - 1
    blocks = -(-rows // N)
    for block in range(blocks):
        whole = np.convolve(polynomial(block, bits), short(number))
        product = whole[:N].copy()
        product[: N - 1] -= whole[N:]
        products.extend(product)
        words = [int(w) for w in prg_words(ERRORS, (number * blocks + block) * N, N)]
        errors.extend((w & low).bit_count() - (w >> 21 & low).bit_count() for w in words)
    return np.array(products[:rows], object), np.array(errors[:rows], object)


def numbers(message: NDArray[np.uint8], bits: int) -> list[int]:
    width = -(-bits // 8)
    data = message.tobytes()
    return [int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width)]


@pytest.mark.parametrize(("rows", "bits"), [(1, 20), (64, 64), (150, 73), (300, 79)])
def test_a_message_is_the_shifted_share_minus_a_sample_of_its_own(rows: int, bits: int) -> None:
    pads = _kernels.RlwePads(N, PAIR, bits, COINS, rows, False)
    vectors = np.random.default_rng(rows).integers(0, 1 << 64, (2, rows), dtype=np.uint64)
    message = numbers(pads.masked(SECRETS, ERRORS, 7, vectors, 5), bits)
    expected: list[int] = []
    for i, vector in enumerate(vectors):
        product, errors = pad(7 + i, rows, bits)
        assert np.abs(errors).max() <= 21
        expected.extend(((vector.astype(object) << 5) - product - errors) % (1 << bits))
    assert message == expected


@pytest.mark.parametrize(("rows", "features", "n_bins"), [(1, 1, 2), (150, 3, 7), (300, 1, 40)])
def test_the_matrix_sums_rows_of_the_public_polynomials(
    rows: int, features: int, n_bins: int
) -> None:
    bits = 75
    bins = np.random.default_rng(rows).integers(0, n_bins, (rows, features), dtype=np.uint8)
    found = _kernels.RlwePads(N, PAIR, bits, COINS, rows, True).matrix(bins, n_bins)
    assert found.shape == (features * n_bins, 2, N)
    words = found[:, 0].astype(object) + (found[:, 1].astype(object) << 64)
    product, _ = pad(4, rows, bits)
    for column in range(features * n_bins):
        inside = bins[:, column // n_bins] == column % n_bins
        assert (words[column] @ short(4) - product[inside].sum()) % (1 << bits) == 0


@pytest.mark.parametrize(("rows", "bits", "shift"), [(1, 9, 3), (20_000, 64, 13), (9000, 77, 17)])
def test_sums_per_bin(rows: int, bits: int, shift: int) -> None:
    draw = np.random.default_rng(rows)
    bins = draw.integers(0, 4, (rows, 2), dtype=np.uint8)
    vectors = draw.integers(0, 1 << 64, (3, rows), dtype=np.uint64)
    message = draw.integers(0, 256, 3 * rows * -(-bits // 8), dtype=np.uint8)
    found = _kernels.masked_sums(bins, 4, vectors, message, shift, bits).astype(object)
    words = (vectors.astype(object) << shift) + np.array(numbers(message, bits), object).reshape(
        3, rows
    )
    for feature in range(2):
        for of_bin in range(4):
            expected = words[:, bins[:, feature] == of_bin].sum(axis=1) % (1 << bits)
            sums = found[:, feature, of_bin, 0] + (found[:, feature, of_bin, 1] << 64)
            np.testing.assert_array_equal(sums, expected)


def test_messages_are_uniform_whatever_they_hide_and_new_for_each_number() -> None:
    rows, bits = 40_000, 72
    pads = _kernels.RlwePads(4096, PAIR, bits, COINS, rows, False)
    seen = set()
    for fill in (0, (1 << 64) - 1):
        vectors = np.full((2, rows), fill, np.uint64)
        message = pads.masked(SECRETS, ERRORS, 2 if fill else 0, vectors, 8)
        for i, view in enumerate(message.reshape(2, rows, -1)):
            seen.add(view.tobytes())
            for place in range(9):
                counts = np.bincount(view[:, place], minlength=256)
                statistic = ((counts - rows / 256) ** 2 / (rows / 256)).sum()
                # 255 degrees of freedom: mean 255, deviation 22.6.
                assert abs(statistic - 255) < 6 * 22.6, (fill, i, place)
    assert len(seen) == 4


def test_what_does_not_fit_is_refused() -> None:
    pads = _kernels.RlwePads(N, PAIR, 70, COINS, 10, False)
    vectors, bins = np.zeros((1, 10), np.uint64), np.zeros((10, 1), np.uint8)
    refused = [
        lambda: _kernels.RlwePads(N, PAIR, 80, COINS, 10, False),
        lambda: _kernels.RlwePads(100, PAIR, 70, COINS, 10, False),
        lambda: _kernels.RlwePads(N, (PRIMES[0], PRIMES[0]), 70, COINS, 10, False),
        lambda: _kernels.RlwePads(N, PAIR, 70, b"short", 10, False),
        lambda: _kernels.RlwePads(N, PAIR, 70, COINS, 0, False),
        lambda: pads.masked(SECRETS, ERRORS, 0, vectors[:, 1:], 5),
        lambda: pads.masked(SECRETS, ERRORS, 0, vectors, 64),
        lambda: pads.matrix(bins[1:], 2),
        lambda: pads.matrix(bins + np.uint8(2), 2),
        lambda: _kernels.masked_sums(bins, 2, vectors, np.zeros(89, np.uint8), 5, 70),
        lambda: _kernels.masked_sums(bins, 2, vectors[:, 1:], np.zeros(81, np.uint8), 5, 70),
        lambda: _kernels.masked_sums(bins, 2, vectors, np.zeros(110, np.uint8), 5, 81),
    ]
    for call in refused:
        with pytest.raises(ValueError):  # noqa: PT011
            call()
