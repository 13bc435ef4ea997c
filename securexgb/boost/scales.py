"""Scales: the public powers that weights, targets and metrics are measured in.

Weights and targets of one scale in the data become numbers of another one in the ring: weights
(times scale_pos_weight) are divided by 2^weight_exponent, targets are centred and divided by
2^target_exponent, metrics are opened in steps of 10^metric_exponent. All three are terms, known to
both sides. They follow from labels and weights, which the label party alone has: it computes
them here (``boost.objective.proposals``), ``check`` shows them to it, and it tells the other side
by writing them into the terms.

Too small an exponent would let sums overflow, so it is refused before anything is sent. One that is
far too large would leave only zeros, and a model that is a constant: it is refused as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import ROW_WEIGHT_BITS
from securexgb.boost.params import TrainingParams, declarations
from securexgb.errors import DataError

Floats = NDArray[np.float64]

MOST_SPARE_BITS = 8
"""An exponent that is too large by more than this is refused."""
_MOST_GAP_BITS = 25
"""A single target is less than 2^_MOST_GAP_BITS times the scale away from the centre."""


@dataclass(frozen=True, eq=False, repr=False)
class Outcomes:
    """What the label party alone has of some rows: labels (n,), weights or None, and the margins
    that rows begin with or None. ``centre``: of an earlier model's targets, which is gone on from.
    """

    labels: Floats
    weights: Floats | None = None
    base_margin: Floats | None = None
    centre: float | None = None


def row_factors(rows: Outcomes, params: TrainingParams) -> Floats | None:
    """Each row's weight times scale_pos_weight, (n,); None where no row has one."""
    scale = params.scale_pos_weight
    if scale == 1.0:
        return rows.weights
    factors = np.where(rows.labels == 1.0, scale, 1.0)
    return factors if rows.weights is None else rows.weights * factors


def mean_target(labels: Floats, weights: Floats | None) -> float:
    """The weighted mean; the plain one where all weights are 0.

    It is exact where all labels are the same, and near where an offset is large.
    """
    if labels.size == 0:
        return 0.0
    first = float(labels[0])
    return first + weighted_mean(labels - first, weights)


def centre_of(rows: Outcomes, params: TrainingParams) -> Floats | float:
    """What a regression's targets are centred at: each at its row's base margin, or all at
    base_score, or else at their weighted mean."""
    if rows.base_margin is not None:
        return rows.base_margin
    if rows.centre is not None:
        return rows.centre
    given = params.base_score
    return mean_target(rows.labels, rows.weights) if given is None else given


def needed_weight_exponent(rows: Outcomes, params: TrainingParams) -> int | None:
    """The least k with a mean of weights, scale_pos_weight included, of at most 2^k.

    None where any k will do: there are no weights, or all are 0.
    """
    factors = row_factors(rows, params)
    if factors is None:
        return None
    most = float(factors.max(initial=0.0))
    return None if most == 0.0 else _exponent(most, float((factors / most).mean()))


def needed_target_exponent(rows: Outcomes, params: TrainingParams) -> int | None:
    """The least k with a (weighted) root mean square of centred targets of at most 2^k.

    Weights count as they are after rounding, by the exponent that ``params`` have. None where
    all targets equal the centre, so any k will do. Where margins are logarithms, the least k with
    a weighted mean, and a base_score, or a mean of e to the base margins, of at most 2^k.
    """
    if params.traits.is_log:
        mean = max(mean_target(rows.labels, rows.weights), params.base_score or 0.0)
        if rows.base_margin is not None:
            begin = np.exp(np.minimum(rows.base_margin, 700.0))
            mean = max(mean, weighted_mean(begin, rows.weights))
        if mean <= 0.0:
            return None
        return max(_exponent(mean, 1.0), _exponent(float(rows.labels.max()), 1.0) - _MOST_GAP_BITS)
    gaps, weights = np.abs(rows.labels - centre_of(rows, params)), rows.weights
    most = float(gaps.max(initial=0.0))
    if most == 0.0:
        return None
    if weights is not None:
        unit = params.weight_scale * 2.0**-ROW_WEIGHT_BITS
        weights = np.where(weights > 0, np.maximum(np.rint(weights / unit), 1.0), 0.0)
    single = _exponent(most, 1.0) - _MOST_GAP_BITS
    root = math.sqrt(weighted_mean((gaps / most) ** 2, weights))
    return single if root == 0.0 else max(_exponent(most, root), single)


