from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Hello(_message.Message):
    __slots__ = ("wire_version", "package_version", "job_digest", "role", "name", "peer_name", "purpose", "nonce", "clock")
    WIRE_VERSION_FIELD_NUMBER: _ClassVar[int]
    PACKAGE_VERSION_FIELD_NUMBER: _ClassVar[int]
    JOB_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PEER_NAME_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    wire_version: int
    package_version: str
    job_digest: str
    role: str
    name: str
    peer_name: str
    purpose: str
    nonce: bytes
    clock: float
    def __init__(self, wire_version: _Optional[int] = ..., package_version: _Optional[str] = ..., job_digest: _Optional[str] = ..., role: _Optional[str] = ..., name: _Optional[str] = ..., peer_name: _Optional[str] = ..., purpose: _Optional[str] = ..., nonce: _Optional[bytes] = ..., clock: _Optional[float] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("kind",)
    KIND_FIELD_NUMBER: _ClassVar[int]
    kind: str
    def __init__(self, kind: _Optional[str] = ...) -> None: ...
