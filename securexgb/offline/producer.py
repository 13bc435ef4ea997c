"""Correlations made ahead of their use, on a thread of their own and a lane of their own.

Both parties must make the same blocks in the same order. What is to be made next is decided
where correlations are taken, from public counts alone (control flow is public), so both
parties put the same orders into their queues; the producing thread works them off, one after
the other, exchanging messages with the other party's producing thread on the offline lane.
How far it has come does not matter to anybody but a taker who has to wait.

How far ahead: a quarter of what was taken so far of a kind; from the second tree on what the last
tree took, and nothing beyond what the trees to come will take if they are like it; never more than
``MOST_TILES``. So the buffers are bounded, and little is made in vain.

An error ends the production; whoever takes next gets it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from time import perf_counter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from securexgb.dealer.deal import Pieces
from securexgb.errors import PeerGone
from securexgb.offline.correlations import BucketMatrix, PadProducts, VectorProducts
from securexgb.offline.line import Habit, goal_of
from securexgb.offline.source import MatrixProducts

PART = 4
MOST_TILES = 16
"""Ahead of what is taken, a kind: some 16 MiB."""
_JOIN_SECONDS = 10.0
Result = TypeVar("Result")


class Producer:
    """One thread that works off orders; it starts with the first one.

    ``seconds``: spent on orders, waiting for the other party's part of them included.
    ``waited_seconds``: that takers have waited for something ordered.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waited_seconds = 0.0
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._progress = threading.Condition()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def order(self, work: Callable[[], None]) -> None:
        """Have something made; raises what an earlier order has failed with."""
        self._check()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="correlations", daemon=True)
            self._thread.start()
        self._orders.put(work)

    def wait(self, is_there: Callable[[], bool]) -> None:
        """Until something ordered is there; raises what an order has failed with."""
        if self._failure is None and is_there():
            return
        began = perf_counter()
        try:
            with self._progress:
                while not is_there():
                    self._check()
                    self._progress.wait()
        finally:
            self.waited_seconds += perf_counter() - began

    def run(self, work: Callable[[], Result]) -> Result:
        """Have something done in its turn, and wait for its result."""
        done: list[Result] = []
        self.order(lambda: done.append(work()))
        self.wait(lambda: bool(done))
        return done[0]

    def close(self) -> None:
        """Stop after the order in work; what was not taken is lost. The link is closed first,
        so that nobody waits for the other party."""
        self._closed = True
        self._orders.put(None)
        with self._progress:
            self._progress.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_JOIN_SECONDS)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise PeerGone("this side has closed its source of correlations")

    def _run(self) -> None:
        while (work := self._orders.get()) is not None and not self._closed:
            began = perf_counter()
            try:
                work()
            except BaseException as error:
                self._failure = error
            self.seconds += perf_counter() - began
            with self._progress:
                self._progress.notify_all()
            if self._failure is not None:
                return


class Stream:
    """The blocks of one kind at one party, in order; ``take`` is a ``make`` of ``Supply``.

    ``make(count)`` makes a tile: arrays along whose last axis ``count`` elements lie, or
    count / 64 words of packed bits. ``tile``: elements, a multiple of 64, made at a time.
    """

    def __init__(self, producer: Producer, make: Callable[[int], Pieces], tile: int) -> None:
        self._producer = producer
        self._make = make
        self._tile = tile
        self._ordered = 0
        self._arrived = 0
        self._taken = 0
        self._tiles: deque[tuple[Pieces, int]] = deque()
        self._habit = Habit()
        self._expected: int | None = None

    def begin_tree(self, left: int) -> None:
        """Before each tree; see ``offline.source``."""
        self._expected = self._habit.expected(self._taken, left)

    def take(self, _start: int, count: int) -> Pieces:
        """The next ``count`` elements, a multiple of 64."""
        need = self._taken + count
        self._order(need)
        self._producer.wait(lambda: self._arrived >= need)
        self._taken = need
        parts = []
        while count:
            pieces, size = self._tiles.popleft()
            if size > count:
                self._tiles.appendleft((_cut(pieces, size, count, size), size - count))
                pieces, size = _cut(pieces, size, 0, count), count
            parts.append(pieces)
            count -= size
        if len(parts) == 1:
            return parts[0]
        return tuple(np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True))

    def _order(self, need: int) -> None:
        """What is needed now, and more of the same: a function of counts and nothing else."""
        wanted = need // PART if self._expected is None else self._habit.a_tree
        ahead = min(wanted, MOST_TILES * self._tile)
        goal = goal_of(need, self._ordered, ahead, self._expected, 64)
        while self._ordered < goal:
            size = min(self._tile, goal - self._ordered)
            self._ordered += size
            self._producer.order(lambda size=size: self._add(size))  # type: ignore[misc]

    def _add(self, size: int) -> None:
        self._tiles.append((self._make(size), size))
        self._arrived += size


def _cut(pieces: Pieces, size: int, start: int, stop: int) -> Pieces:
    """Elements start to stop of a tile of ``size``."""
    return tuple(
        array[..., start * array.shape[-1] // size : stop * array.shape[-1] // size]
        for array in pieces
    )


class ProductsAhead:
    """Matrix products whose batches are made by a ``producer``.

    ``within`` exchanges messages when it registers a matrix and when it prepares vectors;
    both happen in the producer's thread, so ``within`` is made with the offline lane.
    ``a_tree``: pairs of vectors of each matrix that a tree takes; so many are kept ahead. Public,
    the same at both parties.
    """

    def __init__(self, within: MatrixProducts, a_tree: int = 8) -> None:
        self.producer = Producer()
        self._within = within
        self._a_tree = a_tree
        self._ordered = 0
        self._prepared = 0
        self._taken = [0, 0]
        self._expected: int | None = None

    @property
    def offline_channel_bytes(self) -> int:
        return self._within.offline_channel_bytes

    def plan(self, vectors: int, values: int) -> None:
        """See ``offline.source``."""
        self._expected = vectors
        self._within.plan(vectors, values)

    def noise_bits(self, matrix: BucketMatrix) -> int:
        return self._within.noise_bits(matrix)

    def register_matrix(self, matrix: BucketMatrix, own: NDArray[np.uint8] | None) -> None:
        """In its turn, and finished when this returns."""
        self.producer.run(lambda: self._within.register_matrix(matrix, own))
        self._ordered = self._prepared = 0
        self._taken[matrix.owner] = 0

    def vector_products(self, owner: int, count: int) -> VectorProducts | PadProducts:
        """The next ones, once they are there; and more are ordered."""
        need = self._taken[owner] + count
        if self._ordered < need:
            self._order(need)
        if self._ordered < need + -(-self._a_tree // 2):
            more = need + self._a_tree
            self._order(more if self._expected is None else min(more, self._expected))
        self.producer.wait(lambda: self._prepared >= need)
        self._taken[owner] = need
        return self._within.vector_products(owner, count)

    def prepare(self, vectors: int) -> None:
        """See ``MatrixProducts``."""
        self._order(vectors)

    def _order(self, vectors: int) -> None:
        if vectors <= self._ordered:
            return
        self._ordered = vectors

        def work() -> None:
            self._within.prepare(vectors)
            self._prepared = vectors

        self.producer.order(work)
