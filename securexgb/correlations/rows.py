"""Row correlations: shares of private one-hot matrices times random bits, modulo 2.

Each party P has a fixed one-hot matrix M of its rows' bins. For a node the other party Q has
uniform bits b, one for each column of M, and both have z_P ^ z_Q = M b, a bit a row. Both
directions come together, and the shares of both add up (``mpc.left_bits``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from securexgb.correlations.kind import Words
from securexgb.errors import DataError


@dataclass(frozen=True)
class RowShape:
    """What is public of both parties' rows: one bin of each of its ``features`` by rank."""

    rows: int
    features: tuple[int, int]
    bins: int

    @property
    def entries(self) -> tuple[int, int]:
        """Columns of the one-hot matrices, by rank."""
        return self.features[0] * self.bins, self.features[1] * self.bins

    def own(self, rank: int, buckets: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A party's bin indices (rows, features), contiguous; DataError for any other shape."""
        if buckets.shape != (self.rows, self.features[rank]):
            raise DataError(
                f"the rows of party {rank} must be bin indices ({self.rows}, "
                f"{self.features[rank]}) of uint8"
            )
        return np.ascontiguousarray(buckets)


@dataclass(frozen=True, repr=False)
class RowBits:
    """One party's part for some nodes.

    ``masks``: b for the other party's matrix, bool (its entries, nodes). ``shares``: the xor of
    this party's shares of both M b, packed (nodes, ceil(rows / 64)).
    """

    masks: NDArray[np.bool_]
    shares: Words


class FixedRowBits(Protocol):
    """Row correlations for bits that both parties have fixed, for rows that come later."""

    def shares(self, own: NDArray[np.uint8]) -> Words:
        """For both parties' next rows, own bin indices (rows, features): as ``RowBits.shares``."""


class RowBitsSource(Protocol):
    """Supplies ``RowBits`` for rows that are fixed once a job."""

    def register(self, shape: RowShape, own: NDArray[np.uint8], nodes: int, rounds: int) -> None:
        """Fix the rows, ``own`` (rows, own features), for so many rounds of trees of ``nodes``.

        UsageError where these are more than can be done without an error.
        """

    def take(self, nodes: int) -> RowBits:
        """For the next so many nodes."""

    def fix(self, shape: RowShape, bits: NDArray[np.bool_]) -> FixedRowBits:
        """Row correlations with ``bits`` of this party's in the place of random b, for any rows.

        ``bits``: (entries of the other party, nodes); the rows of ``shape`` are about so many as
        will be looked up: what is sent before the first of them is weighed against it.
        """
