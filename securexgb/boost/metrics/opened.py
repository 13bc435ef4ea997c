"""Metrics that the label party computes by itself, on evaluation rows whose scores it is given.

Where the terms say evaluation_scores_to = "label", nothing is measured in shares. The margins of
all evaluation rows are rounded in shares and opened to the label party (EVALUATION_SCORE), which
has the labels and needs no protocol for the rest: any metric can be had, of all rows. The other
side is told the values (METRIC), rounded to the steps of the terms: both have to know them, for
early stopping and for whatever else follows from a metric.

What this costs is said in the threat model: between two evaluations a row's score moves by the
leaves that it went to, so the label party sees which of these rows go together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import MARGIN_BITS
from securexgb.boost.metrics.auc import EvaluationTargets
from securexgb.boost.metrics.evaluation import fixed_step
from securexgb.boost.objective.log_link import losses_of
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, MalformedFrame, SecureXGBError
from securexgb.mpc.numbers.truncate import round_off, shift_cost
from securexgb.mpc.open import open_to
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.share import share
from securexgb.mpc.shared import Shared

Floats = NDArray[np.float64]

STEPS = 10**4
"""Of a unit of a margin, to which scores are rounded: no metric is opened more finely. So no
number of trees is too many for the ring."""
NEEDS_BOTH_CLASSES = ("auc", "aucpr", "ks")


@dataclass(frozen=True, eq=False, repr=False)
class Scored:
    """Rows of one set at the label party: margins (outputs, n) in units of target_scale, what they
    predict, labels and weights (n,)."""

    margins: Floats
    predictions: Floats
    labels: Floats
    weights: Floats | None


def opened_metrics(
    party: Party,
    params: TrainingParams,
    sets: Sequence[tuple[Shared, EvaluationTargets]],
    metrics: Sequence[str],
) -> list[list[float]]:
    """Values of these metrics, set after set, at both parties; margins shared (outputs, n)."""
    if not sets:
        return []
    with party.step("scores"):
        margins = Shared.concatenate([of_set for of_set, _ in sets], axis=1)
        rounded = round_off(party, margins.scale(STEPS), MARGIN_BITS)
        words = open_to(party, 0, rounded, Reveal.EVALUATION_SCORE)
    found = np.zeros((len(sets), len(metrics)))
    if words is not None:
        scores, at = words.view(np.int64) / STEPS, 0
        for values, (_, truth) in zip(found, sets, strict=True):
            rows = _scored(params, scores[:, at : at + truth.rows], truth)
            values[:] = [_rounded(metric_of(name, rows), name, params) for name in metrics]
            at += truth.rows
    with party.step("values"):
        mine = found.reshape(-1).view(np.uint64)
        told = share(party, mine if party.rank == 0 else None, 0, mine.shape)
        theirs = open_to(party, 1, told, Reveal.METRIC)
    if theirs is not None:
        found = theirs.view(np.float64).reshape(found.shape)
        if not bool(np.isfinite(found).all()):
            raise MalformedFrame("a metric that the label party tells is no finite number")
    values_of_all: list[list[float]] = found.tolist()
    return values_of_all


def opened_metrics_cost(rows: int, outputs: int, values: int) -> Cost:
    """Cost of ``opened_metrics`` of so many rows over all sets, and values of metrics."""
    words = outputs * rows
    return shift_cost(MARGIN_BITS, words) + Cost(1, 0, words) + Cost(1, values, 0)


def check_opened_metrics(truth: EvaluationTargets, name: str, metrics: Sequence[str]) -> None:
    """At the label party: refuse a set that a metric is not defined for (DataError)."""
    if truth.labels is None:
        return
    counted = truth.labels if truth.weights is None else truth.labels[truth.weights > 0]
    asked = [metric for metric in metrics if metric in NEEDS_BOTH_CLASSES]
    if asked and np.unique(counted).size < 2:
        raise DataError(f"{asked[0]} needs both classes in the evaluation set {name!r}")


def metric_of(name: str, rows: Scored) -> float:
    """A metric by its name, in the clear."""
    kind, _, threshold = name.partition("@")
    if kind == "error":
        return _error(rows, float(threshold) if threshold else 0.5)
    if kind not in _METRICS:
        losses = losses_of(name, rows.labels, rows.predictions)
        return float(np.average(losses, weights=rows.weights))
    return _METRICS[kind](rows)


def _scored(params: TrainingParams, margins: Floats, truth: EvaluationTargets) -> Scored:
    if truth.labels is None:
        raise SecureXGBError("scores of evaluation rows are opened to the side that has no labels")
    used = margins * params.target_scale
    predicted = objective_of(params).predictions(used[0]) + truth.centre
    return Scored(margins, predicted, truth.labels, truth.weights)


def _rounded(value: float, name: str, params: TrainingParams) -> float:
    step = fixed_step(name, params)
    return round(value / step) * step


def _error(rows: Scored, threshold: float) -> float:
    if threshold == 0.5:
        wrong = (rows.margins[0] > 0) != (rows.labels == 1)
    else:
        wrong = (rows.predictions > threshold) != (rows.labels == 1)
    return float(np.average(wrong, weights=rows.weights))


def _logloss(rows: Scored) -> float:
    """Of margins, so that a probability of nearly 0 or 1 is no end of it."""
    margins = rows.margins[0]
    return float(np.average(np.logaddexp(0, margins) - rows.labels * margins, weights=rows.weights))


def _auc(rows: Scored) -> float:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415  (slow, and needed here only)

    return float(roc_auc_score(rows.labels, rows.margins[0], sample_weight=rows.weights))


def _curve(rows: Scored) -> tuple[Floats, Floats]:
    """False and true positives as shares of their class, from the highest score down."""
    from sklearn.metrics import roc_curve  # noqa: PLC0415  (slow, and needed here only)

    false, true, _ = roc_curve(
        rows.labels, rows.margins[0], sample_weight=rows.weights, drop_intermediate=False
    )
    return false, true


def _ks(rows: Scored) -> float:
    false, true = _curve(rows)
    return float(np.abs(true - false).max())


def _aucpr(rows: Scored) -> float:
    """The area under precision by recall as xgboost has it, which between two points of equal
    scores is not a straight line but what a mixture of both would do (Davis and Goadrich, ICML
    2006; Boyd, Eng and Page, ECML 2013)."""
    false, true = _curve(rows)
    weights = np.ones(rows.labels.size) if rows.weights is None else rows.weights
    positives = float(weights[rows.labels == 1].sum())
    false = false * (float(weights.sum()) - positives) / positives
    rise, run = np.diff(true), np.diff(false)
    moves = rise > 0
    slope = 1.0 + run[moves] / rise[moves]
    start, end = true[:-1][moves], true[1:][moves]
    rest = false[:-1][moves] - (slope - 1.0) * start
    small = np.abs(rest) < 1e-12
    rest = np.where(small, 0.0, rest)
    with np.errstate(divide="ignore", invalid="ignore"):
        bend = rest / slope * np.log((slope * end + rest) / (slope * start + rest))
    return float(((end - start - np.where(small, 0.0, bend)) / slope).sum())


def _rmse(rows: Scored) -> float:
    return math.sqrt(float(np.average((rows.predictions - rows.labels) ** 2, weights=rows.weights)))


def _mae(rows: Scored) -> float:
    return float(np.average(np.abs(rows.predictions - rows.labels), weights=rows.weights))


_METRICS: dict[str, Callable[[Scored], float]] = {
    "logloss": _logloss, "auc": _auc, "aucpr": _aucpr, "ks": _ks, "rmse": _rmse, "mae": _mae,
}  # fmt: skip
