"""What a homomorphic scheme has to offer for products with a private one-hot matrix.

Two roles, named after what they hold. The key holder Q has random vectors and the secret key;
the evaluator P has the matrix. Messages are bytes; whoever calls carries them across.

    Q: announcement()              -> P: the public part of the keys
    Q: encrypted(vectors)          -> P: messages, in order
    P: products(messages, bins)    -> Q: messages, and P's own share of each product
    Q: opened(messages)               Q's share

Shares add up to the product modulo 2^64, except with the probability that the scheme states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Buckets = NDArray[np.uint8]


class KeyHolder(Protocol):
    """Q: draws the vectors, encrypts them, and decrypts masked products."""

    def announcement(self) -> bytes:
        """What the evaluator needs once; nothing secret."""

    def encrypted(self, vectors: Words) -> Iterator[bytes]:
        """Messages of encrypted vectors (v, rows)."""

    def opened(self, messages: Iterable[bytes | memoryview], vectors: int) -> Words:
        """This side's share of the products, (v, columns)."""


class Evaluator(Protocol):
    """P: holds the matrix as bin indices (rows, features) and sees ciphertexts only."""

    def products(
        self, messages: Iterable[bytes | memoryview], vectors: int
    ) -> Iterator[tuple[bytes, Words]]:
        """Messages of masked products, each with this side's share of what it holds."""
