"""Calls that come when they are due, whether or not earlier ones are answered: an open loop.

Who waits for an answer before asking again hides a queue: while the server stalls, nobody asks. So
calls here come by a clock (exponential gaps of a given rate), and a call's time counts from when it
was due. What the generator itself was late by is reported with it. Calls go to the targets that
said last that they are ready, in turn, and none is made twice: as behind a balancer.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

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


class Targets:
    """Ports of one machine, the connections to them, and which are ready."""

    def __init__(self, ports: Sequence[int], path: str) -> None:
        self.ports, self.path = ports, path
        self.ready = set(ports)
        self._free: dict[int, list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]]] = {}
        self._turn = 0

    def next(self) -> int:
        """The port of the next call."""
        among = [port for port in self.ports if port in self.ready] or self.ports
        self._turn += 1
        return among[self._turn % len(among)]

    async def look(self) -> None:
        """Ask all for their health, again and again, until cancelled."""
        while True:
            for port in tuple(self.ports):
                try:
                    async with asyncio.timeout(2 * LOOK_SECONDS):
                        status, _ = await self.call(port, "GET", "/v2/health/ready", b"")
                except TimeoutError:
                    continue  # slow, and perhaps ready: as it was
                except (OSError, EOFError, ValueError):
                    status = 0
                (self.ready.add if status == OK else self.ready.discard)(port)
            await asyncio.sleep(LOOK_SECONDS)

    async def call(self, port: int, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of an answer; an OSError or EOFError where none comes."""
        free = self._free.setdefault(port, [])
        now = time.perf_counter()
        free[:] = [one for one in free if now - one[2] < _IDLE_SECONDS and not one[0].at_eof()]
        if free:
            reader, writer, _ = free.pop()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        size = int(head.split("content-length:", 1)[1].split("\r\n", 1)[0])
        content = await reader.readexactly(size)
        if "connection: close" in head:
            writer.close()
        else:
            free.append((reader, writer, time.perf_counter()))
        return int(head.split(" ", 2)[1]), content

    def close(self) -> None:
        for connections in self._free.values():
            for _, writer, _ in connections:
                writer.close()
        self._free.clear()


async def _one(targets: Targets, load: Load, body: bytes, due: float, began: float) -> None:
    late, status = time.perf_counter() - due, 0
    try:
        async with asyncio.timeout(_GIVE_UP_SECONDS):
            status, _ = await targets.call(targets.next(), "POST", targets.path, body)
    except (OSError, EOFError, ValueError, TimeoutError):
        status = 0
    load.calls.append(Call(due - began, time.perf_counter() - due, late, status))


async def _looked_after(targets: Targets, work: asyncio.Future[None]) -> None:
    looking = asyncio.ensure_future(targets.look())
    try:
        await work
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        targets.close()


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
        tasks = set()
        while due < began + seconds or not until():
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            task = asyncio.ensure_future(_one(targets, load, body(), due, began))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due += draw.expovariate(rate)
        await asyncio.gather(*tasks)

    async def main() -> None:
        await _looked_after(targets, asyncio.ensure_future(arrive()))

    asyncio.run(main())
    return load


def closed_loop(ports: Sequence[int], path: str, body: Body, users: int, seconds: float) -> Load:
    """So many callers, each asking again once it is answered: what a server can do at most."""
    targets, load = Targets(ports, path), Load()

    async def user(began: float) -> None:
        while (now := time.perf_counter()) < began + seconds:
            await _one(targets, load, body(), now, began)

    async def main() -> None:
        began = time.perf_counter()
        users_all = asyncio.gather(*(user(began) for _ in range(users)))
        await _looked_after(targets, asyncio.ensure_future(_all(users_all)))

    asyncio.run(main())
    return load


async def _all(users: asyncio.Future[list[None]]) -> None:
    await users
