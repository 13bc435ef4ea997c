"""Loss functions: from margins and labels to one gradient pair a row.

Logistic: p = sigmoid(margin), g = p - y, h = p (1 - p); one table has p and h. Squared error,
on targets divided by their public bound: g = margin - y clamped to [-2, 2], h = 1. Both are
multiplied by the row's weight, then packed into one ring word g + 2^low_bits h, linear in both.
Labels and weights are the label party's; margins are shared. Rounding is exact, so the words
are a function of the data alone, but for the noise of ``sigmoid="ckks"``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import (
    LEAF_WEIGHT_INTEGER_BITS,
    MARGIN_BITS,
    NumberFormat,
    encode,
)
from securexgb.boost.params import TrainingParams
from securexgb.boost.rows import BLOCK_ROWS, blocks
from securexgb.errors import DataError
from securexgb.hybrid.ckks_products import agree_keys
from securexgb.hybrid.ckks_sigmoid import ckks_sigmoid
from securexgb.mpc.choose import choose
from securexgb.mpc.compare import is_negative
from securexgb.mpc.multiply import multiply
from securexgb.mpc.party import Party
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, Words
from securexgb.mpc.sigmoid import FLOOR_BITS, sigmoid
from securexgb.mpc.truncate import round_off, truncate

Floats = NDArray[np.float64]
Sigmoid: TypeAlias = Callable[[Party, Shared, int], tuple[Shared, Shared]]
"""(p, p (1 - p)) of margins (n,), with so many fraction bits."""

_CLAMP = 2
"""Squared error: bound on |g|, in units of the targets' bound."""
_LEAST_BASE = 1e-6
"""A fitted base_score of a classification keeps this distance from 0 and 1."""


class Objective(Protocol):
    """What a training needs to know of its loss."""

    def check_labels(self, labels: Floats) -> None:
        """At the label party: raise DataError for labels that do not fit."""

    def base_margin(self, labels: Floats, weights: Floats | None) -> float:
        """At the label party: the margin before the first tree, by base_score or fitted."""

    def targets(self, labels: Floats, numbers: NumberFormat) -> Words:
        """At the label party: labels as ring words, in the unit that ``derivatives`` needs."""

    def derivatives(
        self, party: Party, margins: Shared, labels: Labels, numbers: NumberFormat
    ) -> tuple[Shared, Shared]:
        """(g, h) of every row, times its weight: shared (n,), gradient_bits fraction bits."""

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
    """The loss that the terms name; ``chosen``: a sigmoid in the table's place."""
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
    return math.ceil(max(base + leaves, 8.0)).bit_length() + MARGIN_BITS + 1


def sigmoid_of(party: Party, params: TrainingParams) -> Sigmoid | None:
    """What takes the table's place, for one job: for CKKS both parties make its keys here."""
    if params.sigmoid == "table":
        return None
    keys = agree_keys(party)

    def under_ckks(party: Party, margins: Shared, out_bits: int) -> tuple[Shared, Shared]:
        p = ckks_sigmoid(party, keys, margins, out_bits)
        h = p - round_off(party, multiply(party, p, p), out_bits)
        if out_bits < FLOOR_BITS:
            # p may be 0 or 1 in such coarse units, and h must not vanish: one unit more.
            h = h + constant(party, 1, h.shape)
        return p, h

    return under_ckks


def gradient_pairs(
    party: Party,
    objective: Objective,
    margins: Shared,
    labels: Labels,
    numbers: NumberFormat,
    block_rows: int = BLOCK_ROWS,
) -> Shared:
    """One word g + 2^low_bits h for every row: shared (n,)."""
    pairs = []
    for rows in blocks(margins.size, block_rows):
        g, h = objective.derivatives(party, margins[rows], labels[rows], numbers)
        pairs.append(g + h.scale(1 << numbers.low_bits))
    return Shared.concatenate(pairs)


def row_weights(
    labels: Floats, weights: Floats | None, params: TrainingParams, numbers: NumberFormat
) -> Words:
    """At the label party: sample weight times scale_pos_weight, as words (n,).

    Raises DataError for a weight that is negative or beyond the public bound.
    """
    values = np.ones(labels.shape) if weights is None else weights
    if not bool(np.all((values >= 0) & (values <= params.weight_bound))):
        raise DataError(
            "a weight of the label party is negative, missing or above weight_bound "
            f"{params.weight_bound:g}: scale the weights, or agree on a larger bound"
        )
    values = values * np.where(labels == 1.0, params.scale_pos_weight, 1.0)
    words = encode(values, numbers.row_weight_bits)
    return np.where(values > 0, np.maximum(words, np.uint64(1)), words)


