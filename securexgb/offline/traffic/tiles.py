"""In what portions two parties make correlations. Public, the same at both."""

from __future__ import annotations

from typing import Any

from securexgb.correlations.digits import DIGIT, DigitTransfers
from securexgb.correlations.kind import Kind
from securexgb.correlations.row_triples import RowTriples

_TILE = 1 << 11
"""Words of 64 transfers made at a time: 1 MiB a kind of message."""
_ROW_WORDS = 1 << 13
"""Words of rows of triples made at a time: messages of one or two MiB."""


def tile_of(kind: Kind[Any]) -> int:
    """Elements of a kind that are made at a time."""
    if isinstance(kind, RowTriples):
        return max(1, _ROW_WORDS // max(1, kind.count))
    return _TILE * kind.grain // (DIGIT if isinstance(kind, DigitTransfers) else 1)
