"""The parts of this side's replica, put together by its role."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from securexgb.federation.session import Federation
from securexgb.jobs.checks import keys_line
from securexgb.serve.features.choose import open_features
from securexgb.serve.front.app import Front
from securexgb.serve.front.callers import Callers
from securexgb.serve.gate.budgets import open_gate
from securexgb.serve.meter import PrometheusMeter
from securexgb.serve.running import run
from securexgb.serve.scoring.allowed import serving
from securexgb.serve.scoring.feature import FeatureReplica
from securexgb.serve.scoring.label import LabelScorer


def serve_until_stopped(federation: Federation, started: Callable[[int], None]) -> None:
    """Open the source of features and the gate, then serve; ``started`` hears the HTTP port.

    Certificates that are not those of the two sides end it at once: no other replica would do.
    """
    keys_line(federation)
    settings, meter = serving(federation), PrometheusMeter()
    callers = None if settings.callers is None else Callers(settings.callers)
    with closing(open_features(federation)) as features, closing(open_gate(federation)) as gate:
        if federation.role == "feature":
            replica = FeatureReplica(federation, features, gate, meter)
            replica.start()
            run(federation, replica, meter, lambda _: [], started)
            return
        scorer = LabelScorer(federation, features, gate, meter)
        run(
            federation,
            scorer,
            meter,
            lambda health: Front(federation, scorer, health, callers).routes(),
            started,
        )
