"""Trains what the folders named on standard input hold, by the build that PYTHONPATH names.

    PYTHONPATH=CHECKOUT python benchmarks/grown.py

accuracy.py starts one for the product, and one for an older revision beside it. Both parties are
in this process, on the plaintext backend or in shares. A folder holds job.json, and the arrays of
the training and of the rows to judge by; what comes back is written beside them.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import securexgb
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.params import TrainingParams, declarations
from securexgb.boost.predict import Request, predict_margins
from securexgb.boost.tree import TreeHalf
from securexgb.errors import SecureXGBError
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.testing.harness import run_parties

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]
BLOCK = 1 << 17
PREDICTED = 1000
HOURS = 3 * 3600.0


def params_of(
    settings: dict[str, Any], labels: Reals, weights: Reals | None, held: Reals
) -> TrainingParams:
    """The parameters with their scales, or with the bounds that came before scales."""
    known = declarations()
    given = {name: settings[name] for name in settings if name in known}
    if "splits" in known:
        given |= {"splits": "owner"}
    params = TrainingParams(**given)
    if "weight_exponent" in known:
        from securexgb.boost.objective.proposals import Outcomes, with_scales  # noqa: PLC0415

        return with_scales(params, Outcomes(labels, weights))
    values = params.to_mapping()
    if weights is not None:
        values["weight_bound"] = max(1.0, float(weights.max()))
    if params.objective == "reg:squarederror":
        values["target_bound"] = float(max(np.abs(labels).max(), np.abs(held).max()))
    return TrainingParams.from_mapping(values)


def sides(values: Reals, labels: Reals, weights: Reals | None) -> tuple[Rows, Rows]:
    """Both parties' data: the label party has the first half of the columns."""
    cut = values.shape[1] // 2
    names = tuple(f"column {number}" for number in range(values.shape[1]))
    mine, theirs = (np.ascontiguousarray(part) for part in (values[:, :cut], values[:, cut:]))
    return Rows(mine, names[:cut], labels, weights), Rows(theirs, names[cut:])


class Trees:
    """Both halves put together, in the clear."""

    def __init__(self, halves: list[ModelHalf]) -> None:
        self.params, numbers = halves[0].params, halves[0].numbers
        self.unit = numbers.target_scale * 2.0**-numbers.margin_bits
        self.centre = float(getattr(halves[0], "centre", 0.0))
        self.base = int(
            np.array(sum(int(np.ravel(half.base)[0]) for half in halves) % 2**64, np.uint64).view(
                np.int64
            )
        )
        first = len(halves[0].columns)
        pairs = zip(halves[0].best_trees, halves[1].best_trees, strict=True)
        self.trees = [_joined(one, two, first) for one, two in pairs]

    def digest(self) -> str:
        """Of splits and leaf values, bit for bit."""
        made = hashlib.sha256(np.int64(self.base).tobytes())
        for parts in self.trees:
            for part in parts:
                made.update(np.ascontiguousarray(part).tobytes())
        return made.hexdigest()

    def margins(self, values: Reals) -> tuple[Reals, list[float]]:
        """Of rows (n, f), in the user's unit, and those of the first row, tree after tree."""
        words, path = np.full(values.shape[0], self.base, np.int64), []
        for start in range(0, values.shape[0], BLOCK):
            block = values[start : start + BLOCK]
            rows = np.arange(block.shape[0])
            for features, thresholds, leaves in self.trees:
                node = np.zeros(rows.size, np.int64)
                for _ in range(leaves.size.bit_length() - 1):
                    right = ~(block[rows, features[node]] < thresholds[node])
                    node = 2 * node + 1 + right
                words[start : start + BLOCK] += leaves[node - features.size]
                if start == 0:
                    path.append(float(words[0] * self.unit + self.centre))
        return words * self.unit + self.centre, path


def _joined(mine: TreeHalf, theirs: TreeHalf, first: int) -> tuple[Integers, Reals, Integers]:
    owned = mine.owners == 0
    features = np.where(owned, mine.features, theirs.features + first).astype(np.int64)
    thresholds = np.where(owned, mine.thresholds, theirs.thresholds)
    return features, thresholds, (mine.leaf_values + theirs.leaf_values).view(np.int64)


def grown(folder: Path) -> dict[str, Any]:
    """Train; margins go into the folder, the rest is the answer."""
    job = json.loads((folder / "job.json").read_text("utf-8"))
    arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    labels, weights = arrays["labels"], arrays.get("weights")
    params = params_of(job["params"], labels, weights, arrays["test_labels"])
    fitted = sides(arrays["train"], labels, weights)
    held = sides(arrays["test"], arrays["test_labels"], None)

    def program(party: Party, rank: int) -> tuple[ModelHalf, Reals | None]:
        evals = (("test", held[rank]),) if job["metric"] else ()
        half = train(party, TrainingJob(params=params, data=fitted[rank], evals=evals))
        opened = None
        if job["predict"]:
            some = held[rank].values[:PREDICTED]
            opened = predict_margins(party, half, some, Request("label"))
        return half, opened

    began = time.monotonic()
    results = run_parties(program, [0, 1], job["backend"], timeout_seconds=HOURS)
    trees = Trees([half for half, _ in results])
    for name in ("train", "test"):
        np.save(folder / f"{name}_margins.npy", trees.margins(arrays[name])[0])
    opened = results[0][1]
    half = results[0][0]
    return {
        "seconds": round(time.monotonic() - began, 1),
        "digest": trees.digest(),
        "opened": None if opened is None else hashlib.sha256(opened.tobytes()).hexdigest(),
        "path": trees.margins(arrays["test"][:1])[1],
        "history": half.history.get("test", {}),
        "best": half.best_iteration,
    }


def main() -> None:
    print(json.dumps({"from": str(Path(securexgb.__file__).parent.parent)}), flush=True)
    for line in sys.stdin:
        try:
            answer = grown(Path(line.strip()))
        except SecureXGBError as refusal:
            answer = {"refused": str(refusal)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
