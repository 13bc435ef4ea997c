"""In what portions two parties make correlations. Public, the same at both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from securexgb.correlations.digits import DIGIT, DigitTransfers
from securexgb.correlations.kind import Kind
from securexgb.correlations.row_triples import RowTriples
from securexgb.correlations.transfers import Transfers

TILE = 1 << 11
"""Words of 64 transfers made at a time: 1 MiB a kind of message."""
_ROW_WORDS = 1 << 13
"""Words of rows of triples made at a time: messages of one or two MiB."""


def tile_of(kind: Kind[Any]) -> int:
    """Elements of a kind that are made at a time."""
    if isinstance(kind, RowTriples):
        return max(1, _ROW_WORDS // max(1, kind.count))
    return TILE * kind.grain // (DIGIT if isinstance(kind, DigitTransfers) else 1)


def as_made(kind: Kind[Any]) -> Kind[Any]:
    """The kind that is made in its place: transfers of fewer bits than a word cost the same."""
    return Transfers(max(kind.bits, 64), kind.sender) if isinstance(kind, Transfers) else kind


def all_as_made(counts: Mapping[Kind[Any], int]) -> dict[Kind[Any], int]:
    """The same of so many elements of each kind."""
    found: dict[Kind[Any], int] = {}
    for kind, count in counts.items():
        made = as_made(kind)
        found[made] = found.get(made, 0) + count
    return found
