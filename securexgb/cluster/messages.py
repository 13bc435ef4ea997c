"""What a head and its own shard say to each other about a session, besides commands and answers.

Both are of one company: an error goes to the head with its message. Explicit bytes; of what is read
nothing is believed, because a version may differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from securexgb.errors import (
    CertificateRefused,
    DataError,
    DealerGone,
    EvidenceRefused,
    FileError,
    MalformedFrame,
    PeerError,
    PeerGone,
    PeerTimeout,
    ProtocolDesync,
    SecureXGBError,
    ShardGone,
    StoppedByPeer,
    TermsDiffer,
    TrustError,
    UsageError,
)
from securexgb.federation.session import Purpose

OPENING_BYTES = 64 << 20
"""Names of columns and categories may be many."""
SESSION_BYTES = 16
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_DONE, _FAILED = b"\0", b"\1"
_KINDS = {
    kind.__name__: kind
    for kind in (
        CertificateRefused, DataError, DealerGone, EvidenceRefused, FileError, MalformedFrame,
        PeerError, PeerGone, PeerTimeout, ProtocolDesync, SecureXGBError, ShardGone, StoppedByPeer,
        TermsDiffer, TrustError, UsageError,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Opening:
    """What a shard is told first.

    ``session``: 16 bytes of the link between the two heads, which the two shards of a number
    compare; ``run``: the name of the head's run, by which a shard keeps its checkpoint;
    ``columns``, ``classes``, ``categories``: of the training data, as the head found them.
    """

    session: bytes
    purpose: Purpose
    run: str
    columns: tuple[str, ...]
    classes: tuple[Any, ...] | None = None
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def encode(self) -> bytes:
        classes = None if self.classes is None else list(self.classes)
        said = {
            "session": self.session.hex(),
            "purpose": self.purpose,
            "run": self.run,
            "columns": list(self.columns),
            "classes": classes,
            "categories": {name: list(of) for name, of in self.categories.items()},
        }
        return json.dumps(said).encode()

    @staticmethod
    def decode(content: bytes) -> Opening:
        """MalformedFrame for other bytes."""
        try:
            said = json.loads(content)
            classes = said["classes"]
            found = Opening(
                session=bytes.fromhex(said["session"]),
                purpose=said["purpose"],
                run=said["run"],
                columns=tuple(map(str, said["columns"])),
                classes=None if classes is None else tuple(classes),
                categories={name: tuple(map(str, of)) for name, of in said["categories"].items()},
            )
            is_one = found.purpose in get_args(Purpose) and len(found.session) == SESSION_BYTES
            if is_one and _RUN.fullmatch(found.run) is not None:
                return found
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        raise MalformedFrame("what the own head says of its session is malformed")


def done(answer: bytes) -> bytes:
    """An answer on its way."""
    return _DONE + answer


def failed(error: BaseException) -> bytes:
    """An error on its way to the own head."""
    if isinstance(error, KeyboardInterrupt):
        error = ShardGone("its operator has stopped it")
    known = [kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _KINDS]
    name, text = (known[0], str(error)) if known else ("SecureXGBError", repr(error))
    kind = error.kind if isinstance(error, StoppedByPeer) else ""
    return _FAILED + json.dumps([name, kind, text]).encode()


def answered(content: bytes | memoryview, shard: str) -> bytes:
    """The answer; raises what the shard raised, and MalformedFrame for other bytes."""
    state, rest = bytes(content[:1]), bytes(content[1:])
    if state == _DONE:
        return rest
    try:
        if state != _FAILED:
            raise ValueError
        name, kind, text = map(str, json.loads(rest))
        error = _KINDS[name](f"{shard}: {text}")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise MalformedFrame(f"{shard} sent an answer that is none") from None
    if isinstance(error, StoppedByPeer):
        error.kind = kind
    raise error
