"""A link with a given rate and latency: a process between two others that forwards their TCP.

    with shaper.link(Profile("WAN", 100, 20))(port) as near: ...     # call near to reach port

Whatever both sides send, TLS and HTTP/2 and all, goes through one queue a direction: a piece
leaves when the link has had time for it and for all pieces before it, plus the latency. A
full queue is not read from, so the sender is held back as by a full buffer of a router. What
TCP itself would do on such a link (slow start, losses) is not imitated: the link is one whose
windows have grown. The shaper's own precision is measured by ``check``.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import loopback

_PACKET = 1448
_HEADERS = 90
"""Payload of a packet, and what Ethernet, IP and TCP add to it, in bytes."""
_BUFFER_SECONDS = 0.02
_SLICE_SECONDS = 0.0005
_IDLE_SECONDS = 1.0
_REACH_SECONDS = 30.0
_FORWARDING_SECONDS = 0.0002
"""What waking up, reading and writing take anyway, so not added to the latency."""


class Profile(NamedTuple):
    """A link, the same in both directions: megabits a second, milliseconds each way."""

    name: str
    megabits: float
    milliseconds: float


PROFILES = {
    "LAN": Profile("LAN", 1000, 0.5),
    "WAN": Profile("WAN", 100, 20),
}


class _Line:
    """One direction of the link, shared by all connections through it."""

    def __init__(self, profile: Profile) -> None:
        self.rate = profile.megabits * 1e6 / 8
        self.latency = max(profile.milliseconds / 1e3 - _FORWARDING_SECONDS, 0.0)
        self.bytes = 0
        self._free = 0.0

    def due(self, size: int, now: float) -> float:
        """When the last bit of ``size`` bytes that are here now comes out."""
        self.bytes += size
        whole = size + _HEADERS * -(-size // _PACKET)
        self._free = max(self._free, now) + whole / self.rate
        return self._free + self.latency

    def room(self, now: float) -> float:
        """Seconds until no more than the buffer is queued; not above 0 where there is room."""
        return self._free - now - _BUFFER_SECONDS


class _Flow:
    """One direction of one connection: what has come and when it is due."""

    def __init__(self, line: _Line, source: socket.socket, sink: socket.socket) -> None:
        self.line, self.source, self.sink = line, source, sink
        self.is_open = True
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._most = min(1 << 16, max(_PACKET, int(line.rate * _SLICE_SECONDS)))

    def take(self, now: float) -> None:
        """Read a piece; an empty one is the end."""
        try:
            data = self.source.recv(self._most)
        except OSError:
            data = b""
        self.is_open = bool(data)
        self._pieces.append((self.line.due(len(data), now), data))

    def give(self, now: float) -> None:
        """Pass on what is due."""
        while self._pieces and self._pieces[0][0] <= now:
            _, data = self._pieces.popleft()
            with contextlib.suppress(OSError):  # who has gone needs no more
                if data:
                    self.sink.sendall(data)
                else:
                    self.sink.shutdown(socket.SHUT_WR)

    def wait(self, now: float) -> float:
        """Seconds until something is due."""
        return self._pieces[0][0] - now if self._pieces else _IDLE_SECONDS


def _serve(server: socket.socket, target: int, lines: tuple[_Line, _Line]) -> None:
    """Forward every connection until standard input ends, all in this thread."""
    flows: list[_Flow] = []
    while True:
        now = time.monotonic()
        readable: list[Any] = [server, sys.stdin]
        wait = _IDLE_SECONDS
        for flow in flows:
            flow.give(now)
            wait = min(wait, flow.wait(now))
            if flow.is_open:
                room = flow.line.room(now)
                if room <= 0:
                    readable.append(flow.source)
                else:
                    wait = min(wait, room)
        ready, _, _ = select.select(readable, [], [], max(wait, 0.0))
        now = time.monotonic()
        for flow in flows:
            if flow.source in ready:
                flow.take(now)
        if server in ready:
            flows += _accept(server, target, lines)
        if sys.stdin in ready:
            return


def _accept(server: socket.socket, target: int, lines: tuple[_Line, _Line]) -> tuple[_Flow, ...]:
    near = server.accept()[0]
    far = _reach(target)
    if far is None:
        near.close()
        return ()
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _Flow(lines[0], near, far), _Flow(lines[1], far, near)


def _reach(target: int) -> socket.socket | None:
    """A connection to the port; waits for somebody to listen there, as a caller would."""
    give_up = time.monotonic() + _REACH_SECONDS
    while time.monotonic() < give_up:
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", target))
        time.sleep(0.02)
    return None


def link(profile: Profile, report: list[dict[str, float]] | None = None) -> loopback.Link:
    """Puts such a link before a port; ``report`` gets the megabytes that went through it."""

    @contextmanager
    def opened(port: int) -> Iterator[int]:
        if not port:
            yield 0
            return
        command = [sys.executable, str(Path(__file__).resolve())]
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
    whole = size * (1 + _HEADERS / _PACKET)
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


def main() -> None:
    """The shaping process; prints its port, ends with its standard input."""
    target, megabits, milliseconds = sys.argv[1:]
    profile = Profile("", float(megabits), float(milliseconds))
    lines = _Line(profile), _Line(profile)
    with socket.create_server(("127.0.0.1", 0)) as server:
        sys.stdout.write(f"{server.getsockname()[1]}\n")
        sys.stdout.flush()
        _serve(server, int(target), lines)
    there, back = (line.bytes / 1e6 for line in lines)
    sys.stdout.write(json.dumps({"megabytes_there": there, "megabytes_back": back}))


if __name__ == "__main__":
    main()