class Logistic:
    """binary:logistic: labels 0 and 1, margins are log odds."""

    def __init__(self, params: TrainingParams, chosen: Sigmoid | None = None) -> None:
        self._params = params
        self._sigmoid = chosen or partial(sigmoid, range_bits=margin_bits(params))

    def check_labels(self, labels: Floats) -> None:
        found = np.unique(labels)
        if not bool(np.all((found == 0) | (found == 1))):
            listed = ", ".join(f"{value:g}" for value in found[:4])
            raise DataError(
                "the label column of the label party must hold 0 and 1 for 'binary:logistic', "
                f"it holds {listed}{', …' if found.size > 4 else ''}"
            )

    def base_margin(self, labels: Floats, weights: Floats | None) -> float:
        base = self._params.base_score
        if base is None:
            base = self._fitted(labels, weights)
        return math.log(base / (1.0 - base))

    def _fitted(self, labels: Floats, weights: Floats | None) -> float:
        """As xgboost: the mean label; with scale_pos_weight, one Newton step from 1/2."""
        scale = self._params.scale_pos_weight
        mean = _mean(labels, weights, np.where(labels == 1.0, scale, 1.0))
        if scale != 1.0:
            mean = 1.0 / (1.0 + math.exp(-4.0 * (mean - 0.5)))
        return min(max(mean, _LEAST_BASE), 1.0 - _LEAST_BASE)

    def targets(self, labels: Floats, numbers: NumberFormat) -> Words:
        return encode(labels, numbers.gradient_bits)

    def derivatives(
        self, party: Party, margins: Shared, labels: Labels, numbers: NumberFormat
    ) -> tuple[Shared, Shared]:
        p, h = self._sigmoid(party, margins, numbers.gradient_bits)
        return _weighted(party, p - labels.targets, h, labels.weights, numbers)

    def predictions(self, margins: Floats) -> Floats:
        result: Floats = 1.0 / (1.0 + np.exp(-np.clip(margins, -500.0, 500.0)))
        return result


class SquaredError:
    """reg:squarederror: targets within a public bound, by which they are divided."""

    def __init__(self, params: TrainingParams) -> None:
        self._bound = params.target_scale
        self._base_score = params.base_score

    def check_labels(self, labels: Floats) -> None:
        if not bool(np.all(np.abs(labels) <= self._bound)):
            raise DataError(
                "a target of the label party is missing or beyond target_bound "
                f"{self._bound:g}: agree on a larger bound, or scale the targets"
            )

    def base_margin(self, labels: Floats, weights: Floats | None) -> float:
        base = self._base_score
        if base is None:
            base = _mean(labels, weights, np.ones(labels.shape))
        return min(max(base / self._bound, -1.0), 1.0)

    def targets(self, labels: Floats, numbers: NumberFormat) -> Words:
        return encode(labels / self._bound, numbers.margin_bits)

    def derivatives(
        self, party: Party, margins: Shared, labels: Labels, numbers: NumberFormat
    ) -> tuple[Shared, Shared]:
        g = _clamped(party, margins - labels.targets, _CLAMP << numbers.margin_bits)
        drop = numbers.margin_bits - numbers.gradient_bits
        g = round_off(party, g, drop) if drop else g
        h = constant(party, 1 << numbers.gradient_bits, g.shape)
        return _weighted(party, g, h, labels.weights, numbers)

    def predictions(self, margins: Floats) -> Floats:
        return margins


def _mean(labels: Floats, weights: Floats | None, factors: Floats) -> float:
    scaled = factors if weights is None else weights * factors
    total = float(scaled.sum())
    return float(scaled @ labels) / total if total > 0 else float(labels.mean())


def _weighted(
    party: Party, g: Shared, h: Shared, weights: Shared | None, numbers: NumberFormat
) -> tuple[Shared, Shared]:
    """(g, h) times the weights: g rounded to nearest, h up, so that no row's h vanishes."""
    if weights is None:
        return g, h
    products = multiply(party, Shared.stack([g, -h]), Shared.stack([weights, weights]))
    bits = numbers.row_weight_bits
    half = constant(party, [[1 << (bits - 1)], [0]], products.shape)
    both = truncate(party, products + half, bits)
    return both[0], -both[1]


def _clamped(party: Party, x: Shared, bound: int) -> Shared:
    """x within [-bound, bound]: |x| < 2^62."""
    limits = constant(party, [[-bound], [bound]], (2, x.size))
    both = Shared.stack([x, x])
    # First row: beyond the lower limit; second row: beyond the upper one.
    beyond = is_negative(party, (both - limits).scale([[1], [-1]]))
    gaps = (limits - both).reshape(1, 2 * x.size)
    return x + choose(party, beyond, gaps).reshape(2, x.size).sum(axis=0)
