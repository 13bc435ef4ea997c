"""How much may be under way between two threads: a window, and a queue with one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

from securexgb.channel.channel import BUFFER_BYTES

T = TypeVar("T")
_GLANCE_SECONDS = 0.5


class Window:
    """Bytes that were sent and not taken. The two counters are written by one thread each."""

    def __init__(self, limit: int = BUFFER_BYTES) -> None:
        self._limit = limit
        self._sent = 0
        self._taken = 0
        self._is_waiting = False
        self._change = threading.Condition()

    def reserve(self, size: int, until: Callable[[], bool]) -> None:
        """Count a message in, once there is room; stops waiting when ``until`` holds."""
        if self._sent - self._taken > self._limit:
            with self._change:
                self._is_waiting = True
                while self._sent - self._taken > self._limit and not until():
                    self._change.wait(_GLANCE_SECONDS)
                self._is_waiting = False
        self._sent += size

    def release(self, size: int) -> None:
        """So many bytes more were taken."""
        self._taken += size
        if self._is_waiting:
            with self._change:
                self._change.notify_all()


class BoundedQueue(Generic[T]):
    """First in, first out. ``put`` waits while more than ``limit`` bytes are held.

    An item larger than the limit passes when the queue is below it, so two sides that
    send each other large messages at once do not wait for each other. The fast path is
    one C-implemented queue.
    """

    def __init__(self, limit: int = BUFFER_BYTES) -> None:
        self._window = Window(limit)
        self._items: SimpleQueue[tuple[T, int]] = SimpleQueue()

    def put(self, item: T, size: int = 0, until: Callable[[], bool] = lambda: False) -> None:
        """Add an item of ``size`` bytes; stops waiting for room when ``until`` holds.

        One thread at a time may put items of a size; items of size 0 never wait.
        """
        if size:
            self._window.reserve(size, until)
        self._items.put((item, size))

    def get(self, timeout_seconds: float | None = None) -> T:
        """The next item; raises queue.Empty after the timeout."""
        item, size = self._items.get(timeout=timeout_seconds)
        if size:
            self._window.release(size)
        return item

    @property
    def is_empty(self) -> bool:
        return self._items.empty()
