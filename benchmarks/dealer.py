"""How fast do correlations come? A dealer's process on loopback with TLS, by kind.

    python benchmarks/dealer.py

One JSON line a kind of correlation: millions of elements a second at the feature party
(which waits for its corrections), payload MB/s, and processor milliseconds of the dealer
for a million elements; for products of a masked matrix, vectors instead.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import Popen
from time import perf_counter

import loopback
import numpy as np

from securexgb.arith.prg import Prg
from securexgb.channel.memory import memory_pair
from securexgb.offline.dealer_link import DealerEndpoint
from securexgb.offline.dealt import DealtSource

BLOCK, BLOCKS = 1 << 15, 600
ROWS, FEATURES, BINS, VECTORS = 10_000, 10, 17, 320


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
    party: DealtSource, dealer: Popen[str], draw: Callable[[int], object], size: int, times: int
) -> None:
    """Draw ``times`` times ``size`` elements; one line."""
    cpu, began, received = loopback.cpu_seconds(dealer), perf_counter(), party.offline_bytes
    for _ in range(times):
        draw(size)
    seconds, count = perf_counter() - began, size * times
    cpu = loopback.cpu_seconds(dealer) - cpu
    line = {
        "kind": draw.__name__,
        "millions_per_second": round(count / seconds / 1e6, 4),
        "mb_per_second": round((party.offline_bytes - received) / seconds / 1e6, 1),
        "dealer_cpu_ms_per_million": round(1e3 * cpu / (count / 1e6), 1),
    }
    print(json.dumps(line), flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(2) as pool:
        folder = Path(name)
        loopback.prepare(folder)
        with loopback.dealer(folder) as (port, dealer):
            sources = connect_both(folder, port)
            party = sources[1]

            def vector_products_10000_by_170(count: int) -> object:
                return party.vector_products(0, count)

            def gates_1(count: int) -> object:
                return party.gates(count, 1)

            for kind in (
                party.triples,
                gates_1,
                party.shared_bits,
                party.random_ot_send,
                party.random_ot_receive,
            ):
                measure(party, dealer, kind, BLOCK, BLOCKS)
            bins = np.zeros((ROWS, FEATURES), np.uint8)
            shape = (0, ROWS, FEATURES * BINS)
            waiting = pool.submit(sources[0].register_matrix, *shape, bins, BINS)
            party.register_matrix(*shape, None, BINS)
            waiting.result()
            measure(party, dealer, vector_products_10000_by_170, 4, VECTORS // 4)
            for source in sources:
                source.close()


if __name__ == "__main__":
    main()
