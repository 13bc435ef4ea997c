"""How much of what a job consumes, before it starts or while it runs.

Control flow is public, so one run counts for every run of the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from securexgb.dealer.deal import Kind
from securexgb.offline.correlations import (
    BitTriples,
    RandomOTReceiver,
    RandomOTSender,
    SharedRandomBits,
    Triples,
    VectorProducts,
)
from securexgb.offline.source import CorrelationSource


@dataclass(frozen=True)
class Budget:
    """Correlations by kind, in elements as they are used up.

    Kinds with packed bits count in whole words of 64 elements a request. ``bit_triples``
    are words; ``ot_from_label`` and ``ot_from_feature`` go by their sender; ``vectors_…``
    by the owner of the matrix.
    """

    triples: int = 0
    bit_triples: int = 0
    shared_bits: int = 0
    ot_from_label: int = 0
    ot_from_feature: int = 0
    vectors_label: int = 0
    vectors_feature: int = 0

    def __add__(self, other: Budget) -> Budget:
        return Budget(*(a + b for a, b in zip(self.counts(), other.counts(), strict=True)))

    def __sub__(self, other: Budget) -> Budget:
        return Budget(*(a - b for a, b in zip(self.counts(), other.counts(), strict=True)))

    def times(self, factor: int) -> Budget:
        """For so many trees, batches or runs."""
        return Budget(*(factor * count for count in self.counts()))

    def counts(self) -> list[int]:
        """The numbers in the order of the fields."""
        return [getattr(self, entry.name) for entry in fields(self)]

    def of(self, kind: Kind) -> int:
        """The count of one element-wise kind."""
        match kind:
            case Kind.TRIPLES:
                return self.triples
            case Kind.BIT_TRIPLES:
                return self.bit_triples
            case Kind.SHARED_BITS:
                return self.shared_bits
            case Kind.OT_FROM_0:
                return self.ot_from_label
            case Kind.OT_FROM_1:
                return self.ot_from_feature

    @property
    def vectors(self) -> tuple[int, int]:
        """Vectors by the owner's rank."""
        return self.vectors_label, self.vectors_feature

    def correction_bytes(self, columns: tuple[int, int]) -> int:
        """What the dealer sends to party 1; ``columns``: of the matrices by owner."""
        words = sum(self.of(kind) for kind in Kind)
        products = sum(v * c for v, c in zip(self.vectors, columns, strict=True))
        return 8 * (words + products)


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
    def offline_seconds(self) -> float:
        return self._source.offline_seconds

    @property
    def offline_bytes(self) -> int:
        return self._source.offline_bytes

    @property
    def offline_channel_bytes(self) -> int:
        return self._source.offline_channel_bytes

    def triples(self, count: int) -> Triples:
        self.budget += Budget(triples=count)
        return self._source.triples(count)

    def bit_triples(self, words: int) -> BitTriples:
        self.budget += Budget(bit_triples=words)
        return self._source.bit_triples(words)

    def shared_bits(self, count: int) -> SharedRandomBits:
        self.budget += Budget(shared_bits=_whole_words(count))
        return self._source.shared_bits(count)

    def random_ot_send(self, count: int) -> RandomOTSender:
        self.budget += _transfers(self._rank, count)
        return self._source.random_ot_send(count)

    def random_ot_receive(self, count: int) -> RandomOTReceiver:
        self.budget += _transfers(1 - self._rank, count)
        return self._source.random_ot_receive(count)

    def register_matrix(
        self, owner: int, rows: int, columns: int, matrix: NDArray[np.uint8] | None, bins: int
    ) -> None:
        self._source.register_matrix(owner, rows, columns, matrix, bins)

    def vector_products(self, owner: int, count: int) -> VectorProducts:
        self.budget += Budget(vectors_feature=count) if owner else Budget(vectors_label=count)
        return self._source.vector_products(owner, count)

    def close(self) -> None:
        self._source.close()


def _whole_words(count: int) -> int:
    return count + -count % 64


def _transfers(sender: int, count: int) -> Budget:
    whole = _whole_words(count)
    return Budget(ot_from_feature=whole) if sender else Budget(ot_from_label=whole)
