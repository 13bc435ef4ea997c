"""The channel between two machines: one gRPC call for both directions.

The call lives in the kernels (kernels/src/link), on a thread of its own that knows nothing of
Python: it cuts and joins messages, counts what is under way, and sends a heartbeat when nothing
else goes. Here are the one deadline, the words for every way in which a link may end, and
what passed. All queues are bounded: a sender waits while 64 MiB of its stream are not taken yet,
and beyond them a side keeps only what its program awaits and no longer than that.

A link ends in order: the side that closes sends a last frame (bye, or error with the
failure's kind), the other side answers with its own, and only then is the connection torn
down, so nothing that was sent before is lost.
"""

from __future__ import annotations

import time

import numpy as np
from google.protobuf.message import DecodeError

from securexgb import _kernels
from securexgb._kernels import LinkEnded
from securexgb._pb import control_pb2 as pb
from securexgb.channel.channel import (
    MESSAGE_BYTES,
    STREAMS,
    Channel,
    StreamName,
    Traffic,
    failure_kind,
    stopped,
)
from securexgb.channel.handshake import HELLO_BYTES
from securexgb.errors import (
    MalformedFrame,
    PeerError,
    PeerGone,
    PeerTimeout,
    ProtocolDesync,
    SecureXGBError,
    ShardGone,
    UsageError,
)

_LAST_WORD_SECONDS = 10.0
_PARTING_SECONDS = 1.0
_GLANCE_SECONDS = 1.0
_MOST_BEAT_SECONDS = 5.0
_MISSED_BEATS = 3


def beat_seconds(timeout_seconds: float) -> float:
    """How often a side says at least that it is alive."""
    return min(_MOST_BEAT_SECONDS, timeout_seconds / 4)


class _Stream:
    """One end of one stream: what a thread of the program sends and receives."""

    is_network = True

    def __init__(self, link: GrpcChannel, index: int, traffic: Traffic) -> None:
        self.traffic = traffic
        self.index = index
        self._link = link

    def send(
        self, tag: str, payload: bytes | bytearray | memoryview, awaits: int | None = None
    ) -> None:
        """Queue one message, copied; waits only while the bounded buffers are full."""
        link, content = self._link, np.frombuffer(payload, np.uint8)
        if content.nbytes > MESSAGE_BYTES:
            raise MalformedFrame(f"a message of {content.nbytes} bytes at {tag} is too long")
        try:
            is_sent = link.wire.send(self.index, tag, content, awaits, link.timeout_seconds)
        except LinkEnded as error:
            raise link.ending(error, tag) from None
        if not is_sent:
            raise PeerTimeout(
                f"{link.peer} has read nothing of what was sent to it for "
                f"{link.timeout_seconds:g} s (sending at {tag})"
            )
        self.traffic.sent(content.nbytes)

    def receive(self, tag: str, at_most: int) -> memoryview:
        """The next message's payload, read-only; errors as the interface says."""
        sent_tag, payload = self.take(tag, at_most)
        if sent_tag != tag:
            raise ProtocolDesync(
                f"this side is at {tag}, but {self._link.peer} sent a message of "
                f"{_shown(sent_tag or 'hello')}"
            )
        self.traffic.received(payload.nbytes)
        return payload

    def take(self, tag: str, at_most: int) -> tuple[str | None, memoryview]:
        """The next message, whatever it is: its tag (None: the hello) and payload."""
        link = self._link
        try:
            message = link.wire.receive(self.index, at_most, _GLANCE_SECONDS)
            if message is None:
                message = link.wait(self, tag, at_most)
        except LinkEnded as error:
            raise link.ending(error, tag) from None
        return message[0], message[1].data.toreadonly()

    def stream(self, name: StreamName) -> Channel:
        """The named stream of the same link."""
        return self._link.streams[STREAMS.index(name)]

    def close(self, error: BaseException | None = None) -> None:
        """End the link."""
        self._link.close(error)


