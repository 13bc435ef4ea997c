"""Matrix products by BFV between two parties, without a dealer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.channel.memory import memory_pair
from securexgb.errors import DataError, UsageError
from securexgb.he import layout as layouts
from securexgb.offline.correlations import VectorProducts
from securexgb.offline.matrix_products import BfvMatrixProducts
from tests.offline.laws import check_products, one_hot

Both = tuple[VectorProducts, VectorProducts]
Buckets = NDArray[np.uint8]


def run(
    matrices: tuple[Buckets, Buckets],
    bins: int,
    program: Callable[[BfvMatrixProducts], Both],
    values: int = 10**6,
) -> tuple[Both, Both, list[BfvMatrixProducts]]:
    """Both parties' results of a program, and the parties."""
    channels = memory_pair(60)
    parties = [
        BfvMatrixProducts(rank, channels[rank], Prg(bytes([rank]) * 16), values) for rank in (0, 1)
    ]

    def one(rank: int) -> Both:
        for owner, matrix in enumerate(matrices):
            rows, features = matrix.shape
            own = matrix if owner == rank else None
            parties[rank].register_matrix(owner, rows, features * bins, own, bins)
        return program(parties[rank])

    with ThreadPoolExecutor(2) as pool:
        zero, other = pool.map(one, (0, 1))
    return zero, other, parties


def check(matrices: tuple[Buckets, Buckets], bins: int, zero: Both, one: Both) -> None:
    for owner, matrix in enumerate(matrices):
        pieces = (zero, one) if owner == 0 else (one, zero)
        vectors = pieces[1][owner].vectors
        assert pieces[0][owner].vectors is None
        assert vectors is not None
        total = pieces[0][owner].products + pieces[1][owner].products
        expected = _kernels.histogram(matrix, vectors, bins)
        np.testing.assert_array_equal(total, expected.reshape(total.shape))


def buckets(rows: int, features: int, bins: int, seed: int = 0) -> Buckets:
    return np.random.default_rng(seed).integers(0, bins, (rows, features), dtype=np.uint8)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.one_of(st.integers(1, 300), st.integers(1, 20_000)),
    features=st.tuples(st.integers(0, 4), st.integers(0, 2)),
    bins=st.one_of(st.integers(2, 8), st.integers(2, 255)),
    counts=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    seed=st.integers(0, 1000),
)
def test_any_shape_is_exact(
    rows: int, features: tuple[int, int], bins: int, counts: tuple[int, int], seed: int
) -> None:
    matrices = (buckets(rows, features[0], bins, seed), buckets(rows, features[1], bins, seed + 1))
    zero, one, _ = run(matrices, bins, lambda party: party.both_products(counts))
    check(matrices, bins, zero, one)


def test_one_direction_as_sources_offer_it() -> None:
    matrices = (buckets(900, 2, 5), buckets(900, 3, 5))
    program = lambda party: (party.vector_products(0, 2), party.vector_products(1, 1))  # noqa: E731
    zero, one, parties = run(matrices, 5, program)
    check_products(zero[0], one[0], one_hot(matrices[0], 5))
    check_products(one[1], zero[1], one_hot(matrices[1], 5))
    for party in parties:
        assert party.account.seconds > 0
        assert party.account.bytes_sent > 100_000


def test_a_source_makes_a_batch_of_both_matrices_at_once_and_hands_out_each_once() -> None:
    matrices = (buckets(900, 2, 5), buckets(900, 1, 5))
    sent: list[int] = []

    def program(party: BfvMatrixProducts) -> Both:
        parts: list[list[VectorProducts]] = [[], []]
        for count in (1, 1, 2, 4, 1, 11):
            for owner in (0, 1):
                parts[owner].append(party.vector_products(owner, count))
                sent.append(party.account.bytes_sent)
        zero, one = (
            VectorProducts(
                np.concatenate([p.vectors for p in of if p.vectors is not None])
                if of[0].vectors is not None
                else None,
                np.concatenate([p.products for p in of]),
            )
            for of in parts
        )
        return zero, one

    zero, one, _ = run(matrices, 5, program)
    check(matrices, 5, zero, one)
    assert zero[0].products.shape == (20, 10)
    assert one[0].vectors is not None
    assert len(np.unique(one[0].vectors)) == 20 * 900
    # 1 + 1 + 2 + 4 of a batch of eight, 1 of the next, then 4 more than were left.
    assert len(set(sent)) == 2 * 3


def test_the_last_batch_fits_the_stated_job() -> None:
    matrices = (buckets(10, 1, 2), buckets(10, 1, 2))

    def program(party: BfvMatrixProducts) -> Both:
        for _ in range(3):
            last = party.vector_products(0, 1), party.vector_products(1, 1)
        return last

    zero, one, _ = run(matrices, 2, program, values=12)
    check(matrices, 2, zero, one)
    with pytest.raises(UsageError, match="more than the 11 values"):
        run(matrices, 2, program, values=11)


def test_vectors_are_fresh_each_time_and_uniform() -> None:
    matrices = (buckets(5000, 1, 2), buckets(5000, 0, 2))

    def program(party: BfvMatrixProducts) -> Both:
        return party.vector_products(0, 1), party.vector_products(0, 1)

    zero, one, _ = run(matrices, 2, program)
    first, second = one[0].vectors, one[1].vectors
    assert first is not None
    assert second is not None
    assert not np.any(first == second)
    assert abs(float(np.mean(first >> np.uint64(63))) - 0.5) < 0.05
    check_products(zero[1], one[1], one_hot(matrices[0], 2))


def test_batches_fit_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many vectors over many blocks go in several batches."""
    monkeypatch.setattr(layouts, "_MEMORY_WORDS", 4 * layouts.CIPHERTEXT_WORDS)
    matrices = (buckets(10_000, 2, 4), buckets(10_000, 1, 4))
    zero, one, _ = run(matrices, 4, lambda party: party.both_products((5, 3)))
    check(matrices, 4, zero, one)
    assert layouts.batch_limit(layouts.Shape(10_000, 2, 4, 10**6)) == 2
    assert zero[0].products.shape == (5, 8)


def test_nothing_asked_is_nothing_given() -> None:
    matrices = (buckets(10, 1, 2), buckets(10, 0, 2))
    zero, one, _ = run(matrices, 2, lambda party: party.both_products((0, 0)))
    assert zero[0].products.shape == one[0].products.shape == (0, 2)
    assert zero[1].products.shape == (0, 0)


def test_a_larger_job_than_stated_is_refused() -> None:
    matrices = (buckets(10, 1, 2), buckets(10, 1, 2))
    with pytest.raises(UsageError, match="more than the 5 values"):
        run(matrices, 2, lambda party: party.both_products((2, 1)), values=5)


def test_a_job_beyond_the_parameters_is_refused() -> None:
    matrices = (buckets(10, 1, 2), buckets(10, 1, 2))
    with pytest.raises(UsageError, match=r"failure below 2\^-40"):
        run(matrices, 2, lambda party: party.both_products((1, 1)), values=2**45)


def test_a_matrix_of_another_shape_is_refused() -> None:
    channel, _ = memory_pair(5)
    party = BfvMatrixProducts(0, channel, Prg.fresh(), 10)
    with pytest.raises(DataError, match="bucket matrix of party 0"):
        party.register_matrix(0, 4, 6, buckets(5, 2, 3), 3)
