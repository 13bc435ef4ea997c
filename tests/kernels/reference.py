"""NumPy references of the kernels: slow, obvious, and written from the definitions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

Words = NDArray[np.uint64]


def prg_words(key: bytes, start: int, count: int) -> Words:
    """AES-128 of the block numbers as 16 little-endian bytes, read as little-endian words."""
    blocks = range(start // 2, (start + count + 1) // 2)
    plain = b"".join(block.to_bytes(16, "little") for block in blocks)
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    stream = np.frombuffer(encryptor.update(plain) + encryptor.finalize(), "<u8")
    return stream[start % 2 : start % 2 + count]


def bits_of(words: Words, width: int) -> NDArray[np.uint8]:
    """Bit j of every word: shape (..., width), values 0 or 1."""
    shifted = words[..., None] >> np.arange(width, dtype=np.uint64)
    return (shifted & np.uint64(1)).astype(np.uint8)


def pack_bits(bits: NDArray[np.uint8]) -> Words:
    """Packs the last axis, little-endian, the tail zero."""
    padding = [(0, 0)] * (bits.ndim - 1) + [(0, -bits.shape[-1] % 64)]
    packed = np.packbits(np.pad(bits, padding), axis=-1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u8")


def pack_words(words: Words, bits: int) -> NDArray[np.uint8]:
    return np.packbits(bits_of(words, bits).reshape(-1), bitorder="little")


def one_hot(bins: NDArray[np.uint8], n_bins: int) -> Words:
    """The bucket matrix, shape (rows, features * n_bins)."""
    hits = bins[:, :, None] == np.arange(n_bins)
    return hits.reshape(len(bins), bins.shape[1] * n_bins).astype(np.uint64)


def xor_marked(marks: Words, selections: Words, runs: Sequence[int]) -> Words:
    """For every row of bits the exclusive or of the marks that it names, run by run."""
    found = np.zeros((selections.shape[1], 64 * marks.shape[1]), np.uint8)
    bits, end = bits_of(marks, 64).reshape(len(marks), -1), 0
    for selection, run in zip(selections, runs, strict=True):
        start, end = end, end + run
        chosen = bits_of(selection, 64).reshape(len(selection), -1)[:, : len(marks)]
        found[:, start:end] = chosen @ bits[:, start:end] & 1  # parity survives the wrap
    return pack_bits(found)
