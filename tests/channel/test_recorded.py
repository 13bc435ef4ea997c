"""The recording channel."""

from __future__ import annotations

import pytest

from securexgb.channel.channel import MESSAGE_BYTES
from securexgb.channel.memory import memory_pair
from securexgb.errors import DataError, StoppedByPeer
from tests.recorded import Entry, RecordedChannel


def test_both_directions_are_noted() -> None:
    label, feature = memory_pair()
    recorded = RecordedChannel(label)
    recorded.send("a", memoryview(b"123"))
    feature.send("b", b"4567")
    assert recorded.receive("b", MESSAGE_BYTES) == b"4567"
    assert recorded.shape == [("sent", "a", 3), ("received", "b", 4)]
    assert recorded.traffic.bytes_sent == 3
    assert not recorded.is_network


def test_payloads_are_kept_on_request_only() -> None:
    label, _ = memory_pair()
    RecordedChannel(label).send("a", b"1")
    recorded = RecordedChannel(label, keeps_payloads=True)
    recorded.send("a", b"1")
    assert recorded.transcript == [Entry("sent", "a", 1, b"1")]


def test_the_end_is_passed_on() -> None:
    label, feature = memory_pair()
    RecordedChannel(label).close(DataError(""))
    with pytest.raises(StoppedByPeer):
        feature.receive("a", MESSAGE_BYTES)
