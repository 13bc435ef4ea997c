"""Calls that come when they are due, whether or not earlier ones are answered: an open loop.

Who waits for an answer before asking again hides a queue: while the server stalls, nobody asks. So
calls here come by a clock (exponential gaps of a given rate), and a call's time counts from when it
was due. What the generator itself was late by is reported with it. Calls go to the targets that
said last that they are ready, in turn, and none is made twice: as behind a balancer.

The generator is on the same processors as what it asks, and what it takes counts as theirs. So a
call is a few lines over a connection that is open: bytes out when it is due, bytes in, the clock.
asyncio's own waits end on whole milliseconds, so that calls left 2 ms after they were due.
"""

from __future__ import annotations

import asyncio
import random
import select
import selectors
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

OK, UNAVAILABLE, TOO_MANY = 200, 503, 429
LOOK_SECONDS = 0.5
_IDLE_SECONDS = 3.0
"""A connection that was used longer ago is not used again."""
_GIVE_UP_SECONDS = 30.0
Body = Callable[[], bytes]


@dataclass(frozen=True)
class Call:
    """``due`` and ``took`` in seconds, from the load's beginning; ``status`` 0: no answer came."""

    due: float
    took: float
    late: float
    status: int


@dataclass
class Load:
    """What came of all calls."""

    calls: list[Call] = field(default_factory=list)

    @property
    def failed(self) -> list[Call]:
        """All but those that were answered, and those that were refused in words."""
        return [call for call in self.calls if call.status not in (OK, TOO_MANY)]

    def milliseconds(self, share: float) -> float:
        """Of the answered calls, the time within which this share was answered."""
        return 1e3 * _quantile([c.took for c in self.calls if c.status == OK], share)

    def late_milliseconds(self, share: float) -> float:
        return 1e3 * _quantile([call.late for call in self.calls], share)

    def statuses(self) -> dict[str, int]:
        return {str(code): count for code, count in Counter(c.status for c in self.calls).items()}


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values) or [float("nan")]
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Selector(selectors.EpollSelector):
    """Waits to the microsecond, where epoll's own waits end on whole milliseconds."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            select.select([self.fileno()], [], [], timeout)
            timeout = 0
        return super().select(timeout)


Answered = Callable[[int], None]
"""What is told the status of an answer; 0: none came."""


class _Connection(asyncio.Protocol):
    """One connection, with one call at a time; ``used``: when the last one was answered."""

    def __init__(self) -> None:
        self.used = time.perf_counter()
        self.is_open = False
        self._came = b""
        self._answered: Answered | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self.is_open = transport, True

    def ask(self, request: bytes, answered: Answered) -> None:
        self._came, self._answered = b"", answered
        self._transport.write(request)
        self._patience = asyncio.get_running_loop().call_later(_GIVE_UP_SECONDS, self.close)

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, found, content = self._came.partition(b"\r\n\r\n")
        if not found:
            return
        head = head.lower()
        size = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(content) < size:
            return
        self.used = time.perf_counter()
        if b"connection: close" in head:
            self.is_open = False
        self._tell(int(head.split(b" ", 2)[1]))

    def connection_lost(self, _: Exception | None) -> None:
        self.is_open = False
        self._tell(0)

    def close(self) -> None:
        """Whoever waits for an answer gets none."""
        self.is_open = False
        self._transport.close()

    def _tell(self, status: int) -> None:
        answered, self._answered = self._answered, None
        if answered is not None:
            if self._patience is not None:
                self._patience.cancel()
            answered(status)


class Targets:
    """Ports of one machine, the connections to them, and which are ready."""

    def __init__(self, ports: Sequence[int], path: str) -> None:
        self.ports = ports
        self.ready = set(ports)
        self._path = path
        self._free: dict[int, list[_Connection]] = {}
        self._opening = set[asyncio.Future[None]]()
        self._turn = 0

    def next(self) -> int:
        """The port of the next call."""
        among = [port for port in self.ports if port in self.ready] or self.ports
        self._turn += 1
        return among[self._turn % len(among)]

    async def look(self) -> None:
        """Ask all for their health, again and again, until cancelled."""
        head = b"GET /v2/health/ready HTTP/1.1\r\nHost: here\r\n\r\n"
        while True:
            for port in tuple(self.ports):
                came: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                self._ask(port, head, came.set_result)
                done, _ = await asyncio.wait([came], timeout=2 * LOOK_SECONDS)
                if done:  # else slow, and perhaps ready: as it was
                    (self.ready.add if came.result() == OK else self.ready.discard)(port)
            await asyncio.sleep(LOOK_SECONDS)

    def ask(self, body: bytes, answered: Answered) -> None:
        """One call to the next target."""
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._ask(self.next(), head.encode() + body, answered)

    def _ask(self, port: int, request: bytes, answered: Answered) -> None:
        free = self._free.setdefault(port, [])
        oldest = time.perf_counter() - _IDLE_SECONDS
        while free:
            connection = free.pop()
            if connection.is_open and connection.used > oldest:
                self._send(port, connection, request, answered)
                return
            connection.close()
        opening = asyncio.ensure_future(self._open(port, request, answered))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _open(self, port: int, request: bytes, answered: Answered) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(_Connection, "127.0.0.1", port)
        except OSError:
            answered(0)
            return
        self._send(port, connection, request, answered)

    def _send(self, port: int, connection: _Connection, request: bytes, answered: Answered) -> None:
        def told(status: int) -> None:
            if connection.is_open:
                self._free[port].append(connection)
            else:
                connection.close()
            answered(status)

        connection.ask(request, told)

    def close(self) -> None:
        for connections in self._free.values():
            for connection in connections:
                connection.close()
        self._free.clear()


class _Calls:
    """Calls of a load; ``began``: its beginning."""

    def __init__(self, targets: Targets, load: Load, began: float) -> None:
        self._targets, self._load, self._began = targets, load, began

    def ask(self, body: bytes, due: float) -> asyncio.Future[None]:
        """Done when the call is answered."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        late = time.perf_counter() - due

        def answered(status: int) -> None:
            took = time.perf_counter() - due
            self._load.calls.append(Call(due - self._began, took, late, status))
            done.set_result(None)

        self._targets.ask(body, answered)
        return done


