"""What a head and its shards are to each other, wherever either runs.

A **shard** is a public range of the common order of rows. For each shard each party has one worker,
and the two workers of a number are linked as two parties are, with correlations of their own. The
worker (``shard.Shard``) answers what its own party's **head** asks; the two heads, linked too, grow
the trees. What a head asks and a worker answers is of the size of a level's sums, or of public
facts, and stays within the company; nothing of a single shard is opened.

Shards begin at multiples of 64 rows, so that packed bits and the coins of rounding do not straddle
them. Rows of an evaluation set are divided alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Protocol

from securexgb.arith.bits import WORD, words_per
from securexgb.errors import UsageError
from securexgb.jobs.rows import Rows
from securexgb.jobs.table import Table

HeadTable = Table
"""All rows of a data set as the head of a party knows them, without holding them."""

MOST_SHARDS = 256


def shard_rows(rows: int, shards: int) -> list[slice]:
    """The ranges of so many rows by shard, of as equal sizes as 64 rows at a time allow.

    A range may be empty, of a small set; those of training rows must not be (``check_shards``).
    """
    words = words_per(rows)
    edges = [min(WORD * (words * number // shards), rows) for number in range(shards + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def check_shards(rows: int, shards: int) -> None:
    """Refuse, as UsageError, a number of shards that some would have no training rows of."""
    if not 1 <= shards <= MOST_SHARDS:
        raise UsageError(f"{shards} shards: choose at least 1 and at most {MOST_SHARDS}")
    if shards > words_per(rows):
        raise UsageError(
            f"{rows} training rows are too few for {shards} shards, which take {WORD} rows each at "
            f"least: choose {words_per(rows)} shards at most"
        )


class ShardData(Protocol):
    """What a worker reads of its own rows, and of no others."""

    def training(self) -> Rows:
        """Its range of the training rows."""

    def evaluation(self) -> tuple[tuple[str, Rows], ...]:
        """Its ranges of the evaluation sets, by name, in their order."""


class ShardHandle(Protocol):
    """A head's way to one of its own workers. One question is asked and answered at a time, in
    order; a question may be asked before the one before it is answered."""

    @property
    def number(self) -> int:
        """From 0 on; also the position of its rows."""

    def ask(self, command: bytes) -> None:
        """Begin; the answer is not waited for."""

    def answer(self) -> bytes:
        """The answer to the oldest question that has none yet.

        Raises what the worker raised, as one of this package's errors; of a lost worker an error
        that says which side, which number, and what to do.
        """

    def close(self, error: BaseException | None = None) -> None:
        """The training has ended, or has failed with ``error``."""


class Shards(Protocol):
    """All workers of one party in one training."""

    @property
    def handles(self) -> Sequence[ShardHandle]:
        """By number."""

    def close(self, error: BaseException | None = None) -> None:
        """Close all of them."""


@contextmanager
def failing_together(shards: Shards) -> Iterator[None]:
    """Where the block fails, so do all workers of this party."""
    try:
        yield
    except BaseException as error:
        shards.close(error)
        raise
