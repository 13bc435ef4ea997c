"""Matrix products by Paillier between two parties: exact, kept in stock, bounded, refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, ProtocolDesync, TermsDiffer, UsageError
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.local import close_parties
from securexgb.jobs.training import train
from securexgb.offline.paillier_products import (
    InsecurePaillierMatrixProducts,
    PaillierMatrixProducts,
)
from securexgb.offline.producer import ProductsAhead
from securexgb.offline.two_party import TwoPartySource
from securexgb.testing.harness import insecure_parties, run_both
from tests.boost.data import same_model, sides, table, train_both
from tests.offline.laws import bucket_matrix, check_products, one_hot
from tests.offline.pairs import both, channels, private
from tests.recorded import RecordedChannel

Ends = tuple[PaillierMatrixProducts, PaillierMatrixProducts]
SHORT = 512


def ends(values: int = 1 << 16, bits: int = SHORT) -> Ends:
    zero, one = channels()
    kind = InsecurePaillierMatrixProducts if bits < 2048 else PaillierMatrixProducts
    return kind(0, zero, private(0), values, bits), kind(1, one, private(1), values, bits)


def bins(rows: int, features: int, n_bins: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, n_bins, (rows, features), np.uint8)


def register(pair: Ends, owner: int, matrix: NDArray[np.uint8], n_bins: int) -> None:
    of = bucket_matrix(owner, *matrix.shape, n_bins)
    both(pair, lambda rank, end: end.register_matrix(of, matrix if rank == owner else None))


def take(pair: Ends, owner: int, count: int, matrix: NDArray[np.uint8], n_bins: int) -> None:
    made = both(pair, lambda _, end: end.vector_products(owner, count))
    assert made[owner].products.shape == (count, 2, matrix.shape[1] * n_bins)
    check_products(made[owner], made[1 - owner], one_hot(matrix, n_bins))


def test_exact_with_real_keys() -> None:
    pair, matrices = ends(bits=2048), (bins(9, 1, 3), bins(9, 2, 3, 1))
    for owner, matrix in enumerate(matrices):
        register(pair, owner, matrix, 3)
    for count in (1, 17):
        for owner, matrix in enumerate(matrices):
            take(pair, owner, count, matrix, 3)


@pytest.mark.parametrize(
    ("rows", "features", "n_bins"), [(1, 1, 1), (7, 3, 4), (33, 1, 255), (5, 0, 4), (0, 2, 4)]
)
def test_exact_for_every_shape(rows: int, features: int, n_bins: int) -> None:
    pair = ends()
    matrices = bins(rows, features, n_bins), bins(rows, 2, n_bins, 1)
    for owner, matrix in enumerate(matrices):
        register(pair, owner, matrix, n_bins)
    for owner, count in ((1, 2), (0, 0), (0, 1), (1, 5), (0, 7), (1, 1), (1, 0)):
        take(pair, owner, count, matrices[owner], n_bins)


def test_both_directions_in_one_call() -> None:
    pair, matrices = ends(), (bins(6, 1, 3), bins(6, 2, 3, 1))
    for owner, matrix in enumerate(matrices):
        register(pair, owner, matrix, 3)
    zero, one = both(
        pair,
        lambda _, end: [end.vector_products(owner, count) for owner, count in ((0, 4), (1, 2))],
    )
    check_products(zero[0], one[0], one_hot(matrices[0], 3))
    check_products(one[1], zero[1], one_hot(matrices[1], 3))


def test_one_side_without_features() -> None:
    pair, matrix = ends(), bins(6, 2, 3)
    register(pair, 1, matrix, 3)
    take(pair, 1, 4, matrix, 3)


def test_a_second_matrix_replaces_the_first() -> None:
    pair = ends()
    for seed, rows in enumerate((6, 9)):
        matrix = bins(rows, 2, 3, seed)
        register(pair, 0, matrix, 3)
        take(pair, 0, 2, matrix, 3)


def test_shares_and_vectors_look_uniform_and_are_never_repeated() -> None:
    pair, matrix = ends(), bins(40, 2, 3)
    register(pair, 0, matrix, 3)
    drawn = []
    for _ in range(3):
        owner, other = both(pair, lambda _, end: end.vector_products(0, 40))
        assert other.vectors is not None
        drawn += [owner.products.ravel(), other.products.ravel(), other.vectors.ravel()]
    for words in drawn:
        ones = np.unpackbits(words.view(np.uint8)).mean()
        assert abs(ones - 0.5) < 5 * 0.5 / np.sqrt(64 * words.size)
    everything = np.concatenate(drawn)
    assert np.unique(everything).size == everything.size


def test_a_batch_serves_several_requests_and_both_sides_account_for_it() -> None:
    pair, matrix = ends(bits=1024), bins(6, 2, 3)
    register(pair, 0, matrix, 3)
    take(pair, 0, 1, matrix, 3)
    sent = [end.account.channel_bytes for end in pair]
    assert sent == [8 + 6 * 256, 128 + 8 + 6 * 256]
    # Seven vectors to a plaintext: three pairs, and one waits for its other half.
    for _ in range(2):
        take(pair, 0, 1, matrix, 3)
    assert [end.account.channel_bytes for end in pair] == sent
    assert all(end.account.seconds > 0 for end in pair)
    assert [end._channel.traffic.bytes_sent for end in pair] == sent


def test_messages_depend_on_shapes_only() -> None:
    """Sizes, order and tags of two runs on different matrices."""
    seen = []
    for seed in (0, 1):
        recorded = tuple(RecordedChannel(channel) for channel in channels())
        pair = tuple(
            InsecurePaillierMatrixProducts(rank, recorded[rank], private(rank, seed), 1 << 16, 512)
            for rank in (0, 1)
        )
        for owner in (0, 1):
            matrix = bins(30, 2, 5, seed) if seed else np.zeros((30, 2), np.uint8)
            register(pair, owner, matrix, 5)
            take(pair, owner, 2, matrix, 5)
        seen.append([channel.shape for channel in recorded])
    assert seen[0] == seen[1]


def test_as_the_products_of_a_two_party_source() -> None:
    zero, one = channels()
    sources = tuple(
        TwoPartySource(
            rank,
            channel,
            private(rank),
            ProductsAhead(
                InsecurePaillierMatrixProducts(
                    rank, channel.stream("products"), private(rank, 1), 1 << 16, SHORT
                )
            ),
        )
        for rank, channel in enumerate((zero, one))
    )
    matrix = bins(6, 2, 3)

    def step(rank: int, source: TwoPartySource) -> object:
        source.products.register_matrix(bucket_matrix(0, 6, 2, 3), matrix if rank == 0 else None)
        return source.products.vector_products(0, 2)

    owner, other = both(sources, step)
    check_products(owner, other, one_hot(matrix, 3))
    assert all(source.account.channel_bytes for source in sources)


def test_training_gives_the_trees_of_the_dealt_source() -> None:
    data = sides(*table(60, missing=0.1), 2)
    params = TrainingParams(n_estimators=2, max_depth=2, max_bin=4)
    parties = insecure_parties(3)
    for party in parties:
        own, lane = private(party.rank), party.channel.stream("products")
        products = ProductsAhead(
            InsecurePaillierMatrixProducts(party.rank, lane, own, 1 << 16, SHORT)
        )
        party.source = TwoPartySource(party.rank, party.channel, own.derive("transfers"), products)
    halves = run_both(
        lambda party, own: train(party, TrainingJob(params.decided(can_hide=False), own)),
        parties,
        data,
    )
    close_parties(parties)
    assert same_model(halves, train_both(params, data))


def test_no_more_values_than_stated() -> None:
    pair, matrix = ends(values=24), bins(6, 2, 3)
    register(pair, 0, matrix, 3)
    take(pair, 0, 2, matrix, 3)
    for end in pair:
        with pytest.raises(UsageError, match="more than the 24 values"):
            end.vector_products(0, 1)


def test_refusals() -> None:
    zero, _ = channels()
    with pytest.raises(UsageError, match="1024 bits is refused"):
        PaillierMatrixProducts(0, zero, private(0), 1, 1024)
    with pytest.raises(DataError, match="must be its bin indices"):
        ends()[0].register_matrix(bucket_matrix(0, 6, 2, 3), bins(5, 2, 3))
    zero.is_network = True
    with pytest.raises(UsageError, match="protect nothing"):
        InsecurePaillierMatrixProducts(0, zero, private(0), 1, SHORT)


def test_two_sizes_of_key_are_noticed() -> None:
    zero, one = channels()
    matrix = bins(6, 2, 3)
    owner = InsecurePaillierMatrixProducts(0, zero, private(0), 1 << 10, 1024)
    other = InsecurePaillierMatrixProducts(1, one, private(1), 1 << 10, 512)
    of = bucket_matrix(0, 6, 2, 3)
    other.register_matrix(of, None)
    with pytest.raises(TermsDiffer, match="512 bits and has to be an odd number of 1024"):
        owner.register_matrix(of, matrix)


def test_another_number_of_results_is_noticed() -> None:
    """The owner has more bins than the other side knows of."""
    zero, one = channels()
    owner = InsecurePaillierMatrixProducts(0, zero, private(0), 1 << 10, SHORT)
    other = InsecurePaillierMatrixProducts(1, one, private(1), 1 << 10, SHORT)
    other.register_matrix(bucket_matrix(0, 6, 2, 3), None)
    owner.register_matrix(bucket_matrix(0, 6, 2, 4), bins(6, 2, 3))

    def step(rank: int, end: PaillierMatrixProducts) -> None:
        if rank == 0:
            end.vector_products(0, 1)
            return
        with pytest.raises(ProtocolDesync, match="another number of encrypted products"):
            end.vector_products(0, 1)

    both((owner, other), step)
