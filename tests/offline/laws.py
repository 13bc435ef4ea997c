"""What both parties' pieces satisfy together, as assertions: their shapes, and each kind's law."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.correlations.digits import DigitTransfers, SentDigits, chosen_messages
from securexgb.correlations.gates import Gates
from securexgb.correlations.kind import Kind, Pieces, Words
from securexgb.correlations.random_bits import RandomBits
from securexgb.correlations.row_triples import RowTriples
from securexgb.correlations.slices import SentSlices, SlicedTransfers
from securexgb.correlations.source import BucketMatrix, CorrelationSource, VectorProducts
from securexgb.correlations.transfers import SentTransfers, Transfers
from securexgb.correlations.triples import Triples


def rows(kind: Kind[Any], pieces: Pieces) -> list[tuple[int, ...]]:
    """The leading shapes of a party's arrays."""
    match kind:
        case Triples():
            return [(), (), ()]
        case RowTriples(count):
            return [(count,), (), (count,)]
        case RandomBits():
            return [(), ()]
        case Gates(width):
            return [(), (width,), (width,)]
        case DigitTransfers(width):
            return [(16, width)] if isinstance(pieces, SentDigits) else [(4,), (width,)]
        case SlicedTransfers(width):
            return [(width,) if isinstance(pieces, SentSlices) else (), (width,)]
        case Transfers(bits):
            message = () if bits <= 64 else (bits // 64,)
            return [message if isinstance(pieces, SentTransfers) else (), message]
    raise NotImplementedError(kind)


def arrays(pieces: Pieces) -> list[Words]:
    """The arrays of a party's part, in order."""
    return list(vars(pieces).values())


def holds(kind: Kind[Any], zero: Any, one: Any) -> bool:
    """The law: whether both parties' parts fit together."""
    match kind:
        case Triples(bits) | RowTriples(_, bits):
            return agree((zero.a + one.a) * (zero.b + one.b), zero.c + one.c, bits)
        case Gates():
            return np.array_equal((zero.a ^ one.a) & (zero.b ^ one.b), zero.c ^ one.c)
        case RandomBits(bits):
            summed = zero.arithmetic + one.arithmetic
            flags = _kernels.unpack_bits(zero.boolean ^ one.boolean, summed.size)
            return agree(summed, flags.astype(np.uint64), bits)
    sent, received = (zero, one) if kind.sender == 0 else (one, zero)
    if isinstance(kind, DigitTransfers):
        return np.array_equal(chosen_messages(sent.messages, received.choices), received.chosen)
    if isinstance(kind, SlicedTransfers):
        chosen = sent.zero ^ (sent.zero ^ sent.one) & received.choices
        return np.array_equal(chosen, received.chosen)
    flags = _kernels.unpack_bits(received.choices, sent.zero.shape[-1])
    return agree(np.where(flags == 1, sent.one, sent.zero), received.chosen, min(kind.bits, 64))


def agree(left: Words, right: Words, ring_bits: int) -> bool:
    """Whether words are equal modulo 2^ring_bits."""
    return not ((left - right) << np.uint64(64 - ring_bits)).any()


def check(kind: Kind[Any], zero: Pieces, one: Pieces, count: int) -> None:
    for pieces in (zero, one):
        lengths = [-(-count // elements) for elements in pieces.per_word]
        expected = [(*r, n) for r, n in zip(rows(kind, pieces), lengths, strict=True)]
        assert [array.shape for array in arrays(pieces)] == expected
        assert {array.dtype for array in arrays(pieces)} == {np.dtype(np.uint64)}
    assert holds(kind, zero, one)


def check_next(
    kind: Kind[Any], sources: tuple[CorrelationSource, CorrelationSource], count: int
) -> None:
    """What both sources, asked one after the other, give next."""
    zero, one = (source.take(kind, count) for source in sources)
    check(kind, zero, one, count)


def bucket_matrix(owner: int, rows: int, features: int, bins: int) -> BucketMatrix:
    """A matrix for sums of 34 and 31 bits."""
    return BucketMatrix(owner, rows, features * bins, bins, 34, 31)


def one_hot(bins: NDArray[np.uint8], n_bins: int) -> Words:
    """The bucket matrix, (rows, features * n_bins)."""
    return np.eye(n_bins, dtype=np.uint64)[bins].reshape(len(bins), bins.shape[1] * n_bins)


def check_products(owner: VectorProducts, other: VectorProducts, matrix: Words) -> None:
    assert owner.vectors is None
    assert other.vectors is not None
    assert other.vectors.shape == (len(owner.products), 2, len(matrix))
    np.testing.assert_array_equal(owner.products + other.products, other.vectors @ matrix)
