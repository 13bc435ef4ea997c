"""What the points of growth.py say: straight lines through them, and the price of a round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from lines import Line, at


@dataclass(frozen=True)
class Fit:
    """y = fixed + slope x, by least squares; ``off``: the median relative error of the points."""

    fixed: float
    slope: float
    off: float

    @staticmethod
    def of(x: Sequence[float], y: Sequence[float]) -> Fit:
        """Through at least two points of different x, else a level line."""
        if len(set(x)) < 2:
            return Fit(float(np.mean(y)), 0.0, 0.0)
        matrix = np.stack([np.ones(len(x)), np.array(x, float)], axis=1)
        fixed, slope = np.linalg.lstsq(matrix, np.array(y), rcond=None)[0]
        return Fit(float(fixed), float(slope), _off(matrix @ [fixed, slope], y))

    def __call__(self, x: float) -> float:
        return self.fixed + self.slope * x


@dataclass(frozen=True)
class Prices:
    """seconds = a_round rounds + a_megabyte megabytes, none of them negative."""

    a_round: float
    a_megabyte: float
    off: float

    @staticmethod
    def of(points: Sequence[Line]) -> Prices:
        """From the online seconds of all points, each counted by its relative error."""
        seconds = np.array([at(p, "mean.online_seconds") for p in points])
        parts = np.array(
            [[at(p, "model.rounds"), at(p, "model.online_megabytes")] for p in points], float
        )
        weighted = parts / seconds[:, None]
        prices = np.linalg.lstsq(weighted, np.ones(len(points)), rcond=None)[0]
        if prices.min() < 0:  # too few points to tell the two apart
            one = int(prices.argmax())
            alone = weighted[:, one].sum() / (weighted[:, one] ** 2).sum()
            prices = np.array([alone, 0.0] if one == 0 else [0.0, alone])
        return Prices(float(prices[0]), float(prices[1]), _off(parts @ prices, list(seconds)))


def _off(predicted: np.ndarray[tuple[int], np.dtype[np.float64]], y: Sequence[float]) -> float:
    return float(np.median(np.abs(predicted / np.array(y) - 1)))
