"""A replica from its start to its end: the port, the parts, and an end in order.

SIGTERM, SIGHUP and Ctrl-C ask it to end, which is done in three steps, within ``drain_seconds``:

1. It says that it is not ready, and scores on: half of the time, five seconds at most, so that
   balancers, which look every few seconds, send the next calls elsewhere. Connections are ended
   with the answers that they wait for. The feature party's replica has no callers to wait for:
   it closes its door at once and tells those that are linked to go, which then have all of the
   time to link with another one and to fill their stock.
2. It takes no more rows, and scores those that are there.
3. The links and the port are closed.

That is the end that a service is asked for, so the command's code is 0: systemd and Kubernetes take
any other for a failure. Ctrl-C once more goes to the third step at once.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from securexgb.errors import SecureXGBError
from securexgb.federation.session import Federation
from securexgb.serve.front.app import Health, Replica
from securexgb.serve.front.asgi import Route
from securexgb.serve.front.server import HttpServer, listen
from securexgb.serve.memory import keep_freed_memory
from securexgb.serve.meter import PrometheusMeter
from securexgb.serve.scoring.allowed import serving

_LOG = logging.getLogger(__name__)
_LEAVING_SECONDS = 5.0
_GLANCE_SECONDS = 0.5


class Scoring(Replica, Protocol):
    """One side's end of the pair."""

    def drain(self, seconds: float) -> None:
        """As ``Scorer.drain``."""
        ...


def run(
    federation: Federation,
    scoring: Scoring,
    meter: PrometheusMeter,
    routes: Callable[[Health], list[Route]],
    started: Callable[[int], None],
) -> None:
    """Serve until a signal. ``routes``: beside health and figures; ``started``: hears the port."""
    keep_freed_memory()
    config, settings = federation.config, serving(federation)
    seconds = settings.drain_seconds
    health, ended = Health(scoring, meter), threading.Event()
    meter.follow(lambda: scoring.models, lambda: health.is_ready)
    app = health.app(routes(health))
    port = listen(settings.http, config.name)
    number: int = port.getsockname()[1]
    server = HttpServer(app, port, ended.set, seconds)
    try:
        server.start()
        # What is there by now stays: nobody's answer waits while the collector walks through it.
        gc.collect()
        gc.freeze()
        started(number)
        # In glances: a signal that comes just before a wait without a limit does not end it.
        while not ended.wait(_GLANCE_SECONDS):
            pass
        raise SecureXGBError(f"{config.name}: the HTTP server ended by itself")
    except KeyboardInterrupt:
        has_callers = federation.role == "label"
        _leave(health, scoring, ended, seconds, min(seconds / 2, _LEAVING_SECONDS) * has_callers)
    finally:
        server.close()
    _LOG.info("ended")


def _leave(
    health: Health, scoring: Scoring, ended: threading.Event, seconds: float, turning: float
) -> None:
    """Steps one and two; ``turning``: seconds of the first."""
    health.is_leaving = True
    deadline = time.monotonic() + seconds
    _LOG.info("asked to end: not ready any more, %g s are left", seconds)
    with suppress(KeyboardInterrupt):
        ended.wait(turning)
        scoring.drain(max(deadline - time.monotonic(), 0.0))
        return
    scoring.drain(0.0)
