"""The in-process source: every kind keeps its law, nothing repeats, refits are equal."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securexgb.channel.memory import memory_pair
from securexgb.correlations.digits import DigitTransfers
from securexgb.correlations.gates import Gates
from securexgb.correlations.kinds import KINDS
from securexgb.correlations.random_bits import RandomBits
from securexgb.correlations.row_triples import RowTriples
from securexgb.correlations.transfers import Transfers
from securexgb.correlations.triples import Triples
from securexgb.errors import DataError, UsageError
from securexgb.offline.local import InsecureLocalSource
from tests.offline.laws import bucket_matrix, check, check_next, check_products, one_hot
from tests.profiles import examples

COUNTS = st.lists(st.sampled_from([0, 1, 63, 64, 65, 200, 511, 512, 513, 5000, 40000]), max_size=8)


def make_pair(seed: int = 7) -> tuple[InsecureLocalSource, InsecureLocalSource]:
    channels = memory_pair(timeout_seconds=5)
    return InsecureLocalSource(0, channels[0], seed), InsecureLocalSource(1, channels[1], seed)


@settings(max_examples=examples(25), deadline=None)
@given(COUNTS)
def test_every_kind_keeps_its_law(counts: list[int]) -> None:
    pair = make_pair()
    for count in counts:
        for kind in (*KINDS, Triples(52), RowTriples(3, 52)):
            words = kind.elements > 1
            check_next(kind, pair, min(count, 700) if words else count)


@pytest.mark.parametrize("owner", [0, 1])
@pytest.mark.parametrize(("rows", "features"), [(1, 1), (50, 3), (300, 1), (5, 0), (0, 2)])
def test_products_of_a_private_matrix(owner: int, rows: int, features: int) -> None:
    n_bins = 7
    sources = make_pair()
    holder, other = sources[owner], sources[1 - owner]
    for registration in range(2):
        bins = np.random.default_rng(registration).integers(0, n_bins, (rows, features), np.uint8)
        matrix = bucket_matrix(owner, rows, features, n_bins)
        holder.products.register_matrix(matrix, bins)
        other.products.register_matrix(matrix, None)
        for count in (1, 3, 0, 2):
            ours, theirs = (
                holder.products.vector_products(owner, count),
                other.products.vector_products(owner, count),
            )
            assert ours.products.shape == (count, 2, features * n_bins)
            check_products(ours, theirs, one_hot(bins, n_bins))


def test_nothing_is_handed_out_twice() -> None:
    zero, one = make_pair()
    seen = np.concatenate(
        [piece for count in (3, 600, 5, 700, 1) for piece in _words(zero, one, count)]
    )
    assert len(np.unique(seen)) == len(seen)


def _words(zero: InsecureLocalSource, one: InsecureLocalSource, count: int) -> list[np.ndarray]:
    x, y = zero.take(Triples(), count), one.take(Triples(), count)
    ot, z = zero.take(Transfers(64, 0), count), zero.take(Gates(2), count)
    bits = [*z.b, *z.c, *zero.take(DigitTransfers(2, 0), count).messages.reshape(32, -1)]
    arithmetic = zero.take(RandomBits(), count).arithmetic
    return [x.a, x.b, x.c, y.a, y.b, z.a, *bits, arithmetic, ot.zero]


def test_the_same_seed_gives_the_same_pieces_and_another_seed_others() -> None:
    first, again, other = (make_pair(seed)[0].take(Triples(), 10).c for seed in (1, 1, 2))
    assert (first == again).all()
    assert not (first == other).any()


def test_pieces_are_read_only() -> None:
    zero, _ = make_pair()
    with pytest.raises(ValueError, match="read-only"):
        zero.take(Triples(), 3).a[0] = 1


def test_a_channel_that_leaves_the_process_is_refused() -> None:
    channel, _ = memory_pair()
    channel.is_network = True  # type: ignore[misc]
    with pytest.raises(UsageError, match="dealer"):
        InsecureLocalSource(0, channel, 1)


def test_a_matrix_of_another_shape_is_refused() -> None:
    zero, _ = make_pair()
    with pytest.raises(DataError, match=r"\(4, 3\)"):
        zero.products.register_matrix(bucket_matrix(0, 4, 3, 7), np.zeros((4, 2), np.uint8))


def test_products_come_after_the_matrix() -> None:
    with pytest.raises(UsageError, match="party 1 is not registered"):
        make_pair()[0].products.vector_products(1, 1)


def test_two_threads_agree() -> None:
    pair = make_pair()
    with ThreadPoolExecutor(2) as pool:
        x, y = pool.map(lambda source: [source.take(Triples(), 100) for _ in range(50)], pair)
    for left, right in zip(x, y, strict=True):
        check(Triples(), left, right, 100)


def test_time_and_bytes_are_accounted() -> None:
    zero, one = make_pair()
    one.take(Triples(), 100_000)
    assert one.account.seconds > 0
    bins = np.zeros((5, 2), np.uint8)
    matrix = bucket_matrix(0, 5, 2, 3)
    zero.products.register_matrix(matrix, bins)
    one.products.register_matrix(matrix, None)
    assert (zero.account.channel_bytes, one.account.channel_bytes) == (8 * 5 * 6, 0)
    assert zero.account.dealer_bytes == 0
    assert 8 * 100_000 <= one.account.dealer_bytes < 8 * 110_000
