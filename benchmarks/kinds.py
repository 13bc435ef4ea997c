"""How a correlation of each kind is drawn from a source."""

from __future__ import annotations

from securexgb.offline.correlations import Kind
from securexgb.offline.source import CorrelationSource


def draw(rank: int, source: CorrelationSource, kind: Kind, count: int) -> object:
    """``count`` elements of a kind: words of 64 where these are gates or digits."""
    name, *rest = kind.value.split("_")
    if name == "gates":
        return source.gates(count, int(rest[0]))
    if name == "digits":
        sends = int(rest[2]) == rank
        return (source.digit_send if sends else source.digit_receive)(count, int(rest[0]))
    if name == "ot":
        sends = int(rest[2]) == rank
        return (source.random_ot_send if sends else source.random_ot_receive)(count, int(rest[0]))
    if kind is Kind.TRIPLES:
        return source.triples(count)
    return source.shared_bits(count, 32 if kind is Kind.HALF_BITS else 64)
