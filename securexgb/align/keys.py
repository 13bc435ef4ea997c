"""One side's keys as numbers of 128 bits, in the common order, cut into buckets."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.correlations.kind import Words
from securexgb.errors import DataError

_DIGEST_BITS = 128


@dataclass(frozen=True, repr=False)
class OrderedKeys:
    """``digests`` (n, 2): the first half of SHA-256(order coin || key) of each key, rising.

    ``rows`` (n,): the row of each.
    """

    digests: Words
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, role: str, keys: Sequence[bytes], order_coin: bytes) -> OrderedKeys:
        """DataError where two keys are equal; it names their rows, counted from 1."""
        lengths = np.fromiter(map(len, keys), np.uint64, len(keys))
        ends = np.cumsum(lengths, dtype=np.uint64)
        digests = _kernels.psi_digests(order_coin, b"".join(keys), ends)
        order = _kernels.psi_order(digests, _DIGEST_BITS)
        rows = order.astype(np.int64)
        digests = digests[rows]
        same = np.flatnonzero((digests[1:] == digests[:-1]).all(axis=1))
        if same.size:
            pair = sorted(int(row) + 1 for row in rows[same[0] : same[0] + 2])
            raise DataError(
                f"{role} party: rows {pair[0]} and {pair[1]} have the same key, and {same.size} "
                "rows in all have one that came before: a key must name one row"
            )
        return cls(digests, rows)

    def starts(self, parts: int) -> list[int]:
        """Where each of so many buckets begins, and the end: part p has the digests from p / parts
        of their range on."""
        cuts = [-(-(part << 64) // parts) for part in range(1, parts)]
        found = np.searchsorted(self.digests[:, 1], np.array(cuts, np.uint64), "left")
        return [0, *map(int, found), len(self.rows)]


def fingerprint(digests: Words, *public: int) -> bytes:
    """Of a bucket's keys and public numbers, 32 bytes; stays at this side."""
    state = hashlib.sha256(repr(public).encode())
    state.update(np.ascontiguousarray(digests).data.cast("B"))
    return state.digest()
