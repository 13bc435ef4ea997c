"""Which thread and which step take a tree's processor time, and how far is it from what must be?

    python benchmarks/breakdown.py                 # W1, W2 and 1M, owned splits
    python benchmarks/breakdown.py --work W1 --trees 4

One JSON line a work. ``threads``: processor seconds of a party's tree by thread; ``steps``: those
of its protocols' thread by part of the tree, with rounds and megabytes of both; the first tree is
in the mean. Timing each step costs some per cent itself. ``least``: seconds that this machine takes
for what no faster program for the same protocols could leave out, see ``least``.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import loopback
import numpy as np
import oracle
import spent
import works
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from growth import model
from inputs import Data
from measure import sides_of, trees_of
from quickest import quickest

from securexgb import _kernels

BLOCK_BYTES = 16
BLOCKS_A_TRANSFER = 3.25
"""Blocks of AES of a transfer, the mean of both ends: one of a leaf of a tree, 0.75 that name its
places, two hashes at the sender and one at the receiver (kernels/src/ot/silent.rs)."""
_TRIALS = 50
_SAMPLE_ROWS = 50_000
STEPS: Mapping[str, tuple[str, ...]] = {
    "gradients": ("sigmoid",),
    "sums of rows": ("build",),
    "sums taken apart": ("running",),
    "logarithms": ("log2_bits",),
    "scores without them": ("scores",),
    "best candidate": ("argmax", "best_splits"),
    "leaf weights": ("leaf_weights",),
    "rows to children, leaves to rows": (
        "multiplex_private",
        "multiplex_shared",
        "widen",
        "left_bits",
    ),
    "opened splits, dummies": ("_open_bits", "_open_bits_to", "and_broadcast"),
    "sending and receiving": (spent.MESSAGES,),
}
"""Parts of a tree, by the protocols and steps in the path of a place; the first that fits."""


def step_of(place: str) -> str:
    """The part of a tree that a place belongs to: the first that has a name in its path."""
    names = [part.split(" ")[0] for part in place.split("/")]
    for step, marks in STEPS.items():
        if any(mark in names for mark in marks):
            return step
    return "tables of the sigmoid, all else"


def by_step(sides: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Seconds are the mean of both parties', rounds one's, megabytes both's."""
    found: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for side in sides:
        for place, (seconds, rounds, sent) in side["places"].items():
            step = found[step_of(place)]
            step["seconds"] += seconds / 2
            step["rounds"] += rounds / 2
            step["megabytes"] += sent / 1e6
    return {name: dict(step) for name, step in found.items()}


def online(sides: list[dict[str, Any]]) -> dict[str, float]:
    """The mean of all trees as the parties count them, whatever the steps say."""
    counted = {"rounds": "rounds", "megabytes": "online_megabytes"}
    trees = trees_of(sides)
    return {name: fmean(tree[key] for tree in trees) for name, key in counted.items()}


def least(work: works.Work, data: Data, transfers: float, megabytes: float) -> dict[str, float]:
    """Seconds of a party's tree for what cannot be left out, one thread, the best of some trials.

    ``transfers``: the AES of those in both directions, by OpenSSL; ``link``: AES-GCM of all bytes
    that come and go; ``additions``: of every row to its bins, for each masked vector, by our
    kernel; ``plain``: xgboost's whole tree.
    """
    blocks, room = bytes(1 << 16), bytearray((1 << 16) + BLOCK_BYTES)
    cipher = Cipher(algorithms.AES(bytes(BLOCK_BYTES)), modes.ECB()).encryptor()
    a_byte = quickest(lambda: cipher.update_into(blocks, room), _TRIALS) / len(blocks)
    link = AESGCM(bytes(BLOCK_BYTES))
    sealed = quickest(lambda: link.encrypt(bytes(12), blocks, None), _TRIALS) / len(blocks)
    rows = np.random.default_rng(0).integers(0, work.bins, (_SAMPLE_ROWS, data.mine), np.uint8)
    vectors = round(model(work)["vectors"])
    words = np.ones((vectors, _SAMPLE_ROWS), np.uint64)
    additions = quickest(lambda: _kernels.histogram(rows, words, work.bins), _TRIALS)
    fitted = data.table[data.fitted], data.labels[data.fitted]
    return {
        "transfers": 2 * transfers * BLOCKS_A_TRANSFER * BLOCK_BYTES * a_byte,
        "link": 1e6 * megabytes * sealed,
        "additions": data.fitted.size / _SAMPLE_ROWS * additions,
        "plain": oracle.seconds_a_tree(fitted, work.params),
    }


def line(work: works.Work) -> dict[str, Any]:
    data = Data.of(work)
    sides, _ = sides_of(work, data, script=Path(spent.__file__).name)
    names = {name for side in sides for name in side["threads"]}
    threads = {name: fmean(side["threads"].get(name, 0.0) for side in sides) for name in names}
    transfers = fmean(side["transfers"] for side in sides)
    sent = sum(side["megabytes"] for side in sides)
    shape = {"work": work.name, "trees": work.trees, "splits": work.params.splits}
    found = {"threads": dict(sorted(threads.items())), "steps": by_step(sides)}
    more = {"online": online(sides), "transfers": transfers, "megabytes": sent}
    return shape | found | more | {"least": least(work, data, transfers, sent)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    works.add_options(parser)
    options = parser.parse_args()
    for name in [options.work] if options.work else ["W1", "W2", "1M"]:
        options.work = name
        work = works.chosen(options)
        work = replace(work, splits=work.splits or "owner")
        sys.stdout.write(loopback.stamped({"question": "breakdown"} | line(work)))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
