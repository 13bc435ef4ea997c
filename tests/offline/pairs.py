"""Two ends of one object, each in a thread of its own, as the parties are; products to stand in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.channel.memory import memory_pair
from securexgb.correlations.source import Account, BucketMatrix, VectorProducts

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


OPEN: list[Channel] = []
"""Of the test that runs; conftest closes them, which ends what sources make ahead."""


def channels(timeout_seconds: float = 10) -> tuple[Channel, Channel]:
    ends = memory_pair(timeout_seconds)
    OPEN.extend(ends)
    return ends


class SlowProducts:
    """Products that note what was prepared, and by which thread."""

    account = Account()
    divided = None
    pads = None

    def __init__(self) -> None:
        self.prepared: list[int] = []
        self.threads: set[str] = set()

    def plan(self, vectors: int, values: int, *, is_far: bool) -> None:
        self.planned = vectors, values

    def noise_bits(self, matrix: BucketMatrix) -> int:
        return 0

    def register_matrix(self, *_: object) -> None:
        self.threads.add(threading.current_thread().name)

    def begin(self) -> None:
        self.threads.add(threading.current_thread().name)

    def vector_products(self, owner: int, count: int) -> VectorProducts:
        return VectorProducts(None, np.zeros((count, 2, 1), np.uint64))

    def prepare(self, vectors: int) -> None:
        self.threads.add(threading.current_thread().name)
        self.prepared.append(vectors)
