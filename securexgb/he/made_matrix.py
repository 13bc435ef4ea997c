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
from securexgb.errors import DataError, UsageError
from securexgb.he.noise import PRIMES, SHORT

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


class _InGroups:
    """W_g and W_h, one after the other, made or held by groups of whole features.

    ``bits``: of the numbers of each word.
    """

    def __init__(self, features: int, bins: int, bits: Sequence[int]) -> None:
        self._features, self._bins, self._bits = features, bins, bits
        self._step = -(-MADE_COLUMNS // bins)
        self._packed: dict[tuple[int, int], NDArray[np.uint8]] = {}
        self._last: tuple[tuple[int, int], Words] = (-1, -1), np.zeros((0, SHORT), np.uint64)

    def __getitem__(self, columns: slice, /) -> Words:
        all_of_g, size = self._features * self._bins, self._step * self._bins
        found, column, stop = list[Words](), columns.start, min(columns.stop, 2 * all_of_g)
        while column < stop:
            word, within = divmod(column, all_of_g)
            group, start = divmod(within, size)
            found.append(self._group(word, group)[start : start + stop - column])
            column += len(found[-1])
        return np.concatenate(found)

    @property
    def groups_of_a_word(self) -> int:
        return -(-self._features // self._step)

    @property
    def groups(self) -> list[tuple[int, int]]:
        """Word and number of every group, in order."""
        numbers = range(self.groups_of_a_word)
        return [(word, group) for word in range(len(self._bits)) for group in numbers]

    @property
    def nbytes(self) -> int:
        """Of what is held."""
        return sum(packed.nbytes for packed in self._packed.values())

    def _group(self, word: int, group: int) -> Words:
        """Its columns, (count, 4096); asked for again and again, in order."""
        key = word, group
        if self._last[0] != key:
            packed = self._packed.get(key)
            if packed is None:
                self._last = key, self._made(word, group)
            else:
                self._last = key, _unpacked(packed, self._bits[word])
        return self._last[1]

    def _made(self, word: int, group: int) -> Words:
        raise UsageError(f"group {group} of the matrix has not come")


class MadeMatrix(_InGroups):
    """The same of bin indices ``own``, some of it held from ``hold`` on.

    ``bits``: of the numbers of each word; ``coins``: what A of each is drawn from. What is not held
    is made whenever it is asked for.
    """

    def __init__(
        self, bits: Sequence[int], coins: Sequence[bytes], own: NDArray[np.uint8], bins: int
    ) -> None:
        rows, features = own.shape
        super().__init__(features, bins, bits)
        self._of = _kernels.RlweMatrix(SHORT, PRIMES[0], [*bits], [*coins], rows)
        self._own = own

    def hold(self) -> None:
        """Make now what is held from now on."""
        for group in range(self.groups_of_a_word):
            if self.nbytes < held_bytes(self._own.shape[0]):
                made = self._several(group, 0, len(self._bits))
                for word, columns in enumerate(made):
                    self._packed[word, group] = self._packed_now(word, columns)

    def packed(self, word: int, group: int) -> NDArray[np.uint8]:
        """A group, made now: each number with the bits that it needs."""
        return self._packed_now(word, self._made(word, group))

    def _packed_now(self, word: int, columns: Words) -> NDArray[np.uint8]:
        return _kernels.pack_words(columns.reshape(-1), self._bits[word])

    def _made(self, word: int, group: int) -> Words:
        made: Words = self._several(group, word, 1)[0]
        return made

    def _several(self, group: int, word: int, count: int) -> Words:
        """So many words of a group from one on, (count, columns, 4096), in little more time."""
        features = self._own[:, group * self._step : (group + 1) * self._step]
        return self._of.of(np.ascontiguousarray(features), self._bins, word, count)


class AddedMatrix(_InGroups):
    """The same, added up of the matrices of several ranges of rows; all of it is held."""

    def add(self, word: int, group: int, packed: NDArray[np.uint8]) -> None:
        """One more summand of a group, as ``MadeMatrix.packed`` gives it; DataError for another."""
        bits = self._bits[word]
        first = group * self._step
        numbers = min(self._step, self._features - first) * self._bins * SHORT
        if packed.size != -(-numbers * bits // 8):
            raise DataError("a summand of a matrix of products has another size than its group")
        before = self._packed.get((word, group))
        if before is not None:
            total = _unpacked(before, bits) + _unpacked(packed, bits)
            packed = _kernels.pack_words(total.reshape(-1), bits)
        self._packed[word, group] = packed


def _unpacked(packed: NDArray[np.uint8], bits: int) -> Words:
    return _kernels.unpack_words(packed, 8 * packed.size // bits, bits).reshape(-1, SHORT)
