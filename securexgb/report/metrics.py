"""The metrics of a report: how well scores rank, how well probabilities are calibrated.

All of them are plain arithmetic on labels and scores that the caller already
holds; nothing here opens a share. ``labels`` are 0/1, ``scores`` any real
numbers that grow with the probability of 1; arrays of shape (rows,). Where only
one class is present a ranking metric does not exist and is ``None``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.report.record import (
    Band,
    BinaryMetrics,
    CalibrationBin,
    ClassMetrics,
    Cumulated,
    KolmogorovSmirnov,
    OneClass,
    RegressionMetrics,
    ScoreBin,
    Stability,
    StabilityBand,
)

Reals = NDArray[np.float64]
EMPTY_SHARE = 1e-4
"""The least share of rows that a band of the stability index counts with."""


def _roc(labels: Reals, scores: Reals) -> tuple[Reals, Reals, Reals] | None:
    """False-positive rate, true-positive rate and threshold, one point a distinct score,
    from the highest down, after a first point (0, 0, infinity); None with one class only."""
    if np.unique(labels).size < 2:
        return None
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), ordered.size - 1)
    hits = np.cumsum(labels[order])[last]
    misses = last + 1 - hits
    return (
        np.append(0.0, misses / misses[-1]),
        np.append(0.0, hits / hits[-1]),
        np.append(np.inf, ordered[last]),
    )


def auc(labels: Reals, scores: Reals) -> float | None:
    """Area under the ROC curve: the chance that a 1 scores above a 0, ties half."""
    curve = _roc(labels, scores)
    return None if curve is None else float(np.trapezoid(curve[1], curve[0]))


def kolmogorov_smirnov(labels: Reals, scores: Reals) -> KolmogorovSmirnov | None:
    """max over s of |P(score >= s | 1) - P(score >= s | 0)|, and the lowest s of that set."""
    curve = _roc(labels, scores)
    if curve is None:
        return None
    distance = np.abs(curve[1] - curve[0])[1:]
    best = int(np.argmax(distance))
    return KolmogorovSmirnov(float(distance[best]), float(curve[2][1 + best]))


def log_loss(labels: Reals, probabilities: Reals) -> float:
    """Mean negative log-likelihood; probabilities are kept 1e-15 away from 0 and 1."""
    clipped = np.clip(probabilities, 1e-15, 1.0 - 1e-15)
    return float(-np.mean(labels * np.log(clipped) + (1.0 - labels) * np.log1p(-clipped)))


def brier(labels: Reals, probabilities: Reals) -> float:
    """Mean squared difference between probability and label."""
    return float(np.mean((probabilities - labels) ** 2))


def lift_table(labels: Reals, scores: Reals, bands: int = 10) -> list[Band]:
    """Rows by falling score in bands of equal size: rate, lift, share of the 1s captured.

    Rows of one score share the 1s among them, wherever a band ends: the order of rows says
    nothing, and a constant score has lift 1 in every band.
    """
    order = np.argsort(-scores, kind="stable")
    _, group = np.unique(scores, return_inverse=True)
    shared = (np.bincount(group, labels) / np.bincount(group))[group]
    positives = float(labels.sum())
    base_rate = positives / max(labels.size, 1)
    negatives = float(labels.size - positives)
    table, seen, count = [], 0.0, 0
    for number, rows in enumerate(np.array_split(order, min(bands, labels.size)), start=1):
        hits = float(shared[rows].sum())
        seen += hits
        count += rows.size
        rate = hits / rows.size
        table.append(
            Band(
                band=number,
                rows=int(rows.size),
                positives=hits,
                lowest_score=float(scores[rows].min()),
                rate=rate,
                lift=rate / base_rate if base_rate else 0.0,
                captured=seen / positives if positives else 0.0,
                negatives_captured=(count - seen) / negatives if negatives else 0.0,
            )
        )
    return table


def cumulated(labels: Reals, scores: Reals) -> list[Cumulated]:
    """Of each class the share of rows with at least a score, from the highest score down; their
    greatest distance is the Kolmogorov-Smirnov distance. Empty with one class only."""
    curve = _roc(labels, scores)
    if curve is None:
        return []
    misses, hits, at = (part[1:] for part in curve)
    return [Cumulated(float(at[i]), float(hits[i]), float(misses[i])) for i in _kept(at.size)]


def distribution(labels: Reals, scores: Reals, bins: int = 20) -> list[ScoreBin]:
    """How many rows of each class lie in each of ``bins`` equal steps from the least score to the
    greatest; a score at the last edge belongs to the last step."""
    edges = np.linspace(scores.min(), scores.max(), bins + 1)
    counts = [np.histogram(scores[labels == label], edges)[0] for label in (1.0, 0.0)]
    return [
        ScoreBin(float(edges[i]), float(edges[i + 1]), int(counts[0][i]), int(counts[1][i]))
        for i in range(bins)
    ]


def calibration(labels: Reals, probabilities: Reals, bins: int = 10) -> list[CalibrationBin]:
    """Mean probability against the observed rate, in ``bins`` equal steps of probability."""
    index = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    return [
        CalibrationBin(
            rows=int(inside.sum()),
            predicted=float(probabilities[inside].mean()),
            observed=float(labels[inside].mean()),
        )
        for inside in (index == number for number in range(bins))
        if inside.any()
    ]


def stability(expected: tuple[str, Reals], actual: tuple[str, Reals], bands: int = 10) -> Stability:
    """How far ``actual`` scores have moved from ``expected`` ones (the population stability index,
    PSI), each with the name of its rows; bands are quantiles of the expected scores.

    A band that holds less than ``EMPTY_SHARE`` of the rows counts in the index as if it held that,
    so that one that was emptied raises the index much, but not infinitely. Below 0.1 is usually
    called stable, above 0.25 shifted.
    """
    edges = np.unique(np.quantile(expected[1], np.linspace(0.0, 1.0, bands + 1)[1:-1]))
    shares = [
        np.bincount(np.searchsorted(edges, scores, side="right"), minlength=edges.size + 1)
        / scores.size
        for _, scores in (expected, actual)
    ]
    was, is_ = (np.maximum(share, EMPTY_SHARE) for share in shares)
    ends = [*edges.tolist(), None]
    return Stability(
        expected[0],
        actual[0],
        float(np.sum((is_ - was) * np.log(is_ / was))),
        [
            StabilityBand(below, float(old), float(new))
            for below, old, new in zip(ends, *shares, strict=True)
        ],
    )


def binary_metrics(labels: Reals, probabilities: Reals) -> BinaryMetrics:
    """Everything a binary report shows, from labels 0/1 and probabilities of 1."""
    area = auc(labels, probabilities)
    distance = kolmogorov_smirnov(labels, probabilities)
    curve = _roc(labels, probabilities)
    return BinaryMetrics(
        rows=int(labels.size),
        positives=int(labels.sum()),
        auc=area,
        gini=None if area is None else 2.0 * area - 1.0,
        ks=None if distance is None else distance.value,
        ks_score=None if distance is None else distance.score,
        logloss=log_loss(labels, probabilities),
        brier=brier(labels, probabilities),
        error=float(np.mean((probabilities > 0.5) != (labels > 0.5))),
        roc=[] if curve is None else _thin(curve[0], curve[1]),
        cumulated=cumulated(labels, probabilities),
        distribution=distribution(labels, probabilities),
        lift=lift_table(labels, probabilities),
        calibration=calibration(labels, probabilities),
    )


def class_metrics(labels: Reals, probabilities: Reals) -> ClassMetrics:
    """Everything a report of several classes shows, from class numbers (rows,) and probabilities
    (rows, classes): the mean of -log of the own class's, kept 1e-15 away from 0, and the share of
    rows whose most probable class is another one."""
    own, classes = labels.astype(np.int64), int(probabilities.shape[1])
    right = np.clip(probabilities[np.arange(own.size), own], 1e-15, 1.0)
    chosen = probabilities.argmax(axis=1)
    counts = np.bincount(own * classes + chosen, minlength=classes**2).reshape(classes, classes)
    each = [_one_class(own, probabilities[:, number], counts, number) for number in range(classes)]
    areas = [one.auc for one in each if one.auc is not None]
    of_class = [one.rows for one in each]
    return ClassMetrics(
        rows=int(own.size),
        classes=classes,
        mlogloss=float(-np.mean(np.log(right))),
        merror=float(np.mean(chosen != own)),
        auc=float(np.average(areas, weights=of_class)) if len(areas) == classes else None,
        each=each,
    )


def _one_class(
    own: NDArray[np.int64], probability: Reals, counts: NDArray[np.int64], number: int
) -> OneClass:
    """``counts``: rows by class and by most probable class, (classes, classes)."""
    rows, predicted = int(counts[number].sum()), int(counts[:, number].sum())
    right = int(counts[number, number])
    return OneClass(
        rows=rows,
        predicted=predicted,
        mean=float(probability.mean()),
        recall=right / rows if rows else None,
        precision=right / predicted if predicted else None,
        auc=auc((own == number).astype(np.float64), probability),
        taken_for=counts[number].tolist(),
    )


def regression_metrics(targets: Reals, predictions: Reals) -> RegressionMetrics:
    """Everything a regression report shows."""
    residuals = predictions - targets
    spread = float(np.sum((targets - targets.mean()) ** 2))
    return RegressionMetrics(
        rows=int(targets.size),
        rmse=float(np.sqrt(np.mean(residuals**2))),
        mae=float(np.mean(np.abs(residuals))),
        r2=1.0 - float(np.sum(residuals**2)) / spread if spread else None,
    )


def _thin(x: Reals, y: Reals, most: int = 200) -> list[tuple[float, float]]:
    """At most ``most`` points of a curve, the ends included: enough for a figure."""
    return [(float(x[i]), float(y[i])) for i in _kept(x.size, most)]


def _kept(size: int, most: int = 200) -> NDArray[np.int64]:
    """At most ``most`` of so many places, evenly, the ends included."""
    return np.unique(np.linspace(0, size - 1, min(most, size)).round().astype(np.int64))
