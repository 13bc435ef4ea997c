"""Private bits times words: the shares of both sides add up to the products."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from securexgb import _kernels as k
from tests.kernels.test_kernels import SEEDS, WIDTHS, words

COUNTS = st.integers(0, 150)


def bits(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, count, dtype=np.uint8)


@given(SEEDS, COUNTS, st.integers(0, 63))
def test_a_bit_times_a_word(seed: int, count: int, shift: int) -> None:
    zero, one, y, before = words(seed, 4, count)
    choices, flags = bits(seed, count), bits(seed + 1, count)
    given_share, sent = np.empty(count, np.uint64), np.empty(count, np.uint64)
    k.multiplex_send(y, zero, one, shift, given_share, sent)
    k.multiplex_give(y, choices ^ flags, given_share)
    taken = before.copy()
    k.multiplex_take(np.where(choices, one, zero), shift, sent, choices, flags, taken)
    assert np.array_equal(given_share + taken - before, y * flags)


@given(SEEDS, COUNTS, WIDTHS)
def test_a_bit_times_a_bit(seed: int, count: int, width: int) -> None:
    zero, one = words(seed, 2, count)
    choices, mine, theirs = bits(seed, 3 * count).reshape(3, count)
    flips, own = k.pack_bits(choices ^ mine), k.pack_bits(theirs)
    sent = k.lift_send(zero, one, own, width)
    taken = k.lift_take(np.where(choices, one, zero), sent, k.pack_bits(choices), flips)
    products = k.lift_give(zero, own, flips) + taken
    assert np.array_equal(
        products << np.uint64(64 - width), (mine & theirs) << np.uint64(64 - width)
    )


@given(SEEDS, COUNTS, st.lists(st.integers(0, 3), max_size=3))
def test_sums_of_lifted_bits(seed: int, count: int, runs: list[int]) -> None:
    rows = sum(runs)
    products, flags = words(seed, rows, count), bits(seed, rows * count).reshape(rows, count)
    weights = words(seed + 1, rows)
    packed = np.array([k.pack_bits(row) for row in flags], np.uint64).reshape(rows, -(-count // 64))
    terms = weights[:, None] * (flags - (products << np.uint64(1)))
    parts = np.split(terms, np.cumsum(runs)[:-1]) if runs else []
    expected = np.array([part.sum(axis=0, dtype=np.uint64) for part in parts], np.uint64)
    found = k.lift_sums(products, packed, weights, runs)
    assert np.array_equal(found, expected.reshape(len(runs), count))
