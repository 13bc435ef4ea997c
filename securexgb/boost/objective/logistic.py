"""binary:logistic: labels 0 and 1, margins are log odds.

p = sigmoid(margin), g = p - y, h = p (1 - p); tables have p and h.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from securexgb.arith.fixedpoint import LEAF_WEIGHT_INTEGER_BITS, MARGIN_BITS, NumberFormat
from securexgb.boost.dither import Dither
from securexgb.boost.objective.objective import (
    Derivatives,
    Floats,
    Labels,
    Objective,
    PairBits,
    Sigmoid,
)
from securexgb.boost.objective.traits import LOGISTIC
from securexgb.boost.params import TrainingParams
from securexgb.boost.scales import Outcomes, mean_target, row_factors, weighted_mean
from securexgb.errors import DataError
from securexgb.hybrid.ckks_products import agree_keys
from securexgb.hybrid.ckks_sigmoid import ckks_sigmoid, refuse_rare
from securexgb.mpc.numbers.sigmoid import sigmoid, sigmoid_table
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, Words

_Curve: TypeAlias = Callable[[Party, Shared], tuple[Shared, Shared]]
_LEAST_BASE = 1e-6
"""A fitted base_score of a classification keeps this distance from 0 and 1."""
_LEAST_RATE = 1e-9


def margin_bits(params: TrainingParams) -> int:
    """Bits of a classification's margin, its sign included: base and all leaves at their most.

    The base is the public bound of the rows' base margins, where they have any.

    A leaf is at most learning_rate times 2^11, and what rounding adds to that.
    """
    base = -math.log(_LEAST_BASE) + 1.0
    if params.base_margin_bound is not None:
        base = params.base_margin_bound
    elif params.base_score is not None:
        base = abs(math.log(params.base_score / (1.0 - params.base_score)))
    return bits_with(params, base)


def bits_with(params: TrainingParams, base: float) -> int:
    """The same where margins begin at a base of this at most."""
    leaves = params.reach * ((1 << LEAF_WEIGHT_INTEGER_BITS) + 1)
    return math.ceil(max(base + leaves, 16.0)).bit_length() + MARGIN_BITS + 1


def sigmoid_of(party: Party, params: TrainingParams) -> Sigmoid | None:
    """What takes the table's place, for one job: for CKKS both parties make its keys here."""
    if params.sigmoid == "table":
        return None
    keys = agree_keys(party)
    return lambda party, margins, *bits: ckks_sigmoid(party, keys, margins, *bits)


class Logistic(Objective):
    """Two classes; one tree a round."""

    traits = LOGISTIC
    most = (1.0, 0.25)

    def check_labels(self, labels: Floats) -> None:
        found = np.unique(labels)
        if not bool(np.all((found == 0) | (found == 1))):
            listed = ", ".join(f"{value:g}" for value in found[:4])
            raise DataError(
                "the label column of the label party must hold 0 and 1 for 'binary:logistic', "
                f"it holds {listed}{', …' if found.size > 4 else ''}"
            )

    def check_scales(self, rows: Outcomes) -> None:
        super().check_scales(rows)
        if self._params.sigmoid == "ckks":
            refuse_rare(mean_target(rows.labels, row_factors(rows, self._params)))

    def base_margin(self, rows: Outcomes) -> float:
        if self._params.has_base_margin:
            return 0.0
        given = self._params.base_score
        base = self._fitted(rows) if given is None else given
        return math.log(base / (1.0 - base))

    def _fitted(self, rows: Outcomes) -> float:
        """As xgboost: the mean label; with scale_pos_weight, one Newton step from 1/2."""
        mean = mean_target(rows.labels, row_factors(rows, self._params))
        if self._params.scale_pos_weight != 1.0:
            mean = 1.0 / (1.0 + math.exp(-4.0 * (mean - 0.5)))
        return min(max(mean, _LEAST_BASE), 1.0 - _LEAST_BASE)

    def constant_metric(self, train: Outcomes, rows: Outcomes) -> float:
        if rows.base_margin is not None:
            losses = np.logaddexp(0.0, rows.base_margin) - rows.labels * rows.base_margin
            return weighted_mean(losses, rows.weights)
        given = self._params.base_score
        base = weighted_mean(train.labels, train.weights) if given is None else given
        base = min(max(base, _LEAST_RATE), 1.0 - _LEAST_RATE)
        rate = weighted_mean(rows.labels, rows.weights)
        return -rate * math.log(base) - (1.0 - rate) * math.log1p(-base)

    def targets(self, labels: Floats, centre: Floats | float, numbers: NumberFormat) -> Words:
        return labels.astype(np.uint64)

    def derivatives(self, numbers: NumberFormat, coins: Dither, is_weighted: bool) -> Derivatives:
        bits = PairBits.of(numbers, is_weighted)
        curve = self._sigmoid((bits.gradient, bits.hessian), numbers.is_fine, coins)

        def of_rows(party: Party, margins: Shared, labels: Labels) -> Shared:
            p, h = curve(party, margins[0])
            both = p - labels.targets.scale(1 << bits.gradient), h
            return Shared.stack([bits.row_words(party, both, labels.weights, coins)])

        return of_rows

    def _sigmoid(self, bits: tuple[int, int], fine: bool, coins: Dither) -> _Curve:
        if (chosen := self._chosen) is not None:
            return lambda party, margins: chosen(party, margins, *bits)
        table, range_bits = sigmoid_table(*bits, fine, coins.tables), margin_bits(self._params)
        return lambda party, margins: sigmoid(party, margins, table, range_bits)

    def predictions(self, margins: Floats) -> Floats:
        result: Floats = 1.0 / (1.0 + np.exp(-margins.clip(-500.0, 500.0)))
        return result
