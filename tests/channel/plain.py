"""A party made of grpcio and the generated classes alone, at the other end of the link.

Frames have the canonical form of proto/securexgb/v1/channel.proto, written here a second time,
so that both ends of the wire are checked against something that is not the product.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

import grpc

from securexgb._pb.channel_pb2 import Frame
from securexgb._pb.control_pb2 import Failure
from securexgb.channel.handshake import Hello
from securexgb.channel.keys import Credentials

HELLO, DATA, MORE, HEARTBEAT, ERROR, BYE, CREDIT = range(1, 8)
FRAME_BYTES = 1 << 20
CHUNK_BYTES, LATER_CHUNK_BYTES = FRAME_BYTES - 29 - 1024, 1 << 15
"""Payload of a frame of stream 0, and of the others."""
_LINK = "/securexgb.v1.ChannelService/Link"


def encode(
    kind: int, sequence: int, message_bytes: int, tag: bytes, payload: bytes, stream: int = 0
) -> bytes:
    """One frame in its canonical form."""
    size, length = len(payload), len(tag)
    digits = size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14
    head = struct.pack("<BBBQBQBBBB", 8, kind, 0x11, sequence, 0x19, message_bytes, 0x22, *digits)
    tail = bytes([0x2A, length & 0x7F | 0x80, length >> 7])
    return b"".join((head, payload, tail, tag, bytes([0x30, stream])))


class PlainPeer:
    """One end of a link: frames go out as they are, those that come are read by protobuf."""

    def __init__(self) -> None:
        self._outgoing: SimpleQueue[bytes | None] = SimpleQueue()
        self.incoming: SimpleQueue[Iterator[bytes]] = SimpleQueue()
        self._frames: Iterator[bytes] | None = None

    def outgoing(self) -> Iterator[bytes]:
        return iter(self._outgoing.get, None)

    def send(self, data: bytes) -> None:
        self._outgoing.put(data)

    def end(self) -> None:
        self._outgoing.put(None)

    def greet(self, hello: Hello) -> Hello:
        """The hellos; the next frame of stream 0 has number 1."""
        self.send(encode(HELLO, 0, 0, b"", hello.encode()))
        theirs = self.next()
        assert (theirs.kind, theirs.sequence) == (HELLO, 0)
        return Hello.decode(theirs.payload)

    def next(self) -> Frame:
        """The next frame but heartbeats, which is canonical."""
        if self._frames is None:
            self._frames = self.incoming.get(timeout=10)
        for data in self._frames:
            frame = Frame.FromString(data)
            fields = frame.kind, frame.sequence, frame.message_bytes
            assert data == encode(*fields, frame.tag.encode(), frame.payload, frame.stream)
            if frame.kind != HEARTBEAT:
                return frame
        raise EOFError

    def failure(self) -> str:
        """The kind of the failure that is told next."""
        frame = self.next()
        assert frame.kind == ERROR
        return str(Failure.FromString(frame.payload).kind)


@contextmanager
def calling(trusted: Credentials, name: str, port: int) -> Iterator[PlainPeer]:
    """Dials ``name`` by grpcio."""
    tls = grpc.ssl_channel_credentials(trusted.peer.pem, trusted.key, trusted.own.pem)
    options = [("grpc.ssl_target_name_override", name)]
    peer = PlainPeer()
    with grpc.secure_channel(f"127.0.0.1:{port}", tls, options) as connection:
        peer.incoming.put(connection.stream_stream(_LINK)(peer.outgoing(), wait_for_ready=True))
        yield peer
        peer.end()


class _Service(grpc.GenericRpcHandler):
    def __init__(self, peer: PlainPeer) -> None:
        self._peer = peer

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        def link(frames: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
            self._peer.incoming.put(frames)
            return self._peer.outgoing()

        return grpc.stream_stream_rpc_method_handler(link) if details.method == _LINK else None


@contextmanager
def answering(
    trusted: Credentials, dial: Callable[[int], None]
) -> Iterator[tuple[PlainPeer, Future[None]]]:
    """Listens by grpcio, on a port that ``dial`` is told in a thread of its own."""
    peer = PlainPeer()
    with ThreadPoolExecutor(2) as calls, ThreadPoolExecutor(1) as dialling:
        server = grpc.server(calls, [_Service(peer)], options=[("grpc.so_reuseport", 0)])
        pair = (trusted.key, trusted.own.pem)
        tls = grpc.ssl_server_credentials([pair], trusted.peer.pem, require_client_auth=True)
        port = server.add_secure_port("127.0.0.1:0", tls)
        server.start()
        yield peer, dialling.submit(dial, port)
        peer.end()
        server.stop(None)
