"""Frames: what is written is read, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb._pb.channel_pb2 import Frame as ProtobufFrame
from securexgb.channel.frame import (
    CHUNK_BYTES,
    FRAME_BYTES,
    FrameReader,
    FrameWriter,
    Kind,
    decode,
    encode,
)
from securexgb.errors import MalformedFrame

words = st.integers(0, 2**64 - 1)
streams = st.integers(0, 127)


@given(st.sampled_from(Kind), words, words, st.text(max_size=200), st.binary(max_size=400), streams)
def test_a_frame_is_the_protobuf_message(
    kind: Kind, sequence: int, total: int, tag: str, payload: bytes, stream: int
) -> None:
    data = encode(kind, sequence, total, tag.encode(), payload, stream)
    message = ProtobufFrame.FromString(data)
    assert message.stream == decode(data).stream == stream
    assert (message.kind, message.sequence, message.message_bytes) == (kind, sequence, total)
    assert (message.tag, message.payload) == (tag, payload)
    frame = decode(data)
    assert (frame.kind, frame.sequence, frame.message_bytes) == (kind, sequence, total)
    assert (frame.tag, bytes(frame.payload)) == (tag, payload)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES - 5])
def test_messages_of_any_length_pass(size: int) -> None:
    writer, reader = FrameWriter(), FrameReader()
    payload = bytes(range(251)) * (size // 251 + 1)
    for _ in range(2):
        frames = list(writer.message("a/b#1", payload[:size]))
        assert max(map(len, frames)) <= FRAME_BYTES
        assert all(reader.feed(FrameWriter.heartbeat()) is None for _ in frames)
        messages = [reader.feed(frame) for frame in frames]
        assert messages[:-1] == [None] * (len(frames) - 1)
        last = messages[-1]
        assert last is not None
        assert last.tag == "a/b#1"
        assert bytes(last.payload) == payload[:size]
        assert last.payload.readonly


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedFrame):
        FrameReader().feed(data)


@given(st.data())
def test_a_changed_frame_is_refused_or_reads_canonically(data: st.DataObject) -> None:
    """Whatever is read would be written with the very same bytes."""
    frame = bytearray(encode(Kind.DATA, 0, 40, b"tree 1", bytes(40)))
    for _ in range(data.draw(st.integers(1, 3))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    frame = frame[: data.draw(st.integers(0, len(frame)))] + data.draw(st.binary(max_size=3))
    try:
        read = decode(bytes(frame))
    except MalformedFrame:
        return
    tag = read.tag.encode()
    again = encode(read.kind, read.sequence, read.message_bytes, tag, read.payload, read.stream)
    assert again == bytes(frame)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Kind),
            st.integers(0, 4),
            st.sampled_from([0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2**63]),
            st.sampled_from([b"", b"t"]),
            st.sampled_from([0, 1, CHUNK_BYTES]),
        ),
        max_size=5,
    )
)
def test_any_order_of_frames_reads_or_is_refused(
    frames: list[tuple[Kind, int, int, bytes, int]],
) -> None:
    reader = FrameReader()
    try:
        for kind, sequence, total, tag, size in frames:
            reader.feed(encode(kind, sequence, total, tag, bytes(size)))
    except MalformedFrame:
        return


LONG = encode(Kind.DATA, 0, CHUNK_BYTES + 1, b"", bytes(CHUNK_BYTES))


@pytest.mark.parametrize(
    "frames",
    [
        [encode(Kind.DATA, 1, 0, b"", b"")],
        [encode(Kind.MORE, 0, 0, b"", b"")],
        [encode(Kind.DATA, 0, 5, b"", b"1234")],
        [encode(Kind.DATA, 0, 1 << 40, b"", bytes(CHUNK_BYTES))],
        [LONG, encode(Kind.BYE, 1, 0, b"", b"")],
        [LONG, encode(Kind.MORE, 1, 0, b"", b"12")],
        [encode(Kind.HEARTBEAT, 0, 0, b"", b"x")],
        [encode(Kind.ERROR, 0, 0, b"", bytes(5000))],
        [encode(Kind.BYE, 0, 3, b"", b"")],
        [encode(Kind.BYE, 0, 0, b"", b"", 1)],
        [encode(Kind.DATA, 0, 0, b"", b"", 2)],
        [encode(Kind.CREDIT, 1, 7, b"", b"", 1)],
        [encode(Kind.CREDIT, 0, 7, b"t", b"", 1)],
        [encode(Kind.HEARTBEAT, 0, 7, b"", b"")],
        [encode(Kind.HEARTBEAT, 0, 0, b"", b"", 1)],
        [encode(Kind.DATA, 0, FRAME_BYTES, b"", bytes(FRAME_BYTES))],
        [encode(Kind.DATA, 0, 0, b"\xff", b"")],
        [encode(Kind.DATA, 0, 0, b"x" * 1025, b"")],
    ],
)
def test_frames_out_of_place_are_refused(frames: list[bytes]) -> None:
    reader = FrameReader(2)
    for frame in frames[:-1]:
        reader.feed(frame)
    with pytest.raises(MalformedFrame):
        reader.feed(frames[-1])


def test_streams_are_numbered_and_put_together_apart() -> None:
    writers, reader = [FrameWriter(stream) for stream in (0, 1)], FrameReader(2)
    sizes = (3 * CHUNK_BYTES, CHUNK_BYTES + 5)
    frames = [list(w.message(f"t{i}", bytes(sizes[i]))) for i, w in enumerate(writers)]
    order = [frames[0][0], frames[1][0], frames[0][1], frames[1][1], frames[0][2]]
    credit = reader.feed(FrameWriter.credit(1, 77))
    assert credit is not None
    assert (credit.kind, credit.stream, credit.taken_bytes) == (Kind.CREDIT, 1, 77)
    done = [message for message in map(reader.feed, order) if message is not None]
    assert [(m.stream, m.tag, len(m.payload)) for m in done] == [
        (1, "t1", sizes[1]),
        (0, "t0", sizes[0]),
    ]
