"""The HTTP server of a replica: uvicorn on a thread of its own, one process, one port.

uvicorn closes its port as soon as it hears a signal; a balancer that has not looked since then gets
refused connections. So signals are the command's (``cli.serve``): the main thread hears them, and
tells the server when to end. A caller's idle connection stays open for 75 seconds, which is longer
than callers' own pools keep theirs: the side that closes first must be the caller, or a call is
lost now and then.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import uvicorn

from securexgb.channel.probe import split_address
from securexgb.errors import UsageError
from securexgb.serve.front.asgi import Routes

_KEEP_SECONDS = 75
_BACKLOG = 2048


def listen(address: str, side: str) -> socket.socket:
    """The port, taken; UsageError where that cannot be."""
    host, port = split_address(address)
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        taken = socket.socket(family, kind, protocol)
        try:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(place)
            taken.listen(_BACKLOG)
        except BaseException:
            taken.close()
            raise
    except OSError as error:
        raise UsageError(
            f"{side}: cannot listen at {address} (http in [serve] of party.toml): "
            f"{error.strerror or error}; choose another port, or end what has it"
        ) from None
    return taken


class HttpServer:
    """The application at a port, until ``close``. ``ended``: called where it ends by itself."""

    def __init__(
        self, app: Routes, port: socket.socket, ended: Callable[[], None], seconds: float
    ) -> None:
        """``seconds``: how long calls that are there may take after ``close``."""
        self._port, self._ended = port, ended
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                interface="asgi3",
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                ws="none",
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_SECONDS,
                timeout_graceful_shutdown=max(1, round(seconds)),
            )
        )
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Answer calls from now on."""
        self._thread.start()

    def close(self) -> None:
        """Take no more connections, let calls that are there end, and stop."""
        self._server.should_exit = True
        self._thread.join()

    def _run(self) -> None:
        try:
            self._server.run([self._port])
        finally:
            self._ended()