def _run(targets: Targets, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Until it is done, looking after the targets meanwhile."""

    async def main() -> None:
        looking = asyncio.ensure_future(targets.look())
        try:
            await work()
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            targets.close()

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(_Selector())) as runner:
        runner.run(main())


def open_loop(
    ports: Sequence[int],
    path: str,
    body: Body,
    rate: float,
    seconds: float,
    until: Callable[[], bool] = lambda: True,
) -> Load:
    """Calls at a rate for so long, and then until ``until`` says so. ``ports`` may change
    meanwhile."""
    targets, load, draw = Targets(ports, path), Load(), random.Random(1)

    async def arrive() -> None:
        began = due = time.perf_counter() + 0.1
        calls, under_way = _Calls(targets, load, began), set[asyncio.Future[None]]()
        while due < began + seconds or not until():
            content = body()
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            done = calls.ask(content, due)
            under_way.add(done)
            done.add_done_callback(under_way.discard)
            due += draw.expovariate(rate)
        await asyncio.gather(*under_way)

    _run(targets, arrive)
    return load


def closed_loop(ports: Sequence[int], path: str, body: Body, users: int, seconds: float) -> Load:
    """So many callers, each asking again once it is answered: what a server can do at most."""
    targets, load = Targets(ports, path), Load()

    async def arrive() -> None:
        began = time.perf_counter()
        calls = _Calls(targets, load, began)

        async def user() -> None:
            while (now := time.perf_counter()) < began + seconds:
                await calls.ask(body(), now)

        await asyncio.gather(*(user() for _ in range(users)))

    _run(targets, arrive)
    return load
