"""A link with a given rate and latency: a process between two others that forwards their TCP.

    with shaper.link(Profile("WAN", 100, 20))(port) as near: ...     # call near to reach port

Whatever both sides send, TLS and HTTP/2 and all, goes through one queue a direction: a piece
leaves when the link has had time for it and for all pieces before it, plus the latency. A
full queue is not read from, so the sender is held back as by a full buffer of a router. What
TCP itself would do on such a link (slow start, losses) is not imitated: the link is one whose
windows have grown. The shaper's own precision is measured by ``check``.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import loopback
from relay import HEADERS, PACKET


class Profile(NamedTuple):
    """A link, the same in both directions: megabits a second, milliseconds each way."""

    name: str
    megabits: float
    milliseconds: float


PROFILES = {
    "LAN": Profile("LAN", 1000, 0.5),
    "WAN": Profile("WAN", 100, 20),
}


def link(profile: Profile, report: list[dict[str, float]] | None = None) -> loopback.Link:
    """Puts such a link before a port; ``report`` gets the megabytes that went through it."""

    @contextmanager
    def opened(port: int) -> Iterator[int]:
        if not port:
            yield 0
            return
        command = [sys.executable, str(Path(__file__).resolve().parent / "relay.py")]
        arguments = [str(port), str(profile.megabits), str(profile.milliseconds)]
        with subprocess.Popen(
            command + arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=loopback.environment(),
        ) as process:
            assert process.stdout is not None
            try:
                yield int(process.stdout.readline())
                if report is not None:
                    report.append(json.loads(process.communicate()[0]))
            finally:
                process.kill()

    return opened


def check(profile: Profile, seconds: float = 0.5) -> dict[str, float]:
    """What the link does to bare TCP: milliseconds each way, megabits a second of payload."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_echo, args=(server,), daemon=True).start()
        with (
            link(profile)(server.getsockname()[1]) as port,
            socket.create_connection(("127.0.0.1", port)) as end,
        ):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            trips = [_round_trip(end, 1) for _ in range(11)]
            size = int(profile.megabits * 1e6 / 8 * seconds)
            large = _round_trip(end, size)
    # Bytes come back while others still go: only the first has both latencies to wait.
    taken = large - median(trips)
    whole = size * (1 + HEADERS / PACKET)
    return {
        "milliseconds_each_way": 1e3 * median(trips) / 2,
        "megabits_per_second": whole * 8e-6 / taken,
    }


def _round_trip(end: socket.socket, size: int) -> float:
    began = time.perf_counter()
    sender = threading.Thread(target=end.sendall, args=(bytes(size),), daemon=True)
    sender.start()
    left = size
    while left:
        left -= len(end.recv(1 << 16))
    sender.join()
    return time.perf_counter() - began


def _echo(server: socket.socket) -> None:
    with server.accept()[0] as end:
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := end.recv(1 << 16):
            end.sendall(data)
