"""Counting what a job consumes."""

from __future__ import annotations

import numpy as np

from securexgb.channel.memory import memory_pair
from securexgb.dealer.deal import Kind
from securexgb.offline.budget import Budget, CountingSource
from securexgb.offline.correlations import RandomOTReceiver, Triples
from securexgb.offline.local import InsecureLocalSource
from tests.offline.laws import check_random_ot, check_triples


def test_arithmetic() -> None:
    one = Budget(triples=3, vectors_feature=2)
    assert (one + one).counts() == one.times(2).counts() == [6, 0, 0, 0, 0, 0, 4]
    assert (one.times(3) - one) == one.times(2)
    assert one.correction_bytes((10, 7)) == 8 * (3 + 2 * 7)
    assert {kind: Budget(1, 2, 3, 4, 5).of(kind) for kind in Kind} == dict(
        zip(Kind, (1, 2, 3, 4, 5), strict=True)
    )


def test_both_parties_count_the_same() -> None:
    channels = memory_pair(5)
    zero, one = (
        CountingSource(rank, InsecureLocalSource(rank, channel, 3))
        for rank, channel in enumerate(channels)
    )
    check_triples(zero.triples(10), one.triples(10), 10)
    for source in (zero, one):
        source.bit_triples(7)
        source.shared_bits(65)
    check_random_ot(zero.random_ot_send(3), one.random_ot_receive(3), 3)
    check_random_ot(one.random_ot_send(130), zero.random_ot_receive(130), 130)
    zero.register_matrix(0, 4, 6, np.zeros((4, 2), np.uint8), 3)
    one.register_matrix(0, 4, 6, None, 3)
    for source in (zero, one):
        source.vector_products(0, 5)
    expected = Budget(10, 7, 128, ot_from_label=64, ot_from_feature=192, vectors_label=5)
    assert zero.budget == one.budget == expected
    assert zero.name == "insecure-local"
    assert zero.evidence == "none"
    assert (zero.offline_bytes, zero.offline_channel_bytes) == (0, 8 * 4 * 6)
    assert one.offline_bytes > 0
    assert zero.offline_seconds > 0
    zero.close()


def test_no_correlation_shows_itself() -> None:
    words = np.full(3, 123456789, np.uint64)
    for piece in (Triples(words, words, words), RandomOTReceiver(words, words)):
        assert "123456789" not in repr(piece)
