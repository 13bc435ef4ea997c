"""Pads of rows in several places: their products, made once, are those of all rows together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from securexgb.arith.prg import Prg
from securexgb.channel.memory import memory_pair
from securexgb.correlations.source import BucketMatrix, PadKeys
from securexgb.errors import UsageError
from securexgb.he.made_matrix import AddedMatrix
from securexgb.offline.matrix_products import BfvMatrixProducts
from securexgb.offline.row_pads import ShardPads

ROWS, FEATURES, BINS, VECTORS = (70, 130), 3, 4, 2
PLACES = range(len(ROWS))


def matrix(owner: int, rows: int) -> BucketMatrix:
    return BucketMatrix(owner, rows, FEATURES * BINS, BINS, 34, 31)


def test_the_products_are_those_of_all_rows() -> None:
    """2^t y - a at every place and the heads' shares of W s give 2^t M^T y and noise."""
    draw = np.random.default_rng(0)
    own = [draw.integers(0, BINS, (rows, FEATURES)).astype(np.uint8) for rows in ROWS]
    vectors = [draw.integers(0, 1 << 20, (VECTORS, 2, rows)).astype(np.uint64) for rows in ROWS]
    ends = memory_pair(60.0)

    def head(rank: int) -> tuple[np.ndarray, list[np.ndarray], int]:
        made = BfvMatrixProducts(rank, ends[rank], Prg(bytes([rank] * 16)), 1 << 16)
        whole = matrix(0, sum(ROWS))
        keys = made.divide([whole])
        places = [ShardPads(rank, Prg(bytes([rank, place] * 8))) for place in PLACES]
        added = AddedMatrix(FEATURES, BINS, [bits + keys.noise_bits for bits in whole.sum_bits])
        masked = []
        for place, pads in zip(PLACES, places, strict=True):
            pads.take_up(keys, place)
            pads.register_matrix(matrix(0, ROWS[place]), own[place] if rank == 0 else None)
            if rank == 0:
                for word, group in added.groups:
                    added.add(word, group, pads.part_of_sums(word, group))
            products = pads.vector_products(0, VECTORS)
            assert not products.products.any()
            if products.pads is not None:
                masked.append(products.pads.masked(vectors[place]))
        made.register_sums(whole, added if rank == 0 else None)
        return made.vector_products(0, VECTORS).products, masked, keys.noise_bits

    with ThreadPoolExecutor(2) as pool:
        (label, _, noise_bits), (feature, masked, _) = pool.map(head, (0, 1))
    bits = np.array(matrix(0, 1).sum_bits) + noise_bits
    total = label + feature
    for bins, words in zip(own, masked, strict=True):
        one_hot = (bins[:, :, None] == np.arange(BINS)).reshape(len(bins), -1).astype(np.uint64)
        total = total + words @ one_hot
    exact = sum(
        y @ (bins[:, :, None] == np.arange(BINS)).reshape(len(bins), -1).astype(np.uint64)
        for bins, y in zip(own, vectors, strict=True)
    )
    for word in (0, 1):
        shift = np.uint64(64 - bits[word])
        off = (total[:, word] - (exact[:, word] << np.uint64(noise_bits))) << shift
        assert np.abs(off.view(np.int64) >> np.int64(shift)).max() < 1 << (noise_bits - 1)
        assert off.any()  # pads have noise of their own


def test_what_a_place_refuses() -> None:
    pads = ShardPads(1, Prg(bytes(16)))
    with pytest.raises(UsageError, match="keys from its head"):
        pads.register_matrix(matrix(0, 10), None)
    pads.take_up(PadKeys((bytes(16), b""), bytes(16), 9), 0)
    with pytest.raises(UsageError, match="not registered"):
        pads.vector_products(0, 1)
    pads.register_matrix(matrix(0, 10), None)
    with pytest.raises(UsageError, match="not here"):
        pads.part_of_sums(0, 0)
    with pytest.raises(UsageError, match="one matrix of each party"):
        pads.register_matrix(matrix(0, 10), None)
