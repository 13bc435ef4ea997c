"""A real Dask cluster whose only worker is killed in a training, which goes on by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from securexgb.cli.sessions import Sessions
from securexgb.cluster.worker import ShardProcess
from securexgb.cluster.working import work_of
from securexgb.errors import SecureXGBError
from securexgb.jobs.resuming.retrying import Reached
from securexgb.jobs.runs import FinishedRun
from securexgb.model.digest import trees_sha256
from tests.cluster.running import Sharded
from tests.cluster.test_whole_path import reference
from tests.processes.companies import SIDES


class ToldOfTrees(Reached):
    """Does something once, when a head has grown its first tree."""

    then: Callable[[], None] | None = None

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "trees" and value == 1 and self.then is not None:
            then, self.then = self.then, None
            then()


def without_an_engine(found: Sharded, name: str, sessions: int) -> None:
    """What the one shard of a company does in so many sessions, however each ends."""
    federation = found.federation(name)
    process = ShardProcess(federation, 0, work_of(federation, 0, print), print)
    for _ in range(sessions):
        listener = process.listen()
        with suppress(SecureXGBError):
            process.serve(listener, print)


def test_a_training_goes_on_when_its_worker_was_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worker is made anew, and so is the other company's session; trees are the same."""
    distributed = pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
    files = {"train_data": "train.parquet"}
    found = Sharded(tmp_path, 1, rows=130, retries=5, timeout_seconds=60, **files)
    found.parquet()
    found.terms(*SIDES, training={"n_estimators": 3})
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        ThreadPoolExecutor(3) as pool,
    ):
        found.on_dask("bureau", cluster.scheduler_address)
        relay = found.relay()
        pool.submit(without_an_engine, found, "bank", 2)
        heads: dict[str, Future[FinishedRun]] = {}
        for name in SIDES:
            federation, reached = found.federation(name), ToldOfTrees()
            if name == "bureau":
                reached.then = lambda: os.kill(cluster.workers[0].pid, signal.SIGKILL)
            sessions = Sessions(federation, None, resume=False, reached=reached)
            heads[name] = pool.submit(sessions.train)
        halves = [head.result().half for head in heads.values()]
        relay.stop()
    said = capsys.readouterr().err
    assert "the link broke after tree 1 (shard 0 of bureau is lost" in said
    assert said.count("trying again, 1 of 5") == 2
    assert trees_sha256(halves) == reference(found)
