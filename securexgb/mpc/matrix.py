"""Histograms: a private, fixed one-hot matrix times a shared vector of gradient pairs.

Party P has the bucket matrix M (rows, features x bins), fixed for the whole job. For each
vector of the job the offline source hands the helper Q a pad a, and both additive shares of
M^T a (c_P + c_Q). Online Q sends y - a, its share masked, and P adds it up locally:
M^T (x + y) = M^T (x + (y - a)) + M^T a. P's share is the first term, a plain scatter-add, plus
c_P; Q's is c_Q. One message of n words, whatever the features and bins.

Pads are uniform words modulo 2^64 and products exact, or pads are pseudorandom modulo a larger
2^kappa and products have noise r (``offline.matrix_products``). Then t = ``noise_bits`` zeros are
put below the pairs first, Q sends 2^t y - a, and the sums are 2^t M^T (x + y) - r: what stands
in the low t bits goes when the sums are taken apart (``mpc.fields``), on shares, exactly.

P sees y - a, uniform or pseudorandom. Q sees nothing. Each a serves once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import whole_words
from securexgb.mpc.compare import signed
from securexgb.mpc.fields import Widths, split_cost, split_fields
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, Words
from securexgb.offline.correlations import Budget, PadProducts, VectorProducts

Buckets = NDArray[np.uint8]
Bytes = NDArray[np.uint8]
Products = VectorProducts | PadProducts


class OwnRows(Protocol):
    """One party's bucket matrix, wherever its rows lie; it exchanges nothing."""

    def sums(self, values: Words) -> Words:
        """Sums mod 2^64 of values (v, rows) by column and bin: (v, features, bins)."""

    def masked_sums(self, vectors: Words, message: Bytes, shift: int, bits: int) -> Words:
        """The same of 2^shift y + m mod 2^bits: low and high words, (v, features, bins, 2).

        ``vectors``: y (v, rows); ``message``: m (v, rows), ceil(bits / 8) bytes each, flat.
        """


@dataclass(frozen=True)
class MatrixShape:
    """The public shapes of both parties' bucket matrices, and of the sums that are taken.

    ``word_bits``: of a sum of pairs, G and H together. ``noise_bits``: what the source of
    correlations says for so many rows and bits.
    """

    rows: int
    features: tuple[int, int]
    bins: int
    word_bits: int = 64
    noise_bits: int = 0

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in the message."""
        return 8 if self.noise_bits == 0 else -(-(self.word_bits + self.noise_bits) // 8)

    def widths(self, low_bits: int) -> Widths:
        """Of the fields of a sum."""
        return self.noise_bits, low_bits, self.word_bits - low_bits

    def message_words(self, vectors: int) -> int:
        """Whole words of the message of so many vectors."""
        return -(-vectors * self.rows * self.row_bytes // 8)


def register(party: Party, shape: MatrixShape, own: Buckets) -> None:
    """Fix both parties' matrices for the job: ``own`` (rows, features) bin indices."""
    if party.ideal is not None:
        return
    for owner, features in enumerate(shape.features):
        if features:
            matrix = own if owner == party.rank else None
            columns = features * shape.bins
            party.source.register_matrix(
                owner, shape.rows, columns, matrix, shape.bins, shape.word_bits
            )


def sums_cost(shape: MatrixShape, vectors: int, low_bits: int) -> Cost:
    """Cost of ``histograms`` of so many vectors."""
    to_label, to_feature = (vectors if features else 0 for features in shape.features)
    masked = Cost(
        rounds=1,
        label_words=shape.message_words(to_feature),
        feature_words=shape.message_words(to_label),
        correlations=Budget(vectors=(to_label, to_feature)),
    )
    sums = vectors * sum(shape.features) * shape.bins
    return masked + split_cost(shape.widths(low_bits), sums)


def _ideal(
    shape: MatrixShape, label: OwnRows, feature: OwnRows, pairs: Shared, low_bits: int
) -> tuple[Shared, Shared]:
    words = np.concatenate([own.sums(pairs.words) for own in (label, feature)], axis=1)
    gradient = signed(words, low_bits).view(np.uint64)
    high = np.uint64((1 << (shape.word_bits - low_bits)) - 1)
    return Shared(gradient), Shared((words - gradient) >> np.uint64(low_bits) & high)


@protocol(
    cost=lambda shape, label, feature, pairs, low_bits: sums_cost(shape, pairs.shape[0], low_bits),
    opens="y - a, uniform or pseudorandom; masked bits of the Beaver products and of the "
    "conversion, uniform",
    source="docs/protocols.md, fixed-matrix products; after Delphi, USENIX Security 2020",
    ideal=_ideal,
)
def histograms(
    party: Party,
    shape: MatrixShape,
    label: OwnRows | None,
    feature: OwnRows | None,
    pairs: Shared,
    low_bits: int,
) -> tuple[Shared, Shared]:
    """Sums of G and of H of shared pairs (v, rows) by column and bin, each (v, columns, bins).

    ``label`` and ``feature``: the rows' bins, at their owner only, as they were registered; the
    label party's columns come first. Pairs are G + 2^low_bits H, |G| < 2^(low_bits - 1), 0 <= H <
    2^(word_bits - low_bits) for every sum.
    """
    own = label if party.rank == 0 else feature
    count, other = pairs.shape[0], 1 - party.rank
    products = [
        party.source.vector_products(owner, count) if shape.features[owner] else None
        for owner in (0, 1)
    ]
    helped, mine = products[other], products[party.rank]
    masked = np.zeros(0, np.uint64)
    if helped is not None:
        masked = whole_words(_masked(helped, pairs.words))
    received = party.exchange(masked, expect=shape.message_words(count) if mine else 0)
    sums = [np.zeros((count, n, shape.bins, 2), np.uint64) for n in shape.features]
    if helped is not None:
        sums[other] = _wide(helped).reshape(count, -1, shape.bins, 2)
    if mine is not None:
        assert own is not None
        message = received.view(np.uint8)[: count * shape.rows * shape.row_bytes]
        sums[party.rank] = _sums(shape, own, pairs.words, message, mine)
    return split_fields(party, np.concatenate(sums, axis=1), shape.widths(low_bits))


def _masked(products: Products, vectors: Words) -> Bytes:
    """The message that hides this party's vectors (v, rows)."""
    if isinstance(products, VectorProducts):
        assert products.vectors is not None
        return (vectors - products.vectors).reshape(-1).view(np.uint8)
    assert products.pads is not None
    return products.pads.masked(vectors)


def _sums(
    shape: MatrixShape, own: OwnRows, vectors: Words, message: Bytes, products: Products
) -> Words:
    """The owner's summands, (v, features, bins, 2)."""
    if isinstance(products, VectorProducts):
        masked = message.view(np.uint64).reshape(vectors.shape)
        sums = own.sums(vectors + masked)
        return np.stack(
            [sums + products.products.reshape(sums.shape), np.zeros_like(sums)], axis=-1
        )
    bits = shape.word_bits + shape.noise_bits
    sums = own.masked_sums(vectors, message, shape.noise_bits, bits)
    more = products.products.reshape(sums.shape)
    low = sums[..., 0] + more[..., 0]
    return np.stack([low, sums[..., 1] + more[..., 1] + (low < more[..., 0])], axis=-1)


def _wide(products: Products) -> Words:
    """The helper's summands, (v, columns, 2)."""
    if isinstance(products, PadProducts):
        return products.products
    return np.stack([products.products, np.zeros_like(products.products)], axis=-1)
