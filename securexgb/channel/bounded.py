"""A queue between two threads that holds a bounded number of bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
BUFFER_BYTES = 64 << 20
_GLANCE_SECONDS = 0.5


class BoundedQueue(Generic[T]):
    """First in, first out. ``put`` waits while more than ``limit`` bytes are held.

    An item larger than the limit passes when the queue is below it, so two sides that
    send each other large messages at once do not wait for each other. The fast path is
    one C-implemented queue; the counters are written by one side each.
    """

    def __init__(self, limit: int = BUFFER_BYTES) -> None:
        self._limit = limit
        self._items: SimpleQueue[tuple[T, int]] = SimpleQueue()
        self._put_bytes = 0
        self._got_bytes = 0
        self._is_waiting = False
        self._room = threading.Condition()

    def put(self, item: T, size: int = 0, until: Callable[[], bool] = lambda: False) -> None:
        """Add an item of ``size`` bytes; stops waiting for room when ``until`` holds.

        One thread at a time may put items of a size; items of size 0 never wait.
        """
        if size and self._put_bytes - self._got_bytes > self._limit:
            self._wait_for_room(until)
        self._put_bytes += size
        self._items.put((item, size))

    def get(self, timeout_seconds: float | None = None) -> T:
        """The next item; raises queue.Empty after the timeout."""
        item, size = self._items.get(timeout=timeout_seconds)
        if size:
            self._got_bytes += size
            if self._is_waiting:
                with self._room:
                    self._room.notify_all()
        return item

    @property
    def is_empty(self) -> bool:
        return self._items.empty()

    def _wait_for_room(self, until: Callable[[], bool]) -> None:
        with self._room:
            self._is_waiting = True
            while self._put_bytes - self._got_bytes > self._limit and not until():
                self._room.wait(_GLANCE_SECONDS)
            self._is_waiting = False
