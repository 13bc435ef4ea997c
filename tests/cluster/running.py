"""Two companies whose shards are threads of this process, over real links and one port."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow.parquet as pq
from pyarrow.csv import read_csv

from securexgb.channel.relay import Relay, shard_name
from securexgb.cluster.link import LinkedShards
from securexgb.cluster.messages import Opening
from securexgb.cluster.parts import failing_together
from securexgb.cluster.worker import ShardProcess, Work
from securexgb.cluster.working import work_of
from securexgb.federation.session import Federation
from tests.processes.companies import SIDES, Companies, free_port

Serving: TypeAlias = dict[tuple[str, int], Future[None]]


class Sharded(Companies):
    """Companies with ``shards`` shards each; the bank listens behind a relay, the bureau dials."""

    def __init__(self, root: Path, shards: int, rows: int = 60, **changes: Any) -> None:
        """``changes``: of both party.toml."""
        self.shards, self.relay_port = shards, free_port()
        self.own = {name: [free_port() for _ in range(shards)] for name in SIDES}
        self.links = [free_port() for _ in range(shards)]
        self.changes = changes
        self.schedulers: dict[str, str] = {}
        super().__init__(root, rows=rows, method={})

    def settings(self, name: str, **changes: Any) -> None:
        if name == "bureau":
            changes = {"connect": f"127.0.0.1:{self.relay_port}"} | changes
        super().settings(name, **self.changes | changes)
        cluster: dict[str, Any] = {"shards": _addresses(self.own[name])}
        if name in self.schedulers:
            cluster = {"engine": "dask", "scheduler": self.schedulers[name]}
        if name == "bank":
            cluster |= {
                "links": _addresses(self.links),
                "relay": f"127.0.0.1:{self.relay_port}",
            }
        lines = [f"{key} = {json.dumps(value)}" for key, value in cluster.items()]
        with (self.root / name / "party.toml").open("a") as file:
            file.write("\n".join(["[cluster]", *lines, ""]))

    def terms(self, *names: str, training: Mapping[str, Any] | None = None, **changes: Any) -> None:
        super().terms(*names, training=training, cluster={"shards": self.shards}, **changes)

    def on_dask(self, name: str, scheduler: str) -> None:
        """One side's shards are actors of a cluster from now on."""
        self.schedulers[name] = scheduler
        self.settings(name)

    def federation(self, name: str) -> Federation:
        return Federation.from_file(self.root / name / "party.toml", self.root / name / "job.toml")

    def relay(self) -> Relay:
        targets = {"bank": ("127.0.0.1", self.port)}
        for number, port in enumerate(self.links):
            targets[shard_name(number, "bank")] = "127.0.0.1", port
        return Relay(f"127.0.0.1:{self.relay_port}", targets)

    def workers(self) -> AbstractContextManager[Serving]:
        """``threads`` that do what processes do."""
        return self._threads(lambda federation, number: work_of(federation, number, lambda _: None))

    def threads(self, work: Work) -> AbstractContextManager[Serving]:
        """Every shard serves one session on a thread of its own."""
        return self._threads(lambda federation, number: work)

    @contextmanager
    def _threads(self, work: Callable[[Federation, int], Work]) -> Iterator[Serving]:
        with ThreadPoolExecutor(2 * self.shards) as pool:
            running = {}
            for name in SIDES:
                for number in range(self.shards):
                    federation = self.federation(name)
                    of = work(federation, number)
                    process = ShardProcess(federation, number, of, lambda _: None)
                    listener = process.listen()
                    running[name, number] = pool.submit(process.serve, listener, lambda _: None)
            yield running

    def start_shard(self, name: str, number: int) -> subprocess.Popen[str]:
        return self.start_plain(name, "shard", "--number", str(number))

    def start_relay(self) -> subprocess.Popen[str]:
        return self.start("bank", "relay")

    def parquet(self) -> None:
        """All data as Parquet, which shards read by ranges."""
        for path in self.root.glob("*/t*.csv"):
            pq.write_table(read_csv(path), path.with_suffix(".parquet"))

    def heads_of(self, name: str, session: bytes) -> LinkedShards:
        shards = LinkedShards(self.federation(name))
        with failing_together(shards):
            shards.open(Opening(session, "train", "a-run", ("age",)))
        return shards

    def begin(self, sessions: Mapping[str, bytes]) -> dict[str, Future[LinkedShards]]:
        """Both heads at once, each of which waits until its shards have met the other's."""
        with ThreadPoolExecutor(2) as pool:
            return {name: pool.submit(self.heads_of, name, of) for name, of in sessions.items()}

    def heads(self, session: bytes) -> dict[str, LinkedShards]:
        begun = self.begin(dict.fromkeys(SIDES, session))
        return {name: head.result() for name, head in begun.items()}


def _addresses(ports: list[int]) -> list[str]:
    return [f"127.0.0.1:{port}" for port in ports]
