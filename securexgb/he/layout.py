"""How short secrets lie in ciphertexts, how their products are packed, and what is sent.

A batch holds V vectors, V a power of two; a vector is known by its secret s of 4096 numbers. With
D = N / V, k columns side by side and d = D / k the numbers are cut into 4096 / d groups, one
ciphertext each:

    s(X) = sum over v and j < d of s_(v, g d + j) X^(v D - j)              group g
    p(X) = sum over c < k and j < d of W_(b + c, g d + j) X^(c d + j)      columns b, b + 1, ...

Coefficient v D + c d of s p is the sum of W_(b + c, g d + j) s_(v, g d + j): |j - j'| < d leaves no
cross terms. Summed over groups, k columns make one *summand* with k V wanted coefficients, d apart;
2^levels summands are packed into one result, number l then lies at offset reversed(l) d / 2^levels.

Large batches take less work for a vector, small ones wait less for the first. A small batch would
fill few coefficients of a product, and bringing them together is the most work: so k is such that
there are 32. It takes k times as many ciphertexts as one column would, as many as of 32 vectors. So
8 vectors take a fifth of the work of 128, but 16 half of it: where a tree takes no more than 8, or
where messages are slow, the first batch is a tree's, and all others have 128, as far as the job
takes so many.
Everything here is public, both sides compute the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.he.noise import DEGREE, KEY_BYTES, MOST_LEVELS, MOST_SIDE, PRIMES, SHORT, Precision

Indices = NDArray[np.uint32]

GALOIS_KEY_BYTES = len(PRIMES) * DEGREE * 50 // 8
"""A Galois key (of an automorphism), as sent: the residues of 50 bits of its first half."""
PUBLIC_KEY_BYTES = DEGREE * KEY_BYTES
"""The sent half of the public key."""

LEAST_VECTORS = 8
MOST_VECTORS = 128
LEAST_WANTED = LEAST_VECTORS * MOST_SIDE
"""Wanted coefficients of a summand, where there are enough columns to lie side by side."""
_A_MESSAGE = 16


@dataclass(frozen=True)
class Layout:
    """One batch of ``vectors`` products with a matrix of so many columns."""

    columns: int
    vectors: int
    precision: Precision

    @property
    def side(self) -> int:
        """k, columns side by side: no more than there are."""
        return min(max(1, LEAST_WANTED // self.vectors), 1 << (self.columns - 1).bit_length())

    @property
    def distance(self) -> int:
        """d, how far apart a summand's wanted coefficients lie."""
        return DEGREE // (self.vectors * self.side)

    @property
    def summands(self) -> int:
        return -(-self.columns // self.side)

    @property
    def groups(self) -> int:
        """Ciphertexts of a batch."""
        return SHORT // self.distance

    @property
    def levels(self) -> int:
        most = min(self.distance.bit_length() - 1, MOST_LEVELS)
        return min(most, (self.summands - 1).bit_length())

    @property
    def results(self) -> int:
        return -(-self.summands // (1 << self.levels))

    @property
    def spacings(self) -> tuple[int, ...]:
        """Distances of wanted coefficients at which two are packed, one a level."""
        return tuple(self.distance >> level for level in range(self.levels))

    @property
    def bytes_sent(self) -> int:
        """Bytes of a batch, both ways, without keys."""
        there = self.groups * DEGREE * self.precision.fresh_bytes
        back = self.results * DEGREE + self.vectors * self.columns
        return there + back * self.precision.result_bytes

    @property
    def secret_bytes(self) -> list[int]:
        """Of each message of a batch's encrypted secrets."""
        size = DEGREE * self.precision.fresh_bytes
        return [size * count for count in messages_of(self.groups)]

    @property
    def most_result_bytes(self) -> int:
        """Of a result, whose wanted coefficients are no more than there are."""
        return 2 * DEGREE * self.precision.result_bytes

    def indices(self, result: int) -> tuple[Indices, NDArray[np.intp], NDArray[np.intp]]:
        """Of a result: wanted coefficients, and the vector and column that each belongs to."""
        run = 1 << self.levels
        first = result * run * self.side
        columns = np.arange(first, min(first + run * self.side, self.columns))
        summands, places = np.divmod(columns - first, self.side)
        offsets = _reversed(summands, self.levels) * (self.distance // run) + places * self.distance
        vectors = np.arange(self.vectors)
        indices = offsets[:, None] + vectors * (self.distance * self.side)
        owners = np.broadcast_to(vectors, indices.shape)
        return (
            indices.reshape(-1).astype(np.uint32),
            owners.reshape(-1),
            columns.repeat(vectors.size),
        )


def _reversed(numbers: NDArray[np.intp], bits: int) -> NDArray[np.intp]:
    """The bits of each number in reverse order."""
    result = np.zeros_like(numbers)
    for bit in range(bits):
        result |= (numbers >> bit & 1) << (bits - 1 - bit)
    return result


def messages_of(ciphertexts: int) -> list[int]:
    """Ciphertexts of each message: messages are bounded."""
    full, rest = divmod(ciphertexts, _A_MESSAGE)
    return [_A_MESSAGE] * full + [rest] * (rest > 0)


def first_vectors(a_tree: int, *, is_far: bool = False) -> int:
    """How many the first batch is made for, where a tree takes so many. ``is_far``: see ``plan`` of
    products in ``correlations.source``."""
    return a_tree if is_far or a_tree <= LEAST_VECTORS else MOST_VECTORS


def batch_vectors(wanted: int) -> int:
    """The size of the batch that is made for so many vectors: a power of two within bounds."""
    return min(max(1 << (wanted - 1).bit_length(), LEAST_VECTORS), MOST_VECTORS)
