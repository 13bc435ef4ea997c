"""What a replica of either side brings to a pair: its models, its desk, its groups of columns."""

from __future__ import annotations

from securexgb.federation.session import Federation
from securexgb.serve.parts import Features, Gate, Meter
from securexgb.serve.scoring.models import Models
from securexgb.serve.scoring.reasons import Groups
from securexgb.serve.scoring.rows import Desk
from securexgb.terms.serving import ServeSettings


def own_parts(
    federation: Federation, settings: ServeSettings, features: Features, gate: Gate, meter: Meter
) -> tuple[Models, Desk, Groups | None]:
    """Ready for every model that is there now: FeaturesUnavailable where columns of one are not to
    be had, UsageError where a group has a column that one lacks."""
    models, desk = Models(federation, settings), Desk(federation, features, gate, meter)
    groups = Groups.of(federation)
    for half in models.halves().values():
        desk.prepare(half)
        if groups is not None:
            groups.check(half)
    return models, desk, groups
