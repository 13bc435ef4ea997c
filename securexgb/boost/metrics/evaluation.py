"""Evaluation: metrics of a data set whose margins are shared and labels private.

Each metric is computed in shares and its value alone is opened, to both parties, rounded to steps
that the terms allow: about 10^-4 for error and auc, metric_exponent for the others. Means are over
the rows' weights, where a set has them; the weights are scaled at the label party so that they
add up to the row count, which makes the divisor public and their sum not.

    logloss   mean of softplus(m) - y m
    error     mean of [m > 0] xor y
    rmse      root of the mean of (m - y)^2
    -nloglik, gamma-deviance: see ``objective.log_metrics``
    auc       (sum of the positives' ranks - P (P + 1) / 2) / (P N); tied margins count half;
              of a public sample of the rows where the terms say auc_rows (``auc``)

A single row may have the weight of all, so a sum has as many bits as the greatest value, the rows
and the weights have together. Values that are too wide for one word are taken apart into limbs,
which are added up each in a word of its own; no bit is lost before the mean is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import MARGIN_BITS, ROW_WEIGHT_BITS, encode
from securexgb.boost.metrics.auc import EvaluationTargets, auc, sampled
from securexgb.boost.objective.log_metrics import LABEL_INTEGER_BITS, loss_of, losses
from securexgb.boost.objective.logistic import margin_bits
from securexgb.boost.params import TrainingParams
from securexgb.boost.rows import blocks, sending_block
from securexgb.errors import DataError, UsageError
from securexgb.mpc.compare import is_negative
from securexgb.mpc.convert import to_arithmetic
from securexgb.mpc.multiplex import multiplex_private
from securexgb.mpc.multiply import multiply
from securexgb.mpc.numbers.sigmoid import softplus
from securexgb.mpc.numbers.truncate import round_off, truncate
from securexgb.mpc.open import open_shared
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.share import share, share_bits
from securexgb.mpc.shared import Shared, Words

Floats = NDArray[np.float64]

MAXIMISED = frozenset({"auc", "aucpr", "ks"})
"""Metrics of which more is better."""
_DECIMALS = 1e-4
"""Largest step of error and auc, and of the others where the terms say nothing."""
_IN_UNITS = frozenset({"logloss", "rmse", "mae"})
"""Metrics that have no bound of their own."""
_SUM_BITS = 61
"""Sums stay below 2^_SUM_BITS, where truncation is exact."""
_LOSS_INTEGER_BITS = 12
_GAP_BITS, _GAP_INTEGER_BITS = 16, 13
"""rmse: fraction bits of |margin - y|, which is below 2^13, in units of the targets' scale."""


def metric_value(
    party: Party, metric: str, margins: Shared, truth: EvaluationTargets, params: TrainingParams
) -> float:
    """The opened value of one metric; margins shared (outputs, n), MARGIN_BITS fraction bits.

    Steps are the largest power of two, times 1 / rows, that the terms allow. The square of rmse is
    opened in steps of at most 1,000 square units: an rmse of 1,000 units is right to half a unit.
    """
    with party.step(metric):
        if params.traits.is_log:
            return _log_loss(party, metric, margins[0], truth, params)
        return _METRICS[metric](party, margins[0], truth, params)


def metric_unit(params: TrainingParams) -> float:
    """The largest step of logloss or rmse, by the terms."""
    if params.metric_exponent is not None:
        return 10.0**params.metric_exponent
    return _DECIMALS * params.target_scale


def fixed_step(metric: str, params: TrainingParams) -> float:
    """The largest step in which a metric is opened that the label party computes by itself."""
    is_loss = params.traits.is_log and metric in params.known_metrics
    return metric_unit(params) if is_loss or metric in _IN_UNITS else _DECIMALS


def check_metrics(
    truth: EvaluationTargets, name: str, params: TrainingParams, metrics: Sequence[str]
) -> None:
    """Refuse a set that a metric is not defined for, before any round is spent."""
    if truth.rows < 1:
        raise DataError(f"the evaluation set {name!r} has no rows")
    if truth.weights is not None and not bool(truth.weights.any()):
        raise DataError(f"every weight of the evaluation set {name!r} at the label party is 0")
    if params.opens_scores:
        return  # see metrics.opened
    if truth.labels is not None and "rmse" in metrics:
        gaps = np.abs(truth.labels - truth.centre) / params.target_scale
        if not bool(np.all(gaps < 2**_GAP_INTEGER_BITS)):
            raise DataError(
                f"a target of the evaluation set {name!r} at the label party is too far from those "
                f"of the training data, more than 2^{_GAP_INTEGER_BITS} times 2^target_exponent: "
                "correct it, or agree on a larger target_exponent"
            )
    if truth.labels is not None and "poisson-nloglik" in metrics:
        most = params.label_scale * 2**LABEL_INTEGER_BITS
        if float(truth.labels.max()) >= most:
            raise DataError(
                f"a label of the evaluation set {name!r} at the label party is {most:g} or more, "
                f"2^{LABEL_INTEGER_BITS} times 2^target_exponent: correct it, or agree on a larger "
                "target_exponent"
            )
    if "auc" not in metrics:
        return
    if truth.is_weighted:
        raise UsageError(f"auc takes no weights: leave them out of the evaluation set {name!r}")
    if truth.labels is None:
        return
    if np.unique(truth.labels).size < 2:
        raise DataError(f"auc needs both classes in the evaluation set {name!r}")
    if np.unique(truth.labels[sampled(params, truth.rows)]).size < 2:
        raise DataError(
            f"auc needs both classes, and auc_rows = {params.auc_rows} leaves one of the "
            f"evaluation set {name!r} at the label party: agree on more auc_rows, or 0 for all"
        )


