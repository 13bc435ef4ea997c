"""Two ends of one object, each in a thread of its own, as the parties are."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.channel.memory import memory_pair

End = TypeVar("End")
Result = TypeVar("Result")


def private(rank: int, seed: int = 0) -> Prg:
    """A party's randomness in a test."""
    return Prg(bytes([rank, seed, *range(14)]))


def both(ends: tuple[End, End], step: Callable[[int, End], Result]) -> tuple[Result, Result]:
    """``step(rank, end)`` at both ends at once; their results."""
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(step, 1, ends[1])
        return step(0, ends[0]), other.result()


def channels() -> tuple[Channel, Channel]:
    return memory_pair(timeout_seconds=10)
