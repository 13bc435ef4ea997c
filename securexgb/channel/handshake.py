"""What both sides compare before the first message of a job.

Each side sends its ``Hello`` and checks the other's against its own, so a difference
is an error at both. The order goes from what explains most to what explains least.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from dataclasses import asdict, dataclass, field, fields

from google.protobuf.message import DecodeError

from securexgb._pb import control_pb2 as pb
from securexgb.errors import CertificateRefused, MalformedFrame, TermsDiffer

WIRE_VERSION = 4
HELLO_BYTES = 1 << 12
"""No longer one is read."""
CLOCK_SECONDS = 60.0
"""Clocks that differ by more are worth a warning: certificates have dates."""

_PAIRS = ({"label", "feature"}, {"head", "shard"})
_FIRST = ("label", "head")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hello:
    """Who this side is and what it is about to do.

    ``role``: label or feature, or, of two processes of one side, head or shard; ``job_digest``: of
    the canonical terms; ``purpose``: train, predict, evaluate or check, and of which shard.
    ``nonce``: 32 bytes, fresh for every link. The fields are those of the message of this name in
    proto/securexgb/v1/control.proto.
    """

    role: str
    name: str
    peer_name: str
    job_digest: str
    purpose: str
    package_version: str
    wire_version: int = WIRE_VERSION
    nonce: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    clock: float = field(default_factory=time.time)

    def encode(self) -> bytes:
        content: bytes = pb.Hello(**asdict(self)).SerializeToString()
        return content

    @staticmethod
    def decode(content: bytes) -> Hello:
        """The other side's; MalformedFrame for other bytes."""
        try:
            message = pb.Hello.FromString(content)
        except DecodeError:
            raise MalformedFrame("the other side's hello is not one of ours") from None
        if len(message.nonce) != 32:
            raise MalformedFrame("the other side's hello is not one of ours")
        return Hello(**{field.name: getattr(message, field.name) for field in fields(Hello)})


def compare(mine: Hello, theirs: Hello) -> None:
    """Raise the error that names the first difference; warn where clocks differ."""
    me = f"{mine.name} ({mine.role} party)"
    if mine.wire_version != theirs.wire_version or mine.package_version != theirs.package_version:
        raise TermsDiffer(
            f"{me} runs securexgb {mine.package_version} (wire {mine.wire_version}), the other "
            f"side {theirs.package_version[:20]!r} (wire {theirs.wire_version}): install the same "
            "version at both sides"
        )
    if theirs.name != mine.peer_name or theirs.peer_name != mine.name:
        raise CertificateRefused(
            f"{me} expects {mine.peer_name!r} at the other side; that one says it is "
            f"{theirs.name[:63]!r} and expects {theirs.peer_name[:63]!r}: correct the names"
        )
    if {mine.role, theirs.role} not in _PAIRS:
        raise TermsDiffer(
            f"{me} and {mine.peer_name} both act as {mine.role} party: "
            "correct the role in one party.toml"
        )
    if mine.job_digest != theirs.job_digest:
        raise TermsDiffer(
            f"{me} holds job terms {mine.job_digest}, {mine.peer_name} holds "
            f"{theirs.job_digest[:10]!r}: compare `securexgb job show`, agree on one job.toml"
        )
    if mine.purpose != theirs.purpose:
        raise TermsDiffer(
            f"{me} is about to {mine.purpose}, {mine.peer_name} to {theirs.purpose[:20]!r}: "
            "start the same command at both sides"
        )
    apart = abs(mine.clock - theirs.clock)
    if apart > CLOCK_SECONDS:
        _log.warning("the clocks of %s and %s differ by %.0f s", mine.name, mine.peer_name, apart)


def session_id(mine: Hello, theirs: Hello) -> bytes:
    """16 bytes that name this link, the same at both sides, never seen before."""
    label, feature = (mine, theirs) if mine.role in _FIRST else (theirs, mine)
    text = b"securexgb session" + label.nonce + feature.nonce + label.job_digest.encode()
    return hashlib.sha256(text).digest()[:16]
