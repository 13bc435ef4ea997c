"""A channel between two threads of one process: simulation, tests and the estimator alone.

Each direction of a stream is a bounded queue. A payload is copied when it is sent, so that the
sender may go on writing into its array, and the receiver gets read-only bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from queue import Empty
from time import monotonic

from securexgb.channel.bounded import BoundedQueue
from securexgb.channel.channel import STREAMS, StreamName, Traffic, failure_kind, stopped
from securexgb.errors import PeerGone, PeerTimeout, ProtocolDesync, SecureXGBError


@dataclass(frozen=True)
class _End:
    """The last thing in a queue: its sender has closed, because of ``kind`` if not None."""

    kind: str | None


class _Link:
    """What both ends share: a queue for each sender and stream, and who has closed."""

    def __init__(self) -> None:
        self.queues = {
            (sender, name): BoundedQueue[tuple[str, bytes] | _End]()
            for sender in (0, 1)
            for name in STREAMS
        }
        self.is_closed = [False, False]


class MemoryChannel:
    """One end of one stream of an in-process link; made in pairs by ``memory_pair``."""

    is_network = False

    def __init__(
        self,
        link: _Link,
        rank: int,
        timeout_seconds: float,
        name: StreamName = "online",
        streams: dict[StreamName, MemoryChannel] | None = None,
    ) -> None:
        """``streams``: of this end, which the online one made; without, this is that one."""
        self._streams: dict[StreamName, MemoryChannel] = {} if streams is None else streams
        self._streams[name] = self
        online = self._streams["online"]
        self.traffic: Traffic = Traffic() if online is self else online.traffic
        self._link, self._rank = link, rank
        self._own, self._peer = ("label party", "feature party")[:: 1 - 2 * rank]
        self._timeout_seconds = timeout_seconds
        self._inbox, self._outbox = link.queues[1 - rank, name], link.queues[rank, name]
        self._end: SecureXGBError | None = None
        for other in STREAMS if streams is None else ():
            if other != name:
                MemoryChannel(link, rank, timeout_seconds, other, self._streams)

    def send(
        self, tag: str, payload: bytes | bytearray | memoryview, awaits: int | None = None
    ) -> None:
        """Hand over a copy of the payload; PeerGone after this side has closed.

        ``awaits`` serves nothing here: messages are handed over whole.
        """
        del awaits
        content = bytes(payload)
        began = monotonic()

        def gives_up() -> bool:
            if monotonic() - began > self._timeout_seconds:
                raise PeerTimeout(f"the {self._peer} has not read what the {self._own} sent")
            return any(self._link.is_closed)

        if not self._is_closed:
            self._outbox.put((tag, content), len(content) + 1, gives_up)
        if self._is_closed:
            raise PeerGone(f"the {self._own}'s end of the in-process link is closed (at {tag})")
        self.traffic.sent(len(content))

    def receive(self, tag: str, at_most: int) -> bytes:
        """The next payload; errors as the interface says."""
        if self._end is not None:
            raise self._end
        try:
            item = self._inbox.get(self._timeout_seconds)
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
        if len(content) > at_most:
            raise ProtocolDesync(
                f"the {self._own} is at {tag}, but the {self._peer} sent {len(content)} bytes, "
                f"where at most {at_most} are due"
            )
        self.traffic.received(len(content))
        return content

    def stream(self, name: StreamName) -> MemoryChannel:
        """The named stream of this end."""
        return self._streams[name]

    def close(self, error: BaseException | None = None) -> None:
        """End the link for both sides; later calls do nothing."""
        if self._is_closed:
            return
        self._link.is_closed[self._rank] = True
        for (sender, _), queue in self._link.queues.items():
            own_error = error if sender == self._rank else None
            queue.put(_End(None if own_error is None else failure_kind(own_error)))

    @property
    def _is_closed(self) -> bool:
        return self._link.is_closed[self._rank]

    def _explain(self, end: _End) -> SecureXGBError:
        if self._is_closed:
            return PeerGone(f"the {self._own}'s end of the in-process link is closed")
        if end.kind is None:
            return PeerGone(f"the {self._peer} closed the link before the job was done")
        return stopped(f"the {self._peer}", end.kind)


def memory_pair(timeout_seconds: float = 60.0) -> tuple[MemoryChannel, MemoryChannel]:
    """Both ends of a link: the label party's (rank 0) and the feature party's (rank 1)."""
    link = _Link()
    return MemoryChannel(link, 0, timeout_seconds), MemoryChannel(link, 1, timeout_seconds)
