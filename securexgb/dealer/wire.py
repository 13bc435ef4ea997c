"""Kinds and series as the wire names them; for the dealer and for its client."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from securexgb._pb import dealer_pb2 as pb
from securexgb.correlations.kind import Kind
from securexgb.correlations.kinds import KINDS, Series
from securexgb.correlations.matrices import Products
from securexgb.dealer.session import Refused

VERSION = 3
METHOD = "/securexgb.v1.DealerService/Deal"
MESSAGE_BYTES = 1 << 20
"""No message is longer, either way."""

_KINDS: Mapping[int, Kind[Any]] = MappingProxyType(
    {pb.Kind.Value(f"KIND_{kind.name.upper()}"): kind for kind in KINDS}
)


def request(series: Series, start: int, words: int) -> pb.DealRequest:
    """Party 1 asks for the next words of a series."""
    if isinstance(series, Products):
        wanted = pb.Request(kind=pb.KIND_PRODUCTS, owner=series.owner, number=series.number)
    else:
        wanted = pb.Request(kind=f"KIND_{series.name.upper()}")
    wanted.start, wanted.words = start, words
    return pb.DealRequest(request=wanted)


def series_of(message: pb.Request | pb.Correction) -> Series:
    """The series that a message is about; Refused where there is none such."""
    if message.kind == pb.KIND_PRODUCTS:
        return Products(message.owner, message.number)
    kind = _KINDS.get(message.kind)
    if kind is None or message.owner or message.number:
        raise Refused("no such kind of correlation")
    return kind


def keep_large_buffers() -> None:
    """Let malloc keep the memory of messages instead of mapping it anew for each.

    glibc does so for sizes up to the largest that was ever freed. Measured: a quarter
    of the system time for a stream of 512 KiB messages.
    """
    bytearray(16 * MESSAGE_BYTES)
