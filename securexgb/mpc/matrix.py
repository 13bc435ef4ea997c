"""Histograms: a private, fixed one-hot matrix times shared pairs of vectors, of g and of h.

Party P has the bucket matrix M (rows, features x bins), fixed for the whole job. For each
vector of the job the offline source hands the helper Q a pad a, and both additive shares of
M^T a (c_P + c_Q). Online Q sends y - a, its share masked, and P adds it up locally:
M^T (x + y) = M^T (x + (y - a)) + M^T a. P's share is the first term, a plain scatter-add, plus
c_P; Q's is c_Q. One message of n numbers, whatever the features and bins, and of no more bits
than a sum has: g and h are shared modulo the power of two that holds all their sums.

Pads are uniform and products exact, or pads are pseudorandom and products have noise r
(``offline.matrix_products``). Then t = ``noise_bits`` zeros are put below the numbers first, Q
sends 2^t y - a, and the sums are 2^t M^T (x + y) - r. They stay so while they are added up and
subtracted; what stands in the low t bits goes when they are taken apart (``numbers.unpack``), on
shares, exactly. Nobody sees it: opened, r would say something of M.

P sees y - a, uniform or pseudorandom. Q sees nothing. Each a serves once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from securexgb.correlations.counting import Budget
from securexgb.correlations.source import BucketMatrix, PadProducts, VectorProducts
from securexgb.errors import UsageError
from securexgb.mpc.numbers.unpack import SumWidths
from securexgb.mpc.packed import RingBits, packed_words, swapped
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, Words

Buckets = NDArray[np.uint8]
Products = VectorProducts | PadProducts


class OwnRows(Protocol):
    """One party's bucket matrix, wherever its rows lie; it exchanges nothing."""

    def sums(self, values: Words) -> Words:
        """Sums mod 2^64 of values (v, rows) by column and bin: (v, features, bins)."""


@dataclass(frozen=True)
class MatrixShape:
    """The public shapes of both parties' bucket matrices, and of the sums that are taken.

    ``sum_bits``: of exact sums of g, signed, and of h, not negative, and one more to spare
    (``numbers.unpack``). ``chain``: so many vectors' sums are added up at most. ``noise_bits``:
    what the source of correlations puts below sums.
    """

    rows: int
    features: tuple[int, int]
    bins: int
    sum_bits: tuple[int, int]
    chain: int = 1
    noise_bits: int = 0

    @property
    def ring_bits(self) -> RingBits:
        """Modulo which sums are shared."""
        return self.sum_bits[0] + self.noise_bits, self.sum_bits[1] + self.noise_bits

    def matrix(self, owner: int) -> BucketMatrix:
        """One party's matrix."""
        columns = self.features[owner] * self.bins
        return BucketMatrix(owner, self.rows, columns, self.bins, *self.sum_bits, self.chain)

    def widths(self, dropped: tuple[int, int]) -> tuple[SumWidths, SumWidths]:
        """How sums are taken apart where so many low bits are rounded off."""
        (g, h), (no_g, no_h) = self.sum_bits, dropped
        return (
            SumWidths(self.noise_bits, no_g, g - no_g, is_signed=True),
            SumWidths(self.noise_bits, no_h, h - no_h, is_signed=False),
        )


def register(party: Party, shape: MatrixShape, own: Buckets) -> MatrixShape:
    """Fix both parties' matrices for the job: ``own`` (rows, features) bin indices.

    Returns the shape with the noise that this party's source of correlations has.
    """
    if party.ideal is not None:
        return shape
    for owner, features in enumerate(shape.features):
        if features:
            matrix = own if owner == party.rank else None
            party.source.products.register_matrix(shape.matrix(owner), matrix)
    party.source.products.begin()
    return replace(shape, noise_bits=party.source.products.noise_bits(shape.matrix(0)))


def sums_cost(shape: MatrixShape, vectors: int) -> Cost:
    """Cost of ``histograms`` of so many pairs of vectors."""
    to_label, to_feature = (vectors if features else 0 for features in shape.features)
    return Cost(
        rounds=1,
        label_words=packed_words(to_feature * shape.rows, shape.ring_bits),
        feature_words=packed_words(to_label * shape.rows, shape.ring_bits),
        correlations=Budget(vectors=(to_label, to_feature)),
    )


def _ideal(shape: MatrixShape, label: OwnRows, feature: OwnRows, vectors: Shared) -> Shared:
    sums = [_sums(own, vectors.words) for own in (label, feature)]
    return Shared(np.concatenate(sums, axis=2) << np.uint64(shape.noise_bits))


@protocol(
    cost=lambda shape, label, feature, vectors: sums_cost(shape, vectors.shape[0]),
    opens="y - a, uniform or pseudorandom",
    source="docs/protocols.md, fixed-matrix products; after Delphi, USENIX Security 2020",
    ideal=_ideal,
)
def histograms(
    party: Party,
    shape: MatrixShape,
    label: OwnRows | None,
    feature: OwnRows | None,
    vectors: Shared,
) -> Shared:
    """Noisy sums of shared vectors (v, 2, rows) by column and bin: (v, 2, columns, bins).

    ``label`` and ``feature``: the rows' bins, at their owner only, as they were registered; the
    label party's columns come first. Vectors and sums count modulo 2^``sum_bits``, results modulo
    2^``ring_bits``: 2^noise_bits times the sums, and noise.
    """
    own, other = (label, feature)[party.rank], 1 - party.rank
    count, rows = vectors.shape[0], shape.rows
    products = [
        party.source.products.vector_products(owner, count) if shape.features[owner] else None
        for owner in (0, 1)
    ]
    helped, mine = products[other], products[party.rank]
    masked = np.zeros((0, 2, rows), np.uint64)
    if helped is not None:
        masked = _masked(helped, vectors.words)
    expect = count * rows if mine is not None else 0
    received = swapped(party, [masked[:, 0], masked[:, 1]], expect, shape.ring_bits)
    del masked
    sums = [np.zeros((count, 2, features, shape.bins), np.uint64) for features in shape.features]
    if helped is not None:
        sums[other] = helped.products.reshape(sums[other].shape)
    if mine is not None:
        if own is None:
            raise UsageError("histograms need the own rows at the party whose matrix has columns")
        values = vectors.words << np.uint64(shape.noise_bits)
        values += received.reshape(2, count, rows).swapaxes(0, 1)
        sums[party.rank] = _sums(own, values) + mine.products.reshape(sums[party.rank].shape)
    return Shared(np.concatenate(sums, axis=2))


def _masked(products: Products, vectors: Words) -> Words:
    """What hides this party's vectors (v, 2, rows)."""
    if isinstance(products, PadProducts) and products.pads is not None:
        return products.pads.masked(vectors)
    if isinstance(products, VectorProducts) and products.vectors is not None:
        return vectors - products.vectors
    raise UsageError("the source of correlations has no pads for the other party's matrix")


def _sums(own: OwnRows, vectors: Words) -> Words:
    """Sums of vectors (v, 2, rows): (v, 2, features, bins)."""
    sums = own.sums(vectors.reshape(-1, vectors.shape[2]))
    return sums.reshape(*vectors.shape[:2], *sums.shape[1:])
