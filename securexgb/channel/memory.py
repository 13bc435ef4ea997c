"""A channel between two threads of one process: simulation, tests and the estimator alone.

Each direction of a stream is a bounded queue. A payload is copied when it is sent, so that the
sender may go on writing into its array, and the receiver gets read-only bytes.
"""

from __future__ import annotations

from copy import copy
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


_Direction = BoundedQueue[tuple[str, bytes] | _End]
_Directions = dict[StreamName, _Direction]


class MemoryChannel:
    """One end of one stream of an in-process link; made in pairs by ``memory_pair``."""

    is_network = False

    def __init__(
        self, names: tuple[str, str], inbox: _Directions, outbox: _Directions, timeout: float
    ) -> None:
        """``names``: of this side and of the other."""
        self.traffic = Traffic()
        self._own, self._peer = names
        self._timeout_seconds = timeout
        self._shared = _Shared(inbox, outbox)
        self._inbox = inbox["online"]
        self._outbox = outbox["online"]
        self._end: SecureXGBError | None = None
        self._offline: MemoryChannel | None = None

    def send(self, tag: str, payload: bytes | bytearray | memoryview) -> None:
        """Hand over a copy of the payload; PeerGone after this side has closed."""
        content = bytes(payload)
        began = monotonic()

        def gives_up() -> bool:
            if monotonic() - began > self._timeout_seconds:
                raise PeerTimeout(f"the {self._peer} has not read what the {self._own} sent")
            return self._shared.is_over

        if not self._shared.is_closed:
            self._outbox.put((tag, content), len(content) + 1, gives_up)
        if self._shared.is_closed:
            raise PeerGone(f"the {self._own}'s end of the in-process link is closed (at {tag})")
        self.traffic.sent(len(content))

    def receive(self, tag: str) -> bytes:
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
        self.traffic.received(len(content))
        return content

    def stream(self, name: StreamName) -> MemoryChannel:
        """The other stream of this end, or this one."""
        if name == "online":
            return self
        if self._offline is None:
            self._offline = copy(self)
            self._offline._inbox = self._shared.inbox[name]
            self._offline._outbox = self._shared.outbox[name]
        return self._offline

    def close(self, error: BaseException | None = None) -> None:
        """End the link for both sides; later calls do nothing."""
        if self._shared.is_closed:
            return
        self._shared.is_closed = True
        for name in STREAMS:
            self._shared.outbox[name].put(_End(None if error is None else failure_kind(error)))
            self._shared.inbox[name].put(_End(None))

    def _explain(self, end: _End) -> SecureXGBError:
        if self._shared.is_closed:
            return PeerGone(f"the {self._own}'s end of the in-process link is closed")
        if end.kind is None:
            return PeerGone(f"the {self._peer} closed the link before the job was done")
        return stopped(f"the {self._peer}", end.kind)


@dataclass
class _Shared:
    """What the streams of one end have in common."""

    inbox: _Directions
    outbox: _Directions
    is_closed: bool = False
    peer: _Shared | None = None

    @property
    def is_over(self) -> bool:
        """Whether nobody will read what is sent."""
        return self.is_closed or (self.peer is not None and self.peer.is_closed)


def memory_pair(timeout_seconds: float = 60.0) -> tuple[MemoryChannel, MemoryChannel]:
    """Both ends of a link: the label party's (rank 0) and the feature party's (rank 1)."""
    to_feature, to_label = ({name: _Direction() for name in STREAMS} for _ in range(2))
    names = ("label party", "feature party")
    label = MemoryChannel(names, to_label, to_feature, timeout_seconds)
    feature = MemoryChannel(names[::-1], to_feature, to_label, timeout_seconds)
    label._shared.peer, feature._shared.peer = feature._shared, label._shared
    return label, feature
