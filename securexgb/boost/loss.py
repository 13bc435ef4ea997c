"""Loss functions: from margins and labels to one gradient and one hessian a row.

Logistic: p = sigmoid(margin), g = p - y, h = p (1 - p); tables have p and h. Squared error, on
targets that are centred and divided by their public scale: g = margin - y, h = 1. Both are
multiplied by the row's weight, divided by the weights' public scale. They are two vectors, each
with fraction bits of its own. Labels and weights are the label party's; margins are shared.
Rounding is exact, and by public coins right on average (``boost.dither``), so the words are a
function of the data alone, but for the noise of ``sigmoid="ckks"``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import (
    LEAF_WEIGHT_INTEGER_BITS,
    MARGIN_BITS,
    NumberFormat,
    encode,
)
from securexgb.boost.dither import Dither, by_row
from securexgb.boost.params import TrainingParams
from securexgb.boost.rows import BLOCK_ROWS, blocks
from securexgb.boost.scales import (
    centre_of,
    check_targets,
    check_weights,
    mean_target,
    row_factors,
)
from securexgb.errors import DataError
from securexgb.hybrid.ckks_products import agree_keys
from securexgb.hybrid.ckks_sigmoid import ckks_sigmoid, refuse_rare
from securexgb.mpc.multiply import multiply
from securexgb.mpc.party import Party
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, Words
from securexgb.mpc.sigmoid import MOST_BITS, sigmoid, sigmoid_table
from securexgb.mpc.truncate import truncate

Floats = NDArray[np.float64]
Sigmoid: TypeAlias = Callable[[Party, Shared, int, int], tuple[Shared, Shared]]
"""(p, p (1 - p)) of margins (n,), with so many fraction bits each."""

_LEAST_BASE = 1e-6
"""A fitted base_score of a classification keeps this distance from 0 and 1."""
_WEIGHTED_BITS = 16
"""Least fraction bits of g and h before they are weighted."""
_PRODUCT_BITS = 61
"""Weighted gradients, before they are rounded, are below 2^_PRODUCT_BITS."""


class Objective(Protocol):
    """What a training needs to know of its loss."""

    def check_labels(self, labels: Floats) -> None:
        """At the label party: raise DataError for labels of any set that do not fit."""

    def check_scales(self, labels: Floats, weights: Floats | None) -> None:
        """At the label party: raise DataError for a training set that its scales do not fit."""

    def base_margin(self, labels: Floats, weights: Floats | None) -> float:
        """At the label party: the margin before the first tree, by base_score or fitted."""

    def centre(self, labels: Floats, weights: Floats | None) -> float:
        """At the label party: what margins are relative to, in the user's unit."""

    def targets(self, labels: Floats, centre: float, numbers: NumberFormat) -> Words:
        """At the label party: labels as ring words, in the unit that ``derivatives`` needs."""

    def derivatives(
        self, party: Party, margins: Shared, labels: Labels, numbers: NumberFormat, coins: Dither
    ) -> tuple[Shared, Shared]:
        """(g, h) of every row, times its weight: shared (n,), with the fraction bits of rows.

        The first row's number is divisible by 64.
        """

    def predictions(self, margins: Floats) -> Floats:
        """Opened margins, times target_scale, in the user's unit: probabilities or values."""


@dataclass(frozen=True, eq=False)
class Labels:
    """What the loss takes from the label party, as its trivial shares.

    ``targets``: shared (n,), see ``Objective.targets``. ``weights``: row weights, shared
    (n,) with row_weight_bits fraction bits, or None where no row has one.
    """

    targets: Shared
    weights: Shared | None

    def __getitem__(self, rows: slice) -> Labels:
        return Labels(self.targets[rows], None if self.weights is None else self.weights[rows])


def objective_of(params: TrainingParams, chosen: Sigmoid | None = None) -> Objective:
    """The loss that the terms name; ``chosen``: a sigmoid in the tables' place."""
    if params.objective == "binary:logistic":
        return Logistic(params, chosen)
    return SquaredError(params)


