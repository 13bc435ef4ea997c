"""Counting what a job consumes."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.channel.memory import memory_pair
from securexgb.dealer.deal import SHAPES
from securexgb.offline.budget import Budget, CountingSource
from securexgb.offline.correlations import Kind, RandomOTReceiver, Triples
from securexgb.offline.local import InsecureLocalSource
from tests.offline.laws import bucket_matrix, check_digits, check_random_ot, check_triples


def test_arithmetic() -> None:
    one = Budget.of({Kind.TRIPLES: 3, Kind.GATES_4: 5}, (0, 2))
    assert one + one == one.times(2)
    assert one.times(3) - one == one.times(2)
    assert (one[Kind.TRIPLES], one[Kind.GATES_4], one[Kind.GATES_8]) == (3, 5, 0)
    assert one.correction_words((10, 7)) == 3 + 5 * 4 + 2 * 2 * 7
    assert sum(one.items().values()) == 8


@pytest.mark.parametrize("kind", Kind)
def test_corrections_are_counted_as_they_are_sent(kind: Kind) -> None:
    assert Budget.of({kind: 64}).correction_words((0, 0)) == SHAPES[kind].fitted.words


def test_both_parties_count_the_same() -> None:
    channels = memory_pair(5)
    zero, one = (
        CountingSource(rank, InsecureLocalSource(rank, channel, 3))
        for rank, channel in enumerate(channels)
    )
    check_triples(zero.triples(10), one.triples(10), 10)
    for source in (zero, one):
        source.gates(7, 3)
        source.shared_bits(65)
        source.shared_bits(1, 32)
    check_digits(zero.digit_send(3, 2), one.digit_receive(3, 2), 3, 2)
    check_random_ot(zero.random_ot_send(3), one.random_ot_receive(3), 3)
    check_random_ot(one.random_ot_send(130), zero.random_ot_receive(130), 130)
    check_random_ot(one.random_ot_send(3, 16), zero.random_ot_receive(3, 16), 3)
    matrix = bucket_matrix(0, 4, 2, 3)
    zero.register_matrix(matrix, np.zeros((4, 2), np.uint8))
    one.register_matrix(matrix, None)
    for source in (zero, one):
        source.vector_products(0, 5)
    expected = Budget.of(
        {
            Kind.TRIPLES: 10,
            Kind.GATES_4: 7,
            Kind.SHARED_BITS: 128,
            Kind.HALF_BITS: 64,
            Kind.DIGITS_2_FROM_0: 3,
            Kind.OT_64_FROM_0: 64,
            Kind.OT_64_FROM_1: 192,
            Kind.OT_16_FROM_1: 64,
        },
        (5, 0),
    )
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
