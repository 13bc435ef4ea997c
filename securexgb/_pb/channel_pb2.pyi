from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FrameKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FRAME_KIND_UNSPECIFIED: _ClassVar[FrameKind]
    FRAME_KIND_HELLO: _ClassVar[FrameKind]
    FRAME_KIND_DATA: _ClassVar[FrameKind]
    FRAME_KIND_MORE: _ClassVar[FrameKind]
    FRAME_KIND_HEARTBEAT: _ClassVar[FrameKind]
    FRAME_KIND_ERROR: _ClassVar[FrameKind]
    FRAME_KIND_BYE: _ClassVar[FrameKind]
    FRAME_KIND_CREDIT: _ClassVar[FrameKind]
FRAME_KIND_UNSPECIFIED: FrameKind
FRAME_KIND_HELLO: FrameKind
FRAME_KIND_DATA: FrameKind
FRAME_KIND_MORE: FrameKind
FRAME_KIND_HEARTBEAT: FrameKind
FRAME_KIND_ERROR: FrameKind
FRAME_KIND_BYE: FrameKind
FRAME_KIND_CREDIT: FrameKind

class Frame(_message.Message):
    __slots__ = ("kind", "sequence", "message_bytes", "payload", "tag", "stream")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    kind: FrameKind
    sequence: int
    message_bytes: int
    payload: bytes
    tag: str
    stream: int
    def __init__(self, kind: _Optional[_Union[FrameKind, str]] = ..., sequence: _Optional[int] = ..., message_bytes: _Optional[int] = ..., payload: _Optional[bytes] = ..., tag: _Optional[str] = ..., stream: _Optional[int] = ...) -> None: ...
