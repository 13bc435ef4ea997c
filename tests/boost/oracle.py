"""Gains in exact rational arithmetic: which split is best, by xgboost's rules and no rounding.

Candidates come in xgboost's order: columns; in each first cuts in ascending order with
missing values to the right, then in descending order with missing values to the left. Sums
are integers; gains are compared as doubles first and, where those are close, as fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.boost.case import Case

Rows = NDArray[np.bool_]

RANKED = 2.0**-10.8
"""Scores of D^2 / (H_L' H_R') that differ by more than this, relatively, are ranked right."""
_DOUBTFUL = 1e-9
"""Doubles decide differences of gains that are greater than this, relative to the scores."""


@dataclass(frozen=True)
class Choices:
    """The valid candidates of a node in order of preference: arrays (c,).

    ``left``: (c, 2) integer sums (G, H); ``gain``: as doubles, of weights within max_delta_step;
    ``slack``: what our one may be off by; ``doubt``: two candidates may be ranked the wrong way
    round if their gains differ by no more than the sum of theirs.
    """

    column: NDArray[np.int64]
    cut: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    left: NDArray[np.int64]
    gain: NDArray[np.float64]
    slack: NDArray[np.float64]
    doubt: NDArray[np.float64]


class Oracle:
    """Exact sums and gains for a case whose gradients are whole units of sums."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._unit = 1 << case.numbers.gradient_bits
        rows, dropped = np.stack([case.gradient, case.hessian], axis=1), case.numbers.dropped_bits
        self._pairs = rows >> np.array(dropped)
        assert np.array_equal(self._pairs << np.array(dropped), rows)
        self._least = Fraction(case.params.min_child_weight) * self._unit

    def sums(self, rows: Rows) -> NDArray[np.int64]:
        """(G, H) in units."""
        total: NDArray[np.int64] = self._pairs[rows].sum(axis=0)
        return total

    def weight(self, rows: Rows) -> Fraction:
        """T(G) / (H + lambda), clamped; 0 for a root that has less than min_child_weight."""
        sums = self.sums(rows)
        return self._weight(sums) if sums[1] >= self._least else Fraction(0)

    def weight_slack(self, rows: Rows) -> float:
        """Bound on the error of our weight, see tests/mpc/test_divide.py."""
        return 2.0**-20 + abs(float(self.weight(rows))) * 2.0**-20.5

    def leaf(self, rows: Rows) -> Any:
        """The leaf value to compare with: rounded are our weight, the rate and the product."""
        weight, rate = float(self.weight(rows)), self.case.params.learning_rate
        slack = rate * self.weight_slack(rows) + abs(weight) * 2.0**-21 + 2.0**-20
        return pytest.approx(-rate * weight, abs=slack)

    def score(self, sums: NDArray[np.int64]) -> Fraction:
        """2 T(G) w - (H + lambda) w^2 of the clamped weight w."""
        gradient, below = self._exact(sums)
        weight = self._weight(sums)
        return 2 * gradient * weight - below * weight * weight

    def gain(self, node: Rows, left: Rows) -> Fraction:
        """What a split earns."""
        both, part = self.sums(node), self.sums(node & left)
        return self.score(part) + self.score(both - part) - self.score(both)

    def goes_left(self, column: int, cut: int, missing_left: bool) -> Rows:
        """Where a candidate sends each row."""
        values = self.case.bins[:, column]
        return np.where(values < self.case.params.max_bin, values <= cut, missing_left)

    def choices(self, node: Rows, columns: NDArray[np.int64] | None = None) -> Choices:
        """All valid candidates, of the case's columns or of these."""
        bins, both, count = self.case.params.max_bin, self.sums(node), int(node.sum())
        least, found = self._least, []
        for column in self.case.columns if columns is None else columns:
            table = np.zeros((bins + 1, 3), np.int64)
            np.add.at(table[:, :2], self.case.bins[node, column], self._pairs[node])
            np.add.at(table[:, 2], self.case.bins[node, column], 1)
            running = table[:bins].cumsum(axis=0)
            for missing_left in (False, True):
                cuts = np.arange(bins - 2, -1, -1) if missing_left else np.arange(bins)
                left = running[cuts] + missing_left * table[bins]
                rest = np.array([*both, count]) - left
                valid = (left[:, 2] > 0) & (rest[:, 2] > 0)
                valid &= (left[:, 1] >= least) & (rest[:, 1] >= least)
                found += [
                    (column, c, missing_left, *s[:2])
                    for c, s in zip(cuts[valid], left[valid], strict=True)
                ]
        return self._described(np.array(found, np.int64).reshape(-1, 5), both)

    def best(
        self, node: Rows, columns: NDArray[np.int64] | None = None
    ) -> tuple[Choices, int | None]:
        """All candidates and the place of the first of the best."""
        choices, both = self.choices(node, columns), self.sums(node)
        if not choices.gain.size:
            return choices, None
        scale = choices.gain.max() + float(self.score(both))
        close = np.flatnonzero(choices.gain >= choices.gain.max() - _DOUBTFUL * scale)
        exact = [self.score(s) + self.score(both - s) for s in choices.left[close]]
        return choices, int(close[exact.index(max(exact))])

    def _described(self, found: NDArray[np.int64], both: NDArray[np.int64]) -> Choices:
        left, parent = found[:, 3:], both[None]
        scores, slacks = zip(
            *(self._real(sums) for sums in (left, both - left, parent)), strict=True
        )
        gain, slack = scores[0] + scores[1] - scores[2], slacks[0] + slacks[1] + slacks[2]
        doubt = slack if self.case.numbers.ranks_by_weights else self._doubt(left, both)
        marks = found[:, 2].astype(bool)
        return Choices(found[:, 0], found[:, 1], marks, left, gain, slack, doubt)

    def _doubt(self, left: NDArray[np.int64], both: NDArray[np.int64]) -> NDArray[np.float64]:
        """Half of what scores leave open of D^2 / (H_L' H_R' (H + 2 lambda)), see boost/splits."""
        real, node = left / self._unit, both / self._unit
        below = real[:, 1] + self.case.params.reg_lambda
        other = node[1] + 2 * self.case.params.reg_lambda - below
        determinant = np.abs(real[:, 0] * (below + other) - node[0] * below)
        one_unit = 2 * determinant / self._unit**2
        scale = below * other * (below + other)
        doubt = determinant**2 * RANKED / 2 + one_unit
        return np.divide(doubt, scale, out=np.zeros_like(doubt), where=scale > 0)

    def _real(self, sums: NDArray[np.int64]) -> tuple[Any, Any]:
        """Scores as doubles, and the error of ours."""
        params, real = self.case.params, sums / self._unit
        gradient = np.sign(real[:, 0]) * np.maximum(np.abs(real[:, 0]) - params.reg_alpha, 0)
        below = real[:, 1] + params.reg_lambda
        weight = np.divide(gradient, below, out=np.zeros_like(below), where=below > 0)
        most = params.max_delta_step or np.inf
        ended = np.clip(weight, -most, most)
        slack = np.abs(gradient) * (2.0**-20 + np.abs(ended) * 2.0**-20.5)
        # Of a weight that ends it and its square are rounded.
        slack += (ended != weight) * (below + np.abs(gradient)) * 2.0**-19
        return ended * (2 * gradient - below * ended), slack

    def _weight(self, sums: NDArray[np.int64]) -> Fraction:
        """T(G) / (H + lambda), clamped."""
        gradient, below = self._exact(sums)
        weight = gradient / below if below else Fraction(0)
        most = Fraction(self.case.params.max_delta_step or 0)
        return min(max(weight, -most), most) if most else weight

    def _exact(self, sums: NDArray[np.int64]) -> tuple[Fraction, Fraction]:
        params = self.case.params
        gradient = Fraction(int(sums[0]), self._unit)
        short = max(abs(gradient) - Fraction(params.reg_alpha), Fraction(0))
        below = Fraction(int(sums[1]), self._unit) + Fraction(params.reg_lambda)
        return (short if gradient > 0 else -short), below
