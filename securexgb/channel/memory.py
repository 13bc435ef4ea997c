"""A channel between two threads of one process: simulation, tests and the estimator alone.

Each direction is a queue. A payload is copied when it is sent, so that the
sender may go on writing into its array, and the receiver gets read-only bytes.
"""

from __future__ import annotations

from queue import Empty, SimpleQueue

from securexgb.channel.channel import Traffic, failure_kind, stopped
from securexgb.errors import PeerGone, PeerTimeout, ProtocolDesync, SecureXGBError


class _End(Exception):
    """The last thing in a queue: its sender has closed, because of ``kind`` if not None."""

    def __init__(self, kind: str | None) -> None:
        self.kind = kind


_Line = SimpleQueue[tuple[str, bytes] | _End]


class MemoryChannel:
    """One end of an in-process link; made in pairs by ``memory_pair``."""

    is_network = False

    def __init__(self, own: str, peer: str, inbox: _Line, outbox: _Line, timeout: float) -> None:
        self.traffic = Traffic()
        self._own = own
        self._peer = peer
        self._inbox = inbox
        self._outbox = outbox
        self._timeout_seconds = timeout
        self._end: SecureXGBError | None = None
        self._closed = False

    def send(self, tag: str, payload: bytes | bytearray | memoryview) -> None:
        """Hand over a copy of the payload; PeerGone after this side has closed."""
        if self._closed:
            raise PeerGone(f"the {self._own}'s end of the in-process link is closed (at {tag})")
        content = bytes(payload)
        self._outbox.put((tag, content))
        self.traffic.bytes_sent += len(content)
        self.traffic.messages_sent += 1

    def receive(self, tag: str) -> bytes:
        """The next payload; errors as the interface says."""
        if self._end is not None:
            raise self._end
        try:
            item = self._inbox.get(timeout=self._timeout_seconds)
        except Empty:
            raise PeerTimeout(
                f"the {self._peer} sent nothing for {self._timeout_seconds:g} s"
                f" while the {self._own} waits at {tag}"
            ) from None
        if isinstance(item, _End):
            self._end = self._explain(item)
            raise self._end
        sent_tag, content = item
        if sent_tag != tag:
            raise ProtocolDesync(
                f"the {self._own} is at {tag}, but the {self._peer} sent a message of {sent_tag}"
            )
        self.traffic.bytes_received += len(content)
        self.traffic.messages_received += 1
        return content

    def close(self, error: BaseException | None = None) -> None:
        """End the link for both sides; later calls do nothing."""
        if self._closed:
            return
        self._closed = True
        self._outbox.put(_End(None if error is None else failure_kind(error)))
        self._inbox.put(_End(None))

    def _explain(self, end: _End) -> SecureXGBError:
        if self._closed:
            return PeerGone(f"the {self._own}'s end of the in-process link is closed")
        if end.kind is None:
            return PeerGone(f"the {self._peer} closed the link before the job was done")
        return stopped(f"the {self._peer}", end.kind)


def memory_pair(timeout_seconds: float = 60.0) -> tuple[MemoryChannel, MemoryChannel]:
    """Both ends of a link: the label party's (rank 0) and the feature party's (rank 1)."""
    to_feature: _Line = SimpleQueue()
    to_label: _Line = SimpleQueue()
    label, feature = "label party", "feature party"
    return (
        MemoryChannel(label, feature, to_label, to_feature, timeout_seconds),
        MemoryChannel(feature, label, to_feature, to_label, timeout_seconds),
    )
