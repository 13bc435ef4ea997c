"""Dealt products of a fixed private matrix M with random vectors a: shares of M^T a.

    the vectors a     drawn by the party that does not own M
    the mask U of M   drawn by the owner, who sends E = M - U to the other party, once
    products          drawn by party 0; fitted at party 1: a U - products0

so that the party that has a adds a E to its share. Series of products are numbered by matrix, and
matrices of an owner in the order in which it registers them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb import _kernels
from securexgb.correlations.kind import Words
from securexgb.correlations.streams import Streams


@dataclass(frozen=True)
class Products:
    """The products of the ``number``-th matrix that party ``owner`` registers in a session."""

    owner: int
    number: int

    @property
    def name(self) -> str:
        """In messages and logs."""
        return f"products of {self.matrix}"

    @property
    def matrix(self) -> str:
        """In the derivation of keys."""
        return f"matrix {self.number} of party {self.owner}"

    def vectors(self, streams: Streams, rows: int, start: int, count: int) -> Words:
        """Random vectors, shape (count, rows), of the party that does not own the matrix."""
        return streams.rows(f"{self.matrix}/vectors", rows, start, count)

    def shares(self, streams: Streams, columns: int, start: int, count: int) -> Words:
        """Party 0's free shares of the products, shape (count, columns)."""
        return streams.rows(f"{self.matrix}/products", columns, start, count)

    def mask_key(self, streams: Streams) -> bytes:
        """The key of the owner's stream that is the mask U, row by row from word 0."""
        return streams.stream(f"{self.matrix}/mask").key

    def correction(
        self, shape: tuple[int, int], parties: tuple[Streams, Streams], at: range
    ) -> Words:
        """Party 1's share of a U for the vectors with the numbers ``at``; shape (len(at), columns).

        ``shape`` is the matrix's (rows, columns), ``parties`` the streams of party 0 and 1.
        """
        rows, columns = shape
        vectors = self.vectors(parties[1 - self.owner], rows, at.start, len(at))
        shares = self.shares(parties[0], columns, at.start, len(at))
        if shares.size == 0 or rows == 0:
            return np.uint64(0) - shares
        key = self.mask_key(parties[self.owner])
        return _kernels.prg_matrix_product(key, 0, rows, columns, vectors) - shares
