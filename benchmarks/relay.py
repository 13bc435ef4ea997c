"""The process between two others that holds their TCP back: see ``shaper``.

    python benchmarks/relay.py PORT MEGABITS MILLISECONDS

Prints the port to call instead, then forwards until its standard input ends, then prints how
many megabytes went each way. It needs the standard library only, so that it is there at once.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import sys
import time
from collections import deque
from typing import Any

PACKET = 1448
HEADERS = 90
"""Payload of a packet, and what Ethernet, IP and TCP add to it, in bytes."""
_BUFFER_SECONDS = 0.02
_SOCKET_BYTES = 1 << 16
"""Of what is not read: the system would keep megabytes, where a link has nothing."""
_SLICE_SECONDS = 0.0005
_IDLE_SECONDS = 1.0
_REACH_SECONDS = 30.0
_FORWARDING_SECONDS = 0.0002
"""What waking up, reading and writing take anyway, so not added to the latency."""


class _Line:
    """One direction of the link, shared by all connections through it."""

    def __init__(self, megabits: float, milliseconds: float) -> None:
        self.rate = megabits * 1e6 / 8
        self.latency = max(milliseconds / 1e3 - _FORWARDING_SECONDS, 0.0)
        self.bytes = 0
        self._free = 0.0

    def due(self, size: int, now: float) -> float:
        """When the last bit of ``size`` bytes that are here now comes out."""
        self.bytes += size
        whole = size + HEADERS * -(-size // PACKET)
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
        self._most = min(1 << 16, max(PACKET, int(line.rate * _SLICE_SECONDS)))

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
        far = socket.socket()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BYTES)
        try:
            far.connect(("127.0.0.1", target))
        except ConnectionRefusedError:
            far.close()
        else:
            return far
        time.sleep(0.02)
    return None


def main() -> None:
    """See above."""
    target, megabits, milliseconds = sys.argv[1:]
    shape = float(megabits), float(milliseconds)
    lines = _Line(*shape), _Line(*shape)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BYTES)
        sys.stdout.write(f"{server.getsockname()[1]}\n")
        sys.stdout.flush()
        _serve(server, int(target), lines)
    there, back = (line.bytes / 1e6 for line in lines)
    sys.stdout.write(json.dumps({"megabytes_there": there, "megabytes_back": back}))


if __name__ == "__main__":
    main()
