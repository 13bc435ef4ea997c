"""Replicas as processes of their own, with the files that operators give them."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from securexgb.serve.parts import Floats
from securexgb.terms.serving import ServeSettings
from securexgb.terms.toml import to_toml
from tests.processes.companies import free_port
from tests.processes.forked import Forked
from tests.serve.pair import Companies, Role


class Replica:
    """One process; ``port``: where it is asked over HTTP; ``log``: what it has said so far."""

    def __init__(self, folder: Path) -> None:
        self.log = ""
        self.process = Forked("securexgb", "serve", "--format", "json", folder=folder, **os.environ)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.port = json.loads(line)["http_port"]

    def linked(self) -> None:
        """Wait until it has a link to the other side that it had not before."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log += line
            if "linked with" in line:
                return
        raise AssertionError(self.log)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, and wait."""
        self.process.send_signal(number)
        self.log += self.process.communicate()[1]
        return self.process.returncode


class Replicas:
    """The replicas of two companies. ``made``: models and keys on disk."""

    def __init__(self, made: Companies, root: Path) -> None:
        self.made, self.root = made, root
        self.running: list[Replica] = []

    def folder(self, role: Role, name: str = "", **serve: Any) -> Path:
        """A replica's folder; ``listen`` and ``connect`` among the settings are party.toml's."""
        folder = self.root / f"{role}{name}"
        folder.mkdir(exist_ok=True)
        places = {key: serve.pop(key) for key in ("listen", "connect") if key in serve}
        rows = self.made.data[("label", "feature").index(role)]
        write_features(folder / "features.csv", self.made.keys, rows.column_names, rows.values)
        settings = {
            "http": "127.0.0.1:0",
            "features": folder / "features.csv",
            "key_column": "customer",
            "stock_rows": 64,
            "drain_seconds": 0,
            "audit": folder / "audit.sqlite",
        } | serve
        config = self.made.sides[role].federation.config.model_copy(
            update={**places, "serve": ServeSettings.model_validate(settings)}
        )
        (folder / "party.toml").write_text(to_toml(config))
        (folder / "job.toml").write_text(self.made.terms.to_toml())
        return folder

    def start(self, role: Role, name: str = "", **serve: Any) -> Replica:
        self.running.append(Replica(self.folder(role, name, **serve)))
        return self.running[-1]

    def stop(self) -> None:
        """Whatever still runs is killed."""
        for one in self.running:
            if one.process.poll() is None:
                one.end(signal.SIGKILL)


def write_features(path: Path, keys: list[str], names: tuple[str, ...], values: Floats) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["customer", *names])
        for key, row in zip(keys, values.tolist(), strict=True):
            writer.writerow([key, *("" if np.isnan(cell) else repr(cell) for cell in row)])


__all__ = ["Replica", "Replicas", "free_port"]
