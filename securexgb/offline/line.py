"""Corrections of one series on their way to party 1: what to ask for, what is here.

How far ahead of consumption to ask is a function of what was consumed so far and of
nothing else, so the dealer sees the same requests whatever the data are. A line
keeps a fixed part of what the job has used so far ahead of it, within bounds: an
unknown job draws little more than it needs; with ``expected`` it draws no more.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from securexgb.dealer.session import REQUEST_WORDS
from securexgb.errors import SecureXGBError
from securexgb.offline.correlations import Words


class Habit:
    """What a job takes of one kind, tree by tree; ``a_tree``: what the last one took."""

    def __init__(self) -> None:
        self.a_tree = 0
        self._before: int | None = None

    def expected(self, taken: int, left: int) -> int | None:
        """What the whole job will take, with ``left`` trees to come that take like the last one;
        None before the second."""
        before, self._before = self._before, taken
        if before is None:
            return None
        self.a_tree = taken - before
        return taken + left * self.a_tree


def goal_of(need: int, asked: int, ahead: int, expected: int | None, unit: int) -> int:
    """How far to ask where ``need`` is needed, ``asked`` was asked for and ``ahead`` is wanted.

    A multiple of ``unit`` (as ``need`` is), nothing beyond what the job is ``expected`` to take;
    ``asked`` itself where a request is not worth it.
    """
    goal = need + ahead
    if expected is not None:
        goal = max(need, min(goal, expected))
    goal -= goal % unit
    is_enough = asked >= need and goal - asked < ahead // 2
    return asked if is_enough else max(goal, asked)


class Line:
    """The buffer of one series; counts are words, multiples of ``unit``.

    ``least`` and ``most``: bounds of what is kept ahead of consumption, which is
    1 / ``part`` of all that was consumed.
    ``expected``: what the whole job will take, where it is known.
    """

    def __init__(
        self, unit: int, least: int, most: int, part: int, expected: int | None = None
    ) -> None:
        self._unit = unit
        self._part = part
        self._least = least
        self._most = most
        self._expected = expected
        self._habit = Habit()
        self._frames: deque[Words] = deque()
        self.requested = 0
        self.arrived = 0
        self.taken = 0

    def begin_tree(self, left: int) -> None:
        """Before each tree; see ``offline.source``."""
        expected = self._habit.expected(self.taken, left)
        self._expected = self._expected if expected is None else expected

    def ask(self, count: int) -> list[tuple[int, int]]:
        """Requests (start, words) to send now, before ``count`` words are taken."""
        need = self.taken + count
        ahead = min(max(need // self._part, self._least), self._most)
        goal = goal_of(need, self.requested, ahead, self._expected, self._unit)
        step = max(self._unit, REQUEST_WORDS // self._unit * self._unit)
        cuts = [(start, min(step, goal - start)) for start in range(self.requested, goal, step)]
        self.requested = goal
        return cuts

    def put(self, start: int, words: Words) -> bool:
        """Take in a frame; False where it is not the next that was asked for."""
        if start != self.arrived or not 0 < words.size <= self.requested - start:
            return False
        self._frames.append(words)
        self.arrived += words.size
        return True

    def has(self, count: int) -> bool:
        """Whether so many words are here."""
        return self.arrived - self.taken >= count

    def take(self, count: int) -> Words:
        """The next words; ``has`` must have said yes, or SecureXGBError."""
        if not self.has(count):
            raise SecureXGBError("more corrections are taken than have arrived")
        self.taken += count
        parts: list[Words] = []
        while count:
            frame = self._frames.popleft()
            if frame.size > count:
                self._frames.appendleft(frame[count:])
                frame = frame[:count]
            parts.append(frame)
            count -= frame.size
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.zeros(0, np.uint64)
