"""How long shards take: of each question, each tree, and the whole training."""

from __future__ import annotations

from collections.abc import Sequence

from securexgb.report.record import SlowestShard


class ShardTimes:
    """``seconds``: by shard, that its answers have taken; ``steps``: of each question the slowest
    shard's, added up."""

    def __init__(self, shards: int) -> None:
        self.seconds = [0.0] * shards
        self.steps = 0.0
        self._trees: list[_Tree] = []

    def begin_tree(self, number: int) -> None:
        """What is asked from now on is of this round of trees, counted from 0."""
        self._trees.append(_Tree(number, len(self.seconds)))

    def add(self, seconds: Sequence[float]) -> None:
        """One question's, by shard."""
        for place, took in enumerate(seconds):
            self.seconds[place] += took
        self.steps += max(seconds)
        if self._trees:
            self._trees[-1].add(seconds)

    @property
    def trees(self) -> list[SlowestShard]:
        """One for each round of trees so far."""
        return [tree.slowest for tree in self._trees]


class _Tree:
    def __init__(self, number: int, shards: int) -> None:
        self._number, self._seconds, self._steps = number, [0.0] * shards, 0.0

    def add(self, seconds: Sequence[float]) -> None:
        self._seconds = [had + took for had, took in zip(self._seconds, seconds, strict=True)]
        self._steps += max(seconds)

    @property
    def slowest(self) -> SlowestShard:
        shard = max(range(len(self._seconds)), key=self._seconds.__getitem__)
        return SlowestShard(self._number, shard, self._seconds[shard], self._steps)
