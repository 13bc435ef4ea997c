"""Two companies with finished models and keys, ready to serve, and simple parts beside them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from securexgb.attestation.verdict import Verdict
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.leak import after_training
from securexgb.boost.params import TrainingParams
from securexgb.channel.keys import create_keys
from securexgb.errors import FeaturesUnavailable
from securexgb.federation.session import Federation
from securexgb.jobs.runs import RunDirectory, RunRecord
from securexgb.model.files import save_half
from securexgb.report.record import Costs
from securexgb.serve.parts import NO_CATEGORIES, Asked, Features, Found
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from securexgb.terms.serving import ServeSettings, ServeTerms
from tests.boost.data import sides, table, train_both
from tests.processes.companies import free_port

Role = Literal["label", "feature"]
ROLES: tuple[Role, Role] = ("label", "feature")
NAMES: dict[Role, str] = {"label": "bank", "feature": "bureau"}
PARAMS = TrainingParams(n_estimators=3, max_depth=3, max_bin=8)


class Table:
    """Features from an array; ``fails`` where it is to be out of reach."""

    def __init__(self, values: np.ndarray, columns: Sequence[str], keys: Sequence[str]) -> None:
        self.values, self.columns = values, list(columns)
        self.place = {key: row for row, key in enumerate(keys)}
        self.fails = False

    def look_up(
        self,
        keys: Sequence[str],
        columns: Sequence[str],
        categories: Mapping[str, Sequence[str]] = NO_CATEGORIES,
    ) -> Found:
        if self.fails:
            raise FeaturesUnavailable("the table is out of reach")
        rows = np.array([self.place.get(key, -1) for key in keys], np.intp)
        at = [self.columns.index(name) for name in columns]
        values = np.where((rows >= 0)[:, None], self.values[rows][:, at], np.nan)
        return Found(values, rows >= 0)

    def close(self) -> None:
        pass


class Limits:
    """A gate that lets each key through so often, and remembers what it was asked."""

    def __init__(self, a_key: int = 1_000_000) -> None:
        self.a_key = a_key
        self.seen: Counter[str] = Counter()
        self.asked: list[Asked] = []
        self._lock = threading.Lock()

    def admit(self, asked: Asked) -> tuple[str | None, ...]:
        with self._lock:
            self.asked.append(asked)
            found = []
            for key in asked.keys:
                self.seen[key] += 1
                found.append("rows a key" if self.seen[key] > self.a_key else None)
            return tuple(found)

    def close(self) -> None:
        pass


class Counts:
    """A meter that adds up."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.seconds: dict[str, list[float]] = {}
        self.sessions = self.stocked = 0

    def scored(self, rows: int, padded: int) -> None:
        self.rows["scored"] += rows
        self.rows["padded"] += padded

    def refused(self, status: str, rows: int) -> None:
        self.rows[status] += rows

    def took(self, stage: str, seconds: float) -> None:
        self.seconds.setdefault(stage, []).append(seconds)

    def stock(self, rows: int) -> None:
        self.stocked = rows

    def linked(self, sessions: int) -> None:
        self.sessions = sessions


@dataclass
class Company:
    """One side: its federation, its table, and the parts that a replica is made with."""

    federation: Federation
    features: Table
    gate: Limits
    meter: Counts

    @property
    def parts(self) -> tuple[Federation, Features, Limits, Counts]:
        return self.federation, self.features, self.gate, self.meter


class Companies:
    """Both, in one folder. ``halves``: of every finished model, by name of its run."""

    def __init__(
        self,
        root: Path,
        params: TrainingParams = PARAMS,
        serve: Mapping[str, Any] | None = None,
        listens: Role = "feature",
        **settings: Any,
    ) -> None:
        self.root, self.params = root, params
        keys = root / "keys"
        for role, name in NAMES.items():
            create_keys(name, keys / f"{role}.key", keys / f"{role}.pem")
        self.terms = JobTerms(
            name="serving",
            label_party="bank",
            feature_party="bureau",
            serve=ServeTerms(**(serve or {})),
            training=params,
        )
        features, labels = table(90, missing=0.1)
        self.data = sides(features, labels, 2)
        self.keys = [f"key {row}" for row in range(90)]
        address = f"127.0.0.1:{free_port()}"
        stock = {"stock_rows": 512, **settings}
        self.sides = {
            role: self._company(role, address, listens == role, ServeSettings(**stock))
            for role in ROLES
        }
        self.halves: dict[str, tuple[ModelHalf, ModelHalf]] = {}

    @property
    def label(self) -> Company:
        return self.sides["label"]

    @property
    def feature(self) -> Company:
        return self.sides["feature"]

    def train(self, name: str, seed: int = 0, roles: Sequence[Role] = ROLES) -> str:
        """A finished run of this name at both sides; the model's id."""
        if name not in self.halves:
            halves = train_both(self.params, self.data, seed=seed)
            self.halves[name] = halves
        for role in roles:
            half = self.halves[name][ROLES.index(role)]
            half.job_digest = self.terms.full_digest
            run = RunDirectory(self.root / role / f"{name}-{self.terms.digest}")
            run.model.mkdir(parents=True)
            record(half).write(run)
            save_half(half, run.half(role))
        return self.halves[name][0].model_id

    def _company(self, role: Role, address: str, listens: bool, serve: ServeSettings) -> Company:
        rank, keys = ROLES.index(role), self.root / "keys"
        config = PartyConfig(
            role=role,
            name=NAMES[role],
            listen=address if listens else None,
            connect=None if listens else address,
            key=keys / f"{role}.key",
            certificate=keys / f"{role}.pem",
            peer_certificate=keys / f"{ROLES[1 - rank]}.pem",
            run_directory=self.root / role,
            timeout_seconds=20,
            serve=serve,
        )
        rows, folder = self.data[rank], self.root / role
        folder.mkdir(exist_ok=True)
        (folder / "job.toml").write_text(self.terms.to_toml())
        (folder / "party.toml").write_text(
            f'role = "{role}"\nname = "{NAMES[role]}"\ntimeout_seconds = 20\n'
            f'{"listen" if listens else "connect"} = "{address}"\n'
            f'key = "../keys/{role}.key"\ncertificate = "../keys/{role}.pem"\n'
            f'peer_certificate = "../keys/{ROLES[1 - rank]}.pem"\nrun_directory = "."\n'
            f"[serve]\nstock_rows = {serve.stock_rows}\n"
        )
        np.savez(folder / "table", values=rows.values, columns=rows.column_names, keys=self.keys)
        own = Table(rows.values, rows.column_names, self.keys)
        return Company(Federation(config, self.terms), own, Limits(), Counts())


def record(half: ModelHalf) -> RunRecord:
    """What a run keeps beside its model, of little interest here."""
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
