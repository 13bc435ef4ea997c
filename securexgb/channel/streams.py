"""What keeps the streams of one link apart: who goes first, and how much may be under way.

Frames of all streams leave through one connection. Those of the first stream go before those of
the second, so protocols do not wait behind what is produced ahead for them. On each stream a
side begins a message only while at most 64 MiB of earlier ones have not been taken by the
other side's program, which says what it takes (CREDIT frames). So a stream that nobody reads
stops its own sender, and the reading thread never has to wait for room: the other stream flows.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue

from securexgb.channel.bounded import BUFFER_BYTES, BoundedQueue
from securexgb.channel.frame import Message
from securexgb.errors import MalformedFrame


class Outbox:
    """Frames that wait for the connection: credits first, then stream by stream, then the end."""

    def __init__(self, streams: int) -> None:
        self._ready: SimpleQueue[None] = SimpleQueue()
        self._queues: list[BoundedQueue[bytes | None]] = [
            BoundedQueue() for _ in range(streams + 2)
        ]

    def put(self, frame: bytes | None, stream: int = 0, until: Callable[[], bool] = bool) -> None:
        """A frame of a stream, None for the end; waits for room unless ``until`` holds."""
        self._put(frame, stream + 1, until)

    def put_credit(self, frame: bytes) -> None:
        """Ahead of all others; never waits."""
        self._queues[0].put(frame)
        self._ready.put(None)

    def put_last(self, frame: bytes | None) -> None:
        """After all others."""
        self._put(frame, -1, bool)

    def get(self, timeout_seconds: float) -> bytes | None:
        """The next frame, None at the end; raises queue.Empty after the timeout."""
        self._ready.get(timeout=timeout_seconds)
        return next(queue for queue in self._queues if not queue.is_empty).get()

    def _put(self, frame: bytes | None, rank: int, until: Callable[[], bool]) -> None:
        self._queues[rank].put(frame, 0 if frame is None else len(frame), until)
        self._ready.put(None)


class Inbox:
    """Messages of one stream that the program has not taken yet; None is the end."""

    def __init__(self, limit: int = BUFFER_BYTES) -> None:
        self._limit = limit
        self._items: SimpleQueue[Message | None] = SimpleQueue()
        self._arrived = 0
        self._taken = 0
        self._credited = 0

    def put(self, message: Message) -> None:
        """Take a message in; MalformedFrame where it was begun without room for it."""
        if self._arrived - self._taken > self._limit:
            raise MalformedFrame("more arrived than there was room for")
        self._arrived += size_of(message.payload)
        self._items.put(message)

    def end(self) -> None:
        """Nothing more comes."""
        self._items.put(None)

    def get(self, timeout_seconds: float) -> Message | None:
        """The next message; raises queue.Empty after the timeout."""
        message = self._items.get(timeout=timeout_seconds)
        if message is not None:
            self._taken += size_of(message.payload)
        return message

    def credit(self) -> int | None:
        """What to tell the other side now: bytes taken so far; None: not worth a frame."""
        if self._taken - self._credited <= self._limit // 4:
            return None
        self._credited = self._taken
        return self._taken


def size_of(payload: memoryview) -> int:
    """What a message counts in a window: its bytes, and one."""
    return payload.nbytes + 1
