"""Counting what a job consumes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from securexgb.channel.memory import memory_pair
from securexgb.correlations.counting import Budget, CountingSource
from securexgb.correlations.digits import DigitTransfers
from securexgb.correlations.gates import Gates
from securexgb.correlations.kind import Kind
from securexgb.correlations.kinds import KINDS
from securexgb.correlations.random_bits import RandomBits
from securexgb.correlations.transfers import Transfers
from securexgb.correlations.triples import Triples
from securexgb.offline.local import InsecureLocalSource
from tests.offline.laws import bucket_matrix, check_next


def test_arithmetic() -> None:
    one = Budget({Triples(): 3, Gates(4): 5}, (0, 2))
    assert one + one == one.times(2)
    assert one.times(3) - one == one.times(2)
    assert one - one == Budget() == Budget({Triples(): 0})
    assert (one[Triples()], one[Gates(4)], one[Gates(8)]) == (3, 5, 0)
    assert one.correction_words((10, 7)) == 3 + 5 * 4 + 2 * 2 * 7
    assert sum(one.counts.values()) == 8


@pytest.mark.parametrize("kind", KINDS)
def test_corrections_are_counted_as_they_are_sent(kind: Kind[Any]) -> None:
    assert Budget({kind: 64}).correction_words((0, 0)) == kind.layout.fitted.words


def test_both_parties_count_the_same() -> None:
    channels = memory_pair(5)
    zero, one = sources = tuple(
        CountingSource(InsecureLocalSource(rank, channel, 3))
        for rank, channel in enumerate(channels)
    )
    check_next(Triples(52), sources, 10)
    check_next(Gates(4), sources, 7)
    check_next(RandomBits(), sources, 65)
    check_next(RandomBits(32), sources, 1)
    check_next(DigitTransfers(2, 0), sources, 3)
    check_next(Transfers(64, 0), sources, 3)
    check_next(Transfers(64, 1), sources, 130)
    check_next(Transfers(16, 1), sources, 3)
    matrix = bucket_matrix(0, 4, 2, 3)
    zero.products.register_matrix(matrix, np.zeros((4, 2), np.uint8))
    one.products.register_matrix(matrix, None)
    for source in (zero, one):
        source.products.vector_products(0, 5)
    expected = Budget(
        {
            Triples(): 10,
            Gates(4): 7,
            RandomBits(): 128,
            RandomBits(32): 64,
            DigitTransfers(2, 0): 3,
            Transfers(64, 0): 64,
            Transfers(64, 1): 192,
            Transfers(16, 1): 64,
        },
        (5, 0),
    )
    assert zero.budget == one.budget == expected
    assert zero.name == "insecure-local"
    assert zero.evidence == "none"
    assert (zero.account.dealer_bytes, zero.account.channel_bytes) == (0, 8 * 4 * 6)
    assert one.account.dealer_bytes > 0
    assert zero.account.seconds > 0
    zero.close()
