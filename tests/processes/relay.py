"""The wire between two companies, which can be cut after so many bytes."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from types import TracebackType

PIECE = 1 << 14
AGAIN_SECONDS = 0.02
RESET = struct.pack("ii", 1, 0)
"""Closing with this linger sends a reset, as a box in between does that forgot the connection."""


class Relay:
    """Forwards connections to ``target``, a port of this machine, until it is cut.

    ``bytes`` counts what went through in both directions. With the byte number ``cut_after``
    every connection is reset (None: never), and nobody is let in any more unless it
    ``comes_back``.
    """

    def __init__(
        self, target: int, cut_after: int | None = None, *, comes_back: bool = False
    ) -> None:
        self.bytes = self.cuts = 0
        self._target, self._cut_after, self._comes_back = target, cut_after, comes_back
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._waker, self._woken = socket.socketpair()
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._thread = threading.Thread(target=self._forward)

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._waker.close()
        self._thread.join()
        self._woken.close()

    @property
    def is_cut(self) -> bool:
        return self._cut_after is not None and self.bytes >= self._cut_after

    def _forward(self) -> None:
        while not self._has_ended():
            ready, _, _ = select.select([self._server, self._woken, *self._pairs], [], [])
            if self._woken in ready:
                break
            if self._server in ready:
                self._accept()
            for end in ready:
                if end in self._pairs and not self.is_cut:
                    self._pass_on(end)
        self._server.close()
        self._reset()

    def _has_ended(self) -> bool:
        """Whether the wire is cut for good; where it comes back, what is open is reset."""
        if not self.is_cut or not self._comes_back:
            return self.is_cut
        self.cuts, self._cut_after = self.cuts + 1, None
        self._reset()
        return False

    def _reset(self) -> None:
        for end in list(self._pairs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.close()
        self._pairs.clear()

    def _accept(self) -> None:
        near, _ = self._server.accept()
        far = self._reach()
        if far is None:
            near.close()
        else:
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs |= {near: far, far: near}

    def _reach(self) -> socket.socket | None:
        """The target, once it listens: its caller waits here, because a connection that is closed
        at once looks like a refusal. None if the relay is closed before that."""
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                return socket.create_connection(("127.0.0.1", self._target))
            if select.select([self._woken], [], [], AGAIN_SECONDS)[0]:
                return None

    def _pass_on(self, end: socket.socket) -> None:
        other = self._pairs[end]
        most = PIECE if self._cut_after is None else min(PIECE, self._cut_after - self.bytes)
        data = b""
        with contextlib.suppress(OSError):
            data = end.recv(most)
            other.sendall(data)
        self.bytes += len(data)
        if not data:
            for closed in (end, other):
                del self._pairs[closed]
                closed.close()
