"""All kinds that a dealer knows, in the order in which tables list them."""

from __future__ import annotations

from typing import Any

from securexgb.correlations import digits, gates, random_bits, slices, transfers, triples
from securexgb.correlations.kind import Kind
from securexgb.correlations.matrices import Products

_FAMILIES = (triples, gates, digits, random_bits, slices, transfers)
KINDS: tuple[Kind[Any], ...] = tuple(kind for family in _FAMILIES for kind in family.KINDS)

Series = Kind[Any] | Products
"""One sequence of corrections: of a kind, or of the products of a matrix."""
