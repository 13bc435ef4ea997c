"""The link is ordinary gRPC: grpcio with the same proto files speaks with it and harms nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb._pb.channel_pb2 import Frame
from securexgb.channel.channel import MESSAGE_BYTES
from securexgb.channel.endpoint import Listener, connect
from securexgb.channel.grpc import GrpcChannel
from securexgb.errors import MalformedFrame, PeerGone, ProtocolDesync, StoppedByPeer
from tests.channel.conftest import Sides, hello
from tests.channel.plain import (
    BYE,
    CHUNK_BYTES,
    CREDIT,
    DATA,
    ERROR,
    FRAME_BYTES,
    HEARTBEAT,
    HELLO,
    LATER_CHUNK_BYTES,
    MORE,
    PlainPeer,
    answering,
    calling,
    encode,
)

KEPT_BYTES = 2 << 10
"""What a message counts beside its bytes, as kernels/src/link/lane.rs has it."""
words = st.integers(0, 2**64 - 1)


@given(st.integers(1, 7), words, words, st.text(max_size=200), st.binary(max_size=400))
def test_the_canonical_form_is_the_protobuf_message(
    kind: int, sequence: int, total: int, tag: str, payload: bytes
) -> None:
    message = Frame.FromString(encode(kind, sequence, total, tag.encode(), payload, 1))
    assert (message.kind, message.sequence, message.message_bytes) == (kind, sequence, total)
    assert (message.tag, message.payload, message.stream) == (tag, payload, 1)


@contextmanager
def called(sides: Sides) -> Iterator[tuple[GrpcChannel, PlainPeer]]:
    """The label party, called by a plain client as the feature party."""
    with (
        Listener(sides.endpoint("label", 0)) as listener,
        ThreadPoolExecutor(1) as pool,
        calling(sides.credentials("feature"), "bank", listener.port) as plain,
    ):
        job = pool.submit(listener.accept, hello("label"))
        assert plain.greet(hello("feature")).role == "label"
        channel = job.result()
        yield channel, plain
        channel.close(PeerGone(""))


@contextmanager
def dialled(sides: Sides) -> Iterator[tuple[GrpcChannel, PlainPeer]]:
    """The feature party, which has dialled a plain server as the label party."""
    channels: list[GrpcChannel] = []

    def dial(port: int) -> None:
        channels.append(connect(sides.endpoint("feature", port), hello("feature")))

    with answering(sides.credentials("label"), dial) as (plain, opened):
        assert plain.greet(hello("label")).role == "feature"
        opened.result(10)
        yield channels[0], plain
        channels[0].close(PeerGone(""))


both_ways = pytest.mark.parametrize("way", [called, dialled])


@both_ways
def test_a_plain_peer_exchanges_messages_and_parts(sides: Sides, way: type[called]) -> None:
    with way(sides) as (channel, plain):
        plain.send(encode(DATA, 1, 3, b"a#1", b"one"))
        plain.send(encode(DATA, 0, 3, b"b#1", b"two", 1))
        assert bytes(channel.receive("a#1", MESSAGE_BYTES)) == b"one"
        assert bytes(channel.stream("offline").receive("b#1", MESSAGE_BYTES)) == b"two"
        channel.send("a#2", b"three")
        frame = plain.next()
        assert (frame.kind, frame.sequence, frame.tag, frame.payload) == (DATA, 1, "a#2", b"three")
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(channel.close)
            assert plain.next().kind == BYE
            plain.send(encode(BYE, 2, 0, b"", b""))
            plain.end()
            job.result(10)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES - 5])
def test_messages_of_any_length_pass(sides: Sides, size: int) -> None:
    payload = os.urandom(size)
    starts = range(0, max(size, 1), CHUNK_BYTES)
    pieces = [payload[start : start + CHUNK_BYTES] for start in starts]
    with called(sides) as (channel, plain):
        channel.send("a/b#1", payload)
        frames = [plain.next() for _ in pieces]
        assert [frame.payload for frame in frames] == pieces
        assert [frame.message_bytes for frame in frames] == [size] + [0] * (len(pieces) - 1)
        for number, piece in enumerate(pieces):
            plain.send(encode(HEARTBEAT, 0, 0, b"", b""))
            head = (DATA, 1, size, b"x") if number == 0 else (MORE, 1 + number, 0, b"")
            plain.send(encode(*head, piece))
        got = channel.receive("x", MESSAGE_BYTES)
        assert bytes(got) == payload
        assert got.readonly


def test_credits_tell_what_was_taken(sides: Sides) -> None:
    size = LATER_CHUNK_BYTES
    with called(sides) as (channel, plain):
        for number in range(40):
            plain.send(encode(DATA, number, size, b"t", bytes(size), 1))
            channel.stream("offline").receive("t", MESSAGE_BYTES)
        frame = plain.next()
        assert (frame.kind, frame.sequence, frame.stream) == (CREDIT, 0, 1)
        counted = size + KEPT_BYTES
        assert frame.message_bytes == -(-FRAME_BYTES // counted) * counted


@pytest.mark.parametrize("awaited", [False, True])
def test_no_more_is_kept_than_there_is_room_for_and_than_is_awaited(
    sides: Sides, awaited: bool
) -> None:
    """Pieces of a message of 4 GiB: refused with the first one, or where the window is full."""
    stream, piece = (0, bytes(CHUNK_BYTES)) if awaited else (1, bytes(LATER_CHUNK_BYTES))
    with called(sides) as (channel, plain):
        plain.send(encode(DATA, 1 - stream, 4 << 30, b"a#1", piece, stream))
        for number in range(2 - stream, 70 * FRAME_BYTES // len(piece)):
            plain.send(encode(MORE, number, 0, b"", piece, stream))
        error = ProtocolDesync if awaited else MalformedFrame
        with pytest.raises(error, match="32 are due" if awaited else "more arrived than"):
            channel.receive("a#1", 32)
        assert plain.failure() == error.__name__


LONG = encode(DATA, 1, CHUNK_BYTES + 1, b"", bytes(CHUNK_BYTES))
OUT_OF_PLACE = [
    [b"\x08\x02 no frame of ours, but long enough to be one"],
    [b""],
    [encode(DATA, 2, 0, b"", b"")],
    [encode(MORE, 1, 0, b"", b"")],
    [encode(DATA, 1, 5, b"", b"1234")],
    [encode(DATA, 1, 1 << 40, b"", bytes(CHUNK_BYTES))],
    [encode(DATA, 0, CHUNK_BYTES, b"", bytes(CHUNK_BYTES), 1)],
    [LONG, encode(BYE, 2, 0, b"", b"")],
    [LONG, encode(MORE, 2, 0, b"", b"12")],
    [encode(HEARTBEAT, 0, 0, b"", b"x")],
    [encode(ERROR, 1, 0, b"", bytes(5000))],
    [encode(BYE, 1, 3, b"", b"")],
    [encode(BYE, 0, 0, b"", b"", 1)],
    [encode(DATA, 0, 0, b"", b"", 3)],
    [encode(CREDIT, 1, 7, b"", b"", 1)],
    [encode(CREDIT, 0, 7, b"t", b"", 1)],
    [encode(CREDIT, 0, 5, b"", b"", 1)],
    [encode(HEARTBEAT, 0, 7, b"", b"")],
    [encode(HEARTBEAT, 0, 0, b"", b"", 1)],
    [encode(DATA, 1, FRAME_BYTES, b"", bytes(FRAME_BYTES))],
    [encode(DATA, 1, 3 * FRAME_BYTES, b"", bytes(3 * FRAME_BYTES))],
    [encode(DATA, 1, 0, b"\xff", b"")],
    [encode(DATA, 1, 0, b"x" * 1025, b"")],
    [encode(HELLO, 1, 0, b"", b"")],
    [encode(9, 1, 0, b"", b"")],
]


@pytest.mark.parametrize("frames", OUT_OF_PLACE)
def test_what_is_out_of_place_stops_both_sides(sides: Sides, frames: list[bytes]) -> None:
    with called(sides) as (channel, plain):
        for frame in frames:
            plain.send(frame)
        with pytest.raises(MalformedFrame, match=r"from bureau \(feature party\): "):
            channel.stream("offline").receive("a", MESSAGE_BYTES)
        assert plain.failure() == "MalformedFrame"


@pytest.mark.parametrize("frames", [OUT_OF_PLACE[0], OUT_OF_PLACE[18], OUT_OF_PLACE[19]])
def test_and_so_it_does_for_the_side_that_dials(sides: Sides, frames: list[bytes]) -> None:
    with dialled(sides) as (channel, plain):
        plain.send(frames[0])
        with pytest.raises(MalformedFrame, match=r"from bank \(label party\): "):
            channel.receive("a", MESSAGE_BYTES)
        assert plain.failure() == "MalformedFrame"


@pytest.mark.parametrize(
    "first", [encode(DATA, 0, 1, b"t", b"x"), encode(HEARTBEAT, 0, 0, b"", b"")]
)
def test_nothing_is_read_before_the_hello(sides: Sides, first: bytes) -> None:
    with (
        Listener(sides.endpoint("label", 0)) as listener,
        calling(sides.credentials("feature"), "bank", listener.port) as plain,
    ):
        plain.send(first)
        with pytest.raises(MalformedFrame, match="before the hello"):
            listener.accept(hello("label"))


@both_ways
def test_a_plain_peer_s_failure_is_told(sides: Sides, way: type[called]) -> None:
    """Even in the middle of a message."""
    with way(sides) as (channel, plain):
        plain.send(encode(DATA, 1, CHUNK_BYTES + 9, b"t", bytes(CHUNK_BYTES)))
        plain.send(encode(ERROR, 2, 0, b"", b"\x0a\x09DataError"))
        with pytest.raises(StoppedByPeer, match="stopped with DataError"):
            channel.receive("t", MESSAGE_BYTES)


@pytest.mark.parametrize("tag", ["\x1b]0;x\x07", "\u202eb\n"])
def test_a_tag_reaches_no_terminal_as_it_is(sides: Sides, tag: str) -> None:
    with called(sides) as (channel, plain):
        plain.send(encode(DATA, 1, 0, tag.encode(), b""))
        with pytest.raises(ProtocolDesync, match="sent a message of") as caught:
            channel.receive("t", MESSAGE_BYTES)
    assert str(caught.value).isprintable()


def test_a_hello_where_a_message_is_due(sides: Sides) -> None:
    """A program that forgets to greet meets the other side's hello."""
    with (
        Listener(sides.endpoint("label", 0)) as listener,
        calling(sides.credentials("feature"), "bank", listener.port) as plain,
    ):
        plain.send(encode(HELLO, 0, 0, b"", hello("feature").encode()))
        wire = listener._wire.accept(5.0)
        assert wire is not None
        channel = GrpcChannel(wire, "bureau", 5.0)
        with pytest.raises(ProtocolDesync, match="sent a message of hello"):
            channel.receive("t", MESSAGE_BYTES)
        channel.close(PeerGone(""))
