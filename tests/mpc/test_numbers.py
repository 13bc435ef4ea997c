"""Signs, truncation and sorting are exact, at the limits of their ranges too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.mpc.compare import at_least, is_negative
from securexgb.mpc.numbers.truncate import round_off, truncate
from securexgb.mpc.shared import Shared
from securexgb.mpc.sort import network, sort_bits
from tests.mpc.kit import Integers, on_both, public, shared, shared_bits
from tests.mpc.strategies import integers, quick, symmetric


@quick
@given(st.integers(2, 64), st.data())
def test_sign(width: int, data: st.DataObject) -> None:
    x = data.draw(integers(-(1 << (width - 1)), (1 << (width - 1)) - 1))
    np.testing.assert_array_equal(on_both(is_negative, shared(x), public(width)), x < 0)


@quick
@given(symmetric(61), st.integers(0, 2**32))
def test_comparison(x: Integers, seed: int) -> None:
    y = np.where(np.arange(x.size) % 3 == 0, x, np.random.default_rng(seed).permutation(x))
    result = on_both(at_least, shared(x, 1), shared(y, 2), public(63))
    np.testing.assert_array_equal(result, x >= y)


@quick
@given(integers(-(1 << 62), (1 << 62) - 1), st.integers(1, 61), st.integers(0, 2**32))
def test_truncation_rounds_down_exactly(x: Integers, bits: int, seed: int) -> None:
    result = on_both(truncate, shared(x, seed), public(bits))
    np.testing.assert_array_equal(result, x >> bits)


@pytest.mark.parametrize("share_of_zero", [0, 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
def test_truncation_does_not_depend_on_the_shares(share_of_zero: int) -> None:
    x = np.array([-(1 << 62), -1, 0, 1, (1 << 62) - 1])
    first = np.full(x.size, share_of_zero, np.uint64)
    pieces = Shared(first), Shared(x.view(np.uint64) - first)
    np.testing.assert_array_equal(on_both(truncate, pieces, public(7)), x >> 7)


@quick
@given(integers(1 - (1 << 30), (1 << 30) - 1), st.integers(1, 29), st.integers(0, 2**32))
def test_truncation_of_half_words_ignores_their_upper_halves(
    x: Integers, bits: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    first, second = shared(x, seed)
    for share in (first, second):
        share.words[:] += draw.integers(0, 1 << 32, x.size, np.uint64) << np.uint64(32)
    result = on_both(truncate, (first, second), public(bits), public(32))
    np.testing.assert_array_equal(result, x >> bits)


@quick
@given(integers(-(1 << 61), 1 << 61), st.integers(1, 61))
def test_rounding_halves_up(x: Integers, bits: int) -> None:
    result = on_both(round_off, shared(x), public(bits))
    np.testing.assert_array_equal(result, [(int(v) + (1 << (bits - 1))) >> bits for v in x])


@quick
@given(integers(0, (1 << 62) - 1, most=40), st.integers(1, 64))
def test_sort(x: Integers, width: int) -> None:
    rows = np.stack([x, x[::-1]]).astype(np.uint64) & np.uint64((1 << width) - 1)
    bits = rows[None] >> np.arange(width, dtype=np.uint64)[:, None, None] & np.uint64(1)
    result = on_both(sort_bits, shared_bits(bits))
    places = np.uint64(1) << np.arange(width, dtype=np.uint64)[:, None, None]
    np.testing.assert_array_equal((result * places).sum(axis=0), np.sort(rows, axis=1))


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7, 8, 11])
def test_the_network_sorts_every_pattern(length: int) -> None:
    """The zero-one principle: a network that sorts all 0/1 rows sorts everything."""
    rows = (np.arange(1 << length)[:, None] >> np.arange(length)) & 1
    for low, high in network(length):
        small, large = (
            np.minimum(rows[:, low], rows[:, high]),
            np.maximum(rows[:, low], rows[:, high]),
        )
        rows[:, low], rows[:, high] = small, large
    assert (np.diff(rows, axis=1) >= 0).all()
