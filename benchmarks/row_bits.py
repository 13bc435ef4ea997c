"""What do row bits cost? One batch of hidden splits' offline step: its parts, and the whole.

    python benchmarks/row_bits.py [W1 W2 W3 1M wide]

One JSON line a shape. Nanoseconds of a value, a (row, node) of one direction, on one thread: the
sums with their encryption of zero (``sums``), that encryption and the rounding alone (``zero``:
the same rows, of one column with two bins), and both readings at the other side (``open``).
Milliseconds once a batch: ``encrypt`` at the owner of the bits, ``tables`` at the owner of the
rows. Then a batch between two parties in one process, both directions, transfers included:
processor seconds of one party, bytes of both, by step. At most 20,000 rows are made; the layout
and ``megabytes`` are those of all rows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import thread_time

import numpy as np
from quickest import quickest

from securexgb import _kernels
from securexgb.arith.bits import words_per
from securexgb.arith.prg import Prg
from securexgb.channel.memory import memory_pair
from securexgb.he.row_bits import plan_row_bits
from securexgb.offline.oblivious_transfer import ObliviousTransfer
from securexgb.offline.rows.row_bits import RowBits, row_bits_traffic

# Rows, columns a side, bins (one for missing values), nodes of a batch: those of ten trees.
SHAPES = {
    "W1": (10_000, 10, 17, 70),
    "W2": (50_000, 12, 33, 310),
    "W3": (200_000, 10, 33, 150),
    "1M": (1_000_000, 10, 17, 150),
    "wide": (1_000_000, 300, 256, 150),
}
MOST_ROWS = 20_000
REPEATS = 3


def seconds(step: Callable[[], object]) -> float:
    """Processor seconds of the quickest run."""
    return quickest(step, REPEATS, thread_time)


def steps(name: str) -> dict[str, object]:
    """The kernels of one direction."""
    all_rows, columns, bins, nodes = SHAPES[name]
    rows = min(all_rows, MOST_ROWS, 200_000_000 // (nodes * columns))
    layout = plan_row_bits(columns, bins, nodes, all_rows)
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 1 << 64, (layout.buckets, words_per(nodes)), dtype=np.uint64)
    own = rng.integers(0, bins, (rows, columns), dtype=np.uint8)
    keys = [bytes([i]) * 16 for i in range(4)]
    began = thread_time()
    key, upload = _kernels.RowBitsKey.encrypt(layout.kernel, keys[0], keys[1], keys[2], bits)
    encrypted = thread_time()
    sums = _kernels.RowBitsSums(layout.kernel, keys[0], upload, keys[3])
    tables = thread_time()
    sent, _, _ = sums.add_up(own, bins)
    _, small = _kernels.RowBitsKey.encrypt(layout.kernel, *keys[:3], bits[:2])
    zero = _kernels.RowBitsSums(layout.kernel, keys[0], small, keys[3])
    one_column = own[:, :1] & 1
    nanoseconds = 1e9 / rows / nodes
    traffic = row_bits_traffic(layout, all_rows)
    return {
        "shape": name,
        "groups": layout.groups,
        "rows_a_result": layout.rows,
        "ns_sums": round(seconds(lambda: sums.add_up(own, bins)) * nanoseconds, 2),
        "ns_zero": round(seconds(lambda: zero.add_up(one_column, 2)) * nanoseconds, 2),
        "ns_open": round(seconds(lambda: key.read(sent, rows)) * nanoseconds, 2),
        "ms_encrypt": round((encrypted - began) * 1e3, 1),
        "ms_tables": round((tables - encrypted) * 1e3, 1),
        "megabytes_upload": round(traffic.upload_bytes / 1e6, 2),
        "megabytes_results": round(traffic.result_bytes / 1e6, 2),
        "megabytes_answers": round(traffic.answer_bytes / 1e6, 2),
        "bits_a_value_of_c1": round(
            8 * (traffic.result_bytes - traffic.answer_bytes) / all_rows / nodes, 2
        ),
    }


def batch(name: str) -> dict[str, object]:
    """A whole batch of both directions, between two parties."""
    all_rows, columns, bins, nodes = SHAPES[name]
    rows = min(all_rows, MOST_ROWS, 200_000_000 // (nodes * columns))
    layout = plan_row_bits(columns, bins, nodes, all_rows)
    channels = memory_pair(600)
    own = np.random.default_rng(0).integers(0, bins, (2, rows, columns), dtype=np.uint8)

    def one(rank: int) -> tuple[float, int, int]:
        transfers = ObliviousTransfer(rank, channels[rank], Prg.fresh())
        transfers.transfer(1 << 13, 1 << 13, 1)  # base transfers and a pool: once a session
        sent, began = transfers.bytes_sent, thread_time()
        made = RowBits(rank, (layout, layout), Prg.fresh(), transfers.swap, 0)
        uploaded = transfers.bytes_sent
        made.shares(rows, own[rank], lambda out, back: transfers.transfer(out, back, 1))
        return thread_time() - began, uploaded - sent, transfers.bytes_sent - uploaded

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(one, (0, 1)))
    values = 2 * rows * nodes
    return {
        "rows_made": rows,
        "cpu_seconds_of_a_party": round(max(part[0] for part in done), 3),
        "ns_a_value_both_parties": round(sum(part[0] for part in done) / values * 1e9, 2),
        "bits_a_value_with_transfers": round(8 * sum(part[2] for part in done) / values, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("shapes", nargs="*", default=list(SHAPES), metavar="shape")
    arguments = parser.parse_args()
    for name in arguments.shapes:
        print(json.dumps(steps(name) | batch(name)), flush=True)


if __name__ == "__main__":
    main()
