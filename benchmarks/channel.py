"""How long one round takes, and how many bytes a second pass: two processes, TLS, loopback.

    python benchmarks/channel.py

Each round both sides send one message and wait for the other's. One JSON line a size:
bytes each way, median and 99th percentile in microseconds, processor time a round of one side,
MB/s each way.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

import loopback

from securexgb.channel.channel import MESSAGE_BYTES
from securexgb.channel.endpoint import Endpoint, Listener, connect
from securexgb.channel.grpc import GrpcChannel
from securexgb.channel.handshake import Hello
from securexgb.channel.keys import Credentials, create_keys

SIZES = [(16, 300), (16, 1500), (1 << 10, 1500), (10 << 10, 1500), (80 << 10, 500)]
SIZES += [(1 << 20, 60), (8 << 20, 10), (20 << 20, 6)]
NAMES = {"label": "bank", "feature": "bureau"}


def side(role: str, folder: Path, address: str) -> tuple[Endpoint, Hello]:
    other = "feature" if role == "label" else "label"
    credentials = Credentials.load(
        folder / f"{role}.key", folder / f"{role}.pem", folder / f"{other}.pem"
    )
    listens = role == "label"
    return (
        Endpoint(
            credentials, NAMES[other], address if listens else None, None if listens else address
        ),
        Hello(role, NAMES[role], NAMES[other], "A" * 10, "check", "0"),
    )


def rounds(channel: GrpcChannel, scale: float, report: bool) -> None:
    for size, most in SIZES:
        count = max(1, round(scale * most))
        payload, took = bytes(size), []
        cpu = time.process_time()
        for _ in range(count):
            start = time.perf_counter()
            channel.send("round", payload)
            channel.receive("round", MESSAGE_BYTES)
            took.append(1e6 * (time.perf_counter() - start))
        if report:
            line = {
                "question": "channel",
                "bytes": size,
                "median_us": statistics.median(took),
                "p99_us": sorted(took)[int(0.99 * count)],
                "cpu_us": 1e6 * (time.process_time() - cpu) / count,
                "mb_per_second": size * count / sum(took),
            }
            sys.stdout.write(loopback.stamped(line))
            sys.stdout.flush()
    channel.close()


def feature_party(folder: Path, port: int, scale: float) -> None:
    rounds(connect(*side("feature", folder, f"127.0.0.1:{port}")), scale, report=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of rounds")
    scale = parser.parse_args().scale
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for role, party in NAMES.items():
            create_keys(party, folder / f"{role}.key", folder / f"{role}.pem")
        endpoint, hello = side("label", folder, "127.0.0.1:0")
        with Listener(endpoint) as listener:
            spawn = multiprocessing.get_context("spawn")
            other = spawn.Process(target=feature_party, args=(folder, listener.port, scale))
            other.start()
            rounds(listener.accept(hello), scale, report=True)
            other.join()


if __name__ == "__main__":
    main()
