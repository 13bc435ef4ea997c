"""Two companies and a dealer for tests: files, keys, and processes on loopback."""

from __future__ import annotations

import csv
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from securexgb.boost.params import TrainingParams
from securexgb.channel.keys import create_keys
from securexgb.terms.job import JobTerms
from tests.processes.forked import ROOT, Forked, server

SIDES = {"bank": "label", "bureau": "feature"}
OTHER = {"bank": "bureau", "bureau": "bank"}
RUN = "from securexgb.cli.app import main; import sys; sys.exit(main())"


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it said."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.stdout)

    @property
    def error(self) -> str:
        """Its one sentence; a traceback or a second one is a failure of the test."""
        assert "Traceback" not in self.stderr, self.stderr
        (sentence,) = [line for line in self.stderr.splitlines() if line.startswith("error: ")]
        return sentence


DEALT = {"algorithm": "ss", "offline": "dealt"}
"""Terms with a dealer: those of most tests, because its failures are among theirs."""


class Companies:
    """``bank`` (label party) and ``bureau`` (feature party) under ``root``."""

    pages = False
    """Whether runs leave a page for people; set by tests that look at it."""

    def __init__(
        self,
        root: Path,
        training: Mapping[str, Any] | None = None,
        rows: int = 60,
        method: Mapping[str, Any] = DEALT,
    ):
        self.root = root
        self.method = dict(method)
        self.processes: list[subprocess.Popen[str]] = []
        self.port, self.dealer_port = free_port(), free_port()
        self.training = {"n_estimators": 2, "max_depth": 2, "max_bin": 8} | dict(training or {})
        for name in SIDES:
            keys = root / name / "keys"
            create_keys(name, keys / "own.key", keys / "own.pem")
        for name in SIDES:
            self.pin(name, OTHER[name])
            self.settings(name)
        write_data(root, rows)
        self.terms(*SIDES)

    def pin(self, name: str, other: str, path: str = "own.pem") -> None:
        content = (self.root / other / "keys" / path).read_bytes()
        (self.root / name / "keys" / "peer.pem").write_bytes(content)

    def settings(self, name: str, **changes: Any) -> None:
        """Write party.toml; ``None`` leaves a key out."""
        values: dict[str, Any] = {
            "role": SIDES[name],
            "name": name,
            "listen": f"127.0.0.1:{self.port}" if name == "bank" else None,
            "connect": None if name == "bank" else f"127.0.0.1:{self.port}",
            "dealer_address": f"127.0.0.1:{self.dealer_port}",
            "timeout_seconds": 20,
            "train_data": "train.csv",
            "predict_data": "test.csv",
            "label_column": "default" if name == "bank" else None,
        } | changes
        lines = [
            f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None
        ]
        (self.root / name / "party.toml").write_text("\n".join(lines) + "\n")

    def terms(self, *names: str, training: Mapping[str, Any] | None = None, **changes: Any) -> None:
        params = TrainingParams.from_mapping(self.training | dict(training or {}))
        values = {
            "name": "defaults",
            "label_party": "bank",
            "feature_party": "bureau",
            "id_column": "customer",
            "coins": "seeded",
            # Invented customers, few for speed: there is nobody whom the floors would protect.
            "min_training_rows": 1,
            "min_evaluation_rows": 1,
            "training": params,
        } | self.method
        terms = JobTerms.model_validate(values | changes)
        for name in names:
            (self.root / name / "job.toml").write_text(terms.to_toml())

    def start(self, name: str, *arguments: str, code: str = RUN) -> subprocess.Popen[str]:
        return self.start_plain(name, *arguments, "--format", "json", code=code)

    def start_plain(self, name: str, *arguments: str, code: str = RUN) -> subprocess.Popen[str]:
        """A command that has no result to print; forked where it needs no pages."""
        server()  # who is started first does not wait for it
        if not self.pages:
            program = ["securexgb"] if code == RUN else ["-c", code]
            folder = self.root / name
            forked = Forked(*program, *arguments, folder=folder, PATH="/usr/bin:/bin")
            self.processes.append(forked)
            return forked
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=self.root / name,
            env={"PYTHONPATH": f"{ROOT}", "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def start_dealer(self, *arguments: str, pin: bool = True) -> subprocess.Popen[str]:
        """A dealer, listening; both sides pin its certificate unless evidence stands in for it."""
        folder = self.root / "dealer"
        folder.mkdir(exist_ok=True)
        pins = {role: f"../{name}/keys/own.pem" for name, role in SIDES.items()}
        (folder / "party.toml").write_text(
            f'listen = "127.0.0.1:{self.dealer_port}"\n'
            f'label_certificate = "{pins["label"]}"\n'
            f'feature_certificate = "{pins["feature"]}"\n'
            'certificate = "own.pem"\ntimeout_seconds = 20\n'
        )
        process = self.start("dealer", "dealer", "serve", *arguments)
        assert process.stdout is not None
        listening = json.loads(process.stdout.readline())
        for name in SIDES if pin else ():
            pinned = self.root / name / "keys" / "dealer.pem"
            pinned.write_bytes(Path(listening["certificate"]).read_bytes())
        return process

    def both(self, *arguments: str) -> dict[str, Ended]:
        processes = {name: self.start(name, *arguments) for name in SIDES}
        return {name: finish(process) for name, process in processes.items()}

    def run_directory(self, name: str) -> Path:
        (found,) = (self.root / name / "run").iterdir()
        return found

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


def finish(process: subprocess.Popen[str], seconds: float | None = None) -> Ended:
    """Wait for the end; one that hangs ends the whole test in time, or is killed after so long."""
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
    return Ended(process.returncode, stdout, stderr)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def write_data(root: Path, rows: int) -> None:
    """The same customers at both sides; half of them for the test."""
    draws = np.random.default_rng(3)
    names = ("income", "age", "loan", "arrears", "cards")
    columns: dict[str, Any] = dict(zip(names, draws.normal(size=(5, 2 * rows)), strict=True))
    risk = columns["arrears"] + columns["loan"] - columns["income"]
    columns["default"] = (risk + draws.normal(size=2 * rows) > 0).astype(int)
    held = {"bank": ("income", "age", "loan", "default"), "bureau": ("arrears", "cards")}
    for side, own in held.items():
        for part, numbers in (("train", range(rows)), ("test", range(rows, 2 * rows))):
            table = [["customer", *own]]
            table += [[f"c{row:04}", *(columns[name][row] for name in own)] for row in numbers]
            write_table(root / side / f"{part}.csv", table)


def write_table(path: Path, table: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(table)


def edit_cell(path: Path, row: int, column: str, value: Any) -> None:
    """Change one cell; ``row`` counts data rows from 1."""
    with path.open(newline="") as stream:
        table = list(csv.reader(stream))
    table[row][table[0].index(column)] = value
    write_table(path, table)
