"""How much of what a job consumes, counted while it runs.

Control flow is public, so one run counts for every run of the same shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from securexgb.correlations.kind import BLOCK, Kind, P
from securexgb.correlations.rows import RowBits
from securexgb.correlations.source import Account, CorrelationSource, ObservedProducts


@dataclass(frozen=True)
class Budget:
    """How much of which kind, in elements as they are used up.

    ``counts``: of the kinds that are dealt, none of them 0. ``vectors``: pairs of vectors, for
    products, by the rank of the matrix's owner. ``row_nodes``: nodes, for row correlations.
    """

    counts: Mapping[Kind[Any], int] = field(default_factory=dict)
    vectors: tuple[int, int] = (0, 0)
    row_nodes: int = 0

    def __post_init__(self) -> None:
        counts = {kind: count for kind, count in self.counts.items() if count}
        object.__setattr__(self, "counts", counts)

    def __getitem__(self, kind: Kind[Any]) -> int:
        return self.counts.get(kind, 0)

    def __add__(self, other: Budget) -> Budget:
        counts = {kind: self[kind] + other[kind] for kind in (*self.counts, *other.counts)}
        (label, feature), (more_label, more_feature) = self.vectors, other.vectors
        vectors = label + more_label, feature + more_feature
        return Budget(counts, vectors, self.row_nodes + other.row_nodes)

    def __sub__(self, other: Budget) -> Budget:
        return self + other.times(-1)

    def times(self, factor: int) -> Budget:
        """For so many calls, trees, batches or runs."""
        counts = {kind: factor * count for kind, count in self.counts.items()}
        vectors = factor * self.vectors[0], factor * self.vectors[1]
        return Budget(counts, vectors, factor * self.row_nodes)

    def correction_words(self, columns: tuple[int, int]) -> int:
        """What a dealer sends to party 1; ``columns``: of the matrices by owner."""
        kinds = sum(n * kind.layout.fitted.words for kind, n in self.counts.items()) // BLOCK
        return kinds + sum(2 * v * c for v, c in zip(self.vectors, columns, strict=True))


class CountingSource:
    """A source that passes everything on and counts it in ``budget``, its products included."""

    def __init__(self, source: CorrelationSource) -> None:
        self._source = source
        self.budget = Budget()
        self.name, self.evidence, self.prices = source.name, source.evidence, source.prices
        self.products = ObservedProducts(source.products, self._count_vectors)
        self.row_bits = _CountingRowBits(self, source)

    @property
    def account(self) -> Account:
        return self._source.account

    def take(self, kind: Kind[P], count: int) -> P:
        self.budget += Budget({kind.dealt: count + -count % kind.grain})
        return self._source.take(kind, count)

    def begin_job(self, words: int) -> None:
        self._source.begin_job(words)

    def expect(self, counts: Mapping[Kind[Any], int]) -> None:
        self._source.expect(counts)

    def begin_tree(self, remaining: int) -> None:
        self._source.begin_tree(remaining)

    def close(self) -> None:
        self._source.close()

    def _count_vectors(self, owner: int, count: int) -> None:
        self.budget += Budget(vectors=(0, count) if owner else (count, 0))


class _CountingRowBits:
    def __init__(self, counting: CountingSource, source: CorrelationSource) -> None:
        self._counting = counting
        self._within = source.row_bits
        self.register = self._within.register
        self.fix = self._within.fix

    def take(self, nodes: int) -> RowBits:
        self._counting.budget += Budget(row_nodes=nodes)
        return self._within.take(nodes)
