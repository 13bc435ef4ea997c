"""How fast do correlations come? A dealer's process on loopback with TLS, by kind.

    python benchmarks/dealer.py
    python benchmarks/dealer.py --tree --work W1 --repeat 5
    python benchmarks/dealer.py --tree --work W1 --repeat 5 --algorithm ss

One JSON line a kind of correlation: elements a second at the feature party
(which waits for its corrections), payload MB/s, and processor milliseconds of the dealer
for a million elements; for products of a masked matrix, vectors instead.

``--tree``: one line on what a tree costs with the dealer as it is (bare), as its manifest for an
enclave confines it (confined; confined.py says by what), and confined with evidence that both
parties ask for every second (attested). The three run in turn, each first once in three rounds;
``over``: by how much of a bare tree's seconds the others are dearer, as the median over rounds;
``over_cpu``: of the processor's seconds of all three processes, which a busy machine changes less.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from subprocess import Popen
from time import perf_counter
from typing import Any, get_args

import confined
import loopback
import numpy as np
import works
from lines import at
from loopback import How
from measure import measured
from works import Work

from securexgb.arith.prg import Prg
from securexgb.channel.memory import memory_pair
from securexgb.correlations.kinds import KINDS
from securexgb.correlations.source import BucketMatrix
from securexgb.offline.dealer_link import DealerEndpoint
from securexgb.offline.dealt import DealtSource

BLOCK, BLOCKS = 1 << 13, 100
ROWS, FEATURES, BINS, VECTORS = 10_000, 10, 17, 320
SUM_BITS = 35, 31
CPU = "mean.label_cpu_seconds", "mean.feature_cpu_seconds", "dealer_cpu_seconds_a_tree"
SHAPE = "work", "rows", "trees", "algorithm", "offline", "he", "paillier_bits", "splits"
HOWS: tuple[How, ...] = get_args(How)


def connect_both(folder: Path, port: int) -> tuple[DealtSource, DealtSource]:
    """Both parties of a session, in this process."""
    channels = memory_pair()
    pems = [(folder / f"{role}.pem").read_bytes() for role in loopback.ROLES]

    def one(rank: int) -> DealtSource:
        endpoint = DealerEndpoint(
            address=f"127.0.0.1:{port}",
            name="dealer",
            certificate=(folder / "dealer.pem").read_bytes(),
            own_key=(folder / f"{loopback.ROLES[rank]}.key").read_bytes(),
            own_certificate=pems[rank],
            peer_certificate=pems[1 - rank],
        )
        return DealtSource.connect(
            rank, channels[rank], endpoint, b"benchmark session", "digest", Prg.fresh()
        )

    with ThreadPoolExecutor(2) as pool:
        zero, one_ = pool.map(one, (0, 1))
    return zero, one_


def measure(
    party: DealtSource,
    dealer: Popen[str],
    name: str,
    draw: Callable[[int], object],
    sizes: tuple[int, int],
) -> None:
    """Draw so many elements so many times; one line."""
    size, times = sizes
    cpu, began = loopback.cpu_seconds(dealer.pid), perf_counter()
    received = party.account.dealer_bytes
    for _ in range(times):
        draw(size)
    seconds, count = perf_counter() - began, size * times
    cpu = loopback.cpu_seconds(dealer.pid) - cpu
    line = {
        "question": "dealer",
        "kind": name,
        "per_second": count / seconds,
        "mb_per_second": (party.account.dealer_bytes - received) / seconds / 1e6,
        "dealer_cpu_ms_per_million": 1e3 * cpu / (count / 1e6),
    }
    sys.stdout.write(loopback.stamped(line))
    sys.stdout.flush()


def compare(work: Work, rounds: int) -> dict[str, Any]:
    """The line on a tree with a dealer of each kind."""
    runs: dict[How, list[dict[str, Any]]] = {how: [] for how in HOWS}
    for number in range(rounds):
        first = number % len(HOWS)
        for how in (*HOWS[first:], *HOWS[:first]):
            run = measured(work, how=how)
            run["cpu_seconds"] = sum(at(run, path) for path in CPU)
            runs[how].append(run)
    figures = {
        "seconds": "mean.total_seconds",
        "median_tree_seconds": "median.total_seconds",
        "cpu_seconds": "cpu_seconds",
        "dealer_cpu_seconds": "dealer_cpu_seconds_a_tree",
        "dealer_peak_rss_mb": "peak_rss_mb.dealer",
        "before_first_tree_seconds": "before_first_tree.total_seconds",
    }
    line: dict[str, Any] = {
        "question": "confinement",
        **{name: runs["bare"][0][name] for name in SHAPE},
        "rounds": rounds,
        "load_before": median(run["load_before"] for of in runs.values() for run in of),
        "appraisals_a_tree": median(run["appraisals"] for run in runs["attested"]) / work.trees,
    }
    for name, path in figures.items():
        line[name] = {how: median(at(run, path) for run in of) for how, of in runs.items()}
    line["over"] = {how: _over(runs, how, "mean.total_seconds") for how in HOWS[1:]}
    line["over_median_tree"] = {how: _over(runs, how, "median.total_seconds") for how in HOWS[1:]}
    line["over_cpu"] = {how: _over(runs, how, "cpu_seconds") for how in HOWS[1:]}
    return line


def _over(runs: dict[How, list[dict[str, Any]]], how: How, path: str) -> float:
    pairs = zip(runs[how], runs["bare"], strict=True)
    return median(at(run, path) / at(bare, path) for run, bare in pairs) - 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of draws")
    parser.add_argument("--tree", action="store_true", help="a tree by three kinds of dealers")
    parser.add_argument("--repeat", type=int, default=3, help="rounds of --tree")
    works.add_options(parser, offline="dealt")
    options = parser.parse_args()
    if options.tree:
        missing = confined.what_is_missing()
        line = {"question": "confinement", "not_measured": missing}
        if not missing:
            line = compare(works.chosen(options), options.repeat)
        sys.stdout.write(loopback.stamped(line))
    else:
        deal(options.scale)


def deal(scale: float) -> None:
    """A line for each kind of correlation."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(2) as pool:
        folder = Path(name)
        loopback.prepare(folder)
        with loopback.dealer(folder) as (port, dealer):
            sources = connect_both(folder, port)
            party = sources[1]
            for kind in KINDS:
                drawn = partial(party.take, kind)
                measure(party, dealer, kind.name, drawn, (BLOCK, max(1, round(scale * BLOCKS))))
            bins = np.zeros((ROWS, FEATURES), np.uint8)
            matrix = BucketMatrix(0, ROWS, FEATURES * BINS, BINS, *SUM_BITS)
            waiting = pool.submit(sources[0].products.register_matrix, matrix, bins)
            party.products.register_matrix(matrix, None)
            waiting.result()
            products = partial(party.products.vector_products, 0)
            sizes = (4, max(1, round(scale * VECTORS / 4)))
            measure(party, dealer, f"vector_products_{ROWS}_by_{FEATURES * BINS}", products, sizes)
            for source in sources:
                source.close()


if __name__ == "__main__":
    main()
