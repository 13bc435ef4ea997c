"""An older revision's secure prediction, asked in turn with the replicas of this one.

Its two parties are processes on this machine, of its own package (``earlier_scores``), in one open
session. What a call of its is: `predict` of rows in memory, from the label party's side; the
replicas' is all that a caller over HTTP waits for, look-up, budgets and audit included. So a ratio
below one is one in spite of these. Both are asked at the same rate. A call of the replicas counts
from when it was due, one of the older revision from when it began, so that no queue of its makes
it slower than it is.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import loopback
import numpy as np
from arrivals import OK, Call, Load
from inputs import synthetic
from replicas import Shape
from versus import checkout

SCRIPT = Path(__file__).resolve().parent / "earlier_scores.py"


@dataclass(eq=False)
class Earlier:
    """Both processes, and what the calls so far took. ``single``: those of one row; ``batches``:
    rows and seconds of each run of batches."""

    processes: tuple[subprocess.Popen[str], subprocess.Popen[str]]
    single: Load = field(default_factory=Load)
    batches: list[tuple[int, float]] = field(default_factory=list)

    def ask_one(self, rate: float, seconds: float) -> None:
        """Calls of one row by a clock, as ``arrivals.open_loop`` has them."""
        draw, due, dues = random.Random(1), 0.0, list[float]()
        while due < seconds:
            dues.append(due)
            due += draw.expovariate(rate)
        times = self._ask({"rows": 1, "dues": dues})
        self.single.calls += [
            Call(due, ended - begun, begun - due, OK)
            for due, (begun, ended) in zip(dues, times, strict=True)
        ]

    def ask_batches(self, rows: int, seconds: float) -> None:
        """Batches one after the other, for about so long."""
        ((begun, ended),) = self._ask({"rows": rows, "dues": [0.0]})
        count = max(1, round(seconds / (ended - begun)))
        times = self._ask({"rows": rows, "dues": [0.0] * count})
        self.batches.append((rows * count, times[-1][1] - times[0][0]))

    def ratios(self, load: Load) -> dict[str, float]:
        """Of the replicas' calls of one row to this revision's; see the module for what counts."""
        late = [Call(one.due, one.late + one.took, one.late, OK) for one in self.single.calls]
        found = {"earlier_calls": float(len(late))}
        for prefix, calls in (("", self.single), ("queued_", Load(late))):
            for name, share in (("p50", 0.5), ("p99", 0.99)):
                older = calls.milliseconds(share)
                found[f"{prefix}{name}_ratio"] = load.milliseconds(share) / older
                found[f"{prefix}earlier_{name}_ms"] = older
        return found

    @property
    def rows_per_second(self) -> float:
        return sum(rows for rows, _ in self.batches) / sum(took for _, took in self.batches)

    def _ask(self, order: dict[str, Any]) -> list[tuple[float, float]]:
        return [(begun, ended) for begun, ended in _answer(self.processes[0], order)]

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def _answer(process: subprocess.Popen[str], order: dict[str, Any] | None = None) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    if order is not None:
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        sys.exit("the older revision's process has ended: see above")
    return json.loads(line)


@contextmanager
def earlier(revision: str, shape: Shape, decimals: int, folder: Path) -> Iterator[Earlier]:
    """The older revision's parties, ready, with a model of this shape on the same rows."""
    root = checkout(revision)
    own = root / ".venv" / "bin" / "python"
    python = str(own) if own.exists() else sys.executable
    environment = loopback.environment() | {"PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1"}
    table, labels = synthetic(shape.rows, shape.columns, 0)
    table = np.round(table, 2)
    parts = {"label": table[:, : shape.columns], "feature": table[:, shape.columns :]}
    np.savez(folder / "rows.npz", labels=labels, **parts)  # type: ignore[arg-type]
    sizes = {"trees": shape.trees, "depth": shape.depth, "decimals": decimals}
    (folder / "shape.json").write_text(json.dumps(sizes), encoding="utf-8")
    command = [python, str(SCRIPT)]
    subprocess.run([*command, "prepare", str(folder)], env=environment, check=True)
    port = str(loopback.free_port())

    def party(role: loopback.Role) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, role, str(folder), port],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    feature = party("feature")
    found = Earlier((party("label"), feature))
    try:
        _answer(found.processes[0])
        yield found
    finally:
        found.close()
