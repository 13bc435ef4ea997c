"""How vectors and one-hot columns lie in polynomials, and what that costs.

The columns (features x bins) are cut into groups of B, the rows into blocks of w = N / B:

    a(X) = sum of a_i X^i over the rows i < w of a block
    p(X) = sum of X^(b w - i) over the rows i and their columns b of a group

The product's coefficient b w is the sum of a_i over the rows in column b: |i - i'| < w leaves no
cross terms. Summed over blocks, a group and a vector make one *leaf*, with B wanted coefficients
w apart; 2^levels leaves are merged into one result, leaf number l then lies at offset
reversed(l) w / 2^levels.

Small B sends fewer ciphertexts and merges more leaves, large B the reverse. B and the levels
come from the cost model: bytes over a bandwidth plus time measured on one core. B is a power of
two. Everything here is public, and both sides compute the same.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.errors import UsageError
from securexgb.he.noise import DEGREE, KEY_BYTES, PRIMES, Noise, fitted

Places = NDArray[np.uint32]

# Seconds on one core with AVX-512 IFMA, measured (benchmarks/homomorphic.py).
_FRESH = 0.8e-3  # a ciphertext: encryption and expansion
_TRANSFORM = 60e-6  # a one-hot plaintext, three primes
_LEAF = 150e-6  # back to coefficients
_MERGING = 500e-6
_RESULT = 1.5e-3
_PRODUCT = 16e-6  # multiply and add: six transformed polynomials
BYTES_PER_SECOND = 60e6
"""The bandwidth that layouts are made for, where nothing else is said."""

CIPHERTEXT_WORDS = 2 * len(PRIMES) * DEGREE
MERGING_KEY_BYTES = len(PRIMES) * (len(PRIMES) + 1) * DEGREE * 50 // 8
"""A key for merging, as sent: the residues of 50 bits of its first half."""

_KEY_SHARE = 1 / 20  # a key serves a whole job: this much of it counts for one batch
_MOST_COLUMNS = 64
_BLOCKS_A_MESSAGE = 16
_MEMORY_WORDS = 1 << 26


@dataclass(frozen=True)
class Shape:
    """A one-hot matrix with features x bins columns, the values of the whole job, the link."""

    rows: int
    features: int
    bins: int
    values_in_job: int
    bytes_per_second: float = BYTES_PER_SECOND

    @property
    def columns(self) -> int:
        return self.features * self.bins


@dataclass(frozen=True)
class Layout:
    """One batch of ``vectors`` products with a matrix of ``shape``."""

    shape: Shape
    vectors: int
    width: int
    levels: int
    noise: Noise

    @property
    def block_rows(self) -> int:
        """w, which is also how far apart a leaf's wanted coefficients lie."""
        return DEGREE // self.width

    @property
    def blocks(self) -> int:
        return -(-self.shape.rows // self.block_rows)

    @property
    def groups(self) -> int:
        return -(-self.shape.columns // self.width)

    @property
    def leaves(self) -> int:
        return self.groups * self.vectors

    @property
    def results(self) -> int:
        return -(-self.leaves // (1 << self.levels))

    @property
    def block_counts(self) -> list[int]:
        """Ciphertexts of each message of one vector: messages are bounded."""
        full, rest = divmod(self.blocks, _BLOCKS_A_MESSAGE)
        return [_BLOCKS_A_MESSAGE] * full + [rest] * (rest > 0)

    @property
    def messages(self) -> int:
        """Messages of one vector."""
        return len(self.block_counts)

    @property
    def gaps(self) -> tuple[int, ...]:
        """Distances of wanted coefficients at which two are merged, one a level."""
        return tuple(self.block_rows >> level for level in range(self.levels))

    @property
    def bytes_sent(self) -> int:
        """Bytes of a batch, both ways, without keys."""
        there = self.vectors * self.blocks * DEGREE * self.noise.fresh_bytes
        back = self.results * DEGREE + self.vectors * self.shape.columns
        return there + back * self.noise.result_bytes

    @property
    def seconds(self) -> float:
        """The cost model's time of a batch on one core and a wire."""
        fresh = self.vectors * self.blocks
        work = (
            fresh * _FRESH
            + self.groups * self.blocks * (_TRANSFORM + self.vectors * _PRODUCT)
            + self.leaves * _LEAF
            + (self.leaves - self.results) * _MERGING
            + self.results * _RESULT
        )
        keys = self.levels * MERGING_KEY_BYTES * _KEY_SHARE
        return work + (self.bytes_sent + keys) / self.shape.bytes_per_second

    def places(self, result: int) -> tuple[Places, NDArray[np.intp], NDArray[np.intp]]:
        """Of a result: wanted coefficients, and the vector and column that each belongs to."""
        run = 1 << self.levels
        leaves = np.arange(result * run, min((result + 1) * run, self.leaves))
        groups, vectors = np.divmod(leaves, self.vectors)
        inside = np.arange(self.width)
        columns = groups[:, None] * self.width + inside
        offsets = _reversed(leaves - result * run, self.levels) * (self.block_rows // run)
        places = offsets[:, None] + inside * self.block_rows
        real = columns < self.shape.columns
        owners = np.broadcast_to(vectors[:, None], columns.shape)
        return places[real].astype(np.uint32), owners[real], columns[real]


def _reversed(numbers: NDArray[np.intp], bits: int) -> NDArray[np.intp]:
    """The bits of each number in reverse order."""
    result = np.zeros_like(numbers)
    for bit in range(bits):
        result |= (numbers >> bit & 1) << (bits - 1 - bit)
    return result


def layout_of(shape: Shape, vectors: int, width: int, levels: int) -> Layout:
    """A layout of this width; UsageError where its noise does not fit."""
    touched = min(shape.features, (width - 1) // shape.bins + 2 if width > 1 else 1)
    noise = fitted(shape.rows * touched, levels, shape.values_in_job)
    return Layout(shape, vectors, width, levels, noise)


def batch_limit(shape: Shape) -> int:
    """The most vectors that one batch takes: the evaluator holds their ciphertexts."""
    blocks = -(-shape.rows // DEGREE)
    return max(1, _MEMORY_WORDS // (blocks * CIPHERTEXT_WORDS))


def best_layout(shape: Shape, vectors: int) -> Layout:
    """The cheapest layout by the cost model, ciphertexts fitting the memory.

    Layouts whose noise does not fit are passed over; UsageError where none is left.
    """
    found = [layout_of(shape, vectors, 1, 0)]
    width = 1
    while width <= _MOST_COLUMNS:
        blocks = -(-shape.rows * width // DEGREE)
        if width == 1 or vectors * blocks * CIPHERTEXT_WORDS <= _MEMORY_WORDS:
            groups = -(-shape.columns // width)
            most = min((DEGREE // width).bit_length(), (groups * vectors - 1).bit_length() + 1)
            for levels in range(most):
                with suppress(UsageError):
                    found.append(layout_of(shape, vectors, width, levels))
        width *= 2
    return min(found, key=lambda layout: layout.seconds)


PUBLIC_KEY_BYTES = DEGREE * KEY_BYTES
"""The sent half of the public key."""
