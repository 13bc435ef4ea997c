"""Two companies with finished models in one folder, and processes of `securexgb serve` for both.

The models are trained in this process, in the clear: scores, sizes and messages of serving are
those of any other model of the shape. Each replica has settings and an audit of its own.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import loopback
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from inputs import synthetic

from securexgb.attestation.verdict import Verdict
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.leak import after_training
from securexgb.boost.params import TrainingParams
from securexgb.channel.keys import create_keys
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.rows import Rows
from securexgb.jobs.runs import RunDirectory, RunRecord
from securexgb.jobs.training import train
from securexgb.model.files import save_half
from securexgb.report.record import Costs
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from securexgb.terms.serving import ServeSettings, ServeTerms
from securexgb.terms.toml import to_toml
from securexgb.testing import run_parties

MODEL = "benchmark"
PATH = f"/v2/models/{MODEL}/infer"
_MANY = 1_000_000_000
_READY_SECONDS = 120.0
_GLANCE_SECONDS = 0.02


@dataclass(frozen=True)
class Shape:
    """Of the model, and of the rows that can be asked for. ``columns``: of each side."""

    trees: int = 100
    depth: int = 4
    columns: int = 10
    rows: int = 2000
    splits: str = "owner"
    stock_rows: int = 2048


@dataclass(eq=False)
class Replica:
    """One process of `securexgb serve`; ``port``: of its HTTP."""

    role: loopback.Role
    process: subprocess.Popen[str]
    port: int = 0
    link: int = 0

    def wait_ready(self) -> float:
        """Seconds until it says that it is ready."""
        began = time.perf_counter()
        while time.perf_counter() - began < _READY_SECONDS:
            if self.process.poll() is not None:
                sys.exit(f"a {self.role} replica ended with code {self.process.returncode}")
            if self.is_ready():
                return time.perf_counter() - began
            time.sleep(_GLANCE_SECONDS)
        sys.exit(f"a {self.role} replica was not ready within {_READY_SECONDS:g} s")

    def is_ready(self) -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            connection.request("GET", "/v2/health/ready")
            status = connection.getresponse().status
            connection.close()
        except (OSError, http.client.HTTPException):
            return False
        return status == http.client.OK


@dataclass(eq=False)
class Companies:
    """Both sides' files in ``folder``, and the replicas that run."""

    folder: Path
    shape: Shape
    running: list[Replica] = field(default_factory=list)
    _count: int = 0

    @staticmethod
    def prepare(folder: Path, shape: Shape) -> Companies:
        made = Companies(folder, shape)
        for role in loopback.ROLES:
            create_keys(f"{role}-party", folder / f"{role}.key", folder / f"{role}.pem")
        (folder / "job.toml").write_text(made.terms.to_toml(), encoding="utf-8")
        table, _ = synthetic(shape.rows, shape.columns, 0)
        table, own = np.round(table, 2), shape.columns
        for role, part in zip(loopback.ROLES, (table[:, :own], table[:, own:]), strict=True):
            columns = {"id": made.keys} | dict(zip(names(role, own), part.T, strict=True))
            pq.write_table(pa.table(columns), folder / f"{role}.parquet")
        made.train("20260101T000000Z")
        return made

    @property
    def terms(self) -> JobTerms:
        shape = self.shape
        return JobTerms(
            name=MODEL,
            label_party="label-party",
            feature_party="feature-party",
            id_column="id",
            serve=ServeTerms(rows_a_key_a_day=_MANY),
            training=TrainingParams(
                n_estimators=shape.trees, max_depth=shape.depth, max_bin=16, base_score=0.5,
                splits=shape.splits,
            ),
        )  # fmt: skip

    @property
    def keys(self) -> list[str]:
        return [f"key-{row:06}" for row in range(self.shape.rows)]

    def train(self, name: str) -> None:
        """A finished run of this name at both sides."""
        terms, own = self.terms, self.shape.columns
        table, labels = synthetic(self.shape.rows, own, 0)
        table = np.round(table, 2)
        params = terms.training.decided(can_hide=terms.method.can_hide)
        sides = (
            Rows(np.ascontiguousarray(table[:, :own]), names("label", own), labels),
            Rows(np.ascontiguousarray(table[:, own:]), names("feature", own)),
        )
        jobs = [TrainingJob(params, rows) for rows in sides]
        halves = run_parties(train, jobs, backend="plaintext", timeout_seconds=600)
        for role, half in zip(loopback.ROLES, halves, strict=True):
            half.job_digest = terms.full_digest
            run = RunDirectory(self.folder / role / f"{name}-{terms.digest}")
            run.model.mkdir(parents=True)
            _record(half).write(run)
            save_half(half, run.half(role))

    def start(self, role: loopback.Role, link: int) -> Replica:
        """A new replica: the feature party's listens at ``link``, the label party's dials it."""
        self._count += 1
        is_label, folder = role == "label", self.folder
        config = PartyConfig(
            **loopback.identity(folder, role),
            connect=f"127.0.0.1:{link}" if is_label else None,
            listen=None if is_label else f"127.0.0.1:{link}",
            run_directory=folder / role,
            timeout_seconds=20,
            serve=ServeSettings(
                http="127.0.0.1:0",
                features=folder / f"{role}.parquet",
                audit=folder / f"audit-{role}-{self._count}.sqlite",
                stock_rows=self.shape.stock_rows,
            ),
        )
        settings = folder / f"party-{self._count}.toml"
        settings.write_text(to_toml(config), encoding="utf-8")
        command = [sys.executable, "-m", "securexgb", "serve", "--format=json"]
        process = subprocess.Popen(
            [*command, f"--config={settings}", f"--job={folder / 'job.toml'}"],
            stdout=subprocess.PIPE,
            stderr=(folder / f"log-{role}-{self._count}").open("w"),
            text=True,
            env=loopback.environment() | {"OPENBLAS_NUM_THREADS": "1"},
        )
        replica = Replica(role, process, link=link)
        self.running.append(replica)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            sys.exit(f"a {role} replica did not start: {self._log(role)}")
        replica.port = json.loads(line)["http_port"]
        return replica

    def stop(self, replica: Replica) -> None:
        """As systemd would, and wait."""
        replica.process.terminate()
        replica.process.wait()
        self.running.remove(replica)

    def kill(self, replica: Replica) -> None:
        replica.process.kill()
        replica.process.wait()
        self.running.remove(replica)

    def close(self) -> None:
        for replica in [*self.running]:
            self.kill(replica)

    def of(self, role: loopback.Role) -> list[Replica]:
        return [replica for replica in self.running if replica.role == role]

    def _log(self, role: loopback.Role) -> str:
        return (self.folder / f"log-{role}-{self._count}").read_text(encoding="utf-8")[-500:]


def names(role: loopback.Role, count: int) -> tuple[str, ...]:
    return tuple(f"{role}_{column}" for column in range(count))


def _record(half: ModelHalf) -> RunRecord:
    return RunRecord(
        ledger=[],
        costs=Costs(0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0),
        offline_source="none",
        dealer_evidence="none",
        dealer=Verdict.unattested(),
        missing_rates={},
        classes=(0, 1),
        leaks=after_training(half),
    )


class Line:
    """The way from the label party's replicas to the other's; ``port`` is what they dial."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process, self.port = process, port

    def bytes(self) -> int:
        """That went either way so far."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return sum(json.loads(self._process.stdout.readline()).values())


@contextmanager
def balanced(ports: list[int], link: loopback.Link | None = None) -> Iterator[Line]:
    """A balancer before these ports, each behind ``link``."""
    with ExitStack() as stack:
        far = [stack.enter_context(link(port)) if link else port for port in ports]
        command = [sys.executable, str(Path(__file__).resolve().parent / "balancer.py")]
        process: subprocess.Popen[Any] = stack.enter_context(
            subprocess.Popen(
                [*command, *map(str, far)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )
        assert process.stdout is not None
        try:
            yield Line(process, int(process.stdout.readline()))
        finally:
            process.kill()
