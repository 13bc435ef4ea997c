"""A feature party's replica in a process of its own: its folder as ``pair.Companies`` leaves it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from securexgb.federation.session import Federation
from securexgb.serve.scoring.feature import FeatureReplica
from tests.serve.pair import Counts, Limits, Table

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with np.load(folder / "table.npz") as kept:
        table = Table(kept["values"], kept["columns"].tolist(), kept["keys"].tolist())
    federation = Federation.from_file(folder / "party.toml", folder / "job.toml")
    replica = FeatureReplica(federation, table, Limits(), Counts())
    replica.start()
    print("listening", flush=True)
    sys.stdin.read()
    replica.drain(1.0)
