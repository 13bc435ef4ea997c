from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KIND_UNSPECIFIED: _ClassVar[Kind]
    KIND_TRIPLES: _ClassVar[Kind]
    KIND_GATES_1: _ClassVar[Kind]
    KIND_GATES_2: _ClassVar[Kind]
    KIND_GATES_4: _ClassVar[Kind]
    KIND_GATES_8: _ClassVar[Kind]
    KIND_GATES_16: _ClassVar[Kind]
    KIND_GATES_32: _ClassVar[Kind]
    KIND_DIGITS_2_FROM_0: _ClassVar[Kind]
    KIND_DIGITS_2_FROM_1: _ClassVar[Kind]
    KIND_DIGITS_7_FROM_0: _ClassVar[Kind]
    KIND_DIGITS_7_FROM_1: _ClassVar[Kind]
    KIND_SHARED_BITS: _ClassVar[Kind]
    KIND_HALF_BITS: _ClassVar[Kind]
    KIND_OT_8_FROM_0: _ClassVar[Kind]
    KIND_OT_8_FROM_1: _ClassVar[Kind]
    KIND_OT_16_FROM_0: _ClassVar[Kind]
    KIND_OT_16_FROM_1: _ClassVar[Kind]
    KIND_OT_32_FROM_0: _ClassVar[Kind]
    KIND_OT_32_FROM_1: _ClassVar[Kind]
    KIND_OT_64_FROM_0: _ClassVar[Kind]
    KIND_OT_64_FROM_1: _ClassVar[Kind]
    KIND_OT_128_FROM_0: _ClassVar[Kind]
    KIND_OT_128_FROM_1: _ClassVar[Kind]
    KIND_PRODUCTS: _ClassVar[Kind]
    KIND_GATES_64: _ClassVar[Kind]
    KIND_DIGITS_8_FROM_0: _ClassVar[Kind]
    KIND_DIGITS_8_FROM_1: _ClassVar[Kind]
    KIND_SLICES_8_FROM_0: _ClassVar[Kind]
    KIND_SLICES_8_FROM_1: _ClassVar[Kind]
    KIND_SLICES_16_FROM_0: _ClassVar[Kind]
    KIND_SLICES_16_FROM_1: _ClassVar[Kind]
    KIND_SLICES_32_FROM_0: _ClassVar[Kind]
    KIND_SLICES_32_FROM_1: _ClassVar[Kind]
    KIND_SLICES_64_FROM_0: _ClassVar[Kind]
    KIND_SLICES_64_FROM_1: _ClassVar[Kind]
KIND_UNSPECIFIED: Kind
KIND_TRIPLES: Kind
KIND_GATES_1: Kind
KIND_GATES_2: Kind
KIND_GATES_4: Kind
KIND_GATES_8: Kind
KIND_GATES_16: Kind
KIND_GATES_32: Kind
KIND_DIGITS_2_FROM_0: Kind
KIND_DIGITS_2_FROM_1: Kind
KIND_DIGITS_7_FROM_0: Kind
KIND_DIGITS_7_FROM_1: Kind
KIND_SHARED_BITS: Kind
KIND_HALF_BITS: Kind
KIND_OT_8_FROM_0: Kind
KIND_OT_8_FROM_1: Kind
KIND_OT_16_FROM_0: Kind
KIND_OT_16_FROM_1: Kind
KIND_OT_32_FROM_0: Kind
KIND_OT_32_FROM_1: Kind
KIND_OT_64_FROM_0: Kind
KIND_OT_64_FROM_1: Kind
KIND_OT_128_FROM_0: Kind
KIND_OT_128_FROM_1: Kind
KIND_PRODUCTS: Kind
KIND_GATES_64: Kind
KIND_DIGITS_8_FROM_0: Kind
KIND_DIGITS_8_FROM_1: Kind
KIND_SLICES_8_FROM_0: Kind
KIND_SLICES_8_FROM_1: Kind
KIND_SLICES_16_FROM_0: Kind
KIND_SLICES_16_FROM_1: Kind
KIND_SLICES_32_FROM_0: Kind
KIND_SLICES_32_FROM_1: Kind
KIND_SLICES_64_FROM_0: Kind
KIND_SLICES_64_FROM_1: Kind

