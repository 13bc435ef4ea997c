"""What both parties' pieces satisfy together, kind by kind, as assertions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.offline.correlations import (
    BucketMatrix,
    DigitReceiver,
    DigitSender,
    GateTriples,
    RandomOTReceiver,
    RandomOTSender,
    SharedRandomBits,
    Triples,
    VectorProducts,
    Words,
)


def check_triples(x: Triples, y: Triples, count: int, ring_bits: int = 64) -> None:
    assert x.a.shape == x.b.shape == x.c.shape == y.a.shape == y.b.shape == y.c.shape == (count,)
    difference = (x.a + y.a) * (x.b + y.b) - (x.c + y.c)
    np.testing.assert_array_equal(difference << np.uint64(64 - ring_bits), 0)


def check_gates(x: GateTriples, y: GateTriples, words: int, width: int) -> None:
    assert x.a.shape == y.a.shape == (words,)
    assert x.b.shape == x.c.shape == y.b.shape == y.c.shape == (width, words)
    np.testing.assert_array_equal((x.a ^ y.a) & (x.b ^ y.b), x.c ^ y.c)


def check_digits(sender: DigitSender, receiver: DigitReceiver, words: int, width: int) -> None:
    assert sender.messages.shape == (16, width, words)
    assert receiver.choices.shape == (4, words)
    assert receiver.chosen.shape == (width, words)
    for entry in range(16):
        bits = [bit if entry >> j & 1 else ~bit for j, bit in enumerate(receiver.choices)]
        here = np.bitwise_and.reduce(bits)
        np.testing.assert_array_equal((sender.messages[entry] ^ receiver.chosen) & here, 0)


def check_shared_bits(
    x: SharedRandomBits, y: SharedRandomBits, count: int, ring_bits: int = 64
) -> None:
    assert x.boolean.shape == y.boolean.shape == (-(-count // 64),)
    assert x.arithmetic.shape == y.arithmetic.shape == (count,)
    bits = _kernels.unpack_bits(x.boolean ^ y.boolean, count)
    difference = x.arithmetic + y.arithmetic - bits
    np.testing.assert_array_equal(difference << np.uint64(64 - ring_bits), 0)


def check_random_ot(
    sender: RandomOTSender, receiver: RandomOTReceiver, count: int, bits: int = 64
) -> None:
    shape = (count,) if bits <= 64 else (bits // 64, count)
    assert sender.zero.shape == sender.one.shape == receiver.chosen.shape == shape
    assert receiver.choices.shape == (-(-count // 64),)
    chosen_one = _kernels.unpack_bits(receiver.choices, count) == 1
    difference = np.where(chosen_one, sender.one, sender.zero) - receiver.chosen
    np.testing.assert_array_equal(difference << np.uint64(max(64 - bits, 0)), 0)


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
