"""Products of words and of bits, conversions, and rows kept by private bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.errors import UsageError
from securexgb.mpc.compare import all_of, not_bits
from securexgb.mpc.convert import highest_bit, to_arithmetic, to_bits
from securexgb.mpc.multiplex import message_bits, multiplex_private, multiplex_shared
from securexgb.mpc.multiply import and_bits, and_broadcast, multiply
from securexgb.mpc.numbers.lift import widen
from securexgb.mpc.numbers.scale import scale_rows
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits
from tests.mpc.kit import Integers, evaluate, on_both, public, shared, shared_bits
from tests.mpc.strategies import flags, integers, quick, symmetric

LEAST, MOST = -(2**63), 2**63 - 1


@quick
@given(integers(LEAST, MOST), st.integers(0, 2**32))
def test_multiply_wraps_as_the_ring_does(x: Integers, seed: int) -> None:
    y = np.random.default_rng(seed).integers(LEAST, MOST, x.size)
    result = on_both(multiply, shared(x, 1), shared(y, 2))
    np.testing.assert_array_equal(result, x * y)


@quick
@given(integers(LEAST, MOST), st.integers(33, 64), st.integers(0, 2**32))
def test_multiply_in_a_smaller_ring(x: Integers, ring_bits: int, seed: int) -> None:
    y = np.random.default_rng(seed).integers(LEAST, MOST, x.size)

    def program(party: Party, a: Shared, b: Shared) -> Shared:
        return multiply(party, a, b, ring_bits).scale(1 << (64 - ring_bits))

    result = on_both(program, shared(x, 1), shared(y, 2))
    np.testing.assert_array_equal(result, (x * y) << (64 - ring_bits))


@quick
@given(integers(LEAST, MOST, most=20), st.integers(1, 70), st.integers(33, 64), st.integers(0, 99))
def test_rows_times_numbers(y: Integers, count: int, ring_bits: int, seed: int) -> None:
    x = np.random.default_rng(seed).integers(LEAST, MOST, (y.size, count))

    def program(party: Party, a: Shared, b: Shared) -> Shared:
        return scale_rows(party, a, b, ring_bits).scale(1 << (64 - ring_bits))

    result = on_both(program, shared(x, 1), shared(y, 2))
    np.testing.assert_array_equal(result, (x * y[:, None]) << (64 - ring_bits))


def test_multiply_keeps_the_shape_of_strided_shares() -> None:
    x = np.arange(-12, 12).reshape(2, 3, 4)

    def program(party: Party, a: Shared) -> Shared:
        turned = Shared(a.words.transpose(2, 0, 1))
        return multiply(party, turned, turned)

    np.testing.assert_array_equal(on_both(program, shared(x)), (x * x).transpose(2, 0, 1))


@quick
@given(flags(9), st.integers(0, 2**32))
def test_and_bits(x: Integers, seed: int) -> None:
    y = np.random.default_rng(seed).integers(0, 2, x.shape)
    result = on_both(and_bits, shared_bits(x, 1), shared_bits(y, 2))
    np.testing.assert_array_equal(result, x & y)


@quick
@given(flags(40), st.integers(0, 2**32))
def test_and_broadcast(x: Integers, seed: int) -> None:
    gate = np.random.default_rng(seed).integers(0, 2, x.shape[1:])
    result = on_both(and_broadcast, shared_bits(gate, 1), shared_bits(x, 2))
    np.testing.assert_array_equal(result, x & gate)


@quick
@given(
    flags(5),
    st.sampled_from([(64,), (32,), (41, 64), (35, 31), (20, 17, 9)]),
    st.integers(0, 2**32),
)
def test_multiplex_shared(bits: Integers, ring_bits: tuple[int, ...], seed: int) -> None:
    rows, count = bits.shape
    x = np.random.default_rng(seed).integers(LEAST, MOST, (rows, len(ring_bits), count))
    high = 1 << (64 - np.array(ring_bits, object)[:, None])

    def program(party: Party, b: SharedBits, words: Shared) -> Shared:
        return multiplex_shared(party, b, words, ring_bits).scale(high.astype(np.uint64))

    result = on_both(program, shared_bits(bits, 1), shared(x, 2))
    expected = (x * bits[:, None]).view(np.uint64) * high.astype(np.uint64)
    np.testing.assert_array_equal(result.view(np.uint64), expected)


@quick
@given(flags(9))
def test_not_all_and_conversion(x: Integers) -> None:
    bits = shared_bits(x)
    np.testing.assert_array_equal(on_both(not_bits, bits), 1 - x)
    np.testing.assert_array_equal(on_both(all_of, bits), x.all(axis=0).astype(int))
    np.testing.assert_array_equal(on_both(to_arithmetic, bits), x)
    halves = np.asarray(evaluate(to_arithmetic, bits, public(32)))
    np.testing.assert_array_equal(halves & 0xFFFFFFFF, x)


def test_conversion_of_one_row_has_its_shape() -> None:
    np.testing.assert_array_equal(on_both(to_arithmetic, shared_bits([1, 0, 1])), [1, 0, 1])


@quick
@given(flags(33, most=70))
def test_highest_bit(x: Integers) -> None:
    expected = np.zeros_like(x)
    for column in range(x.shape[1]):
        rows = np.flatnonzero(x[:, column])
        if rows.size:
            expected[rows[-1], column] = 1
    np.testing.assert_array_equal(on_both(highest_bit, shared_bits(x)), expected)


@quick
@given(integers(LEAST, MOST), st.integers(2, 64))
def test_bits_of_a_number(x: Integers, width: int) -> None:
    expected = (x[None, :] >> np.arange(width)[:, None]) & 1
    np.testing.assert_array_equal(on_both(to_bits, shared(x), public(width)), expected)


@quick
@given(symmetric(62, most=70), st.lists(st.integers(0, 1), min_size=1, max_size=5))
def test_multiplex_private(row: Integers, owners: list[int]) -> None:
    by = np.array(owners)
    x = np.stack([np.roll(row, k) for k in range(by.size)])
    bits = np.random.default_rng(by.size).integers(0, 2, x.shape).astype(bool)
    own = [np.where((by == rank)[:, None], bits, False) for rank in (0, 1)]
    result = on_both(
        multiplex_private, public(by), (own[0], own[1]), shared(x[:, None]), public((64,))
    )
    np.testing.assert_array_equal(result[:, 0], np.where(bits, x, 0))


@quick
@given(
    st.lists(st.integers(0, 1), min_size=1, max_size=4),
    st.sampled_from(
        [(1,), (33, 31), (35, 31), (64, 64), (7, 1, 9), (64, 1), (40, 24, 64), (3, 64), (63, 2)]
    ),
    st.integers(1, 130),
    st.integers(0, 1 << 30),
)
def test_multiplex_private_of_several_words_by_one_bit(
    owners: list[int], widths: tuple[int, ...], count: int, seed: int
) -> None:
    """Only as many bits of each word as are asked for count, and travel."""
    draw, by = np.random.default_rng(seed), np.array(owners)
    x = draw.integers(-(2**63), 2**63, (by.size, len(widths), count))
    bits = draw.integers(0, 2, (by.size, count)).astype(bool)
    own = [np.where((by == rank)[:, None], bits, False) for rank in (0, 1)]

    def program(party: Party, owners: Integers, mine: Any, values: Shared) -> Shared:
        kept = multiplex_private(party, owners, mine, values, widths)
        return Shared(kept.words << np.array([64 - w for w in widths], np.uint64)[:, None])

    result = on_both(program, public(by), (own[0], own[1]), shared(x, seed))
    high = np.array([64 - w for w in widths])[:, None]
    np.testing.assert_array_equal(result, np.where(bits[:, None], x << high, 0))


def test_words_that_no_transfer_serves_are_refused() -> None:
    assert [message_bits(w) for w in ((5,), (33, 31), (35, 31), (64, 64))] == [8, 64, 128, 128]
    for widths in ((64, 64, 1), (40, 40, 40)):
        with pytest.raises(UsageError, match="one transfer of 128 bits"):
            message_bits(widths)


@pytest.mark.parametrize("count", [1, 2, 65])
def test_multiplex_private_and_widen_in_half_words(count: int) -> None:
    rng = np.random.default_rng(count)
    by, x = np.array([0, 1, 1]), rng.integers(1 - 2**30, 2**30, (3, count))
    bits = rng.integers(0, 2, x.shape).astype(bool)
    own = [np.where((by == rank)[:, None], bits, False) for rank in (0, 1)]

    def both(party: Party, owners: Integers, mine: Integers, values: Shared) -> Shared:
        kept = multiplex_private(party, owners, mine.astype(bool), values, (32,))
        return Shared(np.stack([widen(party, row, 32).words for row in kept[:, 0]]))

    result = on_both(both, public(by), (own[0], own[1]), shared(x[:, None]))
    np.testing.assert_array_equal(result, np.where(bits, x, 0))


def test_multiplex_private_reads_own_rows_only() -> None:
    by, x = np.array([0, 1]), np.array([[5, 6], [7, 8]])
    bits = np.array([[True, False], [False, True]])
    rubbish = [np.where((by == rank)[:, None], bits, ~bits) for rank in (0, 1)]
    given = shared(x[:, None])
    result = evaluate(multiplex_private, public(by), (rubbish[0], rubbish[1]), given, public((64,)))
    np.testing.assert_array_equal(result[:, 0], [[5, 0], [0, 8]])


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65])
def test_fewer_bits_than_a_word_and_strided_rows(count: int) -> None:
    x = np.random.default_rng(count).integers(0, 2, (7, count))

    def program(party: Party, bits: SharedBits) -> SharedBits:
        return and_bits(party, bits[0:6:2], bits[1:7:2])

    np.testing.assert_array_equal(on_both(program, shared_bits(x)), x[0:6:2] & x[1:7:2])


@pytest.mark.parametrize(
    ("width", "skipped"), [(57, 10), (58, 6), (58, 2), (8, 3), (40, 36), (9, 1)]
)
def test_bits_that_nobody_reads_are_zeros_and_all_others_right(width: int, skipped: int) -> None:
    draw = np.random.default_rng(width)
    x = draw.integers(-(1 << 62), 1 << 62, (2, 70))
    whole = on_both(to_bits, shared(x), public(width))
    found = on_both(to_bits, shared(x), public(width), public(skipped))
    np.testing.assert_array_equal(found[skipped:], whole[skipped:])
    zeros = (skipped + -width % 4) // 4 * 4 - -width % 4
    assert not found[: max(zeros, 0)].any()
    np.testing.assert_array_equal(found[max(zeros, 0) :], whole[max(zeros, 0) :])
