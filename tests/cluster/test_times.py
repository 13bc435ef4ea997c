"""Which shard is the slowest of a tree, and what the steps take together."""

from __future__ import annotations

from securexgb.cluster.times import ShardTimes
from securexgb.report.record import SlowestShard


def test_the_slowest_shard_of_each_tree() -> None:
    times = ShardTimes(3)
    times.add([5.0, 0.0, 0.0])  # before the first tree
    times.begin_tree(4)
    times.add([1.0, 2.0, 0.0])
    times.add([1.0, 0.5, 2.0])
    times.begin_tree(5)
    times.add([0.0, 0.0, 1.0])
    assert times.trees == [SlowestShard(4, 1, 2.5, 4.0), SlowestShard(5, 2, 1.0, 1.0)]
    assert (times.seconds, times.steps) == ([7.0, 2.5, 3.0], 10.0)
