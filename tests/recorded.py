"""A channel that notes the tag and the size of everything that passes, both ways.

For transcript tests: two runs on different secrets must leave the same record. The
payloads themselves are kept only on request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from securexgb.channel.channel import Channel, StreamName, Traffic


@dataclass(frozen=True)
class Entry:
    """One message at this end; ``payload`` is None unless payloads are kept."""

    direction: Literal["sent", "received"]
    tag: str
    size: int
    payload: bytes | None = None


class RecordedChannel:
    """Passes everything on to the channel within and keeps the ``transcript`` of its stream.

    ``others``: the recorded other streams, once somebody has asked for them.
    """

    def __init__(self, channel: Channel, *, keeps_payloads: bool = False) -> None:
        self.transcript: list[Entry] = []
        self.is_network = channel.is_network
        self._channel = channel
        self._keeps_payloads = keeps_payloads
        self.others: dict[StreamName, RecordedChannel] = {}

    @property
    def traffic(self) -> Traffic:
        return self._channel.traffic

    @traffic.setter
    def traffic(self, value: Traffic) -> None:
        self._channel.traffic = value

    @property
    def shape(self) -> list[tuple[str, str, int]]:
        """Direction, tag and size of every message, what a transcript test compares."""
        return [(entry.direction, entry.tag, entry.size) for entry in self.transcript]

    def send(
        self, tag: str, payload: bytes | bytearray | memoryview, awaits: int | None = None
    ) -> None:
        """Note it and pass it on."""
        kept = bytes(payload) if self._keeps_payloads else None
        self.transcript.append(Entry("sent", tag, memoryview(payload).nbytes, kept))
        self._channel.send(tag, payload, awaits)

    def receive(self, tag: str, at_most: int) -> bytes | memoryview:
        """Get it and note it."""
        payload = self._channel.receive(tag, at_most)
        kept = bytes(payload) if self._keeps_payloads else None
        self.transcript.append(Entry("received", tag, memoryview(payload).nbytes, kept))
        return payload

    def stream(self, name: StreamName) -> RecordedChannel:
        """The stream, recorded on its own."""
        if name == "online":
            return self
        if name not in self.others:
            self.others[name] = RecordedChannel(
                self._channel.stream(name), keeps_payloads=self._keeps_payloads
            )
        return self.others[name]

    def close(self, error: BaseException | None = None) -> None:
        """End the channel within."""
        self._channel.close(error)
