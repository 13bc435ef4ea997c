"""Frames: how messages are cut, numbered and written for the wire.

A frame is the protobuf message ``Frame`` of proto/securexgb/v1/channel.proto in a
canonical form: every field present, in order, with lengths of fixed width. So a
frame is written with one copy of its payload and read with none, the payload is
aligned for arrays of words, and whatever differs from the canonical form in one bit
is refused. A test compares with the generated protobuf class.

    08 kind | 11 sequence (8) | 19 message_bytes (8) | 22 length (3) payload | 2a length (2) tag
    | 30 stream

Streams are independent: each has its own numbers and its own message in progress.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from securexgb.errors import MalformedFrame

FRAME_BYTES = 1 << 20
"""No frame is longer than this."""
TAG_BYTES = 1 << 10
MESSAGE_BYTES = 4 << 30
"""No message is longer than this: the uniform matrix of a large job in one piece."""
CONTROL_BYTES = 1 << 12
"""Payloads of hello and error frames are short."""

_HEAD = struct.Struct("<BBBQBQBBBB")
_TAIL = struct.Struct("<BBB")
_STREAM = struct.Struct("<BB")
_OVERHEAD = _HEAD.size + _TAIL.size + _STREAM.size
CHUNK_BYTES = FRAME_BYTES - _OVERHEAD - TAG_BYTES
"""Payload bytes in one frame."""


class Kind(IntEnum):
    """What a frame is for; the numbers of ``FrameKind`` in channel.proto."""

    HELLO = 1
    DATA = 2
    MORE = 3
    HEARTBEAT = 4
    ERROR = 5
    BYE = 6
    CREDIT = 7


class Frame(NamedTuple):
    """One frame, read. ``payload`` is a view into the bytes that arrived."""

    kind: Kind
    sequence: int
    message_bytes: int
    tag: str
    payload: memoryview
    stream: int


class Message(NamedTuple):
    """A whole message, read-only, or a control frame; ``taken_bytes``: what a credit says."""

    kind: Kind
    tag: str
    payload: memoryview
    stream: int = 0
    taken_bytes: int = 0


def encode(
    kind: Kind,
    sequence: int,
    message_bytes: int,
    tag: bytes,
    payload: bytes | memoryview,
    stream: int = 0,
) -> bytes:
    """One frame as bytes."""
    size, length = len(payload), len(tag)
    digits = size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14
    head = _HEAD.pack(0x08, kind, 0x11, sequence, 0x19, message_bytes, 0x22, *digits)
    tail = _TAIL.pack(0x2A, length & 0x7F | 0x80, length >> 7)
    return b"".join((head, payload, tail, tag, _STREAM.pack(0x30, stream)))


def decode(data: bytes) -> Frame:
    """Read one frame; MalformedFrame for anything that ``encode`` would not write."""
    if not _OVERHEAD <= len(data) <= FRAME_BYTES:
        raise MalformedFrame(f"a frame of {len(data)} bytes arrived; {_OVERHEAD} to {FRAME_BYTES}")
    key1, kind, key2, sequence, key3, message_bytes, key4, *digits = _HEAD.unpack_from(data)
    keys = (key1, key2, key3, key4)
    if keys != (0x08, 0x11, 0x19, 0x22) or min(digits[:2]) < 0x80 or digits[2] >= 0x80:
        raise MalformedFrame("a frame arrived whose head is not one of ours")
    end = _HEAD.size + ((digits[0] & 0x7F) | (digits[1] & 0x7F) << 7 | digits[2] << 14)
    last = len(data) - _STREAM.size
    if end + _TAIL.size > last:
        raise MalformedFrame("a frame arrived that ends within its payload")
    key5, low, high = _TAIL.unpack_from(data, end)
    length = (low & 0x7F) | high << 7
    if key5 != 0x2A or low < 0x80 or length != last - end - _TAIL.size or length > TAG_BYTES:
        raise MalformedFrame("a frame arrived whose length is not what it says")
    key6, stream = _STREAM.unpack_from(data, last)
    if key6 != 0x30 or stream >= 0x80:
        raise MalformedFrame("a frame arrived whose end is not one of ours")
    try:
        tag = data[end + _TAIL.size : last].decode()
        payload = memoryview(data)[_HEAD.size : end]
        return Frame(Kind(kind), sequence, message_bytes, tag, payload, stream)
    except ValueError:
        raise MalformedFrame("a frame arrived of unknown kind, or its tag is no text") from None


class FrameWriter:
    """Numbers and cuts what one side sends on one stream. Not thread-safe."""

    def __init__(self, stream: int = 0) -> None:
        self._stream = stream
        self._sequence = 0

    def message(self, tag: str, payload: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """The frames of one message, each made when it is asked for."""
        view = memoryview(payload).cast("B")
        name = tag.encode()[:TAG_BYTES].decode(errors="ignore").encode()
        if len(view) > MESSAGE_BYTES:
            raise MalformedFrame(f"a message of {len(view)} bytes at {tag} is too long to send")
        yield self._frame(Kind.DATA, len(view), name, view[:CHUNK_BYTES])
        for start in range(CHUNK_BYTES, len(view), CHUNK_BYTES):
            yield self._frame(Kind.MORE, 0, b"", view[start : start + CHUNK_BYTES])

    def control(self, kind: Kind, payload: bytes = b"") -> bytes:
        """A hello, error or bye frame; on stream 0."""
        return self._frame(kind, 0, b"", payload)

    @staticmethod
    def heartbeat() -> bytes:
        """The frame that says nothing; it has no number, so it may go between any two."""
        return encode(Kind.HEARTBEAT, 0, 0, b"", b"")

    @staticmethod
    def credit(stream: int, taken: int) -> bytes:
        """So many bytes of a stream have been taken; without a number, too."""
        return encode(Kind.CREDIT, 0, taken, b"", b"", stream)

    def _frame(self, kind: Kind, total: int, tag: bytes, payload: bytes | memoryview) -> bytes:
        frame = encode(kind, self._sequence, total, tag, payload, self._stream)
        self._sequence += 1
        return frame


class FrameReader:
    """Puts messages together from the frames of one direction and checks their order."""

    def __init__(self, streams: int = 1) -> None:
        self._streams = [_StreamReader(stream) for stream in range(streams)]

    def feed(self, data: bytes) -> Message | None:
        """Take one frame; the message that it completes, if any.

        Raises MalformedFrame for a frame that is not one of ours, out of order, or
        not what the frames before it announced.
        """
        frame = decode(data)
        if frame.stream >= len(self._streams):
            raise MalformedFrame(f"a frame arrived for stream {frame.stream}, which is not there")
        if frame.kind in (Kind.HEARTBEAT, Kind.CREDIT):
            return _unnumbered(frame)
        return self._streams[frame.stream].feed(frame)


def _unnumbered(frame: Frame) -> Message | None:
    is_beat = frame.kind is Kind.HEARTBEAT
    if frame.sequence or frame.tag or frame.payload or (is_beat and frame.message_bytes):
        raise MalformedFrame("a heartbeat or credit arrived that holds something else")
    if is_beat and frame.stream:
        raise MalformedFrame("a heartbeat arrived on a stream of its own")
    if is_beat:
        return None
    return Message(Kind.CREDIT, "", frame.payload, frame.stream, frame.message_bytes)


class _StreamReader:
    """One stream's part of ``FrameReader``."""

    def __init__(self, stream: int) -> None:
        self._stream = stream
        self._sequence = 0
        self._tag = ""
        self._parts: bytearray | None = None
        self._filled = 0

    def feed(self, frame: Frame) -> Message | None:
        if frame.sequence != self._sequence:
            raise MalformedFrame(
                f"frame {frame.sequence} arrived where frame {self._sequence} was due"
            )
        self._sequence += 1
        if (frame.kind is Kind.MORE) != (self._parts is not None):
            raise MalformedFrame("a frame arrived within another message, or belongs to none")
        if frame.kind is Kind.DATA:
            return self._begin(frame)
        if frame.message_bytes or frame.tag:
            raise MalformedFrame("a frame arrived with a tag or length that its kind cannot have")
        if frame.kind is Kind.MORE:
            return self._continue(frame)
        if len(frame.payload) > CONTROL_BYTES or self._stream:
            raise MalformedFrame("a hello or error frame arrived that is too long, or elsewhere")
        return Message(frame.kind, "", frame.payload)

    def _begin(self, frame: Frame) -> Message | None:
        total, here = frame.message_bytes, len(frame.payload)
        if total > MESSAGE_BYTES or here != min(total, CHUNK_BYTES):
            raise MalformedFrame(
                f"a message of {total} bytes arrived with {here} in its first frame"
            )
        if here == total:
            return Message(Kind.DATA, frame.tag, frame.payload, self._stream)
        self._tag, self._parts, self._filled = frame.tag, bytearray(total), here
        self._parts[:here] = frame.payload
        return None

    def _continue(self, frame: Frame) -> Message | None:
        assert self._parts is not None
        end = self._filled + len(frame.payload)
        if len(frame.payload) != min(len(self._parts) - self._filled, CHUNK_BYTES):
            raise MalformedFrame("a piece of a message arrived that is too short or too long")
        self._parts[self._filled : end] = frame.payload
        self._filled = end
        if end < len(self._parts):
            return None
        whole = memoryview(self._parts).toreadonly()
        self._parts = None
        return Message(Kind.DATA, self._tag, whole, self._stream)