class DealRequest(_message.Message):
    __slots__ = ("join", "seed", "matrix", "request", "leave", "attest")
    JOIN_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    MATRIX_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    ATTEST_FIELD_NUMBER: _ClassVar[int]
    join: Join
    seed: Seed
    matrix: Matrix
    request: Request
    leave: Leave
    attest: Attest
    def __init__(self, join: _Optional[_Union[Join, _Mapping]] = ..., seed: _Optional[_Union[Seed, _Mapping]] = ..., matrix: _Optional[_Union[Matrix, _Mapping]] = ..., request: _Optional[_Union[Request, _Mapping]] = ..., leave: _Optional[_Union[Leave, _Mapping]] = ..., attest: _Optional[_Union[Attest, _Mapping]] = ...) -> None: ...

class DealResponse(_message.Message):
    __slots__ = ("offer", "ready", "correction", "evidence")
    OFFER_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    offer: Offer
    ready: Ready
    correction: Correction
    evidence: Evidence
    def __init__(self, offer: _Optional[_Union[Offer, _Mapping]] = ..., ready: _Optional[_Union[Ready, _Mapping]] = ..., correction: _Optional[_Union[Correction, _Mapping]] = ..., evidence: _Optional[_Union[Evidence, _Mapping]] = ...) -> None: ...

class Join(_message.Message):
    __slots__ = ("version", "session", "digest", "rank", "roster")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    ROSTER_FIELD_NUMBER: _ClassVar[int]
    version: int
    session: bytes
    digest: str
    rank: int
    roster: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, version: _Optional[int] = ..., session: _Optional[bytes] = ..., digest: _Optional[str] = ..., rank: _Optional[int] = ..., roster: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Offer(_message.Message):
    __slots__ = ("instance",)
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    instance: bytes
    def __init__(self, instance: _Optional[bytes] = ...) -> None: ...

class Attest(_message.Message):
    __slots__ = ("nonce", "policy_sha256")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    POLICY_SHA256_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    policy_sha256: bytes
    def __init__(self, nonce: _Optional[bytes] = ..., policy_sha256: _Optional[bytes] = ...) -> None: ...

class Evidence(_message.Message):
    __slots__ = ("type", "body", "claims", "endorsements")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENTS_FIELD_NUMBER: _ClassVar[int]
    type: str
    body: bytes
    claims: bytes
    endorsements: bytes
    def __init__(self, type: _Optional[str] = ..., body: _Optional[bytes] = ..., claims: _Optional[bytes] = ..., endorsements: _Optional[bytes] = ...) -> None: ...

class Seed(_message.Message):
    __slots__ = ("seed",)
    SEED_FIELD_NUMBER: _ClassVar[int]
    seed: bytes
    def __init__(self, seed: _Optional[bytes] = ...) -> None: ...

class Ready(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Matrix(_message.Message):
    __slots__ = ("owner", "number", "rows", "columns")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    owner: int
    number: int
    rows: int
    columns: int
    def __init__(self, owner: _Optional[int] = ..., number: _Optional[int] = ..., rows: _Optional[int] = ..., columns: _Optional[int] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("kind", "owner", "number", "start", "words")
    KIND_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    kind: Kind
    owner: int
    number: int
    start: int
    words: int
    def __init__(self, kind: _Optional[_Union[Kind, str]] = ..., owner: _Optional[int] = ..., number: _Optional[int] = ..., start: _Optional[int] = ..., words: _Optional[int] = ...) -> None: ...

class Correction(_message.Message):
    __slots__ = ("kind", "owner", "number", "start", "words")
    KIND_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    kind: Kind
    owner: int
    number: int
    start: int
    words: bytes
    def __init__(self, kind: _Optional[_Union[Kind, str]] = ..., owner: _Optional[int] = ..., number: _Optional[int] = ..., start: _Optional[int] = ..., words: _Optional[bytes] = ...) -> None: ...

class Leave(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
