"""multi:softprob and multi:softmax: labels 0 to num_class - 1, a margin and a tree for each class.

p = softmax(margins), g = p - [label is the class], h = 2 p (1 - p), as xgboost has them (its least
h of 10^-16 is far below a unit). The label party knows which class a row has, so the marks of the
classes are its trivial shares. p and p (1 - p) come from the tables of two classes
(``mpc.numbers.softmax``), the latter with one fraction bit more, since h is twice as much.

The base is fitted as xgboost 3.2 fits it: the logarithm of each class's share of the weights and
10^-6, and their mean over the classes taken away. A base_score of the terms is the margin of all
classes, so it makes them equally probable.

xgboost's two objectives train the same model and differ in what predict returns; here both give
margins, and probabilities of them.
"""

from __future__ import annotations

import math

import numpy as np

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.boost.dither import Dither
from securexgb.boost.objective.logistic import bits_with
from securexgb.boost.objective.objective import (
    Derivatives,
    Floats,
    Labels,
    Objective,
    PairBits,
)
from securexgb.boost.objective.traits import SOFTMAX, SOFTPROB
from securexgb.boost.params import TrainingParams
from securexgb.boost.scales import Outcomes
from securexgb.errors import DataError
from securexgb.mpc.numbers.sigmoid import sigmoid_table
from securexgb.mpc.numbers.softmax import softmax
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, Words

_LEAST_RATE = 1e-6
"""xgboost's: added to each class's share before its logarithm is taken."""


def class_count(params: TrainingParams) -> int:
    """Classes that the terms name."""
    assert params.num_class is not None
    return params.num_class


def gap_bits(params: TrainingParams) -> int:
    """Bits of the difference of two margins, or of two logarithms of sums of their exponentials."""
    base = -math.log(_LEAST_RATE) + 1.0
    return bits_with(params, base) + 2


def one_hot(labels: Floats, classes: int) -> Words:
    """Marks of the classes of rows, (classes, n)."""
    marks: Words = (labels == np.arange(classes)[:, None]).astype(np.uint64)
    return marks


class Softprob(Objective):
    """``num_class`` classes; as many trees a round."""

    traits = SOFTPROB
    most = (1.0, 0.5)

    @property
    def outputs(self) -> int:
        return class_count(self._params)

    def check_labels(self, labels: Floats) -> None:
        classes = self.outputs
        wrong = np.unique(labels[~np.isin(labels, np.arange(classes))])
        if wrong.size:
            listed = ", ".join(f"{value:g}" for value in wrong[:4])
            raise DataError(
                f"the label column of the label party must hold whole numbers from 0 to "
                f"{classes - 1}, since num_class is {classes}; it holds {listed}"
                f"{', …' if wrong.size > 4 else ''}"
            )

    def base_margins(self, rows: Outcomes) -> Floats:
        """As xgboost; equal ones with a base_score, or where all weights are 0."""
        if self._params.base_score is not None:
            return np.full(self.outputs, self._params.base_score)
        logs = np.log(self._rates(rows) + _LEAST_RATE)
        base: Floats = logs - logs.mean()
        return base

    def _rates(self, rows: Outcomes) -> Floats:
        """Each class's share of the weights."""
        weights = np.ones(rows.labels.shape) if rows.weights is None else rows.weights
        weights = weights / max(float(weights.max(initial=0.0)), 1e-300)
        sums = np.bincount(rows.labels.astype(np.int64), weights, self.outputs)
        total = float(sums.sum())
        return sums / total if total > 0.0 else np.full(self.outputs, 1.0 / self.outputs)

    def constant_metric(self, train: Outcomes, rows: Outcomes) -> float:
        p = self.predictions(self.base_margins(train)[None])[0]
        return -float(self._rates(rows) @ np.log(p))

    def targets_shape(self, rows: int) -> tuple[int, ...]:
        return self.outputs, rows

    def targets(self, labels: Floats, centre: Floats | float, numbers: NumberFormat) -> Words:
        return one_hot(labels, self.outputs)

    def derivatives(self, numbers: NumberFormat, coins: Dither, is_weighted: bool) -> Derivatives:
        bits = PairBits.of(numbers, is_weighted)
        table = sigmoid_table(bits.gradient, bits.hessian + 1, numbers.is_fine, coins.tables)
        range_bits = gap_bits(self._params)

        def of_rows(party: Party, margins: Shared, labels: Labels) -> Shared:
            p, h = softmax(party, margins, table, range_bits)
            both = p - labels.targets.scale(1 << bits.gradient), h
            return bits.row_words(party, both, labels.weights, coins).transpose(1, 0, 2)

        return of_rows

    def predictions(self, margins: Floats) -> Floats:
        powers = np.exp(margins - margins.max(axis=1, keepdims=True))
        result: Floats = powers / powers.sum(axis=1, keepdims=True)
        return result


class Softmax(Softprob):
    """The same by xgboost's other name."""

    traits = SOFTMAX
