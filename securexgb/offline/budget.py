"""How much of what a job consumes, counted while it runs.

Control flow is public, so one run counts for every run of the same shape.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from securexgb.offline.correlations import (
    BITS,
    DIGITS,
    TRANSFERS,
    BucketMatrix,
    Budget,
    DigitReceiver,
    DigitSender,
    GateTriples,
    Kind,
    PadProducts,
    RandomOTReceiver,
    RandomOTSender,
    SharedRandomBits,
    Triples,
    VectorProducts,
    gate_kind,
)
from securexgb.offline.source import CorrelationSource


class CountingSource:
    """A source that passes everything on and counts it in ``budget``."""

    def __init__(self, rank: int, source: CorrelationSource) -> None:
        self._rank = rank
        self._source = source
        self.budget = Budget()

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def evidence(self) -> str:
        return self._source.evidence

    @property
    def dealt(self) -> bool:
        return self._source.dealt

    @property
    def offline_seconds(self) -> float:
        return self._source.offline_seconds

    @property
    def waited_seconds(self) -> float:
        return self._source.waited_seconds

    @property
    def offline_bytes(self) -> int:
        return self._source.offline_bytes

    @property
    def offline_channel_bytes(self) -> int:
        return self._source.offline_channel_bytes

    def triples(self, count: int, ring_bits: int = 64) -> Triples:
        self._count({Kind.TRIPLES: count})
        return self._source.triples(count, ring_bits)

    def gates(self, words: int, width: int) -> GateTriples:
        self._count({gate_kind(width): words})
        return self._source.gates(words, width)

    def digit_send(self, words: int, width: int) -> DigitSender:
        self._count({DIGITS[width, self._rank]: words})
        return self._source.digit_send(words, width)

    def digit_receive(self, words: int, width: int) -> DigitReceiver:
        self._count({DIGITS[width, 1 - self._rank]: words})
        return self._source.digit_receive(words, width)

    def shared_bits(self, count: int, ring_bits: int = 64) -> SharedRandomBits:
        self._count({BITS[ring_bits]: _whole_words(count)})
        return self._source.shared_bits(count, ring_bits)

    def random_ot_send(self, count: int, bits: int = 64) -> RandomOTSender:
        self._count({TRANSFERS[bits, self._rank]: _whole_words(count)})
        return self._source.random_ot_send(count, bits)

    def random_ot_receive(self, count: int, bits: int = 64) -> RandomOTReceiver:
        self._count({TRANSFERS[bits, 1 - self._rank]: _whole_words(count)})
        return self._source.random_ot_receive(count, bits)

    def plan(self, vectors: int, values: int) -> None:
        self._source.plan(vectors, values)

    def begin_tree(self, left: int) -> None:
        self._source.begin_tree(left)

    def noise_bits(self, matrix: BucketMatrix) -> int:
        return self._source.noise_bits(matrix)

    def register_matrix(self, matrix: BucketMatrix, own: NDArray[np.uint8] | None) -> None:
        self._source.register_matrix(matrix, own)

    def vector_products(self, owner: int, count: int) -> VectorProducts | PadProducts:
        self._count({}, (0, count) if owner else (count, 0))
        return self._source.vector_products(owner, count)

    def close(self) -> None:
        self._source.close()

    def _count(self, kinds: Mapping[Kind, int], vectors: tuple[int, int] = (0, 0)) -> None:
        self.budget += Budget.of(kinds, vectors)


def _whole_words(count: int) -> int:
    return count + -count % 64


__all__ = ["Budget", "CountingSource"]
