"""Private bits times words: the shares of both sides add up to the products."""

from __future__ import annotations

import itertools

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


def numbers(slices: np.ndarray, width: int) -> np.ndarray:
    lines = slices.reshape(width, -1)
    return k.from_slices(lines, 64 * lines.shape[1])


def negated_products(seed: int, width: int, mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Both parties' negated shares, of packed bits of the receiver and of the sender."""
    n = mine.size
    zero, one, (choices,) = words(seed, width, n), words(seed + 1, width, n), words(seed + 2, 1, n)
    flips, message = choices ^ mine, np.empty(width * n, np.uint64)
    both = np.empty((2, width * n), np.uint64)
    k.lift_send(zero, one, theirs, message)
    k.lift_take(zero ^ (zero ^ one) & choices, message, choices, flips, both[0])
    k.lift_give(zero, theirs, flips, both[1])
    return both


@given(SEEDS, st.integers(1, 70), WIDTHS)
def test_a_bit_times_a_bit(seed: int, n: int, width: int) -> None:
    mine, theirs = words(seed + 9, 2, n)
    found = negated_products(seed, width, mine, theirs)
    total = numbers(found[0], width) + numbers(found[1], width)
    expected = np.uint64(0) - k.unpack_bits(mine & theirs, 64 * n).astype(np.uint64)
    assert np.array_equal(total << np.uint64(64 - width), expected << np.uint64(64 - width))


@given(SEEDS, st.integers(1, 40), st.lists(st.integers(0, 3), max_size=3), st.integers(2, 62))
def test_sums_of_lifted_bits(seed: int, n: int, runs: list[int], width: int) -> None:
    rows, draw = sum(runs), np.random.default_rng(seed)
    places = draw.integers(0, width - 1, rows)
    weights = (words(seed, rows, 1)[:, 0] | np.uint64(1)) << places.astype(np.uint64)
    lengths = (width - 1 - places).tolist()
    own = words(seed + 1, 2 * rows, n).reshape(2, rows, n)
    pairs = [
        negated_products(seed + 10 * row, length, own[0, row], own[1, row])
        for row, length in enumerate(lengths)
    ]
    found = np.zeros((len(runs), 64 * n), np.uint64)
    for side, bits_of_side in enumerate(own):
        parts = [np.zeros(0, np.uint64), *(pair[side] for pair in pairs)]
        products = np.concatenate(parts)
        widths = [width] * len(runs)
        found += k.lift_sums(products, bits_of_side, lengths, weights, runs, widths)
    flags = np.array([k.unpack_bits(x ^ y, 64 * n) for x, y in zip(*own, strict=True)])
    terms = weights[:, None] * flags.reshape(rows, 64 * n).astype(np.uint64)
    ends = np.cumsum([0, *runs])
    expected = [terms[a:b].sum(axis=0, dtype=np.uint64) for a, b in itertools.pairwise(ends)]
    spare = np.uint64(64 - width)
    assert np.array_equal(
        found << spare, np.array(expected, np.uint64).reshape(found.shape) << spare
    )
