"""The two kinds of share, and what may be done to them without a message.

``Shared``: additive, x = x0 + x1 mod 2^64, one word an element. Sums,
differences and products with public integers are local. ``SharedBits``:
boolean, b = b0 xor b1, 64 bits to a word along the last axis, so that one
machine instruction works on 64 elements; leading axes are bit positions or
batches. Xor and negation are local.

A share says nothing of its secret, so nothing in the control flow may depend on
one: truth value, comparison, index and float of a share raise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import WORD, pack_bits, stacked, unpack_bits, words_per

Words: TypeAlias = NDArray[np.uint64]


def as_words(value: Any) -> Words:
    """Public signed integers as ring elements (two's complement)."""
    array = np.asarray(value)
    return array.astype(np.int64).view(np.uint64) if array.dtype != np.uint64 else array


class _Secret:
    """What every share refuses."""

    __slots__ = ()

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError(
            "a share cannot be read: compare with mpc.compare, or open it with a named reveal"
        )

    __bool__ = __index__ = __float__ = __int__ = __len__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __hash__ = _refuse


@dataclass(frozen=True, eq=False, repr=False)
class Shared(_Secret):
    """One party's additive shares of an array of ring elements.

    ``words``: this party's shares, dtype uint64, the shape of the secret.
    """

    words: Words

    def __repr__(self) -> str:
        return f"Shared(shape={self.words.shape})"

    @property
    def shape(self) -> tuple[int, ...]:
        return self.words.shape

    @property
    def size(self) -> int:
        return int(self.words.size)

    def __add__(self, other: Shared) -> Shared:
        return Shared(self.words + other.words)

    def __iadd__(self, other: Shared) -> Shared:
        """In place, for what nobody else holds: at a million rows every array counts."""
        np.add(self.words, other.words, out=self.words)
        return self

    def __sub__(self, other: Shared) -> Shared:
        return Shared(self.words - other.words)

    def __neg__(self) -> Shared:
        return Shared(np.uint64(0) - self.words)

    def scale(self, public: Any) -> Shared:
        """The product with public signed integers (broadcast)."""
        return Shared(self.words * as_words(public))

    def __getitem__(self, key: Any) -> Shared:
        return Shared(self.words[key])

    def reshape(self, *shape: int) -> Shared:
        return Shared(self.words.reshape(*shape))

    def transpose(self, *axes: int) -> Shared:
        return Shared(self.words.transpose(*axes))

    def broadcast_to(self, *shape: int) -> Shared:
        return Shared(np.broadcast_to(self.words, shape))

    def own_share(self) -> Words:
        """This party's share, for what it keeps to itself: its model half, its checkpoint."""
        return self.words

    def lowest_bits(self) -> SharedBits:
        """The lowest bit of each element, (..., n); that of a sum is the xor of both shares'."""
        low = (self.words & np.uint64(1)).astype(np.uint8)
        return SharedBits(pack_bits(low), low.shape[-1])

    def sum(self, axis: int | None = None) -> Shared:
        return Shared(np.asarray(self.words.sum(axis=axis, dtype=np.uint64)))

    def cumsum(self, axis: int) -> Shared:
        return Shared(self.words.cumsum(axis=axis, dtype=np.uint64))

    def repeat(self, times: int) -> Shared:
        """Each element of (..., n) so many times, side by side: what all below a node inherit."""
        return Shared(np.repeat(self.words, times, axis=-1))

    @staticmethod
    def zeros(*shape: int) -> Shared:
        return Shared(np.zeros(shape, np.uint64))

    @staticmethod
    def where(public: NDArray[np.bool_], x: Shared, y: Shared) -> Shared:
        """``x`` where the public mark is true, else ``y`` (broadcast)."""
        return Shared(np.where(public, x.words, y.words))

    @staticmethod
    def interleave(first: Shared, second: Shared) -> Shared:
        """first[0], second[0], first[1], ... along the first axis: children in heap order."""
        both = np.stack([first.words, second.words], axis=1)
        return Shared(both.reshape(-1, *first.shape[1:]))

    @staticmethod
    def concatenate(parts: Sequence[Shared], axis: int = 0) -> Shared:
        return Shared(np.concatenate([part.words for part in parts], axis=axis))

    @staticmethod
    def stack(parts: Sequence[Shared], axis: int = 0) -> Shared:
        return Shared(np.stack([part.words for part in parts], axis=axis))


@dataclass(frozen=True, eq=False, repr=False)
class SharedBits(_Secret):
    """One party's boolean shares of bits, packed along the last axis.

    ``words``: uint64, shape (..., ceil(count / 64)); ``count``: bits along the last
    axis. The bits past ``count`` in the last word carry no meaning.
    """

    words: Words
    count: int

    def __repr__(self) -> str:
        return f"SharedBits(shape={self.shape})"

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.words.shape[:-1], self.count)

    def __xor__(self, other: SharedBits) -> SharedBits:
        return SharedBits(self.words ^ other.words, self.count)

    def __getitem__(self, key: Any) -> SharedBits:
        """Selects along the leading axes only."""
        return SharedBits(self.words[key], self.count)

    def reshape(self, *leading: int) -> SharedBits:
        """Other leading axes: (*leading, count)."""
        return SharedBits(self.words.reshape(*leading, self.words.shape[-1]), self.count)

    def where(self, public: NDArray[np.bool_]) -> SharedBits:
        """The bits (..., n) where the public mark (n,) is true, else 0."""
        return SharedBits(self.words & pack_bits(public), self.count)

    def xor_all(self, axis: int = 0) -> SharedBits:
        """The parity along a leading axis; of disjoint bits, their or."""
        return SharedBits(np.bitwise_xor.reduce(self.words, axis=axis), self.count)

    def joined(self) -> SharedBits:
        """Rows of whole words one after the other: (..., k, n) to (..., k n)."""
        if self.count % WORD:
            raise ValueError(f"rows of {self.count} bits do not fill whole words")
        *leading, rows, words = self.words.shape
        return SharedBits(self.words.reshape(*leading, rows * words), rows * self.count)

    def cut(self, rows: int, count: int) -> SharedBits:
        """Undoes ``joined``, of whose rows the first ``count`` bits count: (..., rows, count)."""
        if self.count != rows * words_per(count) * WORD:
            raise ValueError(f"{self.count} bits are not {rows} rows of whole words for {count}")
        return SharedBits(self.words.reshape(*self.words.shape[:-1], rows, -1), count)

    def rows(self, rows: int) -> SharedBits:
        """Bits (n,) as so many rows of any length, (rows, n / rows)."""
        flags = self.flags().reshape(rows, -1)
        return SharedBits(pack_bits(flags), flags.shape[1])

    def repeated(self, times: int) -> SharedBits:
        """Bits (n,) so many times, one after the other."""
        return SharedBits(pack_bits(np.tile(self.flags(), times)), times * self.count)

    def flags(self) -> NDArray[np.bool_]:
        """This party's share of every bit singly, for protocols: (..., count)."""
        return unpack_bits(self.words, self.count)

    def for_each(self, times: int) -> SharedBits:
        """Each bit (..., n) so many times: (..., n times)."""
        return SharedBits(pack_bits(np.repeat(self.flags(), times, axis=-1)), times * self.count)

    @staticmethod
    def in_a_row(parts: Sequence[SharedBits]) -> SharedBits:
        """Bits (n,) of any length each, one after the other."""
        flags = np.concatenate([part.flags() for part in parts])
        return SharedBits(pack_bits(flags), flags.size)

    @staticmethod
    def stack(parts: Sequence[SharedBits], axis: int = 0) -> SharedBits:
        words = [part.words for part in parts]
        return SharedBits(np.stack(words, axis) if axis else stacked(words), parts[0].count)

    @staticmethod
    def concatenate(parts: Sequence[SharedBits], axis: int = 0) -> SharedBits:
        """Along a leading axis."""
        return SharedBits(np.concatenate([part.words for part in parts], axis), parts[0].count)

    @staticmethod
    def zeros(*leading: int, count: int) -> SharedBits:
        """Shares of zeros: (*leading, count)."""
        return SharedBits(np.zeros((*leading, words_per(count)), np.uint64), count)

    def part(self, elements: slice) -> SharedBits:
        """Some of the elements: (..., so many)."""
        flags = self.flags()[..., elements]
        return SharedBits(pack_bits(flags), flags.shape[-1])

    def first(self, count: int) -> SharedBits:
        """The first bits along the last axis."""
        return SharedBits(self.words[..., : words_per(count)], count)

    def placed(self, leading: tuple[int, ...], places: tuple[NDArray[np.int64], ...]) -> SharedBits:
        """Rows (k, ..., count) put at public places, k for each of the first leading axes, among
        rows of zeros."""
        words = np.zeros((*leading, self.words.shape[-1]), np.uint64)
        words[places] = self.words
        return SharedBits(words, self.count)

    def masked(self, public: NDArray[np.bool_]) -> SharedBits:
        """Bits (k, n) where a public mark is set, else 0; marks: of rows (k,), or (n, k) of all."""
        if public.ndim == 1:
            return self[public]
        return self.where(public.T)

    def parity_from(self, axis: int) -> SharedBits:
        """At each place of a leading axis, the parity of it and of all that follow."""
        back = np.flip(self.words, axis)
        return SharedBits(np.flip(np.bitwise_xor.accumulate(back, axis), axis), self.count)
