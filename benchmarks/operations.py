"""How fast is each protocol, each kind of correlation and each kernel?

    python benchmarks/operations.py
    python benchmarks/operations.py --count 1000 --only mpc.compare
    python benchmarks/operations.py --source insecure-local

One JSON line a protocol and source. Both parties are threads of this process, so seconds hold
the work of both; bytes are those of both. With the source "insecure-local" correlations are
next to free, so that is the protocol's own speed; with "two-party" both parties make them on
threads of their own, and the line says how long the protocol waited for them. Then a line for
each kind of correlation that two parties make, and one for each kernel on one thread. Elements
are those of the protocol's first argument unless ``unit`` says otherwise.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any

import loopback
import numpy as np
from quickest import quickest

from securexgb import _kernels
from securexgb.align.keys import OrderedKeys
from securexgb.align.limits import Limits
from securexgb.boost.executor import LocalExecutor
from securexgb.correlations.kind import Kind
from securexgb.correlations.kinds import KINDS
from securexgb.hybrid.ckks_products import agree_keys
from securexgb.jobs.local import close_parties
from securexgb.mpc.circuits.chains import Preparation
from securexgb.mpc.left_bits import register_rows
from securexgb.mpc.matrix import register
from securexgb.mpc.numbers.logarithm import normal_masks, searched
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import REGISTRY
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.trees.leaf_sums import agree_leaves
from securexgb.offline.method import Method
from securexgb.report.protocols import arguments
from securexgb.testing.harness import insecure_parties, run_both

COUNT = 1 << 14
_CALLS, _DRAWS, _RUNS = 3, 4, 7
METHODS = {"insecure-local": None, "two-party": Method()}
UNITS = {
    "mpc.argmax.argmax": ("candidates", 4 * 300),
    "boost.splits.split.best_splits": ("candidates", 4 * 20 * 31),
    "boost.splits.score.scores": ("candidates", 4 * 20 * 31),
    "boost.splits.leaves.leaf_weights": ("splits", 7),
    "hybrid.ckks_products.agree_keys": ("keys", 2),
}
"""Protocols whose size is not that of the vector: what is counted, and how much of it."""
SLOW = {"align.count.common_size": 1 << 10, "mpc.sort.sort_bits": 1 << 10}
"""Those that are run on fewer elements."""


def given(name: str, party: Party, count: int) -> list[Any]:
    """This party's arguments; what has to happen before the call has happened."""
    args: list[Any] = list(arguments(count)[name])
    if name in {"mpc.matrix.histograms", "boost.histogram.build"}:
        shape = args[0]
        own = np.zeros((shape.rows, shape.features[party.rank]), np.uint8)
        own += np.arange(shape.rows, dtype=np.uint64)[:, None].astype(np.uint8) % shape.bins
        args[0] = register(party, shape, own)
        place = 1 + party.rank if name == "mpc.matrix.histograms" else 1
        args[place] = LocalExecutor(own, shape.bins, shape.bins)
    if name.startswith("mpc.left_bits"):
        shape, nodes = args[0], args[3].count
        own = np.zeros((shape.rows, shape.features[party.rank]), np.uint8)
        args[1 + party.rank] = LocalExecutor(own, shape.bins, shape.bins)
        if name == "mpc.left_bits.left_bits":
            register_rows(party, shape, own, nodes, 1 + _CALLS)
        else:
            args[5] = SharedBits.zeros(nodes, count=shape.rows)
    if name.startswith("mpc.trees.leaf_sums"):
        args[3] = agree_leaves(party, *args[1:3])
    if name == "align.intersect.common_keys":
        keys = OrderedKeys.of(party.role, [b"%d" % i for i in range(count)], b"coin")
        args = [keys, (count, count), Limits(1, count)]
    if name == "align.count.common_size":
        digests = _kernels.prg_words(bytes(16), 0, 2 * count).reshape(count, 2)
        args = [digests, (count, count), party.private.derive("points")]
    if name.startswith("hybrid.ckks") and args:
        args[0] = agree_keys(party)
    if name == "hybrid.ckks_scores.tree_scores":
        args[2] = Shared.zeros(1, 1)  # one tree of one leaf
    if name == "hybrid.ckks_products.products":
        numbers = np.full_like(args[1], 0.1, dtype=np.complex128)
        args[1:] = [numbers, None] if party.rank == 0 else [None, numbers]
    return args


def fresh(name: str, party: Party, args: list[Any]) -> list[Any]:
    """The arguments of one call, with masks of its own where they serve once."""
    if name != "mpc.numbers.logarithm.normalised":
        return args
    wanted = normal_masks(searched(args[0], args[1]), args[0][0].words.shape[1])
    return [*args[:2], Preparation(party, wanted).ready(), *args[3:]]


