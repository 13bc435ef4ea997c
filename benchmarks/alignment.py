"""Private set intersection between two processes: seconds, megabytes, memory, at many sizes.

    python benchmarks/alignment.py --rows 1000000
    python benchmarks/alignment.py --rows 1000 --other 100000         # the other side has more
    python benchmarks/alignment.py --rows 100000 --peer PYTHON        # beside openmined-psi

Ids of nine digits, half of the smaller side's in common; both parties on this machine, mutual TLS.
One JSON line a size: ``seconds`` from the first message to the last, key exchange and transfers
between the parties included; ``cpu_seconds`` of both; ``megabytes`` of both; ``peak_rss_mb`` of the
larger process, reading of its keys included; ``load_before``: programs that waited for the
machine's cores.

``--peer``: an interpreter that has the package openmined-psi (2.0.6 was tried), which then does the
same in one process, without a link, with its raw sets and no false positives; the line has its
seconds, and how many times as long it took: ``ratio`` of seconds, ``cpu_ratio`` of those of
processors, which other programs on the machine change less.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import loopback
from works import WORKS

from securexgb.align.intersect import Limits, intersect

COIN = bytes(32)
SIZES = (1_000, 10_000, 100_000, 1_000_000)
PEER = """
import json, sys, time
import private_set_intersection.python as psi
label, feature = ([f"{i:09}" for i in range(*bounds)] for bounds in json.loads(sys.argv[1]))
began, cpu = time.perf_counter(), time.process_time()
client, server = psi.client.CreateWithNewKey(True), psi.server.CreateWithNewKey(True)
setup = server.CreateSetupMessage(0.0, len(label), feature, psi.DataStructure.RAW)
request = client.CreateRequest(label)
response = server.ProcessRequest(request)
common = client.GetIntersection(setup, response)
sent = sum(message.ByteSize() for message in (setup, request, response))
print(json.dumps({
    "seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu,
    "common": len(common), "megabytes": sent / 1e6,
}))
"""
Bounds = tuple[tuple[int, int], tuple[int, int]]


def bounds(rows: int, other: int) -> Bounds:
    """The numbers that are the label party's ids, and the feature party's."""
    start = rows - -(-min(rows, other) // 2)
    return (0, rows), (start, start + other)


def side(folder: Path, role: loopback.Role, numbers: tuple[int, int], ports: list[int]) -> None:
    """One party's process; writes what it found to the folder."""
    keys = [b"%09d" % number for number in range(*numbers)]
    found = loopback.Ports(ports[0], ports[1], 0)
    with loopback.federation(folder, role, found, WORKS["W1"]).session("train") as party:
        party.exchange_bytes(b"both are here")
        before = party.channel.traffic.bytes_sent
        began, cpu = time.perf_counter(), time.process_time()
        result = intersect(party, keys, Limits(1, 100_000_000), COIN)
        line = {
            "common": result.common,
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - cpu,
            "megabytes": (party.channel.traffic.bytes_sent - before) / 1e6,
            "rounds": party.rounds,
            "peak_rss_mb": loopback.own_peak_rss_mb(),
        }
        party.exchange_bytes(b"both have all")
    (folder / f"{role}.json").write_text(json.dumps(line), encoding="utf-8")


def measured(rows: int, other: int) -> dict[str, Any]:
    """Both sides once."""
    load = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loopback.prepare(folder)
        port = str(loopback.free_port())
        processes = [
            subprocess.Popen(
                [sys.executable, __file__, "--side", name, role, *map(str, numbers), port, port],
                env=loopback.environment(),
            )
            for role, numbers in zip(loopback.ROLES, bounds(rows, other), strict=True)
        ]
        codes = [process.wait() for process in processes]
        if any(codes):
            sys.exit(f"the parties ended with the codes {codes}")
        sides = [json.loads((folder / f"{role}.json").read_text()) for role in loopback.ROLES]
    return {
        "question": "alignment",
        "rows": rows,
        "other_rows": other,
        "common": sides[0]["common"],
        "seconds": max(one["seconds"] for one in sides),
        "cpu_seconds": sum(one["cpu_seconds"] for one in sides),
        "megabytes": sum(one["megabytes"] for one in sides),
        "peak_rss_mb": max(one["peak_rss_mb"] for one in sides),
        "load_before": load,
    }


def beside(python: str, rows: int, other: int) -> dict[str, Any]:
    """What openmined-psi takes for the same ids."""
    done = subprocess.run(
        [python, "-c", PEER, json.dumps(bounds(rows, other))],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {f"peer_{name}": value for name, value in json.loads(done.stdout).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=int, help="of the label party; all of a list if not given")
    parser.add_argument("--other", type=int, help="rows of the feature party, if others")
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter with openmined-psi")
    parser.add_argument("--side", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        folder, role, *numbers = options.side
        start, stop, *ports = map(int, numbers)
        side(Path(folder), "label" if role == "label" else "feature", (start, stop), ports)
        return
    for rows in (options.rows,) if options.rows else SIZES:
        other = options.other or rows
        line = measured(rows, other)
        if options.peer:
            line |= beside(options.peer, rows, other)
            line["ratio"] = line["peer_seconds"] / line["seconds"]
            line["cpu_ratio"] = line["peer_cpu_seconds"] / line["cpu_seconds"]
        sys.stdout.write(loopback.stamped(line))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
