"""What both parties' pieces satisfy together, kind by kind, as assertions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.offline.correlations import (
    BitTriples,
    RandomOTReceiver,
    RandomOTSender,
    SharedRandomBits,
    Triples,
    VectorProducts,
    Words,
)


def check_triples(x: Triples, y: Triples, count: int) -> None:
    assert x.a.shape == x.b.shape == x.c.shape == y.a.shape == y.b.shape == y.c.shape == (count,)
    np.testing.assert_array_equal((x.a + y.a) * (x.b + y.b), x.c + y.c)


def check_bit_triples(x: BitTriples, y: BitTriples, words: int) -> None:
    assert x.a.shape == x.b.shape == x.c.shape == y.a.shape == y.b.shape == y.c.shape == (words,)
    np.testing.assert_array_equal((x.a ^ y.a) & (x.b ^ y.b), x.c ^ y.c)


def check_shared_bits(x: SharedRandomBits, y: SharedRandomBits, count: int) -> None:
    assert x.boolean.shape == y.boolean.shape == (-(-count // 64),)
    assert x.arithmetic.shape == y.arithmetic.shape == (count,)
    bits = _kernels.unpack_bits(x.boolean ^ y.boolean, count)
    np.testing.assert_array_equal(x.arithmetic + y.arithmetic, bits)


def check_random_ot(sender: RandomOTSender, receiver: RandomOTReceiver, count: int) -> None:
    assert sender.zero.shape == sender.one.shape == receiver.chosen.shape == (count,)
    assert receiver.choices.shape == (-(-count // 64),)
    chosen_one = _kernels.unpack_bits(receiver.choices, count) == 1
    np.testing.assert_array_equal(np.where(chosen_one, sender.one, sender.zero), receiver.chosen)


def one_hot(bins: NDArray[np.uint8], n_bins: int) -> Words:
    """The bucket matrix, (rows, features * n_bins)."""
    return np.eye(n_bins, dtype=np.uint64)[bins].reshape(len(bins), bins.shape[1] * n_bins)


def check_products(owner: VectorProducts, other: VectorProducts, matrix: Words) -> None:
    assert owner.vectors is None
    assert other.vectors is not None
    np.testing.assert_array_equal(owner.products + other.products, other.vectors @ matrix)