def protocol(name: str, source: str, count: int) -> dict[str, Any]:
    """One line: the mean of calls after a first one, so that keys and first blocks are there."""
    module, function = name.rsplit(".", 1)
    run = getattr(importlib.import_module(f"securexgb.{module}"), function)
    count = min(count, SLOW.get(name, count))

    def measure(party: Party, _: object) -> dict[str, float]:
        args = given(name, party, count)
        first, *calls = [fresh(name, party, args) for _ in range(1 + _CALLS)]
        run(party, *first)
        party.exchange_bytes(b"")
        before = _spent(party)
        for call in calls:
            run(party, *call)
        return {key: (value - before[key]) / _CALLS for key, value in _spent(party).items()}

    parties = insecure_parties(0, timeout_seconds=300, method=METHODS[source])
    try:
        label, feature = run_both(measure, parties, [None, None])
    finally:
        close_parties(parties)
    unit, elements = UNITS.get(name, ("elements", count))
    seconds = max(label["seconds"], feature["seconds"])
    return {
        "question": "operations",
        "protocol": name,
        "source": source,
        "unit": unit,
        "count": elements,
        "seconds": seconds,
        "per_second": elements / seconds,
        "waited_seconds": max(label["waited_seconds"], feature["waited_seconds"]),
        "rounds": label["rounds"],
        "online_bytes": label["online_bytes"] + feature["online_bytes"],
        "offline_bytes": label["offline_bytes"] + feature["offline_bytes"],
    }


def _spent(party: Party) -> dict[str, float]:
    made = party.source.account.channel_bytes
    return {
        "seconds": perf_counter(),
        "rounds": party.rounds,
        "waited_seconds": party.source.account.waited_seconds,
        "online_bytes": party.channel.traffic.bytes_sent - made,
        "offline_bytes": made + party.source.account.dealer_bytes,
    }


def correlations(count: int) -> Iterator[dict[str, Any]]:
    """One line for each kind that two parties make from transfers, in elements of the kind."""
    for kind in KINDS:
        seconds, sent = _drawn(kind, count)
        yield {
            "question": "operations",
            "correlation": kind.name,
            "seconds": seconds,
            "per_second": count / seconds,
            "bytes_each": sent / count,
        }


def _drawn(kind: Kind[Any], count: int) -> tuple[float, float]:
    """Seconds and bytes of both parties for ``count`` elements: the mean of later draws.

    By then pools are stretched, and what is made ahead has reached its bound.
    """

    def measure(party: Party, _: object) -> tuple[float, float]:
        for _ in range(_DRAWS):
            party.source.take(kind, count)
        before = _spent(party)
        for _ in range(_DRAWS):
            party.source.take(kind, count)
        after = _spent(party)
        seconds, made = (after[key] - before[key] for key in ("seconds", "offline_bytes"))
        return seconds / _DRAWS, made / _DRAWS

    parties = insecure_parties(0, timeout_seconds=300, method=Method())
    try:
        label, feature = run_both(measure, parties, [None, None])
    finally:
        close_parties(parties)
    return max(label[0], feature[0]), label[1] + feature[1]


def kernels(count: int) -> Iterator[dict[str, Any]]:
    """One line for each kernel that goes through rows or bits."""
    words = _kernels.prg_words(bytes(16), 0, count)
    bits = (words & np.uint64(1)).astype(np.uint8)
    slices = _kernels.to_slices(words, 64)
    packed = _kernels.pack_words(words, 48)
    bins = (words % np.uint64(17)).astype(np.uint8).reshape(-1, 1).repeat(10, axis=1)
    opened = np.stack([words, words])
    steps: dict[str, tuple[str, int, Callable[[], object]]] = {
        "prg_words": ("words", count, lambda: _kernels.prg_words(bytes(16), 0, count)),
        "pack_bits": ("bits", count, lambda: _kernels.pack_bits(bits)),
        "to_slices (64 bits)": ("words", count, lambda: _kernels.to_slices(words, 64)),
        "from_slices (64 bits)": ("words", count, lambda: _kernels.from_slices(slices, count)),
        "pack_words (48 bits)": ("words", count, lambda: _kernels.pack_words(words, 48)),
        "unpack_words (48 bits)": (
            "words", count, lambda: _kernels.unpack_words(packed, count, 48),
        ),
        "triple_close": (
            "products", count, lambda: _kernels.triple_close(opened, words, words, words, 0),
        ),
        "histogram (10 columns)": (
            "cells", 10 * count, lambda: _kernels.histogram(bins, words[None], 17),
        ),
    }  # fmt: skip
    for name, (unit, elements, step) in steps.items():
        seconds = quickest(step, _RUNS)
        yield {
            "question": "operations",
            "kernel": name,
            "unit": unit,
            "seconds": seconds,
            "per_second": elements / seconds,
        }


def measured(count: int, only: str, sources: Sequence[str]) -> Iterator[dict[str, Any]]:
    """All lines."""
    for name in arguments(64):
        if name in REGISTRY and name.startswith(only):
            for source in sources:
                yield protocol(name, source, count)
    if not only:
        yield from correlations(count)
        yield from kernels(count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--count", type=int, default=COUNT, help="elements of a vector")
    parser.add_argument("--only", default="", help="protocols whose names begin so")
    parser.add_argument("--source", action="append", choices=list(METHODS), help="default: both")
    options = parser.parse_args()
    for line in measured(options.count, options.only, options.source or list(METHODS)):
        sys.stdout.write(loopback.stamped(line))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
