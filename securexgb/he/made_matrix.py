"""The private matrix W = M^T A that encrypted short secrets are multiplied with, at its owner.

W has 4096 numbers for each column of M and each word of a pair: in a wide job it would be the
largest array of all. It is made by groups of whole features. The first groups are held, each number
with the bits that it needs; what goes beyond ``held_bytes`` is made again for every batch, whose
products take many times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.he.noise import SHORT

Words = NDArray[np.uint64]

MADE_COLUMNS = 64
"""Columns that are made at a time, or those of one feature."""
HELD_BYTES = 1 << 27
HELD_ROWS = 1 << 16
"""So much is held, and in proportion more of more rows, for then it takes longer to make."""


class Matrix(Protocol):
    """Slices of its columns are words (count, 4096)."""

    def __getitem__(self, columns: slice, /) -> Words: ...


def whole_bytes(columns: int, bits: Sequence[int]) -> int:
    """Of all of W: ``columns`` for each word of a pair, numbers of so many ``bits`` in each."""
    return columns * SHORT * sum(bits) // 8


def held_bytes(rows: int) -> int:
    """The most that is held, but for the rest of a group of features."""
    return HELD_BYTES * max(1, rows // HELD_ROWS)


class MadeMatrix:
    """W_g and W_h, one after the other, of bin indices ``own``.

    ``pads``: of g and of h, mirrored, with the bits of their numbers.
    """

    def __init__(
        self, pads: Sequence[tuple[int, _kernels.RlwePads]], own: NDArray[np.uint8], bins: int
    ) -> None:
        self._pads, self._own, self._bins = pads, own, bins
        self._step = -(-MADE_COLUMNS // bins)
        self._packed: dict[tuple[int, int], NDArray[np.uint8]] = {}
        self._last: tuple[tuple[int, int], Words] = (-1, -1), np.zeros((0, SHORT), np.uint64)
        rows, features = own.shape
        for word, (bits, _) in enumerate(pads):
            for group in range(-(-features // self._step)):
                if self.nbytes < held_bytes(rows):
                    made = self._made(word, group).reshape(-1)
                    self._packed[word, group] = _kernels.pack_words(made, bits)

    def __getitem__(self, columns: slice, /) -> Words:
        all_of_g, size = self._own.shape[1] * self._bins, self._step * self._bins
        found, column, stop = list[Words](), columns.start, min(columns.stop, 2 * all_of_g)
        while column < stop:
            word, within = divmod(column, all_of_g)
            group, start = divmod(within, size)
            found.append(self._group(word, group)[start : start + stop - column])
            column += len(found[-1])
        return np.concatenate(found)

    @property
    def nbytes(self) -> int:
        """Of what is held."""
        return sum(packed.nbytes for packed in self._packed.values())

    def _group(self, word: int, group: int) -> Words:
        """Its columns, (count, 4096); asked for again and again, in order."""
        key = word, group
        if self._last[0] != key:
            packed, bits = self._packed.get(key), self._pads[word][0]
            if packed is None:
                self._last = key, self._made(word, group)
            else:
                words = _kernels.unpack_words(packed, 8 * packed.size // bits, bits)
                self._last = key, words.reshape(-1, SHORT)
        return self._last[1]

    def _made(self, word: int, group: int) -> Words:
        features = self._own[:, group * self._step : (group + 1) * self._step]
        return self._pads[word][1].matrix(np.ascontiguousarray(features), self._bins)
