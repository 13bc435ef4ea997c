"""The hot loops, written in Rust (kernels/): words are elements of Z_2^64.

Arrays are C-contiguous; a wrong dtype or shape raises ValueError. Results are new arrays. The GIL
is released while a kernel runs. See kernels/src for what each one does and how.
"""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

def simd_paths() -> list[str]:
    """The instruction sets that this machine can run; the last is in use."""

def prg_words(key: bytes, start: int, count: int) -> Words:
    """Words start..start + count of the AES-128-CTR stream, shape (count,)."""

def pack_bits(bits: Bytes) -> Words:
    """Lowest bit of each byte, shape (ceil(n / 64),); bit i of word w is element 64 w + i."""

def unpack_bits(words: Words, count: int) -> Bytes:
    """The first count bits as bytes 0 or 1; words has shape (ceil(count / 64),)."""

def to_slices(words: Words, width: int) -> Words:
    """Bit j of element i at bit i % 64 of [j, i // 64]; shape (width, ceil(n / 64)), tail zero."""

def from_slices(slices: Words, count: int) -> Words:
    """Undoes to_slices: (width, ceil(count / 64)) to (count,), upper bits zero."""

def pack_words(words: Words, bits: int) -> Bytes:
    """The low bits of each word as a little-endian bit stream of ceil(n bits / 8) bytes."""

def unpack_words(data: bytes | bytearray | memoryview | Bytes, count: int, bits: int) -> Words:
    """Undoes pack_words; data has exactly ceil(count bits / 8) bytes."""

def histogram(bins: Bytes, values: Words, n_bins: int) -> Words:
    """Wrapping sums per bin: bins (n, features), values (v, n), result (v, features, n_bins).

    The time taken may depend on the bins, which are the caller's own data.
    """

def mask_bucket_matrix(bins: Bytes, n_bins: int, key: bytes, start: int) -> Words:
    """M - U, shape (n, features n_bins); U[r, c] is word start + r columns + c of the stream."""

def matrix_product(matrix: Words, vectors: Words) -> Words:
    """vectors @ matrix: matrix (n, c), vectors (v, n), result (v, c)."""

def prg_matrix_product(key: bytes, start: int, rows: int, columns: int, vectors: Words) -> Words:
    """vectors @ U without holding U, laid out as in mask_bucket_matrix; result (v, columns)."""

def triple_open(x: Words, y: Words, a: Words, b: Words) -> Words:
    """(x - a, y - b), shape (2, n)."""

def triple_close(opened: Words, a: Words, b: Words, c: Words, rank: int) -> Words:
    """c + d b + e a, plus d e at rank 0, opened being (d, e); shape (n,)."""

def and_open(x: Words, y: Words, a: Words, b: Words) -> Words:
    """(x ^ a, y ^ b), shape (2, n)."""

def and_close(opened: Words, a: Words, b: Words, c: Words, rank: int) -> Words:
    """c ^ d & b ^ e & a, ^ d & e at rank 0, opened being (d, e); shape (n,)."""
