"""Callbacks: what runs before and after a training and each of its trees.

The four hooks are xgboost's. A callback runs at one side, on what that side may know: its
half of the model and the opened metric values. Where a hook says stop, at either side, both
sides stop after the same tree, because the decision is exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from securexgb.boost.ensemble import History, ModelHalf
from securexgb.boost.metrics.evaluation import MAXIMISED
from securexgb.boost.metrics.schedule import evaluated_round
from securexgb.boost.params import TrainingParams
from securexgb.errors import UsageError


class TrainingCallback:
    """The four hooks; each does nothing until it is overridden."""

    def before_training(self, model: ModelHalf) -> ModelHalf:
        """Before the first tree; returns the model."""
        return model

    def before_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        """Before tree number ``epoch``; true stops the training."""
        return False

    def after_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        """After tree number ``epoch`` and its metrics; true stops the training."""
        return False

    def after_training(self, model: ModelHalf) -> ModelHalf:
        """After the last tree; returns the model."""
        return model


@dataclass(eq=False)
class EarlyStopping(TrainingCallback):
    """Stop when a metric has not improved for ``rounds`` trees, counted from the tree after which
    it was best to the newest one after which it was measured.

    ``metric_name`` and ``data_name``: as in xgboost, by default the last metric of the last
    evaluation set. Sets the model's ``best_iteration``. It follows from the opened values
    alone, so both sides come to the same decision and a resumed training to the same one.
    """

    rounds: int
    metric_name: str | None = field(default=None, kw_only=True)
    data_name: str | None = field(default=None, kw_only=True)
    min_delta: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise UsageError(f"early_stopping_rounds must be at least 1, it is {self.rounds}")
        if self.min_delta < 0:
            raise UsageError(f"min_delta must not be negative, it is {self.min_delta}")

    def after_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        model.best_iteration, stop = self.verdict(model.params, evals_log)
        return stop

    def verdict(self, params: TrainingParams, evals_log: History) -> tuple[int | None, bool]:
        """The best iteration so far, None before the first evaluation, and whether to stop; of the
        opened values alone."""
        metric, values = self._watched(evals_log)
        if not values:
            return None, False
        place = best_iteration(values, metric in MAXIMISED, self.min_delta)
        best, newest = (evaluated_round(params, at) for at in (place, len(values) - 1))
        return best, newest - best >= self.rounds

    def _watched(self, evals_log: History) -> tuple[str, list[float]]:
        if not evals_log:
            raise UsageError("early stopping needs an evaluation set: give one in eval_set")
        data = list(evals_log)[-1] if self.data_name is None else self.data_name
        if data not in evals_log:
            raise UsageError(f"early stopping watches {data!r}, which is no evaluation set")
        metrics = evals_log[data]
        metric = self.metric_name if self.metric_name is not None else list(metrics)[-1]
        if metric not in metrics:
            raise UsageError(f"early stopping watches {metric!r}, which is not in eval_metric")
        return metric, metrics[metric]


def best_iteration(values: Sequence[float], is_maximised: bool, min_delta: float = 0.0) -> int:
    """Where the last value is that improved on the best before it by more than ``min_delta``."""
    best = 0
    for place, value in enumerate(values):
        gain = value - values[best] if is_maximised else values[best] - value
        if gain > min_delta:
            best = place
    return best
