"""Kinds and series as the wire names them; for the dealer and for its client."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from securexgb._pb import dealer_pb2 as pb
from securexgb.dealer.session import Refused, Series
from securexgb.offline.correlations import Kind

VERSION = 3
METHOD = "/securexgb.v1.DealerService/Deal"
MESSAGE_BYTES = 1 << 20
"""No message is longer, either way."""

KIND_NUMBERS: Mapping[Kind, pb.Kind] = MappingProxyType(
    {kind: getattr(pb, f"KIND_{kind.name}") for kind in Kind}
)
_KINDS = MappingProxyType({number: kind for kind, number in KIND_NUMBERS.items()})


def request(series: Series, start: int, words: int) -> pb.DealRequest:
    """Party 1 asks for the next words of a series."""
    owner, number = series.matrix or (0, 0)
    kind = pb.KIND_PRODUCTS if series.kind is None else KIND_NUMBERS[series.kind]
    wanted = pb.Request(kind=kind, owner=owner, number=number, start=start, words=words)
    return pb.DealRequest(request=wanted)


def series_of(message: pb.Request | pb.Correction) -> Series:
    """The series that a message is about; Refused where there is none such."""
    if message.kind == pb.KIND_PRODUCTS:
        return Series(None, (message.owner, message.number))
    kind = _KINDS.get(message.kind)
    if kind is None or message.owner or message.number:
        raise Refused("no such kind of correlation")
    return Series(kind)


def keep_large_buffers() -> None:
    """Let malloc keep the memory of messages instead of mapping it anew for each.

    glibc does so for sizes up to the largest that was ever freed. Measured: a quarter
    of the system time for a stream of 512 KiB messages.
    """
    bytearray(16 * MESSAGE_BYTES)
