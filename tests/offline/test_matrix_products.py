"""Pads and noisy products by ring-LWE and BFV between two parties, without a dealer."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from securexgb.arith.prg import Prg
from securexgb.channel.memory import memory_pair
from securexgb.correlations.kind import Words
from securexgb.correlations.source import BucketMatrix, PadProducts
from securexgb.errors import DataError, SecureXGBError, UsageError
from securexgb.offline.matrix_products import BfvMatrixProducts
from tests.offline.laws import bucket_matrix, one_hot
from tests.profiles import examples

Both = tuple[PadProducts, PadProducts]
Buckets = NDArray[np.uint8]


def run(
    matrices: tuple[Buckets, Buckets],
    bins: int,
    program: Callable[[BfvMatrixProducts], Both],
    values: int = 10**6,
    batch: int = 8,
) -> tuple[Both, Both, list[BfvMatrixProducts]]:
    """Both parties' results of a program, and the parties."""
    channels = memory_pair(60)
    parties = [
        BfvMatrixProducts(rank, channels[rank], Prg(bytes([rank]) * 16), values, batch)
        for rank in (0, 1)
    ]

    def one(rank: int) -> Both:
        for owner, matrix in enumerate(matrices):
            rows, features = matrix.shape
            own = matrix if owner == rank else None
            parties[rank].register_matrix(bucket_matrix(owner, rows, features, bins), own)
        return program(parties[rank])

    with ThreadPoolExecutor(2) as pool:
        zero, other = pool.map(one, (0, 1))
    return zero, other, parties


def pads_of(products: PadProducts, rows: int) -> Words:
    """The pairs a themselves, (v, 2, rows): what zeros are masked with."""
    assert products.pads is not None
    return np.uint64(0) - products.pads.masked(
        np.zeros((len(products.products), 2, rows), np.uint64)
    )


def noise_bits(party: BfvMatrixProducts, rows: int, bins: int) -> int:
    return party.noise_bits(bucket_matrix(0, rows, 1, bins))


def check(owner: PadProducts, other: PadProducts, matrix: Buckets, bins: int, noise: int) -> Words:
    """Both shares add up to M^T a but for noise; the pads."""
    assert owner.pads is None
    assert owner.products.shape == other.products.shape
    of = bucket_matrix(0, *matrix.shape, bins)
    pads = pads_of(other, len(matrix))
    for word, bits in enumerate(of.sum_bits):
        high = np.uint64(64 - bits - noise)
        sums = pads[:, word] @ one_hot(matrix, bins)
        off = (sums - owner.products[:, word] - other.products[:, word]) << high
        assert np.abs(off.view(np.int64) >> high.astype(np.int64)).max(initial=0) < 1 << noise - 1
        pads[:, word] = pads[:, word] << high >> high
    return pads


def buckets(rows: int, features: int, bins: int, seed: int = 0) -> Buckets:
    return np.random.default_rng(seed).integers(0, bins, (rows, features), dtype=np.uint8)


def of_both(zero: int, one: int) -> Callable[[BfvMatrixProducts], Both]:
    return lambda party: (party.vector_products(0, zero), party.vector_products(1, one))


@example(rows=70, features=(0, 1), bins=255, counts=(1, 2), seed=0)
@settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.one_of(st.integers(1, 300), st.integers(4095, 4097), st.integers(1, 20_000)),
    features=st.tuples(st.integers(0, 3), st.integers(0, 2)),
    bins=st.one_of(st.integers(2, 8), st.integers(2, 127)),
    counts=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    seed=st.integers(0, 1000),
)
def test_any_shape_is_right_up_to_noise(
    rows: int, features: tuple[int, int], bins: int, counts: tuple[int, int], seed: int
) -> None:
    matrices = (buckets(rows, features[0], bins, seed), buckets(rows, features[1], bins, seed + 1))
    zero, one, parties = run(
        matrices,
        bins,
        lambda party: (
            party.vector_products(0, counts[0] if features[0] else 0),
            party.vector_products(1, counts[1] if features[1] else 0),
        ),
    )
    noise = noise_bits(parties[0], rows, bins)
    if features[0]:
        check(zero[0], one[0], matrices[0], bins, noise)
    if features[1]:
        check(one[1], zero[1], matrices[1], bins, noise)


