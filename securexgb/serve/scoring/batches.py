"""What waits to be scored, and which of it goes together.

There is no window: where nothing is being scored a request goes at once, and what comes while a
batch is under way goes with the next one, of the same model, up to a bound.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from securexgb.errors import NotReady
from securexgb.serve.parts import Floats, Request, Scores, Status

MOST_QUEUED = 1 << 13
"""Rows that wait at most; who comes then is told to come again."""


class Pending:
    """A request under way; its answer is given when the last of its rows is through."""

    def __init__(self, request: Request, model: str) -> None:
        self.request, self.model = request, model
        self.future: Future[Scores] = Future()
        self.began = perf_counter()
        count = len(request.keys)
        self._left, self._values = count, np.full(count, np.nan)
        self._statuses: list[Status] = ["unknown here"] * count
        self._why: list[str | None] = [None] * count
        self._reasons: list[tuple[str, ...]] = [()] * count

    def put(
        self,
        rows: Sequence[int],
        statuses: Sequence[Status],
        why: Sequence[str | None],
        values: Floats,
        reasons: Sequence[tuple[str, ...]],
    ) -> None:
        """What came of some rows, (k,) or (k, outputs)."""
        if values.ndim > self._values.ndim:
            self._values = np.full((self._values.size, values.shape[1]), np.nan)
        self._values[list(rows)] = values
        for place, row in enumerate(rows):
            self._statuses[row], self._why[row] = statuses[place], why[place]
            self._reasons[row] = reasons[place]
        self._left -= len(rows)
        if not self._left and not self.future.done():
            wanted = tuple(self._reasons) if self.request.reasons else None
            scores = Scores(
                self.model, self._values, tuple(self._statuses), tuple(self._why), wanted
            )
            self.future.set_result(scores)

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


@dataclass(eq=False)
class Chunk:
    """Rows of one request that stay together: ``rows``, numbers within it. ``tries``: how often a
    link broke with it under way."""

    pending: Pending
    rows: NDArray[np.intp]
    tries: int = field(default=0)


class Batches:
    """The queue between the front's threads and the one that scores."""

    def __init__(self, batch_rows: int, with_reasons: int) -> None:
        """Rows that go together at most, ``with_reasons`` where these are asked for: each is then
        scored several times."""
        self._most = {False: batch_rows, True: with_reasons}
        self._waiting: deque[Chunk] = deque()
        self._rows = 0
        self._changed = threading.Condition()

    def add(self, pending: Pending) -> None:
        """Queue a request; NotReady where too much waits already."""
        count = len(pending.request.keys)
        with self._changed:
            if self._rows and self._rows + count > MOST_QUEUED:
                raise NotReady(f"{self._rows} rows wait to be scored: ask again in a moment")
            most = self._most[pending.request.reasons]
            for start in range(0, count, most):
                rows = np.arange(start, min(start + most, count))
                self._waiting.append(Chunk(pending, rows))
            self._rows += count
            self._changed.notify_all()

    def take(self, seconds: float) -> list[Chunk]:
        """What goes together next; nothing where none comes in time, or ``wake`` was called."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(seconds)
            if not self._waiting:
                return []
            first = self._waiting[0].pending
            taken, kept, rows = list[Chunk](), deque[Chunk](), 0
            most = self._most[first.request.reasons]
            for chunk in self._waiting:
                one = chunk.pending
                alike = (one.model, one.request.reasons) == (first.model, first.request.reasons)
                if alike and rows + chunk.rows.size <= most:
                    taken.append(chunk)
                    rows += chunk.rows.size
                else:
                    kept.append(chunk)
            self._waiting = kept
            self._rows -= rows
            return taken

    def pause(self, seconds: float) -> None:
        """Until something changes here, at most so long."""
        with self._changed:
            self._changed.wait(seconds)

    def put_back(self, chunks: Sequence[Chunk]) -> None:
        """Before all others: their link broke."""
        with self._changed:
            self._waiting.extendleft(reversed(chunks))
            self._rows += sum(chunk.rows.size for chunk in chunks)
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """Whatever waits gets this for its answer."""
        with self._changed:
            chunks, self._waiting, self._rows = self._waiting, deque(), 0
            self._changed.notify_all()
        for chunk in chunks:
            chunk.pending.fail(error)

    def wake(self) -> None:
        """Whoever waits in ``take`` looks again what is to be done."""
        with self._changed:
            self._changed.notify_all()

    @property
    def is_empty(self) -> bool:
        with self._changed:
            return not self._waiting
