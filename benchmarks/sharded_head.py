"""A head of ``shards.py``: it asks its shards one after the other, and lets no other run.

    python benchmarks/sharded_head.py PID [PID ...]

in a folder with party.toml and job.toml; the numbers are those of its shards' processes. One JSON
line when the last tree is grown; then it waits to be stopped, as its shards do.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter, process_time
from typing import Any

import loopback

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.ensemble import History, ModelHalf
from securexgb.cluster.data import load_table
from securexgb.cluster.head import shards_in_session
from securexgb.cluster.parts import ShardHandle
from securexgb.cluster.rows import RowCounts, ShardedRows
from securexgb.federation.session import Federation
from securexgb.jobs.runs import RunDirectory
from securexgb.jobs.training import agreed_job, train
from securexgb.mpc.party import Party


class Alone:
    """A shard that is awake while it answers, and stopped otherwise."""

    def __init__(self, handle: ShardHandle, process: int, times: Times, together: Together) -> None:
        self.number = handle.number
        self._handle, self._process, self._times = handle, process, times
        self._together = together
        self._asked = list[bytes]()

    def ask(self, command: bytes) -> None:
        self._asked.append(command)

    def answer(self) -> bytes:
        began, command = perf_counter(), self._asked.pop(0)
        os.kill(self._process, signal.SIGCONT)
        before = loopback.cpu_seconds(self._process)
        self._handle.ask(command)
        found = self._handle.answer()
        took = perf_counter() - began
        self._together.wait()  # the other side's shard may still need this one
        used = loopback.cpu_seconds(self._process) - before
        os.kill(self._process, signal.SIGSTOP)
        self._times.add(self.number, took, used, len(command) + len(found))
        self._times.between += perf_counter() - began - took
        return found

    def close(self, error: BaseException | None = None) -> None:
        os.kill(self._process, signal.SIGCONT)
        self._handle.close(error)


class Together:
    """Both heads, once each has come so far; a pipe by role in the folder above."""

    def __init__(self, rank: int) -> None:
        pipes = [os.open(f"../{role}.pipe", os.O_RDWR) for role in loopback.ROLES]
        self._own, self._other = pipes[rank], pipes[1 - rank]

    def wait(self) -> None:
        os.write(self._other, b"x")
        os.read(self._own, 1)


@dataclass
class Times:
    """Of all questions so far: seconds that the head waited, those of the slowest shard of each
    question, processor seconds by shard, bytes to and from shards."""

    shards: int
    waited: float = 0.0
    slowest: float = 0.0
    passed: int = 0
    now: float = 0.0
    between: float = 0.0
    """Seconds in which the two heads waited for each other, for the sake of this emulation."""

    def __post_init__(self) -> None:
        self.cpu = [0.0] * self.shards

    def add(self, number: int, seconds: float, cpu: float, size: int) -> None:
        self.waited += seconds
        self.cpu[number] += cpu
        self.passed += size
        self.now = seconds if number == 0 else max(self.now, seconds)
        if number == self.shards - 1:
            self.slowest += self.now


class Watch(TrainingCallback):
    """What each tree has taken."""

    def __init__(self, party: Party, times: Times) -> None:
        self._party, self._times = party, times
        self._last = self._state()
        self.trees = list[dict[str, float]]()

    def _state(self) -> dict[str, float]:
        times, traffic = self._times, self._party.channel.traffic
        return {
            "seconds": perf_counter(),
            "waited": times.waited,
            "slowest": times.slowest,
            "between": times.between,
            "head_cpu_seconds": process_time(),
            "most_shard_cpu_seconds": max(times.cpu),
            "all_shards_cpu_seconds": sum(times.cpu),
            "bytes_to_other_head": traffic.bytes_sent,
            "bytes_with_shards": times.passed,
            "rounds": self._party.rounds,
        }

    def before_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        self._last = self._state()
        return False

    def after_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        now = self._state()
        spent = {key: value - self._last[key] for key, value in now.items()}
        spent["head_seconds"] = spent["seconds"] - spent["waited"] - spent["between"]
        spent["emulated_seconds"] = spent["head_seconds"] + spent["slowest"]
        self.trees.append(spent)
        return False


def run(processes: Sequence[int]) -> dict[str, Any]:
    federation = Federation.from_file()
    config = federation.config
    assert config.train_data is not None
    began = perf_counter()
    table = load_table(federation, config.train_data, data_set="train")
    run = RunDirectory.create(config.run_directory, federation.digest)
    with federation.session("train") as party:
        job = agreed_job(party, federation, table, [])
        with shards_in_session(federation, party, "train", run.path.name, table) as shards:
            times, together = Times(len(processes)), Together(party.rank)
            pairs = zip(shards.handles, processes, strict=True)
            alone = [Alone(handle, process, times, together) for handle, process in pairs]
            together.wait()
            for process in processes:
                os.kill(process, signal.SIGSTOP)
            rows, watch = ShardedRows(party, alone, RowCounts(table.count)), Watch(party, times)
            set_up = perf_counter()
            train(party, replace(job, row_side=lambda _: rows, callbacks=(watch,)))
            for process in processes:
                os.kill(process, signal.SIGCONT)
            together.wait()
    return {
        "trees": watch.trees,
        "set_up_seconds": set_up - began,
        "peak_rss_mb": loopback.own_peak_rss_mb(),
    }


def main() -> None:
    print(json.dumps(run([int(number) for number in sys.argv[1:]])), flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