def margin_bits(params: TrainingParams) -> int:
    """Bits of a classification's margin, its sign included: base and all leaves at their most.

    A leaf is at most learning_rate times 2^11, and what rounding adds to that.
    """
    base = -math.log(_LEAST_BASE) + 1.0
    if params.base_score is not None:
        base = abs(math.log(params.base_score / (1.0 - params.base_score)))
    leaves = params.n_estimators * params.learning_rate * ((1 << LEAF_WEIGHT_INTEGER_BITS) + 1)
    return math.ceil(max(base + leaves, 16.0)).bit_length() + MARGIN_BITS + 1


def sigmoid_of(party: Party, params: TrainingParams) -> Sigmoid | None:
    """What takes the table's place, for one job: for CKKS both parties make its keys here."""
    if params.sigmoid == "table":
        return None
    keys = agree_keys(party)

    def under_ckks(
        party: Party, margins: Shared, gradient_bits: int, hessian_bits: int
    ) -> tuple[Shared, Shared]:
        return ckks_sigmoid(party, keys, margins, gradient_bits, hessian_bits)

    return under_ckks


def gradient_vectors(
    party: Party,
    objective: Objective,
    margins: Shared,
    labels: Labels,
    numbers: NumberFormat,
    coins: Dither,
    block_rows: int = BLOCK_ROWS,
) -> Shared:
    """g and h of every row: shared (2, n), with the fraction bits of rows."""
    parts = []
    for rows in blocks(margins.size, block_rows):
        both = objective.derivatives(party, margins[rows], labels[rows], numbers, coins)
        parts.append(Shared.stack(both))
    return Shared.concatenate(parts, axis=1)


def row_weights(
    labels: Floats, weights: Floats | None, params: TrainingParams, numbers: NumberFormat
) -> Words:
    """At the label party: sample weight times scale_pos_weight, scaled, as words (n,)."""
    factors = row_factors(labels, weights, params)
    values = np.ones(labels.shape) if factors is None else factors
    words = encode(values / 2.0**numbers.weight_exponent, numbers.row_weight_bits)
    return np.where(values > 0, np.maximum(words, np.uint64(1)), words)


class Logistic:
    """binary:logistic: labels 0 and 1, margins are log odds."""

    def __init__(self, params: TrainingParams, chosen: Sigmoid | None = None) -> None:
        self._params = params
        self._chosen = chosen
        self._range_bits = margin_bits(params)

    def check_labels(self, labels: Floats) -> None:
        found = np.unique(labels)
        if not bool(np.all((found == 0) | (found == 1))):
            listed = ", ".join(f"{value:g}" for value in found[:4])
            raise DataError(
                "the label column of the label party must hold 0 and 1 for 'binary:logistic', "
                f"it holds {listed}{', …' if found.size > 4 else ''}"
            )

    def check_scales(self, labels: Floats, weights: Floats | None) -> None:
        check_weights(labels, weights, self._params)
        if self._params.sigmoid == "ckks":
            refuse_rare(mean_target(labels, row_factors(labels, weights, self._params)))

    def base_margin(self, labels: Floats, weights: Floats | None) -> float:
        base = self._params.base_score
        if base is None:
            base = self._fitted(labels, weights)
        return math.log(base / (1.0 - base))

    def centre(self, labels: Floats, weights: Floats | None) -> float:
        return 0.0

    def _fitted(self, labels: Floats, weights: Floats | None) -> float:
        """As xgboost: the mean label; with scale_pos_weight, one Newton step from 1/2."""
        mean = mean_target(labels, row_factors(labels, weights, self._params))
        if self._params.scale_pos_weight != 1.0:
            mean = 1.0 / (1.0 + math.exp(-4.0 * (mean - 0.5)))
        return min(max(mean, _LEAST_BASE), 1.0 - _LEAST_BASE)

    def targets(self, labels: Floats, centre: float, numbers: NumberFormat) -> Words:
        return labels.astype(np.uint64)

    def derivatives(
        self, party: Party, margins: Shared, labels: Labels, numbers: NumberFormat, coins: Dither
    ) -> tuple[Shared, Shared]:
        bits, drop = numbers.row_gradient_bits, 0
        if labels.weights is not None:
            bits, drop = _bits_before_weights(numbers)
        both = bits, numbers.row_hessian_bits + drop
        p, h = self._sigmoid(party, margins, both, numbers.fine, coins)
        g = p - labels.targets.scale(1 << bits)
        if labels.weights is None:
            return g, h
        return _weighted(party, (g, h), labels.weights, numbers.row_weight_bits + drop, coins)

    def _sigmoid(
        self,
        party: Party,
        margins: Shared,
        bits: tuple[int, int],
        fine: bool,
        coins: Dither,
    ) -> tuple[Shared, Shared]:
        if self._chosen is not None:
            return self._chosen(party, margins, *bits)
        table = sigmoid_table(*bits, fine, coins.tables)
        return sigmoid(party, margins, table, self._range_bits)

    def predictions(self, margins: Floats) -> Floats:
        result: Floats = 1.0 / (1.0 + np.exp(-np.clip(margins, -500.0, 500.0)))
        return result


