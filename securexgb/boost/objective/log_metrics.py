"""What the metrics of log-link objectives are means of: each row's loss, in shares.

    poisson-nloglik     mu - y m + log y!
    gamma-nloglik       y e^-m + m
    gamma-deviance      2 (y e^-m - log(y e^-m) - 1)
    tweedie-nloglik@r   y mu^(1 - r) / (r - 1) + mu^(2 - r) / (2 - r)

mu = e^m. Powers of e are those of gradients, in the same windows, to 20 fraction bits in fine
steps: off by 10^-3 of themselves at most, and by far less in a mean over rows whose margins differ.
All is in units of S^(2 - r), see ``log_link``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np

from securexgb.arith.fixedpoint import MARGIN_BITS, encode
from securexgb.boost.metrics.auc import EvaluationTargets
from securexgb.boost.objective.log_link import (
    log_bound,
    log_factorials,
    log_labels,
    log_scale,
    mean_window,
    ratio_window,
    relative,
    tweedie_logs,
    tweedie_windows,
    variance_power,
)
from securexgb.boost.objective.objective import Floats
from securexgb.boost.params import TrainingParams
from securexgb.boost.rows import blocks, sending_block
from securexgb.mpc.multiply import multiply, product_cost
from securexgb.mpc.numbers.curves import COIN_BITS
from securexgb.mpc.numbers.exponential import (
    ExpTable,
    Power,
    Window,
    exp_table,
    exponentials,
    exponentials_cost,
)
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.share import constant, share
from securexgb.mpc.shared import Shared, Words
from securexgb.mpc.together import together

LABEL_INTEGER_BITS = 13
"""Labels of an evaluation set are below 2^13 times S."""
_LABEL_BITS, _WORD_BITS = 16, 61


@dataclass(frozen=True)
class Loss:
    """What a row's loss is measured in: times ``unit`` it is in the metric's; below
    2^``integer_bits``, with so many fraction bits."""

    unit: float
    fraction_bits: int
    integer_bits: int


def loss_of(metric: str, params: TrainingParams) -> Loss:
    """Of one of these metrics."""
    unit = params.label_scale ** (2.0 - variance_power(params))
    bound = math.ceil(max(log_bound(params) + abs(log_scale(params)), 64.0)).bit_length() + 1
    if metric == "poisson-nloglik":
        integers = LABEL_INTEGER_BITS + bound
        return Loss(
            unit, MARGIN_BITS + min(_LABEL_BITS, _WORD_BITS - MARGIN_BITS - integers), integers
        )
    if metric == "gamma-deviance":
        return Loss(2.0, MARGIN_BITS, max(bound + 1, 14))
    return Loss(unit, MARGIN_BITS, max(bound + 1, 14) if metric == "gamma-nloglik" else 23)


@cache
def _tables(params: TrainingParams) -> tuple[ExpTable, ...]:
    """The powers of e of this objective's metrics."""
    one = Fraction(1)
    if params.traits.metrics[0] == "poisson-nloglik":
        return (_nearest(mean_window(params), one),)
    if params.traits.metrics[0] == "gamma-nloglik":
        return (_nearest(ratio_window(params), one),)
    power, windows = Fraction(params.tweedie_variance_power), tweedie_windows(params)
    return _nearest(windows[0], 1 / (2 - power)), _nearest(windows[1], 1 / (power - 1))


def _nearest(window: Window, factor: Fraction) -> ExpTable:
    coins = np.full((2, 1), 1 << (COIN_BITS - 1), np.int64)
    return exp_table(window, (Power(factor, MARGIN_BITS),), True, (coins,))


def losses(
    party: Party, metric: str, margins: Shared, truth: EvaluationTargets, params: TrainingParams
) -> Shared:
    """Each row's loss, shared (n,), in units and with the bits of ``loss_of``."""
    labels, tables = truth.labels, _tables(params)
    if metric == "poisson-nloglik":
        more = loss_of(metric, params).fraction_bits - MARGIN_BITS
        means = _powers(party, relative(party, margins, params), tables[0])
        scaled = None if labels is None else labels / params.label_scale
        product = multiply(party, _own(party, scaled, more, truth.rows), margins)
        own = None if labels is None else log_factorials(labels) / params.label_scale
        return means.scale(1 << more) - product + _own(party, own, MARGIN_BITS + more, truth.rows)
    logs = None if labels is None else log_labels(labels, params)
    shared = _own(party, logs, MARGIN_BITS, truth.rows)
    if metric.startswith("tweedie"):
        of_mean, of_label = tweedie_logs(party, margins, shared, params)
        a, b = together(
            party,
            lambda part: _powers(part, of_mean, tables[0]),
            lambda part: _powers(part, of_label, tables[1]),
        )
        return a + b
    ratios = _powers(party, shared - margins, tables[0])
    if metric == "gamma-nloglik":
        return ratios + margins
    return ratios - (shared - margins) - constant(party, 1 << MARGIN_BITS, margins.shape)


def _own(party: Party, values: Floats | None, bits: int, rows: int) -> Shared:
    """What the label party knows, as its trivial shares."""
    words: Words | None = None if values is None else encode(values, bits)
    return share(party, words, 0, (rows,))


def _powers(party: Party, x: Shared, table: ExpTable) -> Shared:
    parts = [exponentials(party, x[rows], table)[0] for rows in _blocks(x.size)]
    return Shared.concatenate(parts)


def _blocks(rows: int) -> list[slice]:
    return list(blocks(rows, sending_block(rows)))


def losses_cost(metric: str, rows: int, params: TrainingParams) -> Cost:
    """Cost of ``losses``."""
    parts = []
    for table in _tables(params):
        cost = Cost()
        for block in _blocks(rows):
            size = len(range(rows)[block])
            cost += exponentials_cost(table.shape, table.window, size)
        parts.append(cost)
    total = Cost().at_once(*parts)
    return total + product_cost(rows) if metric == "poisson-nloglik" else total
