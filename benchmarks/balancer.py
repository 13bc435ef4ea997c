"""A TCP balancer of connections between a replica and those of the other side, which counts bytes.

    python benchmarks/balancer.py PORT [PORT ...]

Prints the port to call instead. A connection goes to the next port that takes one, in turn, and
stays there. For each line on standard input it prints how many bytes went each way so far; it ends
with its standard input. What a balancer of a distribution does too; here for the count, and because
a benchmark must run without one.
"""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import cycle


class Balancer:
    """Ports in turn, and the bytes of all connections."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = cycle(ports)
        self._count = len(ports)
        self.bytes = [0, 0]

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for port in (next(self._ports) for _ in range(self._count)):
            try:
                far = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            await asyncio.gather(self._pass(0, reader, far[1]), self._pass(1, far[0], writer))
            return
        writer.close()

    async def _pass(
        self, way: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await reader.read(1 << 16):
                self.bytes[way] += len(data)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


async def main() -> None:
    balancer = Balancer([int(port) for port in sys.argv[1:]])
    server = await asyncio.start_server(balancer.take, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    asked = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(asked), sys.stdin
    )
    while await asked.readline():
        sys.stdout.write(json.dumps({"there": balancer.bytes[0], "back": balancer.bytes[1]}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
