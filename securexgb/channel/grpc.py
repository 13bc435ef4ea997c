"""The channel between two machines: one gRPC call for both directions, read ahead by a thread.

The program's threads, one a stream, cut messages into frames and leave them in a queue that
gRPC empties; a reading thread puts arriving frames together into queues, one a stream, where
``receive`` finds them. All queues are bounded (``channel.streams``), a heartbeat goes out when
nothing else does, and every wait ends at the one deadline.

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
from securexgb.channel.bounded import Window
from securexgb.channel.channel import STREAMS, Channel, StreamName, Traffic, failure_kind, stopped
from securexgb.channel.frame import FrameReader, FrameWriter, Kind, Message
from securexgb.channel.streams import Inbox, Outbox, size_of
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


class _Stream:
    """One end of one stream: what a thread of the program sends and receives."""

    is_network = True

    def __init__(self, link: GrpcChannel, index: int, traffic: Traffic) -> None:
        self.traffic = traffic
        self.index = index
        self.lock = threading.Lock()  # of the writer, for a whole message
        self.writer = FrameWriter(index)
        self.window = Window()
        self.inbox = Inbox()
        self._link = link

    def send(self, tag: str, payload: bytes | bytearray | memoryview) -> None:
        """Queue one message, copied; waits only while the bounded buffers are full."""
        link, content = self._link, memoryview(payload)
        self.window.reserve(size_of(content), link.patience(tag))
        with self.lock:
            if link.has_parted:
                raise link.ending(tag)
            for frame in self.writer.message(tag, content):
                link.outbox.put(frame, self.index, link.is_over)
        self.traffic.sent(content.nbytes)

    def receive(self, tag: str) -> memoryview:
        """The next message's payload, read-only; errors as the interface says."""
        message = self.take(tag)
        if message.kind is not Kind.DATA or message.tag != tag:
            sent = message.tag or "hello"
            raise ProtocolDesync(
                f"this side is at {tag}, but {self._link.peer} sent a message of {sent}"
            )
        self.traffic.received(len(message.payload))
        return message.payload

    def take(self, tag: str) -> Message:
        """The next message or control frame, whatever it is."""
        link = self._link
        try:
            message = self.inbox.get(_GLANCE_SECONDS)
        except Empty:
            message = link.wait(self, tag)
        if message is None:
            self.inbox.end()  # for whoever asks again
            raise link.ending(tag)
        taken = self.inbox.credit()
        if taken is not None:
            link.outbox.put_credit(FrameWriter.credit(self.index, taken))
        return message

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

    def __init__(self, peer: str, timeout_seconds: float, *, is_server: bool) -> None:
        """``is_server``: this side is gRPC's server, which ends the call."""
        super().__init__(self, 0, Traffic())
        self.peer = peer
        self.session = b""
        self.waiting: tuple[str, float] | None = None
        self.has_parted = False  # our last frame is in the outbox
        self.outbox = Outbox(len(STREAMS))
        self._timeout_seconds = timeout_seconds
        self._beat_seconds = min(_MOST_BEAT_SECONDS, timeout_seconds / 4)
        self._is_server = is_server
        offline = [_Stream(self, index, self.traffic) for index in range(1, len(STREAMS))]
        self.streams: list[_Stream] = [self, *offline]
        self._heard = time.monotonic()
        self._end: SecureXGBError | None = None
        self._over = threading.Event()  # the peer's last frame has come, or none will
        self._is_closed = False
        self._hang_up: Callable[[], None] = lambda: None
        self._incoming: Iterator[bytes] = iter(())

    # --- the program's side -------------------------------------------------------

    def greet(self, hello: bytes) -> bytes:
        """Exchange the first frames."""
        self.window.reserve(size_of(memoryview(hello)), self.is_over)
        with self.lock:
            if self.has_parted:
                raise self.ending("hello")
            self.outbox.put(self.writer.control(Kind.HELLO, hello))
        message = self.take("hello")
        if message.kind is not Kind.HELLO:
            raise ProtocolDesync(f"{self.peer} did not begin with a hello")
        return bytes(message.payload)

    def close(self, error: BaseException | None = None) -> None:
        """Say the last word, wait for the other's, and end the connection."""
        if self._is_closed:
            return
        self._is_closed = True
        if error is None:
            self._part(Kind.BYE)
        else:
            self._part(Kind.ERROR, pb.Failure(kind=failure_kind(error)).SerializeToString())
        self._end_streams()
        # Who is gone will not answer; whoever still computes may take a while.
        patience = 1.0 if isinstance(error, PeerGone) else _LAST_WORD_SECONDS
        self._over.wait(min(self._timeout_seconds, patience))
        self._over.set()
        self._hang_up()

    def wait(self, stream: _Stream, tag: str) -> Message | None:
        """The slow path of a receive: watch the deadline and the heartbeats."""
        began = time.monotonic() - _GLANCE_SECONDS
        if stream.index == 0:
            self.waiting = (tag, began)
        silence = min(self._timeout_seconds, _MISSED_BEATS * self._beat_seconds)
        try:
            while True:
                now = time.monotonic()
                remaining_seconds = began + self._timeout_seconds - now
                if now - self._heard > silence:
                    raise PeerGone(
                        f"nothing has come from {self.peer} for {now - self._heard:.0f} s, no "
                        f"heartbeat either (waiting at {tag})"
                    )
                if remaining_seconds <= 0:
                    raise PeerTimeout(
                        f"{self.peer} is alive but sent no message for {self._timeout_seconds:g} s"
                        f" (waiting at {tag})"
                    )
                with contextlib.suppress(Empty):
                    return stream.inbox.get(min(remaining_seconds, _GLANCE_SECONDS))
        finally:
            if stream.index == 0:
                self.waiting = None

    def patience(self, tag: str) -> Callable[[], bool]:
        """For a sender that waits for room: whether to give up; PeerTimeout at the deadline."""
        began = time.monotonic()

        def gives_up() -> bool:
            if time.monotonic() - began > self._timeout_seconds:
                raise PeerTimeout(
                    f"{self.peer} has read nothing of what was sent to it for "
                    f"{self._timeout_seconds:g} s (sending at {tag})"
                )
            return self._is_closed or self.is_over()

        return gives_up

    def ending(self, tag: str) -> SecureXGBError:
        """Why there is nothing more to send or to receive."""
        if self._is_closed or self._end is None:
            return PeerGone(f"this side has closed its link to {self.peer} (at {tag})")
        return self._end

    def is_over(self) -> bool:
        """Whether the other side's last frame has come, or none will."""
        return self._over.is_set()

    def _end_streams(self) -> None:
        """Let everybody who waits look up."""
        for stream in self.streams:
            stream.inbox.end()
            stream.window.wake()

    # --- gRPC's side --------------------------------------------------------------

    def outgoing(self) -> Iterator[bytes]:
        """What this side sends, frame by frame; gRPC's thread takes from it."""
        while True:
            try:
                frame = self.outbox.get(self._beat_seconds)
            except Empty:
                yield FrameWriter.heartbeat()
                continue
            if frame is None:
                break
            yield frame
        if self._is_server:
            self._over.wait(min(self._timeout_seconds, _LAST_WORD_SECONDS))

    def start(self, incoming: Iterator[bytes], hang_up: Callable[[], None]) -> None:
        """Begin to read; ``hang_up`` tears the connection down."""
        self._hang_up = hang_up
        self._incoming = incoming  # gRPC cancels a call that nobody refers to
        name = f"reads {self.peer}"
        threading.Thread(target=self._read, name=name, daemon=True).start()

    def _read(self) -> None:
        """The reading thread: until the call ends, for whatever reason."""
        reader = FrameReader(len(STREAMS))
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
                if message.kind is Kind.CREDIT:
                    self.streams[message.stream].window.credit(message.taken_bytes)
                elif not self._is_closed:
                    self.streams[message.stream].inbox.put(message)
        except MalformedFrame as error:
            end = MalformedFrame(f"from {self.peer}: {error}")
        except Exception as error:
            end = self._explain_break(error)
        self._end = end
        self._over.set()  # frees a sender that waits for room, and with it its stream's lock
        if isinstance(end, MalformedFrame):
            self._part(Kind.ERROR, pb.Failure(kind="MalformedFrame").SerializeToString())
        else:
            self._part(Kind.BYE)
        self._end_streams()

    def _part(self, kind: Kind, payload: bytes = b"") -> None:
        """Queue our last frame, once: an error at once, a bye after all that was sent."""
        with self.lock:
            if self.has_parted:
                return
            self.has_parted = True
            frame = self.writer.control(kind, payload)
        put = self.outbox.put if kind is Kind.ERROR else self.outbox.put_last
        put(frame)
        put(None)

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
        """The call broke off without a last frame."""
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
