"""With something between the two sides, and strangers about: whoever starts first, they meet."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Literal

import pytest

from securexgb.channel.channel import MESSAGE_BYTES
from securexgb.channel.endpoint import Listener, connect
from securexgb.channel.grpc import GrpcChannel
from securexgb.errors import PeerGone, PeerTimeout, SecureXGBError
from tests.channel.conftest import Sides, hello
from tests.channel.test_strangers import scan

Manner = Literal["waits", "closes", "holds"]
"""What a box does with a caller while its target is not up: keeps him until it is and lets him
through (a port forwarder), closes (a container's proxy), or keeps him for ever (a balancer)."""
SECONDS = 20.0


class Box:
    """Passes connections on to a port of this machine."""

    def __init__(self, target: int, manner: Manner) -> None:
        self._target, self._manner = target, manner
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.called = threading.Event()
        self._open: list[socket.socket] = []
        self._pool = ThreadPoolExecutor(32)
        self._ended = threading.Event()

    def __enter__(self) -> Box:
        self._pool.submit(self._serve)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for end in (self._server, *self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._pool.shutdown()

    def check_health(self) -> None:
        """As a balancer does: a connection that is closed at once."""
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self._target), 5).close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            self._open.append(near)
            self._pool.submit(self._pass_on, near)

    def _pass_on(self, near: socket.socket) -> None:
        far = self._reach()
        self.called.set()
        while far is None and self._manner == "waits" and not self._ended.wait(0.01):
            far = self._reach()
        if far is None:
            if self._manner == "closes":
                near.close()
            return
        self._open.append(far)
        self._pool.submit(copy, far, near)
        copy(near, far)

    def _reach(self) -> socket.socket | None:
        try:
            return socket.create_connection(("127.0.0.1", self._target), 5)
        except OSError:
            return None


def copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def port() -> int:
    """Of the side that listens, before it does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        found: int = server.getsockname()[1]
        return found


@contextmanager
def met(listener: Listener, dialling: Callable[[], GrpcChannel]) -> Iterator[None]:
    """Both sides, once they have met; what passes between them arrives."""
    label = listener.accept(hello("label"))
    feature = dialling()
    yield
    label.send("t", b"to feature")
    feature.send("t", bytes(1 << 20))
    assert bytes(feature.receive("t", MESSAGE_BYTES)) == b"to feature"
    assert len(label.receive("t", MESSAGE_BYTES)) == 1 << 20
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(feature.close)
        label.close()
        closing.result()


@pytest.mark.parametrize("manner", ["waits", "closes", "holds"])
@pytest.mark.parametrize("is_listener_first", [True, False])
def test_whoever_starts_first(
    sides: Sides, port: int, manner: Manner, is_listener_first: bool
) -> None:
    """Health checks and a scanner come before, and while a job runs."""
    with ExitStack() as stack:
        box, pool = stack.enter_context(Box(port, manner)), ThreadPoolExecutor(1)
        stack.enter_context(pool)
        listening = sides.endpoint("label", port, SECONDS)
        # A box that holds its callers is asked again after a quarter of the time.
        within = 2.0 if manner == "holds" and not is_listener_first else SECONDS
        endpoint = replace(sides.endpoint("feature", box.port), timeout_seconds=within)
        if is_listener_first:
            listener = stack.enter_context(Listener(listening))
            scan(sides, port)
            scan(sides, box.port)
            job = pool.submit(connect, endpoint, hello("feature"))
        else:
            job = pool.submit(connect, endpoint, hello("feature"))
            assert box.called.wait(SECONDS)
            listener = stack.enter_context(Listener(listening))
        box.check_health()
        with met(listener, job.result):
            box.check_health()
            for place in (port, box.port):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", place)):
                    pass


@pytest.mark.parametrize(
    ("manner", "kind", "words"),
    [
        ("waits", PeerTimeout, "takes connections and says nothing"),
        ("closes", PeerGone, "takes connections and closes them"),
        ("holds", PeerTimeout, "takes connections and says nothing"),
    ],
)
def test_nobody_behind_it(
    sides: Sides, port: int, manner: Manner, kind: type[SecureXGBError], words: str
) -> None:
    with Box(port, manner) as box, pytest.raises(kind, match=words) as caught:
        connect(sides.endpoint("feature", box.port, 0.5), hello("feature"))
    assert type(caught.value) is kind
    assert "(tried for 0.5 s)" in str(caught.value)


def test_health_checks_alone_are_nobody(sides: Sides, port: int) -> None:
    with Listener(sides.endpoint("label", port, 0.3)) as listener, Box(port, "closes") as box:
        for _ in range(20):
            box.check_health()
        with pytest.raises(PeerTimeout, match=r"did not call at port \d+ within 0.3 s$"):
            listener.accept(hello("label"))
        listener.stop()