def check_weights(rows: Outcomes, params: TrainingParams) -> None:
    """At the label party: DataError for training weights that do not fit the terms."""
    bound, weights = params.weight_bound, rows.weights
    if weights is not None and bound is not None and float(weights.max(initial=0.0)) > bound:
        raise DataError(
            f"a weight of the label party is above weight_bound {bound:g}: correct the weights, "
            "or agree on a larger bound"
        )
    needed = needed_weight_exponent(rows, params)
    _check_fit("weight_exponent", params.weight_exponent, needed, "the mean of the weights")


def check_finite(labels: Floats, params: TrainingParams) -> None:
    """DataError for a regression's labels of any set that are no numbers, or beyond the bound."""
    bound = math.inf if params.target_bound is None else params.target_bound
    if not bool(np.all(np.isfinite(labels) & (np.abs(labels) <= bound))):
        raise DataError(
            "a target of the label party is missing, infinite or beyond target_bound "
            f"{bound:g}: correct the column, or agree on a larger bound"
        )


def check_targets(rows: Outcomes, params: TrainingParams) -> None:
    """At the label party: DataError for a regression's targets that do not fit the terms."""
    needed, what = (
        needed_target_exponent(rows, params),
        "mean" if params.traits.is_log else "spread",
    )
    if params.target_exponent is None:
        proposed = within("target_exponent", needed or 0)
        raise DataError(
            f"objective {params.objective!r} needs target_exponent, the order of magnitude of the "
            f"targets' {what} at the label party: {line_to_add('target_exponent', proposed)}"
        )
    kept = params.past.rounds > 0
    what = f"the {what} of the targets"
    _check_fit("target_exponent", params.target_exponent, needed, what, is_kept=kept)


def line_to_add(name: str, value: int) -> str:
    """What to write into the terms, as the end of a sentence."""
    return f"write `{name} = {value}` into [training] of job.toml, at both sides"


def _check_fit(
    name: str, given: int | None, needed: int | None, what: str, *, is_kept: bool = False
) -> None:
    """DataError where the exponent ``given`` is below the one needed, or far above it; ``is_kept``:
    it is that of a model to go on from."""
    used = given or 0
    if needed is None or needed <= used <= needed + MOST_SPARE_BITS:
        return
    is_set = f"{name} is {given}" if given is not None else f"{name} is not set, which means 0"
    relation = "above" if needed > used else "far below"
    problem = f"{what} at the label party is {relation} 2^{used} ({is_set})"
    if is_kept:
        raise DataError(f"{problem}, as in the model to go on from: train a new one on these rows")
    if within(name, needed) != needed:
        raise DataError(f"{problem}: bring it nearer to 1, by a factor on the whole column")
    raise DataError(f"{problem}: {line_to_add(name, needed)}")


def within(name: str, exponent: int) -> int:
    """The nearest exponent that is declared."""
    declared = declarations()[name]
    assert declared.low is not None
    assert declared.high is not None
    return int(min(max(exponent, declared.low), declared.high))


def _exponent(scale: float, factor: float) -> int:
    """The least k with scale * factor <= 2^k; both positive, their product may underflow."""
    parts = [math.frexp(scale), math.frexp(factor)]
    mantissa, carry = math.frexp(parts[0][0] * parts[1][0])
    exponent = parts[0][1] + parts[1][1] + carry
    return exponent - 1 if mantissa == 0.5 else exponent


def weighted_mean(values: Floats, weights: Floats | None) -> float:
    """The weighted mean; the plain one where all weights are 0."""
    most = 0.0 if weights is None else float(weights.max(initial=0.0))
    if weights is None or most == 0.0:
        return float(values.mean())
    scaled = weights / most
    return float(scaled @ values / scaled.sum())