class GrpcChannel(_Stream):
    """One end of a link over gRPC: its online stream, and what all streams have in common.

    Made by ``endpoint.connect``. ``peer``: for messages, such as "bureau (feature party)".
    ``waiting``: the tag and the time (monotonic) since when the program waits for the peer, if
    it is long.
    """

    def __init__(self, wire: _kernels.Link, peer: str, timeout_seconds: float) -> None:
        super().__init__(self, 0, Traffic())
        self.wire = wire
        self.peer = peer
        self.session = b""
        self.waiting: tuple[str, float] | None = None
        self.timeout_seconds = timeout_seconds
        offline = [_Stream(self, index, self.traffic) for index in range(1, len(STREAMS))]
        self.streams: list[_Stream] = [self, *offline]
        self._is_closed = False

    def greet(self, hello: bytes) -> bytes:
        """Exchange the first frames."""
        try:
            self.wire.greet(hello)
        except LinkEnded as error:
            raise self.ending(error, "hello") from None
        return bytes(self.take("hello", HELLO_BYTES)[1])

    def close(self, error: BaseException | None = None) -> None:
        """Say the last word, wait for the other's, and end the connection."""
        if self._is_closed:
            return
        self._is_closed = True
        failure = None
        if error is not None:
            failure = pb.Failure(kind=failure_kind(error)).SerializeToString()
        # Who is gone will not answer; whoever still computes may take a while.
        is_gone = isinstance(error, (PeerGone, ShardGone))
        patience = _PARTING_SECONDS if is_gone else _LAST_WORD_SECONDS
        try:
            self.wire.close(failure, min(self.timeout_seconds, patience), _PARTING_SECONDS)
        except LinkEnded as ended:
            raise self.ending(ended, "the end") from None

    def wait(self, stream: _Stream, tag: str, at_most: int) -> _kernels.LinkMessage:
        """The slow path of a receive: watch the deadline and the heartbeats."""
        began = time.monotonic() - _GLANCE_SECONDS
        if stream.index == 0:
            self.waiting = (tag, began)
        try:
            while True:
                # A long message over a slow line is one that comes: each piece counts anew.
                stalled_seconds = self.wire.stalled_seconds(stream.index)
                waited_seconds = min(time.monotonic() - began, stalled_seconds)
                remaining_seconds = self.timeout_seconds - waited_seconds
                quiet_seconds = self.wire.quiet_seconds()
                if quiet_seconds > self.timeout_seconds or (
                    remaining_seconds <= 0
                    and quiet_seconds > _MISSED_BEATS * beat_seconds(self.timeout_seconds)
                ):
                    raise PeerGone(
                        f"nothing has come from {self.peer} for {quiet_seconds:.0f} s, no "
                        f"heartbeat either (waiting at {tag})"
                    )
                if remaining_seconds <= 0:
                    raise PeerTimeout(
                        f"{self.peer} is alive but sent no message for {self.timeout_seconds:g} s"
                        f" (waiting at {tag})"
                    )
                seconds = min(remaining_seconds, _GLANCE_SECONDS)
                if (message := self.wire.receive(stream.index, at_most, seconds)) is not None:
                    return message
        finally:
            if stream.index == 0:
                self.waiting = None

    def ending(self, error: LinkEnded, tag: str) -> SecureXGBError:
        """Why there is nothing more to send or to receive."""
        reason, detail = error.args
        match reason:
            case "forked":
                return UsageError(
                    f"the link to {self.peer} belongs to the process that opened it, and this one "
                    "was forked from it: open a link of its own here"
                )
            case "closed":
                return PeerGone(f"this side has closed its link to {self.peer} (at {tag})")
            case "bye":
                return PeerGone(f"{self.peer} closed the link before the job was done")
            case "failed":
                return stopped(self.peer, _readable(detail))
            case "malformed":
                return MalformedFrame(f"from {self.peer}: {detail.decode()}")
            case "too long":
                return ProtocolDesync(
                    f"this side is at {tag}, but {self.peer} sent {_shown(detail.decode())}"
                )
            case "denied":
                return PeerError(f"{self.peer} refused this side: {_shown(detail.decode())}")
        return PeerGone(f"the connection to {self.peer} broke: its process or the network failed")


def _shown(text: str) -> str:
    """What the other side wrote, fit for a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:200])


def _readable(failure: bytes) -> str:
    """The kind in a ``Failure``, fit for a terminal."""
    try:
        kind = pb.Failure.FromString(failure).kind[:64]
    except DecodeError:
        kind = "an unknown error"
    return "".join(c for c in kind if c.isalnum() or c in " _")
