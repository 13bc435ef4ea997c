"""Digests of a side's table, by which it is known again: they stay with this side.

Both are made of a part of the table at a time, so that nobody needs to hold it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from securexgb.jobs.table import Reals, Table

HASHED_ROWS = 1 << 16
Places: TypeAlias = slice | NDArray[np.int64]
"""Which rows of a table."""


def digest_of_columns(table: Table, columns: Iterable[Reals]) -> str:
    """SHA-256 of a table: of what its columns are, and of all columns one after another, then of
    labels, weights and base margins, as far as there are any."""
    has = [part is not None for part in (table.labels, table.weights, table.base_margin)]
    about = (table.column_names, table.count, sorted(table.categories.items()), has)
    digest = hashlib.sha256(repr(about).encode())
    for column in columns:
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()


def digest_of_set(table: Table, blocks: Iterable[tuple[Places, Reals]]) -> str:
    """Equal for two tables exactly where they hold the same rows as often, in whatever order.

    ``blocks``: all rows of the table, some at a time: their positions among labels, weights and
    base margins, and their values (m, f). Each row, with its label, weight and base margin, is
    hashed on its own, and the digests are added modulo 2^256: so no more than a block is ever held.
    Equal numbers count as equal: zero has one sign, and there is one NaN.
    """
    parts = (table.labels, table.weights, table.base_margin)
    more = [part for part in parts if part is not None]
    about = (table.column_names, table.count, *(part is not None for part in parts))
    limbs = np.zeros(8, np.uint64)
    for rows, values in blocks:
        block = np.column_stack([values, *(part[rows] for part in more)])
        block = np.ascontiguousarray(np.where(np.isnan(block), np.nan, block + 0.0))
        of_rows = b"".join(hashlib.sha256(row).digest() for row in block)
        limbs += np.frombuffer(of_rows, "<u4").reshape(-1, 8).sum(axis=0, dtype=np.uint64)
    total = sum(int(limb) << (32 * place) for place, limb in enumerate(limbs)) % (1 << 256)
    return hashlib.sha256(repr(about).encode() + total.to_bytes(32, "little")).hexdigest()
