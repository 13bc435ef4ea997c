"""The in-process channel: order, tags, ends, deadlines."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from securexgb.channel.channel import MESSAGE_BYTES
from securexgb.channel.memory import memory_pair
from securexgb.errors import DataError, PeerGone, PeerTimeout, ProtocolDesync, StoppedByPeer


def test_messages_arrive_in_order_and_are_counted() -> None:
    label, feature = memory_pair()
    buffer = bytearray(b"abc")
    label.send("a", buffer)
    buffer[:] = b"xyz"
    label.send("b", memoryview(b"12345"))
    assert feature.receive("a", MESSAGE_BYTES) == b"abc"
    assert feature.receive("b", MESSAGE_BYTES) == b"12345"
    assert label.traffic.bytes_sent == feature.traffic.bytes_received == 8
    assert label.traffic.messages_sent == feature.traffic.messages_received == 2


def test_a_longer_message_than_is_due_is_a_desync() -> None:
    label, feature = memory_pair()
    label.send("a", b"abc")
    with pytest.raises(ProtocolDesync, match="sent 3 bytes, where at most 2 are due"):
        feature.receive("a", 2)


def test_another_tag_is_a_desync() -> None:
    label, feature = memory_pair()
    label.send("tree 1#2", b"")
    with pytest.raises(ProtocolDesync, match=r"feature party is at tree 1#3, .* tree 1#2"):
        feature.receive("tree 1#3", MESSAGE_BYTES)


def test_silence_is_a_timeout() -> None:
    label, _ = memory_pair(timeout_seconds=0.01)
    with pytest.raises(PeerTimeout, match="feature party sent nothing"):
        label.receive("a", MESSAGE_BYTES)


def test_a_failure_stops_the_waiting_side_at_once() -> None:
    label, feature = memory_pair()
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            feature.receive("a", MESSAGE_BYTES)
        except StoppedByPeer as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    start = time.perf_counter()
    label.close(DataError("row 3 holds 17"))
    thread.join(5)
    assert time.perf_counter() - start < 1
    assert str(caught[0]) == "the label party stopped with DataError"
    with pytest.raises(StoppedByPeer):
        feature.receive("b", MESSAGE_BYTES)


def test_messages_before_the_end_are_still_read() -> None:
    label, feature = memory_pair()
    label.send("a", b"1")
    label.close()
    assert feature.receive("a", MESSAGE_BYTES) == b"1"
    with pytest.raises(PeerGone, match="label party closed"):
        feature.receive("b", MESSAGE_BYTES)


def test_the_closed_end_itself_refuses() -> None:
    label, _ = memory_pair()
    label.close()
    label.close(DataError("again"))
    with pytest.raises(PeerGone):
        label.send("a", b"")
    with pytest.raises(PeerGone):
        label.receive("a", MESSAGE_BYTES)


def test_streams_have_their_own_order_and_one_account() -> None:
    label, feature = memory_pair()
    label.stream("offline").send("ahead", b"12")
    label.stream("online").send("now", b"3")
    assert feature.receive("now", MESSAGE_BYTES) == b"3"
    assert feature.stream("offline").receive("ahead", MESSAGE_BYTES) == b"12"
    assert label.traffic.bytes_sent == feature.traffic.bytes_received == 3
    assert label.stream("offline") is label.stream("offline")
    assert label.stream("offline").stream("online").traffic is label.traffic


def test_the_end_reaches_both_streams() -> None:
    label, feature = memory_pair()
    label.stream("offline").send("ahead", b"1")
    label.stream("offline").close(DataError(""))
    assert feature.stream("offline").receive("ahead", MESSAGE_BYTES) == b"1"
    for end, error in ((feature, StoppedByPeer), (label, PeerGone)):
        for stream in (end, end.stream("offline")):
            with pytest.raises(error):
                stream.receive("a", MESSAGE_BYTES)


@pytest.mark.parametrize("freeing", ["close", "peer", "deadline"])
def test_a_stream_that_nobody_reads_holds_its_sender_back(freeing: str) -> None:
    label, feature = memory_pair(timeout_seconds=0.2 if freeing == "deadline" else 20)
    chunk, sent = bytes(8 << 20), []

    def fill() -> None:
        with contextlib.suppress(PeerGone, PeerTimeout):
            for _ in range(12):
                label.stream("offline").send("ahead", chunk)
                sent.append(1)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    while len(sent) < 8:
        assert thread.is_alive()
    label.send("now", b"1")
    assert feature.receive("now", MESSAGE_BYTES) == b"1"
    if freeing != "deadline":
        (label if freeing == "close" else feature).close()
    thread.join(5)
    assert not thread.is_alive()
    if freeing == "deadline":
        assert len(sent) == 8
