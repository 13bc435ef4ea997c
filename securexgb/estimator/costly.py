"""A warning where the metrics of evaluation sets take longer than the trees between them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.costs.metrics import MeasuredSet
from securexgb.boost.ensemble import ModelHalf
from securexgb.jobs.alignment import Named
from securexgb.jobs.estimating.estimate import estimate
from securexgb.jobs.estimating.job import Job
from securexgb.jobs.estimating.machine import Machine
from securexgb.jobs.estimating.online import evaluation_cost, tree_cost
from securexgb.jobs.estimating.words import evaluation_warning
from securexgb.mpc.protocol import Cost
from securexgb.offline.method import Method


class MetricsWarning(TrainingCallback):
    """Warns before the first tree, when both sides' columns are known.

    ``method``: how correlations are made; None: by a dealer in this process, and then what is said
    is what two companies would pay by the default terms.
    """

    def __init__(self, method: Method | None, evals: Named) -> None:
        self._method, self._rows = method or Method(), [(name, data.count) for name, data in evals]

    def before_training(self, model: ModelHalf) -> ModelHalf:
        if self._rows:
            text = metrics_warning(model, self._method, self._rows)
            if text is not None:
                warnings.warn(f"between two companies {text}", UserWarning, stacklevel=2)
        return model


def metrics_warning(
    model: ModelHalf, method: Method, sets: Sequence[tuple[str, int]]
) -> str | None:
    """The words of ``evaluation_warning`` on a fast link and a machine like the one that prices
    were measured on; no seconds are measured here."""
    weighted = model.layout.weights
    measured = tuple(MeasuredSet(name, rows, weighted) for name, rows in sets)
    job = Job(model.params, model.layout, method, measured, by_command=False)
    metrics, tree = evaluation_cost(job), tree_cost(job)
    if 2 * metrics.rounds < tree.rounds and 2 * _words(metrics) < _words(tree):
        return None  # far from it, and what follows takes half a second
    return evaluation_warning(estimate(job, model.rank, machine=Machine()), job.params)


def _words(cost: Cost) -> int:
    return cost.label_words + cost.feature_words
