"""How fast do correlations come? A dealer's process on loopback with TLS, by kind.

    python benchmarks/dealer.py

One JSON line a kind of correlation: elements a second at the feature party
(which waits for its corrections), payload MB/s, and processor milliseconds of the dealer
for a million elements; for products of a masked matrix, vectors instead.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from subprocess import Popen
from time import perf_counter

import loopback
import numpy as np

from securexgb.arith.prg import Prg
from securexgb.channel.memory import memory_pair
from securexgb.correlations.kinds import KINDS
from securexgb.correlations.source import BucketMatrix
from securexgb.offline.dealer_link import DealerEndpoint
from securexgb.offline.dealt import DealtSource

BLOCK, BLOCKS = 1 << 13, 100
ROWS, FEATURES, BINS, VECTORS = 10_000, 10, 17, 320
SUM_BITS = 35, 31


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
    cpu, began, received = loopback.cpu_seconds(dealer), perf_counter(), party.account.dealer_bytes
    for _ in range(times):
        draw(size)
    seconds, count = perf_counter() - began, size * times
    cpu = loopback.cpu_seconds(dealer) - cpu
    line = {
        "question": "dealer",
        "kind": name,
        "per_second": count / seconds,
        "mb_per_second": (party.account.dealer_bytes - received) / seconds / 1e6,
        "dealer_cpu_ms_per_million": 1e3 * cpu / (count / 1e6),
    }
    sys.stdout.write(loopback.stamped(line))
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of draws")
    scale = parser.parse_args().scale
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
