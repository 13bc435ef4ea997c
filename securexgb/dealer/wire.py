"""What goes over the wire to a dealer, for it and for its client; which series is meant."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from google.protobuf.message import DecodeError

from securexgb._pb import dealer_pb2 as pb
from securexgb.correlations.kind import Kind
from securexgb.correlations.kinds import KINDS, Series
from securexgb.correlations.matrices import Products
from securexgb.dealer.session import Refused
from securexgb.errors import FileError

VERSION = 4
METHOD = "/securexgb.v1.DealerService/Deal"
MESSAGE_BYTES = 1 << 20
"""No message is longer, either way."""
LEAST_FILES = 32
"""A dealer opens 13, a party fewer; each connection is one more."""

_KINDS: Mapping[int, Kind[Any]] = MappingProxyType(
    {pb.Kind.Value(f"KIND_{kind.name.upper()}"): kind for kind in KINDS}
)


def series_of(message: pb.Request | pb.Correction) -> Series:
    """The series that a message is about; Refused where there is none such."""
    if message.kind == pb.KIND_PRODUCTS:
        return Products(message.owner, message.number)
    kind = _KINDS.get(message.kind)
    if kind is None or message.owner or message.number:
        raise Refused("no such kind of correlation")
    return kind


def keepalive(timeout_seconds: float) -> list[tuple[str, int]]:
    """Options of gRPC for either end: silence of ``timeout_seconds``, at least 3, ends the link.

    A third of that time, at most 10 seconds, without a word is followed by a question, and the rest
    is the time for an answer.
    """
    whole = max(round(1000 * timeout_seconds), 3000)
    every = min(max(whole // 3, 2000), 10_000)
    return [("grpc.keepalive_time_ms", every), ("grpc.keepalive_timeout_ms", whole - every)]


def request_of(content: bytes) -> pb.DealRequest:
    """A party's message; one of no kind, which has no place anywhere, for other bytes."""
    try:
        return pb.DealRequest.FromString(content)
    except DecodeError:
        return pb.DealRequest()


def raise_file_limit() -> None:
    """Let this process open as many files as it may: who knocks without a certificate is one.

    FileError where these are too few; to be called before anything of gRPC's begins.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _check_files_left(most)


def _check_files_left(most: int) -> None:
    """FileError where this process may open too few files to begin with: gRPC ends a process that
    has none left, without a word. Those that it was started with count, so it is tried."""
    opened: list[int] = []
    try:
        opened += os.pipe()
        while len(opened) < LEAST_FILES:
            opened.append(os.dup(opened[0]))
    except OSError:
        raise FileError(
            f"this process may open {len(opened)} more files ({most} with those that it was "
            f"started with), and needs {LEAST_FILES}: raise the hard limit (ulimit -Hn)"
        ) from None
    finally:
        for one in opened:
            os.close(one)


def keep_large_buffers() -> None:
    """Let malloc keep the memory of messages instead of mapping it anew for each.

    glibc does so for sizes up to the largest that was ever freed. Measured: a quarter
    of the system time for a stream of 512 KiB messages.
    """
    bytearray(16 * MESSAGE_BYTES)
