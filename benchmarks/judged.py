"""How two models differ: the figures that a table of accuracy has, from their margins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from bars import COUNTED
from numpy.typing import NDArray
from problems import Rows

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Margins:
    """Log odds, or values, of the rows trained on and of those held out."""

    train: Reals
    test: Reals


def expected_auc(rates: Reals, scores: Reals) -> float | None:
    """AUC of scores where a row is positive with this probability, ties half."""
    _, place = np.unique(scores, return_inverse=True)
    hits = np.bincount(place, rates)
    misses = np.bincount(place, 1 - rates)
    if hits.size < 2 or hits.sum() == 0 or misses.sum() == 0:
        return None
    below = np.cumsum(misses) - misses / 2
    return float((hits * below).sum() / hits.sum() / misses.sum())


def chances(margins: Reals) -> Reals:
    """Probabilities of log odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(margins, -700, 700))), np.float64)


def of_events(train: Rows, test: Rows, margins: Margins) -> dict[str, Any]:
    """A classification's figures: segments on the rows trained on, all else on those held out."""
    fitted, held = chances(margins.train), chances(margins.test)
    rows = np.maximum(np.bincount(train.segments), 1)
    return {
        "auc": expected_auc(test.truth, margins.test),
        "logloss": float(np.mean(np.logaddexp(0, margins.test) - test.truth * margins.test)),
        "mean": float(held.mean()),
        "fitted_mean": float(fitted.mean()),
        "median": float(np.median(margins.test)),
        "segments": list(np.bincount(train.segments, fitted) / rows),
        "positives": [int(x) for x in np.bincount(train.segments, train.target)],
    }


def events_apart(
    ours: dict[str, Any], other: dict[str, Any], margins: tuple[Margins, Margins]
) -> dict[str, Any]:
    """Differences of ``ours`` to ``other``; ``margins`` of both in that order."""
    pairs = zip(ours["segments"], other["segments"], other["positives"], strict=True)
    one, two = (both.test for both in margins)
    segments = [a / b - 1 for a, b, positives in pairs if positives >= COUNTED]
    auc = None if ours["auc"] is None or other["auc"] is None else ours["auc"] - other["auc"]
    return {
        "auc": auc,
        "logloss": ours["logloss"] / other["logloss"] - 1,
        "mean": ours["mean"] / other["mean"] - 1,
        "fitted_mean": ours["fitted_mean"] / other["fitted_mean"] - 1,
        "segment": max(segments, key=abs, default=None),
        "median": ours["median"] - other["median"],
        "typical": float(np.median(np.abs(one - two))),
        "worst_chance": float(np.abs(chances(one) - chances(two)).max()),
    }


def of_amounts(test: Rows, values: Reals) -> dict[str, Any]:
    """A regression's figures."""
    return {"rmse": float(np.sqrt(np.mean((values - test.target) ** 2)))}


def amounts_apart(test: Rows, ours: Reals, other: Reals) -> dict[str, Any]:
    """Differences in standard deviations of the target."""
    gaps = np.abs(ours - other) / test.target.std()
    return {"worst": float(gaps.max()), "typical": float(np.median(gaps))}
