"""The work of one party on its own bins: sums per bin, and which rows a split of its sends left.

Everything that touches a party's bin indices once a job has begun is here, block of rows after
block, so that memory stays bounded. The protocols, their messages and their randomness are
elsewhere: an executor exchanges nothing with the other party. Where rows lie on several machines,
each has an executor of its own (``cluster``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.boost.rows import BLOCK_ROWS, blocks
from securexgb.mpc.left_bits import OwnBins
from securexgb.mpc.matrix import Buckets, OwnRows
from securexgb.mpc.shared import Words

Bits = NDArray[np.bool_]


@dataclass(frozen=True, repr=False)
class Cuts:
    """Splits of this party's columns, one a node: a row goes left if its bin is at most the cut.

    ``columns``, ``cuts``: (k,). ``missing_left``: (k,), where rows without a value go.
    ``one_hot``: (k,), where the cut is a category: its rows go right, all others left.
    """

    columns: NDArray[np.int64]
    cuts: NDArray[np.int64]
    missing_left: Bits
    one_hot: Bits

    def __getitem__(self, nodes: slice | Bits) -> Cuts:
        return Cuts(
            self.columns[nodes], self.cuts[nodes], self.missing_left[nodes], self.one_hot[nodes]
        )


class Executor(OwnRows, OwnBins, Protocol):
    """One party's rows, wherever they lie; made once a job from its bin indices.

    Histograms need its sums (``mpc.matrix.OwnRows``), splits of its own the left bits, hidden
    splits its entries of tables (``mpc.left_bits.OwnBins``).
    """

    def left(self, cuts: Cuts) -> Bits:
        """Whether each row goes left at each of k splits: (k, rows)."""


class LocalExecutor:
    """All rows in this process, block after block; sums may be of the first rows only.

    ``buckets``: (rows, features) bin indices below ``bins``; ``missing_bin``: the index of rows
    without a value, or ``bins`` where there is none.
    """

    def __init__(
        self, buckets: Buckets, bins: int, missing_bin: int, block_rows: int = BLOCK_ROWS
    ) -> None:
        self._buckets = buckets
        self._bins = bins
        self._missing_bin = missing_bin
        self._block_rows = block_rows

    def sums(self, values: Words) -> Words:
        total = np.zeros((values.shape[0], self._buckets.shape[1], self._bins), np.uint64)
        for rows in blocks(values.shape[1], self._block_rows):
            part = np.ascontiguousarray(values[:, rows])
            total += _kernels.histogram(self._buckets[rows], part, self._bins)
        return total

    def lookups(self, tables: Words) -> Words:
        result = np.zeros((tables.shape[2], self._buckets.shape[0]), np.uint64)
        for rows in blocks(self._buckets.shape[0], self._block_rows):
            block = self._buckets[rows]
            for column, entries in enumerate(tables):
                for word, of_bins in enumerate(entries.T):
                    result[word, rows] ^= of_bins[block[:, column]]
        return result

    def left(self, cuts: Cuts) -> Bits:
        result = np.empty((cuts.columns.size, self._buckets.shape[0]), np.bool_)
        for rows in blocks(self._buckets.shape[0], self._block_rows):
            block = self._buckets[rows]
            for node, column in enumerate(cuts.columns):
                found = block[:, column]
                cut = cuts.cuts[node]
                left = found != cut if cuts.one_hot[node] else found <= cut
                missing = found == self._missing_bin
                result[node, rows] = np.where(missing, cuts.missing_left[node], left)
        return result
