"""The in-process source: every kind keeps its law, nothing repeats, refits are equal."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securexgb.channel.memory import memory_pair
from securexgb.errors import DataError, UsageError
from securexgb.offline.local import InsecureLocalSource
from tests.offline.laws import (
    bucket_matrix,
    check_digits,
    check_gates,
    check_products,
    check_random_ot,
    check_shared_bits,
    check_triples,
    one_hot,
)
from tests.profiles import examples

COUNTS = st.lists(st.sampled_from([0, 1, 63, 64, 65, 200, 511, 512, 513, 5000, 40000]), max_size=8)


def make_pair(seed: int = 7) -> tuple[InsecureLocalSource, InsecureLocalSource]:
    channels = memory_pair(timeout_seconds=5)
    return InsecureLocalSource(0, channels[0], seed), InsecureLocalSource(1, channels[1], seed)


@settings(max_examples=examples(25), deadline=None)
@given(COUNTS)
def test_every_kind_keeps_its_law(counts: list[int]) -> None:
    zero, one = make_pair()
    for count in counts:
        check_triples(zero.triples(count), one.triples(count), count)
        check_triples(zero.triples(count, 52), one.triples(count, 52), count)
        for bits in (32, 64):
            pieces = zero.shared_bits(count, bits), one.shared_bits(count, bits)
            check_shared_bits(*pieces, count, bits)
        for bits in (8, 16, 32, 64, 128):
            ends = zero.random_ot_send(count, bits), one.random_ot_receive(count, bits)
            check_random_ot(*ends, count, bits)
            ends = one.random_ot_send(count, bits), zero.random_ot_receive(count, bits)
            check_random_ot(*ends, count, bits)


@settings(max_examples=examples(10), deadline=None)
@given(st.lists(st.sampled_from([0, 1, 63, 65, 600]), max_size=4))
def test_every_width_keeps_its_law(counts: list[int]) -> None:
    zero, one = make_pair()
    for count in counts:
        for width in (1, 2, 3, 8, 11, 32):
            check_gates(zero.gates(count, width), one.gates(count, width), count, width)
        for width in (2, 7):
            ends = zero.digit_send(count, width), one.digit_receive(count, width)
            check_digits(*ends, count, width)
            ends = one.digit_send(count, width), zero.digit_receive(count, width)
            check_digits(*ends, count, width)


@pytest.mark.parametrize("owner", [0, 1])
@pytest.mark.parametrize(("rows", "features"), [(1, 1), (50, 3), (300, 1), (5, 0), (0, 2)])
def test_products_of_a_private_matrix(owner: int, rows: int, features: int) -> None:
    n_bins = 7
    sources = make_pair()
    holder, other = sources[owner], sources[1 - owner]
    for registration in range(2):
        bins = np.random.default_rng(registration).integers(0, n_bins, (rows, features), np.uint8)
        matrix = bucket_matrix(owner, rows, features, n_bins)
        holder.register_matrix(matrix, bins)
        other.register_matrix(matrix, None)
        for count in (1, 3, 0, 2):
            ours, theirs = holder.vector_products(owner, count), other.vector_products(owner, count)
            assert ours.products.shape == (count, 2, features * n_bins)
            check_products(ours, theirs, one_hot(bins, n_bins))


def test_nothing_is_handed_out_twice() -> None:
    zero, one = make_pair()
    seen = np.concatenate(
        [piece for count in (3, 600, 5, 700, 1) for piece in _words(zero, one, count)]
    )
    assert len(np.unique(seen)) == len(seen)


def _words(zero: InsecureLocalSource, one: InsecureLocalSource, count: int) -> list[np.ndarray]:
    x, y, ot = zero.triples(count), one.triples(count), zero.random_ot_send(count)
    z, digits = zero.gates(count, 2), zero.digit_send(count, 2)
    bits = [*z.b, *z.c, *digits.messages.reshape(32, -1)]
    return [x.a, x.b, x.c, y.a, y.b, z.a, *bits, zero.shared_bits(count).arithmetic, ot.zero]


def test_the_same_seed_gives_the_same_pieces_and_another_seed_others() -> None:
    first, again, other = (make_pair(seed)[0].triples(10).c for seed in (1, 1, 2))
    assert (first == again).all()
    assert not (first == other).any()


def test_pieces_are_read_only() -> None:
    zero, _ = make_pair()
    with pytest.raises(ValueError, match="read-only"):
        zero.triples(3).a[0] = 1


def test_a_channel_that_leaves_the_process_is_refused() -> None:
    channel, _ = memory_pair()
    channel.is_network = True  # type: ignore[misc]
    with pytest.raises(UsageError, match="dealer"):
        InsecureLocalSource(0, channel, 1)


def test_a_matrix_of_another_shape_is_refused() -> None:
    zero, _ = make_pair()
    with pytest.raises(DataError, match=r"\(4, 3\)"):
        zero.register_matrix(bucket_matrix(0, 4, 3, 7), np.zeros((4, 2), np.uint8))


def test_products_come_after_the_matrix() -> None:
    with pytest.raises(UsageError, match="party 1 is not registered"):
        make_pair()[0].vector_products(1, 1)


def test_two_threads_agree() -> None:
    pair = make_pair()
    with ThreadPoolExecutor(2) as pool:
        x, y = pool.map(lambda source: [source.triples(100) for _ in range(50)], pair)
    for left, right in zip(x, y, strict=True):
        check_triples(left, right, 100)


def test_time_and_bytes_are_accounted() -> None:
    zero, one = make_pair()
    one.triples(100_000)
    assert one.offline_seconds > 0
    bins = np.zeros((5, 2), np.uint8)
    matrix = bucket_matrix(0, 5, 2, 3)
    zero.register_matrix(matrix, bins)
    one.register_matrix(matrix, None)
    assert (zero.offline_channel_bytes, one.offline_channel_bytes) == (8 * 5 * 6, 0)
    assert zero.offline_bytes == 0
    assert 8 * 100_000 <= one.offline_bytes < 8 * 110_000
