"""How short secrets lie in ciphertexts, how their products are packed, and what is sent.

A batch holds V vectors, V a power of two; a vector is known by its secret s of 4096 numbers. With
D = N / V the numbers are cut into 4096 / D groups, one ciphertext each:

    s(X) = sum over v and j < D of s_(v, g D + j) X^(v D - j)      group g
    p(X) = sum over j < D of W_(b, g D + j) X^j                    column b of W^T, group g

Coefficient v D of s p is the sum of W_(b, g D + j) s_(v, g D + j): |j - j'| < D leaves no cross
terms. Summed over groups, a column makes one *summand* with V wanted coefficients, D apart;
2^levels summands are packed into one result, number l then lies at offset reversed(l) D / 2^levels.

Large batches pack less for a vector, small ones wait less for the first. So batches start with 64
vectors, or with what one tree takes where nobody says how many a job will take, and double to 128.
Everything here is public, both sides compute the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.he.noise import DEGREE, KEY_BYTES, PRIMES, SHORT, Precision

Indices = NDArray[np.uint32]

GALOIS_KEY_BYTES = len(PRIMES) * (len(PRIMES) + 1) * DEGREE * 50 // 8
"""A Galois key (of an automorphism), as sent: the residues of 50 bits of its first half."""
PUBLIC_KEY_BYTES = DEGREE * KEY_BYTES
"""The sent half of the public key."""

LEAST_VECTORS = 16
FIRST_VECTORS = 64
"""Of the first batch, where the job takes so many: the first tree waits for it."""
MOST_VECTORS = 128
_A_MESSAGE = 16


@dataclass(frozen=True)
class Layout:
    """One batch of ``vectors`` products with a matrix of so many columns."""

    columns: int
    vectors: int
    precision: Precision

    @property
    def distance(self) -> int:
        """D, how far apart a summand's wanted coefficients lie."""
        return DEGREE // self.vectors

    @property
    def groups(self) -> int:
        """Ciphertexts of a batch."""
        return SHORT // self.distance

    @property
    def levels(self) -> int:
        return min(self.distance.bit_length() - 1, (self.columns - 1).bit_length())

    @property
    def results(self) -> int:
        return -(-self.columns // (1 << self.levels))

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

    def indices(self, result: int) -> tuple[Indices, NDArray[np.intp], NDArray[np.intp]]:
        """Of a result: wanted coefficients, and the vector and column that each belongs to."""
        run = 1 << self.levels
        columns = np.arange(result * run, min((result + 1) * run, self.columns))
        vectors = np.arange(self.vectors)
        offsets = _reversed(columns - result * run, self.levels) * (self.distance // run)
        indices = offsets[:, None] + vectors * self.distance
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


def batch_vectors(wanted: int) -> int:
    """The size of the batch that is made for so many vectors: a power of two within bounds."""
    return min(max(1 << (wanted - 1).bit_length(), LEAST_VECTORS), MOST_VECTORS)
