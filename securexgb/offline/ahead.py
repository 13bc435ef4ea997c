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
from dataclasses import dataclass
from typing import Generic, TypeAlias

import numpy as np

from securexgb.correlations.kind import BLOCK, P, Pieces, Words
from securexgb.dealer.session import REQUEST_WORDS
from securexgb.errors import SecureXGBError

FIRST_BLOCK = 1 << 9
LARGEST_BLOCK = 1 << 13
"""Elements: 64 KiB a piece, so that a block is made within the processor's cache."""
Made: TypeAlias = list[tuple[P, int]]
"""Parts one after the other, and how many elements each has."""


def cut(pieces: P, start: int, stop: int) -> P:
    """Elements ``start`` to ``stop``; where bits are packed ``start`` begins a word."""
    parts = zip(vars(pieces).values(), pieces.per_word, strict=True)
    return type(pieces)(*[array[..., start // n : -(-stop // n)] for array, n in parts])


def joined(parts: Sequence[P]) -> P:
    """One run after the other, at least one; all but the last end with whole words."""
    if len(parts) == 1:
        return parts[0]
    columns = zip(*[vars(part).values() for part in parts], strict=True)
    return type(parts[0])(*[np.concatenate(column, axis=-1) for column in columns])


def block_of(
    missing: int, made: int, ordered: int, largest: int = LARGEST_BLOCK, to_come: int | None = None
) -> int:
    """How much is taken at a time where so much is missing, after ``made``: a block, which grows as
    half of what was made; but no more than half of what was ordered before, where that will do, as
    the rest may be on its way. Nor is a block larger than the first one once the job, as far as is
    known, takes less: ``to_come``."""
    if ordered <= missing:
        most = largest if to_come is None else min(largest, max(FIRST_BLOCK, to_come))
        return max(missing, min(max(FIRST_BLOCK, made // 2), most))
    return max(missing, min(max(BLOCK, made // 2), largest, ordered // 2))


class Supply(Generic[P]):
    """The correlations of one kind at one party, in order.

    ``make(start, count)`` gives elements start .. start + count, both multiples of ``unit``, as
    parts with their sizes, which are multiples as well: a large request is joined once, here.
    ``grain``: so many elements, or a multiple, are used up by a request. What is made singly (a
    unit of 1) is large, and not taken in blocks. ``ordered``: how much was asked for and not drawn;
    ``to_come``: how much the job will draw yet, where that is known.
    """

    def __init__(
        self,
        make: Callable[[int, int], Made[P]],
        grain: int,
        unit: int = BLOCK,
        ordered: Callable[[], int] = lambda: 0,
        to_come: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._make = make
        self._grain, self._unit = grain, unit
        self._ordered, self._to_come = ordered, to_come
        self._held: P | None = None
        self._made = self._at = self._ready = 0
        self._largest = LARGEST_BLOCK if unit > 1 else 0

    def stay_small(self) -> None:
        """Take small blocks from now on: where there is a stock of words of 64, a large one would
        be made again at once, and whoever comes then would wait."""
        self._largest = min(self._largest, FIRST_BLOCK)

    @property
    def left(self) -> int:
        """What has been made and not taken."""
        return self._ready - self._at

    def take(self, count: int) -> P:
        """The next ``count`` elements, as read-only arrays."""
        start = self._at
        after = start + count + -count % self._grain
        if self._held is None or after > self._ready:
            return self._across(count, after - self._ready)
        self._at = after
        return cut(self._held, start, start + count)

    def _across(self, count: int, missing: int) -> P:
        """What is left of this block, and the beginning of a new one, of ``missing`` at least."""
        held, rest = self._held, self._ready - self._at
        ordered, to_come = self._ordered(), self._to_come()
        made = block_of(missing, self._made, ordered, self._largest, to_come)
        made += -made % self._unit
        fresh = self._make(self._made, made)
        self._made += made
        taken = [cut(held, self._at, self._ready)] if rest and held is not None else []
        count -= rest
        while len(fresh) > 1 and fresh[0][1] <= missing:
            part, size = fresh.pop(0)
            taken.append(cut(part, 0, min(size, count)))
            count, missing, made = max(count - size, 0), missing - size, made - size
        held = joined([part for part, _ in fresh])
        if count or not taken:
            taken.append(cut(held, 0, count))
        self._held, self._at, self._ready = _protected(held), missing, made
        return _protected(joined(taken))


def _protected(pieces: P) -> P:
    """The same, with nothing to be written to them."""
    for array in vars(pieces).values():
        array.flags.writeable = False
    return pieces


class Prefetched(ABC, Generic[P]):
    """One series that is asked for ahead of its use, and what has come of it; in order.

    Counts are multiples of ``unit``. ``step``: most that is asked for at a time. ``expected``: what
    the whole job will take, where it is known. ``a_tree``: what the last tree took.
    """

    def __init__(self, unit: int, step: int, expected: int | None = None) -> None:
        self._unit = unit
        self._step = step
        self._parts: deque[tuple[P, int]] = deque()
        self._before: int | None = None
        self.expected = expected
        self.a_tree = 0
        self.requested = 0
        self.arrived = 0
        self.taken = 0

    @abstractmethod
    def ahead(self, need: int) -> int:
        """How much is wanted ahead where so much is needed in all."""

    def within_tree(self) -> None:
        """Nothing was taken before the tree that goes on now."""
        self._before = 0

    def expect(self, remaining: int, held: int = 0) -> None:
        """A tree begins: the ``remaining`` ones will take like the last one, if there was one.
        ``held``: so much was taken in blocks and not used yet."""
        used = self.taken - held
        if self._before is not None:
            self.a_tree = used - self._before
            self.expected = used + remaining * self.a_tree
        self._before = used

    def to_come(self) -> int | None:
        """What will be taken yet, where it is known."""
        return None if self.expected is None else max(0, self.expected - self.taken)

    def ask(self, count: int) -> list[tuple[int, int]]:
        """Requests (start, size) to make now, before ``count`` are taken, if they are worth it."""
        need = self.taken + count
        ahead = self.ahead(need)
        goal = self._goal(need, ahead)
        if self.requested >= need and goal - self.requested < self.worth_asking(ahead):
            return []
        return self._up_to(goal)

    def top_up(self, held: int = 0) -> list[tuple[int, int]]:
        """Requests to make now, at the beginning of a tree: all that it will take, if it is like
        the last one, so that nothing of it stands behind what the next one will take. ``held``: so
        much was taken for it before, in blocks."""
        if self.requested - self.taken + held >= self.a_tree:
            return []
        return self._up_to(self._goal(self.taken, self.ahead(self.taken) - held))

    def _goal(self, need: int, ahead: int) -> int:
        goal = need + ahead
        if self.expected is not None:
            goal = max(need, min(goal, self.expected))
        return goal - goal % self._unit

    def _up_to(self, goal: int) -> list[tuple[int, int]]:
        starts = range(self.requested, goal, self._step)
        self.requested = max(goal, self.requested)
        return [(start, min(self._step, goal - start)) for start in starts]

    def worth_asking(self, ahead: int) -> int:
        """So much that is not needed at once is asked for, no less."""
        return ahead // 2

    @property
    def there(self) -> int:
        """What has come and is not taken."""
        return self.arrived - self.taken

    def add(self, part: P, size: int) -> None:
        """The next part has come."""
        self._parts.append((part, size))
        self.arrived += size

    def has(self, count: int) -> bool:
        """Whether so many are here."""
        return self.there >= count

    def next(self, count: int) -> Made[P]:
        """The next ones, at least one; ``has`` must have said yes, or SecureXGBError."""
        if not self.has(count):
            raise SecureXGBError("more corrections or tiles are taken than have arrived")
        self.taken += count
        parts: Made[P] = []
        while count:
            part, size = self._parts.popleft()
            if size > count:
                self._parts.appendleft((cut(part, count, size), size - count))
                part, size = cut(part, 0, count), count
            parts.append((part, size))
            count -= size
        return parts


@dataclass(frozen=True, repr=False)
class Frame(Pieces):
    """Words of corrections as they were sent."""

    per_word = (1,)
    words: Words


class CorrectionBuffer(Prefetched[Frame]):
    """Corrections of one series on their way to party 1, in words.

    ``least`` and ``most``: bounds of what is kept ahead of consumption, which is 1 / ``part`` of
    all that was consumed: an unknown job draws little more than it needs.
    """

    def __init__(
        self, unit: int, least: int, most: int, part: int, expected: int | None = None
    ) -> None:
        super().__init__(unit, max(unit, REQUEST_WORDS // unit * unit), expected)
        self._least, self._most, self._part = least, most, part

    def ahead(self, need: int) -> int:
        return min(max(need // self._part, self._least), self._most)

    def put(self, start: int, words: Words) -> bool:
        """Take in a frame; False where it is not the next that was asked for."""
        if start != self.arrived or not 0 < words.size <= self.requested - start:
            return False
        self.add(Frame(words), words.size)
        return True

    def take(self, count: int) -> Words:
        """The next words; see ``next``."""
        if not count:
            return np.zeros(0, np.uint64)
        return joined([part for part, _ in self.next(count)]).words
