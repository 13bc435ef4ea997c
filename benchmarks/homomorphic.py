"""What do histograms without a dealer cost? Pads and products of one tree, in one process.

    python benchmarks/homomorphic.py [W1 W2 W3 1M]

One JSON line a shape: parameters, then processor seconds of one party (both run at the same time,
each in a thread), and megabytes of both parties together. ``setup``: once a job, W and keys.
``offline``: products of one tree, as a share of a full batch. ``online``: masking the vectors,
and adding up by bin, without taking the sums apart. First one line with times of single steps.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import thread_time

import numpy as np
from numpy.typing import NDArray
from quickest import quickest

from securexgb import _kernels
from securexgb.arith.bits import pack_dense, unpack_dense
from securexgb.arith.prg import Prg
from securexgb.channel.memory import memory_pair
from securexgb.correlations.source import BucketMatrix
from securexgb.he.layout import LEAST_WANTED, MOST_VECTORS, Layout
from securexgb.he.noise import DEGREE, PRIMES, SHORT, Sums, sums_precision
from securexgb.offline.matrix_products import BfvMatrixProducts

# Rows, columns a side, bins (one for missing values), depth, bits of sums of g and of h.
SHAPES = {
    "W1": (10_000, 10, 17, 3, (35, 30)),
    "W2": (50_000, 12, 33, 5, (37, 32)),
    "W3": (200_000, 10, 33, 4, (35, 30)),
    "1M": (1_000_000, 10, 17, 4, (37, 32)),
}
VALUES = 1 << 28


def best_of(step: Callable[[], object], times: int = 50) -> float:
    """Microseconds of the quickest run."""
    return round(quickest(step, times) * 1e6, 1)


def ones(wanted: int) -> NDArray[np.uint64]:
    """Ciphertexts of secrets whose summands have so many wanted coefficients."""
    return np.ones((wanted * SHORT // DEGREE, 2, len(PRIMES), DEGREE), np.uint64)


def steps() -> dict[str, object]:
    """Single steps of the kernels."""
    ring = _kernels.BfvRing(DEGREE, [*PRIMES])
    key, seed = b"a" * 16, b"b" * 16
    words = np.ones((1, DEGREE), np.uint64)
    secret = _kernels.BfvSecretKey(ring, key, seed, key)
    wire = secret.encrypt(words, 13)
    pair = np.ones((2, 2, 2, DEGREE), np.uint64)
    public_key = np.ones((2, 3, DEGREE), np.uint64)
    galois = ring.galois_key(seed, 1, secret.galois_key_half(64))
    indices = np.arange(DEGREE, dtype=np.uint32)
    masker = _kernels.BfvMasker(ring, public_key, key, seed)
    c1, c0, _ = masker.rerandomise_and_switch(pair[0], indices, 7, 49)
    parts = {vectors: (vectors, max(1, LEAST_WANTED // vectors)) for vectors in (8, 16, 64, 128)}
    batches = {v: ring.prepare(ones(v * side), (v, side), SHORT) for v, side in parts.values()}
    matrix = np.ones((32, SHORT), np.uint64)
    pads = _kernels.RlwePads(SHORT, PRIMES[:2], 49, seed, SHORT)
    row = np.ones((1, SHORT), np.uint64)

    def columns(vectors: int) -> float:
        prepared, layout = batches[vectors], parts[vectors]
        return best_of(lambda: ring.products(prepared, layout, matrix, 49, 0, []), 5)

    return {
        "path": ring.path(),
        "transform_us": best_of(lambda: ring.transform(words, 0, False)),
        "encrypt_us": best_of(lambda: secret.encrypt(words, 13)),
        "expand_us": best_of(lambda: ring.expand(seed, 0, wire)),
        "pack_us": best_of(lambda: ring.pack([galois], 64, pair)),
        "switch_us": best_of(lambda: masker.rerandomise_and_switch(pair[0], indices, 7, 49)),
        "decrypt_us": best_of(lambda: secret.decrypt(c1, c0, indices, 49)),
        "column_us": {v: round(columns(v) / len(matrix)) for v in parts},
        "pad_of_4096_us": best_of(lambda: pads.masked(key, seed, 0, row, 13)),
    }


def tree(name: str) -> dict[str, object]:
    """One tree's products in both directions."""
    rows, features, bins, depth, sum_bits = SHAPES[name]
    vectors = 1 << (depth - 1)
    channels = memory_pair(600)
    rng = np.random.default_rng(0)
    matrices = rng.integers(0, bins, (2, rows, features), dtype=np.uint8)
    shares = rng.integers(0, 1 << 64, (vectors, 2, rows), dtype=np.uint64)
    precision = sums_precision(Sums(rows, max(sum_bits), bins, depth, 2 * VALUES))
    shift = precision.noise_bits
    wire = [bits + shift for bits in sum_bits]

    def one(rank: int) -> dict[str, float]:
        party = BfvMatrixProducts(rank, channels[rank], Prg.fresh(), VALUES, MOST_VECTORS)
        clock, sent = [thread_time()], [0]

        def lap() -> None:
            clock.append(thread_time())
            sent.append(party.account.channel_bytes)

        for owner in (0, 1):
            matrix = BucketMatrix(owner, rows, features * bins, bins, *sum_bits, depth)
            party.register_matrix(matrix, matrices[owner] if owner == rank else None)
        party.begin()
        lap()
        for _ in range(2):  # the first batch comes with keys
            for owner in (0, 1):
                party.vector_products(owner, MOST_VECTORS)
            lap()
        products = [party.vector_products(owner, vectors) for owner in (0, 1)]
        pads = products[1 - rank].pads
        assert pads is not None
        clock.append(thread_time())
        masked = pads.masked(shares)
        values = shares << np.uint64(shift)
        for word, bits in enumerate(wire):
            message = pack_dense(masked[:, word].reshape(-1), bits)
            received = unpack_dense(message, vectors * rows, bits)
            values[:, word] += received.reshape(vectors, rows)
        _kernels.histogram(matrices[rank], values.reshape(-1, rows), bins)
        clock.append(thread_time())
        share = vectors / MOST_VECTORS
        return {
            "setup": clock[1] - clock[0],
            "offline": (clock[3] - clock[2]) * share,
            "online": clock[5] - clock[4],
            "keys": sent[1] + (sent[2] - sent[1]) - (sent[3] - sent[2]),
            "bytes": (sent[3] - sent[2]) * share,
        }

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(one, (0, 1)))
    layout = Layout(2 * features * bins, MOST_VECTORS, precision)
    return {
        "shape": name,
        "vectors": vectors,
        "pad_bits": wire,
        "noise_bits": shift,
        "fresh_bytes": precision.fresh_bytes,
        "result_bytes": precision.result_bytes,
        "results_a_batch": layout.results,
        "cpu_seconds_setup": round(max(part["setup"] for part in done), 3),
        "cpu_seconds_offline": round(max(part["offline"] for part in done), 4),
        "cpu_seconds_online": round(max(part["online"] for part in done), 4),
        "megabytes_offline": round(sum(part["bytes"] for part in done) / 1e6, 2),
        "megabytes_online": round(2e-6 * vectors * rows * sum(wire) / 8, 2),
        "megabytes_of_keys_once": round(sum(part["keys"] for part in done) / 1e6, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("shapes", nargs="*", default=list(SHAPES), metavar="shape")
    arguments = parser.parse_args()
    print(json.dumps(steps()))
    for name in arguments.shapes:
        print(json.dumps(tree(name)), flush=True)


if __name__ == "__main__":
    main()
