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
COINS, SECRETS, ERRORS, OTHER_COINS, OTHER_ERRORS = (bytes([i]) * 16 for i in range(1, 6))
Integers = NDArray[np.object_]
Words = NDArray[np.uint64]


def polynomial(block: int, bits: int) -> Integers:
    """A_beta, uniform modulo 2^bits."""
    words = [int(w) for w in prg_words(COINS, block * N, N)]
    return np.array([word % (1 << bits) for word in words], object)


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


@pytest.mark.parametrize(("rows", "bits"), [(1, 20), (64, 64), (150, 49), (300, 63)])
def test_a_message_is_the_shifted_share_minus_a_sample_of_its_own(rows: int, bits: int) -> None:
    pads = _kernels.RlwePads(N, PAIR, bits, COINS, rows)
    vectors = np.random.default_rng(rows).integers(0, 1 << 64, (2, rows), dtype=np.uint64)
    message = pads.masked(SECRETS, ERRORS, 7, vectors, 5)
    for i, vector in enumerate(vectors):
        product, errors = pad(7 + i, rows, bits)
        assert np.abs(errors).max() <= 21
        expected = ((vector.astype(object) << 5) - product - errors) % (1 << bits)
        np.testing.assert_array_equal(message[i].astype(object), expected)


@pytest.mark.parametrize(("rows", "features", "n_bins"), [(1, 1, 2), (150, 3, 7), (300, 1, 40)])
@pytest.mark.parametrize("bits", [49, 64])
def test_the_matrix_sums_rows_of_the_public_polynomials(
    rows: int, features: int, n_bins: int, bits: int
) -> None:
    bins = np.random.default_rng(rows).integers(0, n_bins, (rows, features), dtype=np.uint8)
    matrix = _kernels.RlweMatrix(N, PAIR[0], [40, bits], [OTHER_COINS, COINS], rows)
    both = matrix.of(bins, n_bins, 0, 2)
    assert both.shape == (2, features * n_bins, N)
    assert both[0].max() < 1 << 40
    found = matrix.of(bins, n_bins, 1, 1)[0]
    np.testing.assert_array_equal(both[1], found)
    words = found.astype(object)
    assert words.max() < 1 << bits
    product, _ = pad(4, rows, bits)
    for column in range(features * n_bins):
        inside = bins[:, column // n_bins] == column % n_bins
        assert (words[column] @ short(4) - product[inside].sum()) % (1 << bits) == 0


def chi_square(values: NDArray[np.uint8]) -> float:
    """Of bytes: 255 degrees of freedom, mean 255, deviation 22.6."""
    counts, expected = np.bincount(values.reshape(-1), minlength=256), values.size / 256
    return float(((counts - expected) ** 2 / expected).sum())


def test_messages_are_uniform_whatever_they_hide_and_new_for_each_number() -> None:
    rows, bits = 40_000, 56
    pads = _kernels.RlwePads(4096, PAIR, bits, COINS, rows)
    seen = set()
    for fill in (0, (1 << 64) - 1):
        vectors = np.full((2, rows), fill, np.uint64)
        message = pads.masked(SECRETS, ERRORS, 2 if fill else 0, vectors, 8)
        for i, view in enumerate(message):
            seen.add(view.tobytes())
            for place in range(bits // 8):
                statistic = chi_square(view.view(np.uint8).reshape(rows, 8)[:, place])
                assert abs(statistic - 255) < 6 * 22.6, (fill, i, place)
    assert len(seen) == 4


def masks(coins: bytes, errors: bytes, rows: int, bits: int) -> Words:
    """Pad number 3 under the common secret."""
    pads = _kernels.RlwePads(4096, PAIR, bits, coins, rows)
    return np.uint64(0) - pads.masked(SECRETS, errors, 3, np.zeros((1, rows), np.uint64), 0)[0]


def test_both_pads_under_one_secret_look_uniform_together() -> None:
    """Neither, nor their difference or sum, nor one given the other's lowest byte."""
    rows, bits = 80_000, 48
    first = masks(COINS, ERRORS, rows, bits)
    second = masks(OTHER_COINS, OTHER_ERRORS, rows, bits)
    chosen = second[(first & np.uint64(0xFF)) < 32]
    for name, words in (
        ("one", first),
        ("other", second),
        ("sum", first + second),
        ("gap", first - second),
        ("given", chosen),
    ):
        for place in range(bits // 8):
            values = (words >> np.uint64(8 * place)).astype(np.uint8)
            assert abs(chi_square(values) - 255) < 6 * 22.6, (name, place)


def test_errors_of_both_pads_are_independent() -> None:
    """The same A and s with either stream of errors: what is left of each are its errors."""
    rows, bits = 80_000, 48
    own, other = masks(COINS, ERRORS, rows, bits), masks(COINS, OTHER_ERRORS, rows, bits)
    # Errors are in the reference as well: take A s away and correlate what is left.
    low = (1 << 21) - 1
    drawn = []
    blocks = -(-rows // 4096)
    for key in (ERRORS, OTHER_ERRORS):
        words = _kernels.prg_words(key, 3 * blocks * 4096, blocks * 4096)[:rows]
        up, down = (np.bitwise_count(words >> np.uint64(s) & np.uint64(low)) for s in (0, 21))
        drawn.append(up.astype(np.int64) - down.astype(np.int64))
    gap = (own - other << np.uint64(64 - bits)).view(np.int64) >> np.int64(64 - bits)
    np.testing.assert_array_equal(gap, drawn[0] - drawn[1])
    for errors in drawn:
        assert abs(errors.var() - 10.5) < 0.5
    # A correlation of independent ones deviates by 1 / sqrt(rows).
    assert abs(np.corrcoef(*drawn)[0, 1]) < 5 / np.sqrt(rows)


def test_what_does_not_fit_is_refused() -> None:
    pads = _kernels.RlwePads(N, PAIR, 60, COINS, 10)
    matrix = _kernels.RlweMatrix(N, PAIR[0], [60], [COINS], 10)
    vectors, bins = np.zeros((1, 10), np.uint64), np.zeros((10, 1), np.uint8)
    refused = [
        lambda: _kernels.RlwePads(N, PAIR, 65, COINS, 10),
        lambda: _kernels.RlwePads(100, PAIR, 60, COINS, 10),
        lambda: _kernels.RlwePads(N, (PRIMES[0], PRIMES[0]), 60, COINS, 10),
        lambda: _kernels.RlwePads(N, PAIR, 60, b"short", 10),
        lambda: _kernels.RlwePads(N, PAIR, 60, COINS, 0),
        lambda: pads.masked(SECRETS, ERRORS, 0, vectors[:, 1:], 5),
        lambda: pads.masked(SECRETS, ERRORS, 0, vectors, 64),
        lambda: matrix.of(bins[1:], 2, 0, 1),
        lambda: matrix.of(bins + np.uint8(2), 2, 0, 1),
        lambda: matrix.of(bins, 2, 1, 1),
        lambda: matrix.of(bins, 2, 2, 0),
        lambda: _kernels.RlweMatrix(N, PRIMES[0], [60], [COINS, COINS], 10),
        lambda: _kernels.RlweMatrix(N, PRIMES[0], [65], [COINS], 10),
        lambda: _kernels.RlweMatrix(N, PRIMES[0] + 2, [60], [COINS], 10),
        lambda: _kernels.RlweMatrix(N, PRIMES[0], [60], [COINS], 0),
    ]
    for call in refused:
        with pytest.raises(ValueError):  # noqa: PT011
            call()
