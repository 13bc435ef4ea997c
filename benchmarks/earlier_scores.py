"""One side of secure prediction as revision 348e649 does it, on its own package, for ``beside``.

    python earlier_scores.py prepare FOLDER                # trains in the clear, writes both halves
    python earlier_scores.py label|feature FOLDER PORT     # one party's process, until told to end

Run by that revision's interpreter with its package: names of this file are of its API, and of no
other module here. The folder has rows.npz (both sides' columns, labels) and shape.json. Two
processes over mutual TLS, one session for all calls, correlations made ahead as it makes them.
The label party reads orders on standard input, a JSON object a line, and answers each with one:

- {"rows": n, "dues": [seconds, ...]}: one prediction of n rows at each due time, or as soon as
  the one before has ended; answered with each one's [begun, ended] on the same clock;
- {"cpu": true}: processor seconds of this process so far.

A prediction is `predict` from own columns in memory to scores in memory: no HTTP, no look-up of
keys, no budgets, no audit.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from securexgb.config import JobTerms, PartyConfig

from securexgb.boost.booster import SideData, TrainingJob, train
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict
from securexgb.channel.keys import create_keys
from securexgb.federation import Federation
from securexgb.model.files import load_half, save_half
from securexgb.testing import run_parties

ROLES = ("label", "feature")
FIRST_SECONDS = 0.1
"""From an order to its first due time."""


def shape(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "shape.json").read_text(encoding="utf-8"))
    return found


def own_rows(folder: Path, role: str) -> Any:
    with np.load(folder / "rows.npz") as saved:
        return np.ascontiguousarray(saved[role])


def params(folder: Path) -> TrainingParams:
    given = shape(folder)
    return TrainingParams(
        n_estimators=given["trees"], max_depth=given["depth"], max_bin=16, base_score=0.5
    )


def prepare(folder: Path) -> None:
    """Keys of both, and a model of the shape."""
    with np.load(folder / "rows.npz") as saved:
        labels = saved["labels"]
    jobs = []
    for role in ROLES:
        create_keys(f"{role}-party", folder / f"{role}.key", folder / f"{role}.pem")
        rows = own_rows(folder, role)
        names = tuple(f"{role} {column}" for column in range(rows.shape[1]))
        side = SideData(rows, names, labels if role == "label" else None)
        jobs.append(TrainingJob(params(folder), side))
    halves = run_parties(train, jobs, backend="plaintext", timeout_seconds=600)
    for role, half in zip(ROLES, halves, strict=True):
        save_half(half, folder / f"{role}-half.npz")


def federation(folder: Path, role: str, port: int) -> Federation:
    is_label = role == "label"
    config = PartyConfig(
        role=role,
        name=f"{role}-party",
        key=folder / f"{role}.key",
        certificate=folder / f"{role}.pem",
        peer_certificate=folder / f"{ROLES[is_label]}.pem",
        listen=None if is_label else f"127.0.0.1:{port}",
        connect=f"127.0.0.1:{port}" if is_label else None,
        timeout_seconds=600,
    )
    terms = {
        "name": "benchmark",
        "label_party": "label-party",
        "feature_party": "feature-party",
        "prediction_decimals": shape(folder)["decimals"],
        "training": params(folder).to_mapping(),
    }
    return Federation(config, JobTerms.from_mapping(terms, "the benchmark's terms"))


def say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def serve(folder: Path, role: str, port: int) -> None:
    """One session. The feature party's process hears from the label party how many calls come."""
    half, own = load_half(folder / f"{role}-half.npz"), own_rows(folder, role)
    request = Request("label", shape(folder)["decimals"])
    with federation(folder, role, port).session("predict") as party:

        def call(number: int, rows: int) -> None:
            chosen = (np.arange(rows) + number * rows) % len(own)
            predict(party, half, own[chosen], request)

        party.exchange_bytes(b"here")
        if role == "feature":
            while order := json.loads(party.exchange_bytes(b"ready")):
                for number in range(order[1]):
                    call(number, order[0])
            return
        say("ready")
        for line in sys.stdin:
            order = json.loads(line)
            if "cpu" in order:
                say(time.process_time())
                continue
            rows, dues = order["rows"], order["dues"]
            party.exchange_bytes(json.dumps([rows, len(dues)]).encode())
            began, times = time.perf_counter() + FIRST_SECONDS, []
            for number, due in enumerate(dues):
                time.sleep(max(began + due - time.perf_counter(), 0.0))
                start = time.perf_counter() - began
                call(number, rows)
                times.append((start, time.perf_counter() - began))
            say(times)
        party.exchange_bytes(b"[]")


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "prepare":
        prepare(folder)
    else:
        serve(folder, what, int(sys.argv[3]))


if __name__ == "__main__":
    main()
