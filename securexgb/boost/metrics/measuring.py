"""The metrics of evaluation sets, in shares or at the label party, as the terms say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from securexgb.boost.metrics.auc import EvaluationTargets
from securexgb.boost.metrics.evaluation import check_metrics, metric_value
from securexgb.boost.metrics.opened import check_opened_metrics, opened_metrics
from securexgb.boost.params import TrainingParams
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from securexgb.mpc.together import together


@dataclass(frozen=True, eq=False)
class Measured:
    """A set with the margins that it has now, shared (outputs, n)."""

    name: str
    margins: Shared
    truth: EvaluationTargets


def measured_metrics(
    party: Party, params: TrainingParams, sets: Sequence[Measured], metrics: Sequence[str]
) -> list[list[float]]:
    """The opened values of these metrics, set after set, equal at both parties; all at once."""
    if params.opens_scores:
        asked = [(one.margins, one.truth) for one in sets]
        return opened_metrics(party, params, asked, metrics)
    steps = [_step(params, one, metric) for one in sets for metric in metrics]
    values, count = together(party, *steps), len(metrics)
    return [list(values[at * count : (at + 1) * count]) for at in range(len(sets))]


def check_measured(
    truth: EvaluationTargets, name: str, params: TrainingParams, metrics: Sequence[str]
) -> None:
    """Refuse a set that a metric is not defined for, before any round is spent."""
    check_metrics(truth, name, params, metrics)
    if params.opens_scores:
        check_opened_metrics(truth, name, metrics)


def _step(params: TrainingParams, one: Measured, metric: str) -> Callable[[Party], float]:
    def run(party: Party) -> float:
        with party.step(one.name):
            return metric_value(party, metric, one.margins, one.truth, params)

    return run
