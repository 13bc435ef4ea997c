"""What metrics cost beforehand: rounds, bytes and correlations by public shape.

Each function here stands for the one of the same name in ``evaluation`` and is the sum of what its
protocols declare. All metrics of all evaluation sets run in the same rounds, so their rounds are
those of the longest, and their bytes add up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from securexgb.arith.bits import words_per
from securexgb.arith.fixedpoint import MARGIN_BITS, ROW_WEIGHT_BITS
from securexgb.boost.metrics import auc, evaluation
from securexgb.boost.metrics.evaluation import Mean, metric_unit
from securexgb.boost.metrics.opened import opened_metrics_cost
from securexgb.boost.objective.log_metrics import loss_of, losses_cost
from securexgb.boost.objective.logistic import margin_bits
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.rows import blocks, sending_block
from securexgb.mpc.compare import carry_cost
from securexgb.mpc.convert import bits_cost, lift_cost
from securexgb.mpc.multiplex import multiplex_private_cost
from securexgb.mpc.multiply import product_cost
from securexgb.mpc.numbers.sigmoid import softplus_cost
from securexgb.mpc.numbers.truncate import shift_cost
from securexgb.mpc.protocol import Cost
from securexgb.mpc.sort import sort_cost

_OPENED = Cost.alike(1, 1, {})
"""One word, to both."""


@dataclass(frozen=True)
class MeasuredSet:
    """What is public of an evaluation set."""

    name: str
    rows: int
    is_weighted: bool = False


def metrics_cost(params: TrainingParams, sets: Sequence[MeasuredSet]) -> Cost:
    """Cost of all metrics of all sets, once: after a tree, or of a finished model."""
    if params.opens_scores and sets:
        rows, values = sum(one.rows for one in sets), len(params.metrics) * len(sets)
        return opened_metrics_cost(rows, objective_of(params).outputs, values)
    asked = [metric_cost(metric, one, params) for one in sets for metric in params.metrics]
    return Cost().at_once(*asked)


def metric_cost(metric: str, of: MeasuredSet, params: TrainingParams) -> Cost:
    """Cost of ``evaluation.metric_value``, in shares."""
    if params.traits.is_log:
        loss = loss_of(metric, params)
        mean = Mean(loss.fraction_bits, loss.integer_bits, metric_unit(params) / loss.unit)
        return losses_cost(metric, of.rows, params) + _mean(of, mean)
    return _METRICS[metric](of, params)


def _logloss(of: MeasuredSet, params: TrainingParams) -> Cost:
    cost = multiplex_private_cost(of.rows, 0, (64,))
    for rows in blocks(of.rows, sending_block(of.rows)):
        cost += softplus_cost(len(range(of.rows)[rows]), margin_bits(params))
    return cost + _mean(of, Mean(MARGIN_BITS, evaluation._LOSS_INTEGER_BITS, metric_unit(params)))


def _error(of: MeasuredSet, _params: TrainingParams) -> Cost:
    cost = carry_cost(63, of.rows) + lift_cost(words_per(of.rows))
    return cost + _mean(of, Mean(0, 1, evaluation._DECIMALS))


def _rmse(of: MeasuredSet, params: TrainingParams) -> Cost:
    bits, integers = evaluation._GAP_BITS, evaluation._GAP_INTEGER_BITS
    cost = shift_cost(MARGIN_BITS - bits, of.rows) + product_cost(of.rows)
    step = 1000.0 * (metric_unit(params) / params.target_scale) ** 2
    return cost + _mean(of, Mean(2 * bits, 2 * integers, step))


def _mean(of: MeasuredSet, mean: Mean) -> Cost:
    rows, bits = of.rows, mean.fraction_bits
    room = evaluation._SUM_BITS - (rows - 1).bit_length()
    room -= ROW_WEIGHT_BITS if of.is_weighted else 0
    places = evaluation._places(bits + mean.integer_bits, room)
    gaps = [high - low for low, high in pairwise(places)]
    cost = sum((shift_cost(gap, rows) for gap in gaps), Cost())
    if of.is_weighted:
        cost += product_cost(len(places) * rows)
        bits += ROW_WEIGHT_BITS
    cost += sum((shift_cost(gap, 1) for gap in gaps), Cost())
    drop = max(math.floor(math.log2(mean.step) + math.log2(rows) + bits), places[-1])
    drop = min(drop, places[-1] + evaluation._SUM_BITS) - places[-1]
    return cost + (shift_cost(drop, 1) if drop else Cost()) + _OPENED


def _auc(of: MeasuredSet, params: TrainingParams) -> Cost:
    rows, width = auc.sampled(params, of.rows).size, margin_bits(params)
    cost = bits_cost(width, words_per(rows)) + sort_cost(width + 1, 2, rows)
    cost += lift_cost(2 * words_per(rows)) + product_cost(1)
    return cost + shift_cost(auc._INVERSE_BITS - auc._AUC_BITS, 1) + _OPENED


_METRICS = {"logloss": _logloss, "error": _error, "rmse": _rmse, "auc": _auc}