def test_batches_grow_and_every_pad_is_handed_out_once() -> None:
    matrices = (buckets(900, 2, 5), buckets(900, 1, 5))
    sent: list[int] = []
    made: list[tuple[int, PadProducts]] = []
    counts = (1, 1, 2, 12, 1, 70, 130)

    def program(party: BfvMatrixProducts) -> Both:
        rank = party._rank
        for count in counts:
            for owner in (0, 1):
                made.append((2 * rank + owner, party.vector_products(owner, count)))
                if rank == 0:
                    sent.append(party.account.channel_bytes)
        return made[0][1], made[1][1]

    _, _, parties = run(matrices, 5, program)
    noise = noise_bits(parties[0], 900, 5)
    of = {which: [products for at, products in made if at == which] for which in range(4)}
    pads = [check(a, b, matrices[0], 5, noise) for a, b in zip(of[0], of[2], strict=True)]
    assert [len(part) for part in pads] == list(counts)
    # No word of any vector comes twice.
    assert len(set(np.concatenate(pads).reshape(-1).tolist())) == 2 * sum(counts) * 900
    # Eight first, both matrices at once; then 128 for the ninth, and as many for the rest.
    assert len(set(sent)) == 3


def test_a_pad_serves_one_message_and_is_not_pickled() -> None:
    matrices = (buckets(10, 1, 2), buckets(10, 1, 2))
    _, one, _ = run(matrices, 2, of_both(2, 1))
    pads = one[0].pads
    assert pads is not None
    with pytest.raises(SecureXGBError, match="as many vectors"):
        pads.masked(np.zeros((1, 2, 10), np.uint64))
    pads.masked(np.zeros((2, 2, 10), np.uint64))
    with pytest.raises(SecureXGBError, match="once"):
        pads.masked(np.zeros((2, 2, 10), np.uint64))
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(pads)


def test_bytes_do_not_depend_on_rows() -> None:
    sent = []
    for rows in (300, 30_000):
        _, _, parties = run((buckets(rows, 1, 4), buckets(rows, 1, 4)), 4, of_both(3, 3))
        assert parties[0].account.seconds > 0
        sent.append([party.account.channel_bytes for party in parties])
    # The widths of a fraction differ by a byte or two of some twenty.
    assert sent[0] == pytest.approx(sent[1], rel=0.1)


def test_both_sides_contribute_to_the_public_polynomials() -> None:
    """The same matrices and secrets with other coins of the owner: other pads."""
    found = []
    for seed in (5, 6):
        channels = memory_pair(60)
        streams = (Prg(bytes([seed]) * 16), Prg(bytes([1]) * 16))
        parties = [BfvMatrixProducts(rank, channels[rank], streams[rank], 1000) for rank in (0, 1)]

        def one(rank: int, parties: list[BfvMatrixProducts] = parties) -> PadProducts:
            own = buckets(50, 1, 2) if rank == 0 else None
            parties[rank].register_matrix(bucket_matrix(0, 50, 1, 2), own)
            return parties[rank].vector_products(0, 1)

        with ThreadPoolExecutor(2) as pool:
            _, other = pool.map(one, (0, 1))
        found.append(pads_of(other, 50))
    assert not np.any(found[0] == found[1])
    # g and h have polynomials of their own: with the same they would differ by errors alone.
    gaps = (found[0][:, 0] - found[0][:, 1] << np.uint64(20)).view(np.int64) >> 20
    assert np.abs(gaps).min() > 100


def test_nothing_asked_is_nothing_given() -> None:
    matrices = (buckets(10, 1, 2), buckets(10, 0, 2))
    zero, one, parties = run(matrices, 2, of_both(0, 0))
    assert zero[0].products.shape == one[0].products.shape == (0, 2, 2)
    assert zero[1].products.shape == (0, 2, 0)
    assert parties[0].account.channel_bytes < 1000


def test_a_larger_job_than_stated_is_refused() -> None:
    matrices = (buckets(10, 1, 2), buckets(10, 1, 2))
    run(matrices, 2, of_both(2, 1), values=12)
    with pytest.raises(UsageError, match="more than the 11 values"):
        run(matrices, 2, of_both(2, 1), values=11)


def test_a_job_beyond_the_parameters_is_refused() -> None:
    channel, _ = memory_pair(5)
    party = BfvMatrixProducts(0, channel, Prg.fresh(), 1 << 28)
    matrix = BucketMatrix(0, 10**6, 6, 3, 50, 46, chain=4)
    with pytest.raises(UsageError, match=r"failure below 2\^-40"):
        party.noise_bits(matrix)
    with pytest.raises(UsageError, match=r"failure below 2\^-40"):
        party.register_matrix(matrix, buckets(5, 2, 3))


def test_a_matrix_of_another_shape_is_refused() -> None:
    channel, _ = memory_pair(5)
    party = BfvMatrixProducts(0, channel, Prg.fresh(), 10)
    with pytest.raises(DataError, match="bucket matrix of party 0"):
        party.register_matrix(bucket_matrix(0, 4, 2, 3), buckets(5, 2, 3))
