"""The channel between two machines: one gRPC stream each way, read ahead by a thread.

The program's thread cuts a message into frames and leaves them in a queue that gRPC
empties; a reading thread puts arriving frames together into another queue where
``receive`` finds them. Both queues are bounded, a heartbeat goes out when nothing else
does, and every wait ends at the one deadline.

A link ends in order: the side that closes sends a last frame (bye, or error with the
failure's kind), the other side's reading thread answers with its own, and only then is
the connection torn down, so nothing that was sent before is lost.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty

import grpc
from google.protobuf.message import DecodeError

from securexgb._pb import control_pb2 as pb
from securexgb.channel.bounded import BoundedQueue
from securexgb.channel.channel import Traffic, failure_kind, stopped
from securexgb.channel.frame import FrameReader, FrameWriter, Kind, Message
from securexgb.errors import (
    CertificateRefused,
    MalformedFrame,
    PeerError,
    PeerGone,
    PeerTimeout,
    ProtocolDesync,
    SecureXGBError,
)

_LAST_WORD_SECONDS = 10.0
_GLANCE_SECONDS = 1.0
_MOST_BEAT_SECONDS = 5.0
_MISSED_BEATS = 6


class GrpcChannel:
    """One end of a link over gRPC; made by ``endpoint.connect``.

    ``peer``: for messages, such as "bureau (feature party)". ``waiting``: the tag and
    the time (monotonic) since when the program waits for the peer, if it is long.
    """

    is_network = True

    def __init__(self, peer: str, timeout_seconds: float, *, answers: bool) -> None:
        """``answers``: this side is gRPC's server, whose stream ends the call."""
        self.traffic = Traffic()
        self.peer = peer
        self.session = b""
        self.waiting: tuple[str, float] | None = None
        self._timeout_seconds = timeout_seconds
        self._beat_seconds = min(_MOST_BEAT_SECONDS, timeout_seconds / 4)
        self._answers = answers
        self._outbox: BoundedQueue[bytes | None] = BoundedQueue()
        self._inbox: BoundedQueue[Message | None] = BoundedQueue()
        self._writer = FrameWriter()
        self._lock = threading.Lock()  # of the writer and what is put into the outbox
        self._heard = time.monotonic()
        self._end: SecureXGBError | None = None
        self._over = threading.Event()  # the peer's last frame has come, or none will
        self._parted = False  # our last frame is in the outbox
        self._closed = False
        self._hang_up: Callable[[], None] = lambda: None
        self._incoming: Iterator[bytes] = iter(())

    # --- the program's side -------------------------------------------------------

    def send(self, tag: str, payload: bytes | bytearray | memoryview) -> None:
        """Queue one message, copied; waits only while the bounded buffer is full."""
        with self._lock:
            if self._parted:
                raise self._ending(tag)
            for frame in self._writer.message(tag, payload):
                self._outbox.put(frame, len(frame), self._is_over)
        self.traffic.bytes_sent += memoryview(payload).nbytes
        self.traffic.messages_sent += 1

    def receive(self, tag: str) -> memoryview:
        """The next message's payload, read-only; errors as the interface says."""
        message = self._next(tag)
        if message.kind is not Kind.DATA or message.tag != tag:
            raise ProtocolDesync(
                f"this side is at {tag}, but {self.peer} sent a message of {message.tag or 'hello'}"
            )
        self.traffic.bytes_received += len(message.payload)
        self.traffic.messages_received += 1
        return message.payload

    def greet(self, hello: bytes) -> bytes:
        """Exchange the first frames."""
        with self._lock:
            if self._parted:
                raise self._ending("hello")
            self._outbox.put(self._writer.control(Kind.HELLO, hello))
        message = self._next("hello")
        if message.kind is not Kind.HELLO:
            raise ProtocolDesync(f"{self.peer} did not begin with a hello")
        return bytes(message.payload)

    def close(self, error: BaseException | None = None) -> None:
        """Say the last word, wait for the other's, and end the connection."""
        if self._closed:
            return
        self._closed = True
        if error is None:
            self._part(Kind.BYE)
        else:
            self._part(Kind.ERROR, pb.Failure(kind=failure_kind(error)).SerializeToString())
        self._inbox.put(None)
        # Who is gone will not answer; whoever still computes may take a while.
        patience = 1.0 if isinstance(error, PeerGone) else _LAST_WORD_SECONDS
        self._over.wait(min(self._timeout_seconds, patience))
        self._over.set()
        self._hang_up()

    def _next(self, tag: str) -> Message:
        try:
            message = self._inbox.get(_GLANCE_SECONDS)
        except Empty:
            message = self._wait(tag)
        if message is None:
            self._inbox.put(None)  # for whoever asks again
            raise self._ending(tag)
        return message

    def _wait(self, tag: str) -> Message | None:
        """The slow path of a receive: watch the deadline and the heartbeats."""
        began = time.monotonic() - _GLANCE_SECONDS
        self.waiting = (tag, began)
        silence = min(self._timeout_seconds, _MISSED_BEATS * self._beat_seconds)
        try:
            while True:
                now = time.monotonic()
                left = began + self._timeout_seconds - now
                if now - self._heard > silence:
                    raise PeerGone(
                        f"nothing has come from {self.peer} for {now - self._heard:.0f} s, no "
                        f"heartbeat either (waiting at {tag})"
                    )
                if left <= 0:
                    raise PeerTimeout(
                        f"{self.peer} is alive but sent no message for {self._timeout_seconds:g} s"
                        f" (waiting at {tag})"
                    )
                with contextlib.suppress(Empty):
                    return self._inbox.get(min(left, _GLANCE_SECONDS))
        finally:
            self.waiting = None

    def _ending(self, tag: str) -> SecureXGBError:
        """Why there is nothing more to send or to receive."""
        if self._closed or self._end is None:
            return PeerGone(f"this side has closed its link to {self.peer} (at {tag})")
        return self._end

    def _is_over(self) -> bool:
        return self._over.is_set()

    def _is_done(self) -> bool:
        return self._closed

    # --- gRPC's side --------------------------------------------------------------

    def outgoing(self) -> Iterator[bytes]:
        """What this side sends, frame by frame; gRPC's thread takes from it."""
        while True:
            try:
                frame = self._outbox.get(self._beat_seconds)
            except Empty:
                yield FrameWriter.heartbeat()
                continue
            if frame is None:
                break
            yield frame
        if self._answers:
            self._over.wait(min(self._timeout_seconds, _LAST_WORD_SECONDS))

    def start(self, incoming: Iterator[bytes], hang_up: Callable[[], None]) -> None:
        """Begin to read; ``hang_up`` tears the connection down."""
        self._hang_up = hang_up
        self._incoming = incoming  # gRPC cancels a call that nobody refers to
        name = f"reads {self.peer}"
        threading.Thread(target=self._read, name=name, daemon=True).start()

    def _read(self) -> None:
        """The reading thread: until the stream ends, for whatever reason."""
        reader = FrameReader()
        end: SecureXGBError = self._explain_break(None)
        try:
            for data in self._incoming:
                self._heard = time.monotonic()
                message = reader.feed(data)
                if message is None:
                    continue
                if message.kind in (Kind.BYE, Kind.ERROR):
                    end = self._explain_last(message)
                    break
                if not self._closed:
                    self._inbox.put(message, len(message.payload) + 1, self._is_done)
        except MalformedFrame as error:
            end = MalformedFrame(f"from {self.peer}: {error}")
        except Exception as error:
            end = self._explain_break(error)
        self._end = end
        self._over.set()  # frees a sender that waits for room, and with it the lock
        if isinstance(end, MalformedFrame):
            self._part(Kind.ERROR, pb.Failure(kind="MalformedFrame").SerializeToString())
        else:
            self._part(Kind.BYE)
        self._inbox.put(None)

    def _part(self, kind: Kind, payload: bytes = b"") -> None:
        """Queue our last frame, once."""
        with self._lock:
            if not self._parted:
                self._parted = True
                self._outbox.put(self._writer.control(kind, payload))
                self._outbox.put(None)

    def _explain_last(self, message: Message) -> SecureXGBError:
        if message.kind is Kind.BYE:
            return PeerGone(f"{self.peer} closed the link before the job was done")
        try:
            kind = pb.Failure.FromString(bytes(message.payload)).kind[:64]
        except DecodeError:
            kind = "an unknown error"
        readable = "".join(c for c in kind if c.isalnum() or c in " _")
        return stopped(self.peer, readable)

    def _explain_break(self, error: Exception | None) -> SecureXGBError:
        """The stream broke off without a last frame."""
        code = error.code() if isinstance(error, grpc.Call) else None
        details = (error.details() or "") if isinstance(error, grpc.Call) else ""
        match code:
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                return MalformedFrame(f"a frame between this side and {self.peer} is oversize")
            case grpc.StatusCode.PERMISSION_DENIED:
                return CertificateRefused(f"{self.peer} refused this side: {details}")
            case grpc.StatusCode.ALREADY_EXISTS:
                return PeerError(f"{self.peer} refused this side: {details}")
        return PeerGone(f"the connection to {self.peer} broke: its process or the network failed")
