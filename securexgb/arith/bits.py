"""Bits and words: packing, bit slices and dense streams, typed and for any leading shape.

A packed array holds 64 bits to a word along its last axis, bit i of word w being element 64 w + i.
Bit slices are the transpose: ``slices[j]`` packs bit j of all elements, so that one machine
instruction of a boolean circuit works on 64 elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels

Words = NDArray[np.uint64]


WORD = 64
"""Bits of a word."""
Value = TypeVar("Value", bound=np.generic)


def words_per(count: int) -> int:
    """Words that hold ``count`` packed bits."""
    return -(-count // WORD)


def in_turn(array: NDArray[Value], sizes: Iterable[int]) -> Iterator[NDArray[Value]]:
    """The parts of so many elements each, one after the other; views of (n,)."""
    at = 0
    for size in sizes:
        yield array[at : at + size]
        at += size


def stacked(arrays: Sequence[NDArray[Value]]) -> NDArray[Value]:
    """Arrays of one shape, of at least one dimension, in a new first axis."""
    return np.concatenate(arrays).reshape(len(arrays), *arrays[0].shape)


def padded(array: NDArray[Value]) -> NDArray[Value]:
    """The last axis filled up with zeros to a multiple of 64, for whole words of packed bits."""
    missing = -array.shape[-1] % WORD
    if not missing:
        return array
    return np.concatenate([array, np.zeros((*array.shape[:-1], missing), array.dtype)], axis=-1)


def pack_bits(bits: NDArray[np.bool_] | NDArray[np.uint8]) -> Words:
    """Packs bits (0 or 1) of shape (..., n) to words (..., ceil(n / 64)), the tail zero."""
    whole = np.ascontiguousarray(padded(bits) if bits.ndim > 1 else bits).view(np.uint8)
    words = _kernels.pack_bits(whole.reshape(-1))
    return words.reshape(*bits.shape[:-1], words_per(bits.shape[-1]))


def unpack_bits(words: Words, count: int) -> NDArray[np.bool_]:
    """The first ``count`` bits of (..., ceil(count / 64)) packed words, shape (..., count)."""
    flat = np.ascontiguousarray(words).reshape(-1)
    if words.ndim == 1:
        return _kernels.unpack_bits(flat, count).view(np.bool_)
    bits = _kernels.unpack_bits(flat, flat.size * WORD).view(np.bool_)
    return bits.reshape(*words.shape[:-1], WORD * words.shape[-1])[..., :count]


def to_slices(words: Words, width: int) -> Words:
    """The low ``width`` (1 to 64) bits of (..., n) elements: (width, ..., ceil(n / 64))."""
    whole = np.ascontiguousarray(padded(words) if words.ndim > 1 else words)
    slices = _kernels.to_slices(whole.reshape(-1), width)
    return slices.reshape(width, *words.shape[:-1], words_per(words.shape[-1]))


def from_slices(slices: Words, count: int) -> Words:
    """Undoes ``to_slices``: shape (..., count), the bits that have no slice being zero."""
    flat = np.ascontiguousarray(slices).reshape(len(slices), -1)
    if slices.ndim == 2:
        return _kernels.from_slices(flat, count)
    words = _kernels.from_slices(flat, flat.shape[1] * WORD)
    return words.reshape(*slices.shape[1:-1], -1)[..., :count]


def transposed(rows: Words, count: int) -> Words:
    """The transpose of packed rows (n, ceil(count / 64)): (count, ceil(n / 64))."""
    slices = [to_slices(rows[:, at], min(WORD, count - WORD * at)) for at in range(rows.shape[1])]
    return np.concatenate(slices)


def pack_words(words: Words, bits: int) -> NDArray[np.uint8]:
    """The low ``bits`` (1 to 64) of every word as one little-endian bit stream of bytes."""
    return _kernels.pack_words(np.ascontiguousarray(words).reshape(-1), bits)


def whole_words(data: NDArray[np.uint8]) -> Words:
    """Bytes (n,) as words (ceil(n / 8),), the last filled up with zeros."""
    if data.size % 8:
        data = np.concatenate([data, np.zeros(-data.size % 8, np.uint8)])
    return data.view(np.uint64)


def pack_dense(words: Words, bits: int) -> Words:
    """The stream of ``pack_words`` in whole words: shape (ceil(size bits / 64),)."""
    return whole_words(pack_words(words, bits))


def unpack_dense(dense: Words, count: int, bits: int) -> Words:
    """Undoes ``pack_dense``: shape (count,)."""
    return unpack_words(dense.view(np.uint8)[: -(-count * bits // 8)], count, bits)


def unpack_words(data: bytes | memoryview | NDArray[np.uint8], count: int, bits: int) -> Words:
    """Undoes ``pack_words``; ValueError where ``data`` is not exactly ``count`` such numbers."""
    return _kernels.unpack_words(data, count, bits)
