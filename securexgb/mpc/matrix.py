"""Histograms: a private, fixed one-hot matrix times a shared vector.

Party P has the bucket matrix M (rows, features x bins), fixed for the whole job. For each
vector of the job the offline source hands the helper Q a uniform vector a, and both
additive shares of M^T a (c_P + c_Q). Online Q sends y - a, its share masked, and P adds it
up locally: M^T (x + y) = M^T (x + (y - a)) + M^T a. P's share is the first term, a plain
scatter-add, plus c_P; Q's is c_Q. One message of n words, whatever the features and bins.

P sees y - a, uniform. Q sees nothing. Each a serves once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared
from securexgb.offline.correlations import Budget

Buckets = NDArray[np.uint8]


@dataclass(frozen=True)
class MatrixShape:
    """The public shapes of both parties' bucket matrices."""

    rows: int
    features: tuple[int, int]
    bins: int


def register(party: Party, shape: MatrixShape, own: Buckets) -> None:
    """Fix both parties' matrices for the job: ``own`` (rows, features) bin indices."""
    if party.ideal is not None:
        return
    for owner, features in enumerate(shape.features):
        if features:
            matrix = own if owner == party.rank else None
            columns = features * shape.bins
            party.source.register_matrix(owner, shape.rows, columns, matrix, shape.bins)


def sums_cost(shape: MatrixShape, vectors: int) -> Cost:
    """Cost of ``histograms`` of so many vectors."""
    to_label, to_feature = (vectors if features else 0 for features in shape.features)
    return Cost(
        rounds=1,
        label_words=to_feature * shape.rows,
        feature_words=to_label * shape.rows,
        correlations=Budget(vectors=(to_label, to_feature)),
    )


def _ideal(
    shape: MatrixShape, label: Buckets, feature: Buckets, vectors: Shared
) -> tuple[Shared, Shared]:
    def histogram(buckets: Buckets) -> Shared:
        return Shared(_kernels.histogram(buckets, vectors.words, shape.bins))

    return histogram(label), histogram(feature)


@protocol(
    cost=lambda shape, label, feature, vectors: sums_cost(shape, vectors.shape[0]),
    opens="y - a, uniform",
    source="docs/protocols.md, fixed-matrix products; after Delphi, USENIX Security 2020",
    ideal=_ideal,
)
def histograms(
    party: Party,
    shape: MatrixShape,
    label: Buckets | None,
    feature: Buckets | None,
    vectors: Shared,
) -> tuple[Shared, Shared]:
    """Both parties' histograms of shared vectors (v, rows): each (v, features, bins).

    ``label`` and ``feature``: bin indices (rows, features), at their owner only.
    """
    own = label if party.rank == 0 else feature
    count, other = vectors.shape[0], 1 - party.rank
    products = [
        party.source.vector_products(owner, count) if shape.features[owner] else None
        for owner in (0, 1)
    ]
    helped, mine = products[other], products[party.rank]
    masked = np.zeros(0, np.uint64)
    if helped is not None:
        assert helped.vectors is not None
        masked = vectors.words - helped.vectors
    received = party.exchange(masked.reshape(-1), expect=vectors.size if mine else 0)
    result = [Shared.zeros(count, features, shape.bins) for features in shape.features]
    if helped is not None:
        result[other] = Shared(helped.products.reshape(count, -1, shape.bins))
    if mine is not None:
        assert own is not None
        own_sums = _kernels.histogram(own, vectors.words + received.reshape(count, -1), shape.bins)
        result[party.rank] = Shared(own_sums + mine.products.reshape(own_sums.shape))
    return result[0], result[1]
