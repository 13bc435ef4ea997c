"""A front over a fake scorer on a port of its own, for every test of a module."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

pytest.importorskip("uvicorn", reason="the extra [serve] is not installed")
pytest.importorskip("uvicorn", reason="the extra [serve] is not installed")
pytest.importorskip("prometheus_client", reason="the extra [serve] is not installed")

from securexgb.serve.front.app import Front, Health
from securexgb.serve.front.callers import Callers
from securexgb.serve.front.server import HttpServer, listen
from securexgb.serve.meter import PrometheusMeter
from tests.serve.fakes import FakeScorer, federation


@dataclass(eq=False)
class Served:
    """A front, and what it stands on."""

    port: int
    scorer: FakeScorer
    health: Health
    meter: PrometheusMeter
    server: HttpServer

    @property
    def figures(self) -> str:
        return self.meter.text().decode()


def serve(scorer, callers=None, terms=None) -> Served:
    meter = PrometheusMeter()
    meter.follow(lambda: scorer.models, lambda: scorer.is_ready)
    health = Health(scorer, meter)
    own = federation(terms=terms)
    routes = Front(own, scorer, health, None if callers is None else Callers(callers)).routes()
    port = listen("127.0.0.1:0", "bank")
    number = port.getsockname()[1]
    server = HttpServer(health.app(routes), port, threading.Event().set, 1.0)
    server.start()
    return Served(number, scorer, health, meter, server)


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    made = serve(FakeScorer())
    yield made
    made.server.close()


@pytest.fixture
def front(shared: Served) -> Served:
    """The module's, as it was at first but for its figures."""
    vars(shared.scorer).update(vars(FakeScorer()))
    shared.health.is_leaving = False
    return shared


@pytest.fixture
def fresh() -> Iterator[Served]:
    made = serve(FakeScorer())
    yield made
    made.server.close()
