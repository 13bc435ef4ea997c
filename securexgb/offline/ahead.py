"""Buffers: how far ahead correlations are asked for, and how they are handed out.

How far ahead is a function of what was consumed so far and of nothing else, so the other party, or
the dealer, sees the same requests whatever the data are. From the second tree on nothing is asked
for beyond what the trees to come will take if they are like the last one.

A protocol asks for a few dozen correlations hundreds of times a tree; making them costs the same
for one as for a thousand. So a ``Supply`` takes them in blocks, which grow as the job shows its
appetite, and a request is a slice: no copy, no key derivation. What has been handed out is never
handed out again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np

from securexgb.correlations.kind import BLOCK, P, Words
from securexgb.dealer.session import REQUEST_WORDS
from securexgb.errors import SecureXGBError

FIRST_BLOCK = 1 << 9
LARGEST_BLOCK = 1 << 13
"""Elements: 64 KiB a piece, so that a block is made within the processor's cache."""
Part = TypeVar("Part")


class Supply(Generic[P]):
    """The correlations of one kind at one party, in order.

    ``make(start, count)`` gives elements start .. start + count, both multiples of 64. ``grain``:
    so many elements, or a multiple, are used up by a request.
    """

    def __init__(self, make: Callable[[int, int], P], grain: int) -> None:
        self._make = make
        self._grain = grain
        self._held: P | None = None
        self._made = self._at = self._ready = 0
        self._block = FIRST_BLOCK

    def take(self, count: int) -> P:
        """The next ``count`` elements, as read-only arrays."""
        size = count + -count % self._grain
        held = self._held
        if held is None or self._at + size > self._ready:
            held = self._refilled(size)
        start = self._at
        self._at += size
        return held.cut(start, start + count)

    def _refilled(self, needed: int) -> P:
        """At least ``needed`` elements before us: the rest of this block and a new one."""
        rest = self._ready - self._at
        count = max(needed - rest, self._block)
        count += -count % BLOCK
        fresh = self._make(self._made, count)
        if rest and self._held is not None:
            fresh = fresh.joined([self._held.cut(self._at, self._ready), fresh])
        for array in fresh.arrays:
            array.flags.writeable = False
        self._held = fresh
        self._made += count
        self._at, self._ready = 0, rest + count
        self._block = min(2 * self._block, LARGEST_BLOCK)
        return fresh


class UsageEstimate:
    """What a job takes of one kind, tree by tree; ``a_tree``: what the last one took."""

    def __init__(self, expected: int | None = None) -> None:
        self.a_tree = 0
        self.expected = expected
        self._before: int | None = None

    def begin_tree(self, taken: int, remaining: int) -> None:
        """Expect that the ``remaining`` trees take like the last one, once there was one."""
        if self._before is not None:
            self.a_tree = taken - self._before
            self.expected = taken + remaining * self.a_tree
        self._before = taken


class Prefetched(ABC, Generic[Part]):
    """One series that is asked for ahead of its use, and what has come of it; in order.

    Counts are multiples of ``unit``. ``step``: most that is asked for at a time. ``expected``: what
    the whole job will take, where it is known.
    """

    def __init__(self, unit: int, step: int, expected: int | None = None) -> None:
        self._unit = unit
        self._step = step
        self._usage = UsageEstimate(expected)
        self._parts: deque[tuple[Part, int]] = deque()
        self.requested = 0
        self.arrived = 0
        self.taken = 0

    @abstractmethod
    def _ahead(self, need: int, usage: UsageEstimate) -> int:
        """How much is wanted ahead where so much is needed in all."""

    @abstractmethod
    def _cut(self, part: Part, start: int, stop: int) -> Part: ...

    @abstractmethod
    def _join(self, parts: Sequence[Part]) -> Part: ...

    def begin_tree(self, remaining: int) -> None:
        """See ``correlations.source``."""
        self._usage.begin_tree(self.taken, remaining)

    def ask(self, count: int) -> list[tuple[int, int]]:
        """Requests (start, size) to make now, before ``count`` are taken, if they are worth it."""
        need = self.taken + count
        ahead = self._ahead(need, self._usage)
        goal, expected = need + ahead, self._usage.expected
        if expected is not None:
            goal = max(need, min(goal, expected))
        goal -= goal % self._unit
        if self.requested >= need and goal - self.requested < ahead // 2:
            return []
        starts = range(self.requested, goal, self._step)
        self.requested = max(goal, self.requested)
        return [(start, min(self._step, goal - start)) for start in starts]

    def add(self, part: Part, size: int) -> None:
        """The next part has come."""
        self._parts.append((part, size))
        self.arrived += size

    def has(self, count: int) -> bool:
        """Whether so many are here."""
        return self.arrived - self.taken >= count

    def take(self, count: int) -> Part:
        """The next ones; ``has`` must have said yes, or SecureXGBError."""
        if not self.has(count):
            raise SecureXGBError("more correlations are taken than have arrived")
        self.taken += count
        parts = []
        while count:
            part, size = self._parts.popleft()
            if size > count:
                self._parts.appendleft((self._cut(part, count, size), size - count))
                part, size = self._cut(part, 0, count), count
            parts.append(part)
            count -= size
        return self._join(parts)


class CorrectionBuffer(Prefetched[Words]):
    """Corrections of one series on their way to party 1, in words.

    ``least`` and ``most``: bounds of what is kept ahead of consumption, which is 1 / ``part`` of
    all that was consumed: an unknown job draws little more than it needs.
    """

    def __init__(
        self, unit: int, least: int, most: int, part: int, expected: int | None = None
    ) -> None:
        super().__init__(unit, max(unit, REQUEST_WORDS // unit * unit), expected)
        self._least, self._most, self._part = least, most, part

    def put(self, start: int, words: Words) -> bool:
        """Take in a frame; False where it is not the next that was asked for."""
        if start != self.arrived or not 0 < words.size <= self.requested - start:
            return False
        self.add(words, words.size)
        return True

    def _ahead(self, need: int, usage: UsageEstimate) -> int:
        return min(max(need // self._part, self._least), self._most)

    def _cut(self, part: Words, start: int, stop: int) -> Words:
        return part[start:stop]

    def _join(self, parts: Sequence[Words]) -> Words:
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.zeros(0, np.uint64)