class SquaredError:
    """reg:squarederror: targets, centred, in units of their public scale."""

    def __init__(self, params: TrainingParams) -> None:
        self._params = params

    def check_labels(self, labels: Floats) -> None:
        bound = math.inf if self._params.target_bound is None else self._params.target_bound
        if not bool(np.all(np.isfinite(labels) & (np.abs(labels) <= bound))):
            raise DataError(
                "a target of the label party is missing, infinite or beyond target_bound "
                f"{bound:g}: correct the column, or agree on a larger bound"
            )

    def check_scales(self, labels: Floats, weights: Floats | None) -> None:
        check_weights(labels, weights, self._params)
        check_targets(labels, weights, self._params)

    def base_margin(self, labels: Floats, weights: Floats | None) -> float:
        return 0.0

    def centre(self, labels: Floats, weights: Floats | None) -> float:
        return centre_of(labels, weights, self._params)

    def targets(self, labels: Floats, centre: float, numbers: NumberFormat) -> Words:
        return encode((labels - centre) / numbers.target_scale, numbers.margin_bits)

    def derivatives(
        self, party: Party, margins: Shared, labels: Labels, numbers: NumberFormat, coins: Dither
    ) -> tuple[Shared, Shared]:
        bits = min(numbers.row_gradient_bits, numbers.margin_bits)
        g, drop = margins - labels.targets, numbers.margin_bits - bits
        if labels.weights is None:
            g = _rounded(party, g, drop, coins.gradient) if drop else g
            return g, constant(party, 1 << numbers.row_hessian_bits, g.shape)
        g = _rounded(party, g, drop, coins.tables[0]) if drop else g
        h = constant(party, 1 << bits, g.shape)
        drop = numbers.row_weight_bits + bits - numbers.row_gradient_bits
        products = _weighted(party, (g, h), labels.weights, drop, coins)
        more = numbers.row_gradient_bits - numbers.row_hessian_bits
        h = _rounded(party, products[1], more, coins.tables[2]) if more else products[1]
        return products[0], h

    def predictions(self, margins: Floats) -> Floats:
        return margins


def _bits_before_weights(numbers: NumberFormat) -> tuple[int, int]:
    """Fraction bits of g before it is weighted, and how many more these are than after."""
    after = numbers.row_gradient_bits
    least = min(after, numbers.row_hessian_bits)
    # The words of sums say how many bits all rows' weights have together.
    rows = numbers.gradient_sum_bits - 1 - after
    room = min(MOST_BITS, _PRODUCT_BITS - numbers.row_weight_bits - rows)
    before = min(after + max(_WEIGHTED_BITS - least, 0), room)
    return before, before - after


def _weighted(
    party: Party, both: tuple[Shared, Shared], weights: Shared, drop: int, coins: Dither
) -> tuple[Shared, Shared]:
    """(g, h) times the weights, ``drop`` bits less, rounded by coins."""
    products = multiply(party, Shared.stack(both), Shared.stack([weights, weights]))
    rows = weights.size
    added = np.stack([by_row(c, rows, drop) for c in (coins.gradient, coins.hessian)])
    rounded = truncate(party, products + constant(party, added, products.shape), drop)
    return rounded[0], rounded[1]


def _rounded(party: Party, x: Shared, drop: int, coins: NDArray[np.int64]) -> Shared:
    """x without its low ``drop`` bits, rounded by coins."""
    return truncate(party, x + constant(party, by_row(coins, x.size, drop), x.shape), drop)
