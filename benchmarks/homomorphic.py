"""What do matrix products by BFV cost? Both directions of one tree, in one process.

    python benchmarks/homomorphic.py [W1 W2 W3 ...] [--bytes-per-second 60e6]

One JSON line a shape: what the layout is, processor seconds of one party (both run at the same
time, each in a thread; keys are made before the clock starts), wall seconds, and megabytes of
both parties together. First one line with the times of single steps.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, thread_time

import numpy as np

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.channel.memory import memory_pair
from securexgb.he.layout import Shape, best_layout
from securexgb.he.noise import DEGREE, PRIMES, SPECIAL_PRIME
from securexgb.offline.matrix_products import BfvMatrixProducts

# Rows, columns a side, bins (one for missing values), vectors a direction and tree.
SHAPES = {
    "W1": (10_000, 10, 17, 4),
    "W2": (50_000, 12, 33, 16),
    "W3": (200_000, 10, 33, 8),
    "1M": (1_000_000, 10, 17, 8),
}
TREES = 100


def best_of(step: Callable[[], object], times: int = 50) -> float:
    """Microseconds of the quickest run."""
    found = []
    for _ in range(times):
        began = perf_counter()
        step()
        found.append(perf_counter() - began)
    return round(min(found) * 1e6, 1)


def steps() -> dict[str, object]:
    """Single steps of the kernels."""
    ring = _kernels.BfvRing(DEGREE, [*PRIMES, SPECIAL_PRIME])
    key, seed = b"a" * 16, b"b" * 16
    words = np.ones((1, DEGREE), np.uint64)
    wire = ring.encrypt(key, seed, key, 0, words, 17)
    pair = np.ones((2, 2, 3, DEGREE), np.uint64)
    merging = ring.whole_key(seed, 0, ring.switching_key(key, seed, key, 0, 64))
    places = np.arange(DEGREE, dtype=np.uint32)
    c1, c0, _ = ring.finish(pair[0], key, seed, 0, pair[0], places, 17)
    return {
        "engine": ring.engine(),
        "transform_us": best_of(lambda: ring.transform(words, 0, False)),
        "encrypt_us": best_of(lambda: ring.encrypt(key, seed, key, 0, words, 17)),
        "expand_us": best_of(lambda: ring.expand(seed, 0, wire)),
        "merge_us": best_of(lambda: ring.merge([merging], 64, pair)),
        "finish_us": best_of(lambda: ring.finish(pair[0], key, seed, 0, pair[0], places, 17)),
        "decrypt_us": best_of(lambda: ring.decrypt(key, c1, c0, places)),
    }


def tree(name: str, bytes_per_second: float) -> dict[str, object]:
    """One tree's products in both directions."""
    rows, features, bins, vectors = SHAPES[name]
    values = 2 * features * bins * vectors * TREES
    channels = memory_pair(600)
    rng = np.random.default_rng(0)
    matrices = rng.integers(0, bins, (2, rows, features), dtype=np.uint8)

    def one(rank: int) -> tuple[float, float, float, int]:
        party = BfvMatrixProducts(rank, channels[rank], Prg.fresh(), values, bytes_per_second)
        for owner in (0, 1):
            matrix = matrices[owner] if owner == rank else None
            party.register_matrix(owner, rows, features * bins, matrix, bins)
        party.both_products((vectors, vectors))
        sent = party.account.bytes_sent
        cpu, wall = thread_time(), perf_counter()
        party.both_products((vectors, vectors))
        again = party.account.bytes_sent - sent
        return thread_time() - cpu, perf_counter() - wall, again / 1e6, sent - again

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(one, (0, 1)))
    layout = best_layout(Shape(rows, features, bins, values, bytes_per_second), vectors)
    return {
        "shape": name,
        "rows": rows,
        "columns": layout.shape.columns,
        "vectors": vectors,
        "width": layout.width,
        "levels": layout.levels,
        "fresh_bytes": layout.noise.fresh_bytes,
        "result_bytes": layout.noise.result_bytes,
        "failure_log2": round(layout.noise.failure_log2, 1),
        "cpu_seconds_a_party": round(max(cpu for cpu, _, _, _ in done), 3),
        "wall_seconds": round(max(wall for _, wall, _, _ in done), 3),
        "megabytes_a_tree": round(sum(size for _, _, size, _ in done), 2),
        "megabytes_a_vector": round(sum(size for _, _, size, _ in done) / 2 / vectors, 3),
        "megabytes_of_keys_once": round(sum(once for _, _, _, once in done) / 1e6, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("shapes", nargs="*", default=["W1", "W2", "W3"], metavar="shape")
    parser.add_argument("--bytes-per-second", type=float, default=60e6)
    arguments = parser.parse_args()
    print(json.dumps(steps()))
    for name in arguments.shapes:
        print(json.dumps(tree(name, arguments.bytes_per_second)), flush=True)


if __name__ == "__main__":
    main()
