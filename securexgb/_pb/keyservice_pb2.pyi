from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Ask(_message.Message):
    __slots__ = ("job", "model")
    JOB_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    job: str
    model: str
    def __init__(self, job: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class Question(_message.Message):
    __slots__ = ("nonce", "policy_sha256")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    POLICY_SHA256_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    policy_sha256: bytes
    def __init__(self, nonce: _Optional[bytes] = ..., policy_sha256: _Optional[bytes] = ...) -> None: ...

class Proof(_message.Message):
    __slots__ = ("nonce", "public_key", "type", "body", "claims", "endorsements")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENTS_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    public_key: bytes
    type: str
    body: bytes
    claims: bytes
    endorsements: bytes
    def __init__(self, nonce: _Optional[bytes] = ..., public_key: _Optional[bytes] = ..., type: _Optional[str] = ..., body: _Optional[bytes] = ..., claims: _Optional[bytes] = ..., endorsements: _Optional[bytes] = ...) -> None: ...

class Wrapped(_message.Message):
    __slots__ = ("sealed",)
    SEALED_FIELD_NUMBER: _ClassVar[int]
    sealed: bytes
    def __init__(self, sealed: _Optional[bytes] = ...) -> None: ...