def _logloss(
    party: Party, margins: Shared, truth: EvaluationTargets, params: TrainingParams
) -> float:
    labelled = np.zeros((1, truth.rows), np.bool_)
    if truth.labels is not None:
        labelled[0] = truth.labels == 1
    products = multiplex_private(
        party, np.zeros(1, np.int64), labelled, margins.reshape(1, 1, -1), (64,)
    )
    range_bits = margin_bits(params)
    parts = [
        softplus(party, margins[rows], range_bits)
        for rows in blocks(truth.rows, sending_block(truth.rows))
    ]
    losses = Shared.concatenate(parts) - products[0, 0]
    as_mean = Mean(MARGIN_BITS, _LOSS_INTEGER_BITS, metric_unit(params))
    return _mean(party, losses, truth, as_mean)


def _log_loss(
    party: Party, metric: str, margins: Shared, truth: EvaluationTargets, params: TrainingParams
) -> float:
    loss, values = loss_of(metric, params), losses(party, metric, margins, truth, params)
    as_mean = Mean(loss.fraction_bits, loss.integer_bits, metric_unit(params) / loss.unit)
    return _mean(party, values, truth, as_mean) * loss.unit


def _error(
    party: Party, margins: Shared, truth: EvaluationTargets, _params: TrainingParams
) -> float:
    positive = None if truth.labels is None else truth.labels == 1
    wrong = is_negative(party, -margins) ^ share_bits(party, positive, 0, truth.rows)
    return _mean(party, to_arithmetic(party, wrong), truth, Mean(0, 1, _DECIMALS))


def _rmse(party: Party, margins: Shared, truth: EvaluationTargets, params: TrainingParams) -> float:
    targets, scale = None, params.target_scale
    if truth.labels is not None:
        targets = encode((truth.labels - truth.centre) / scale, MARGIN_BITS)
    gaps = margins - share(party, targets, 0, margins.shape)
    gaps = round_off(party, gaps, MARGIN_BITS - _GAP_BITS)
    step = 1000.0 * (metric_unit(params) / scale) ** 2
    as_mean = Mean(2 * _GAP_BITS, 2 * _GAP_INTEGER_BITS, step)
    mean = _mean(party, multiply(party, gaps, gaps), truth, as_mean)
    return math.sqrt(max(mean, 0.0)) * scale


@dataclass(frozen=True)
class Mean:
    """Of what a mean is: values below 2^``integer_bits``, and so many bits of fractions; and in
    steps of at most what it is opened."""

    fraction_bits: int
    integer_bits: int
    step: float


def _mean(party: Party, values: Shared, truth: EvaluationTargets, mean: Mean) -> float:
    """The opened mean of shared values (n,), to the nearest step."""
    rows, bits = truth.rows, mean.fraction_bits
    room = _SUM_BITS - (rows - 1).bit_length() - (ROW_WEIGHT_BITS if truth.is_weighted else 0)
    places = _places(bits + mean.integer_bits, room)
    limbs = _limbs(party, values, places)
    if truth.is_weighted:
        words = None if truth.weights is None else _weights(truth.weights)
        repeated = None if words is None else np.broadcast_to(words, limbs.shape)
        limbs = multiply(party, limbs, share(party, repeated, 0, limbs.shape))
        bits += ROW_WEIGHT_BITS
    sums = limbs.sum(axis=1)
    total = sums[:1]
    for number in range(1, len(places)):
        carry = truncate(party, total, places[number] - places[number - 1])
        total = carry + sums[number : number + 1]
    drop = max(math.floor(math.log2(mean.step) + math.log2(rows) + bits), places[-1])
    drop = min(drop, places[-1] + _SUM_BITS)
    if drop > places[-1]:
        total = round_off(party, total, drop - places[-1])
    opened = int(open_shared(party, total, Reveal.METRIC).view(np.int64)[0])
    return opened * (1 << drop) / (rows << bits)


def _places(width: int, room: int) -> list[int]:
    """At which bits to take values of ``width`` apart: the lowest bit of each limb, from 0."""
    places = [max(width - room, 0)]
    while places[0] > 0:
        places.insert(0, max(places[0] - room, 0))
    return places


def _limbs(party: Party, values: Shared, places: Sequence[int]) -> Shared:
    """Values (n,) as limbs (k, n) that begin at these bits; the last one has the sign."""
    limbs = []
    for low, high in pairwise(places):
        above = truncate(party, values, high - low)
        limbs.append(values - above.scale(1 << (high - low)))
        values = above
    return Shared.stack([*limbs, values])


def _weights(weights: Floats) -> Words:
    """Weights that add up to the number of rows, exactly, as words with ROW_WEIGHT_BITS."""
    shares = np.cumsum(weights / weights.max())
    ends = np.rint(shares / shares[-1] * weights.size * 2.0**ROW_WEIGHT_BITS)
    words: Words = np.diff(ends, prepend=0.0).astype(np.uint64)
    return words


_METRICS = {"logloss": _logloss, "error": _error, "rmse": _rmse, "auc": auc}
"""Of one margin a row, (n,)."""
