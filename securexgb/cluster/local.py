"""All shards of both parties as threads of this process: for simulations and tests.

Each worker has a link of its own to its partner, in memory, and correlations of its own, made as
those of the heads are. As in any simulation everything random follows from one seed, and nothing is
protected.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np

from securexgb.channel.memory import memory_pair
from securexgb.cluster.parts import ShardData
from securexgb.cluster.rows import RowCounts, ShardedRows
from securexgb.cluster.shard import Shard
from securexgb.errors import PeerGone
from securexgb.jobs.job import TrainingJob, in_memory
from securexgb.jobs.local import join_parties
from securexgb.jobs.resuming.checkpoint import CheckpointStore
from securexgb.jobs.rows import Rows
from securexgb.mpc.party import Party
from securexgb.offline.method import Method
from securexgb.report.record import SlowestShard

_WAIT_SECONDS = 600.0


@dataclass(frozen=True, eq=False, repr=False)
class HeldRows:
    """A shard's rows, cut from what is in memory; a ``ShardData``."""

    rows: Rows
    sets: tuple[tuple[str, Rows], ...]

    @staticmethod
    def of(job: TrainingJob, shards: int) -> list[HeldRows]:
        """Those of every shard of one side."""
        names = [name for name, _ in job.evals]
        whole = [in_memory(job.data), *(in_memory(of) for _, of in job.evals)]
        counts = RowCounts(whole[0].count, tuple(data.count for data in whole[1:]))
        held = []
        for parts in counts.shards(shards):
            pairs = zip(whole, parts, strict=True)
            own, *sets = [data.take(np.arange(part.start, part.stop)) for data, part in pairs]
            held.append(HeldRows(own, tuple(zip(names, sets, strict=True))))
        return held

    def training(self) -> Rows:
        return self.rows

    def evaluation(self) -> tuple[tuple[str, Rows], ...]:
        return self.sets


class ThreadShard:
    """A worker in a thread of its own; a ``ShardHandle``."""

    def __init__(
        self, number: int, party: Party, data: ShardData, store: CheckpointStore | None
    ) -> None:
        self.number = number
        self._party = party
        self._questions: SimpleQueue[bytes | None] = SimpleQueue()
        self._answers: SimpleQueue[bytes | BaseException] = SimpleQueue()
        self._made = data, store
        name = f"{party.role} shard {number}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ask(self, command: bytes) -> None:
        self._questions.put(command)

    def answer(self) -> bytes:
        answer = self._answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self, error: BaseException | None = None) -> None:
        self._questions.put(None)
        self._party.channel.close(error)
        self._party.source.close()
        self._thread.join(_WAIT_SECONDS)

    def _run(self) -> None:
        try:
            shard = Shard(self._party, *self._made)
            while (command := self._questions.get()) is not None:
                self._answers.put(shard.answer(command))
        except BaseException as error:
            self._party.channel.close(error)
            self._answers.put(error)
            # Whoever asks again hears that nobody is there.
            while self._questions.get() is not None:
                self._answers.put(PeerGone(f"{self._party.role} party: a shard has failed"))


class LocalShards:
    """The shards of both sides of one training."""

    def __init__(
        self,
        jobs: Sequence[TrainingJob],
        shards: int,
        seed: int,
        method: Method | None,
        stores: Sequence[Sequence[CheckpointStore]] | None = None,
    ) -> None:
        """``stores``: by rank and shard."""
        self._counts = [
            RowCounts(job.data.count, tuple(data.count for _, data in job.evals)) for job in jobs
        ]
        self.pairs = [
            join_parties(memory_pair(_WAIT_SECONDS), _seed(seed, number), method, are_shards=True)
            for number in range(shards)
        ]
        self._rows: list[ShardedRows] = []
        self._handles = [
            [
                ThreadShard(
                    number,
                    self.pairs[number][rank],
                    data,
                    None if stores is None else stores[rank][number],
                )
                for number, data in enumerate(HeldRows.of(job, shards))
            ]
            for rank, job in enumerate(jobs)
        ]

    @contextmanager
    def rows(self, party: Party) -> Iterator[ShardedRows]:
        """One side's rows, for one training; where it fails, so do its shards, and their partners
        hear of it."""
        handles = self._handles[party.rank]
        rows = ShardedRows(party, handles, self._counts[party.rank])
        if party.rank == 0:
            self._rows.append(rows)
        try:
            yield rows
        except BaseException as error:
            for handle in handles:
                handle.close(error)
            raise

    @property
    def slowest(self) -> Sequence[SlowestShard]:
        """Of each round of trees, at the label party."""
        return [tree for rows in self._rows for tree in rows.times.trees]

    def close(self) -> None:
        """Once both sides have ended."""
        for handle in (*self._handles[0], *self._handles[1]):
            handle.close()


def _seed(seed: int, number: int) -> int:
    """Another one for each shard than for the heads, which take 128 bits of it at most."""
    return (seed + ((number + 1) << 96)) % (1 << 128)
