"""The link between two parties, as protocols see it: tagged messages, in order.

A channel carries opaque payloads. Each message has a tag, the place in the
program where it was sent; the receiver states the tag that it expects and how
long the message may be, and a difference is a ``ProtocolDesync`` at the first
wrong message: of a longer one nothing is kept that is not awaited. Channels know
nothing of shares: whoever sends is responsible for the payload being masked.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal, Protocol

from securexgb.errors import EvidenceRefused, SecureXGBError, StoppedByPeer

StreamName = Literal["online", "offline", "products"]
STREAMS: tuple[StreamName, ...] = ("online", "offline", "products")
"""Ordered streams of one link: for the protocols, and for what is produced ahead of them, from
transfers and by homomorphic encryption. What comes first here is sent first."""
BUFFER_BYTES = 64 << 20
"""Of one stream this much may be under way that its receiver does not await."""
MESSAGE_BYTES = 4 << 30
"""No message is longer than this: the uniform matrix of a large job in one piece."""
INTERRUPTION = "an interruption by its operator"
"""What the other side is told where somebody stopped this one."""
_ABOUT_EVIDENCE = frozenset({"AttestationError", "EvidenceRefused"})


@dataclass
class Traffic:
    """What passed through one end of a channel, all streams together, payload bytes only."""

    bytes_sent: int = 0
    bytes_received: int = 0
    messages_sent: int = 0
    messages_received: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def sent(self, size: int) -> None:
        """Count a message out."""
        with self._lock:
            self.bytes_sent += size
            self.messages_sent += 1

    def received(self, size: int) -> None:
        """Count a message in."""
        with self._lock:
            self.bytes_received += size
            self.messages_received += 1


def failure_kind(error: BaseException) -> str:
    """What the other side is told of a failure: its kind, never its message."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTION
    if isinstance(error, StoppedByPeer) and error.kind:
        return error.kind  # of whoever failed first
    return type(error).__name__


def stopped(peer: str, kind: str) -> SecureXGBError:
    """The error for a side whose peer says that it failed with ``kind``.

    A dealer that one side refuses is refused for both: that has its own exit code.
    """
    if kind in _ABOUT_EVIDENCE:
        return EvidenceRefused(f"{peer} refuses the dealer's evidence: see the reason there")
    error = StoppedByPeer(f"{peer} stopped with {kind}")
    error.kind = kind
    return error


class Channel(Protocol):
    """One end of an ordered, reliable, authenticated link to the other party."""

    traffic: Traffic
    is_network: bool
    """Whether the messages leave this process; insecure sources refuse such a channel."""

    def send(
        self, tag: str, payload: bytes | bytearray | memoryview, awaits: int | None = None
    ) -> None:
        """Queue one message; returns before the peer has read it, but for all that is longer than
        ``BUFFER_BYTES``: that is taken while the peer awaits it.

        ``awaits``: the bytes that the message may have which this side receives next; it comes in
        while this one leaves, so that two long messages may cross. Needed where both may be long.
        """

    def receive(self, tag: str, at_most: int) -> bytes | memoryview:
        """The next message's payload; raises ProtocolDesync where its tag differs or it has more
        than ``at_most`` bytes, PeerGone, PeerTimeout or StoppedByPeer where none comes.
        """

    def stream(self, name: StreamName) -> Channel:
        """The named stream of messages of this link, in an order of its own.

        A stream is for one thread at each end, and what passes on one does not wait for the
        other. Each channel is its link's "online" stream. Ends and errors reach all streams.
        """

    def close(self, error: BaseException | None = None) -> None:
        """End the link. With ``error`` the peer is told that this side failed
        (its kind and side, never a value), so that it stops at once.
        """
