"""What scoring rows costs beforehand: rounds, bytes and correlations by public shape.

Of hidden models what the row correlations send comes on top (``offline.rows.row_bits``), made on
the stream of correlations.
"""

from __future__ import annotations

from securexgb.arith.fixedpoint import LEAF_WEIGHT_INTEGER_BITS, MARGIN_BITS
from securexgb.boost.layout import Layout
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import (
    BATCH_WORDS,
    STEPS_UNDER_CKKS,
    Request,
    rounding_steps,
)
from securexgb.boost.splits.hidden_scores import hidden_cost
from securexgb.hybrid.ckks_scores import Limbs, scores_cost
from securexgb.mpc.multiplex import multiplex_private_cost
from securexgb.mpc.numbers.truncate import shift_cost
from securexgb.mpc.protocol import Cost

_ASKED_WORDS = 12
"""What both sides say of a request before the first row, about."""


def row_ranges(params: TrainingParams, rows: int, rounds: int) -> list[int]:
    """Rows of each batch; see ``predict.row_batches``."""
    leaves = max(1, rounds * objective_of(params).outputs << params.max_depth)
    size = max(1, BATCH_WORDS // leaves)
    return [min(size, rows - at) for at in range(0, rows, size)]


def margins_cost(params: TrainingParams, rows: int, rounds: int) -> Cost:
    """Cost of the trees' part of margins: of ``predict.training_margins`` of so many rows."""
    total = Cost()
    for count in row_ranges(params, rows, rounds) if rounds else ():
        total += _of_batch(params, count, rounds)
    return total


def predictions_cost(
    params: TrainingParams, layout: Layout, rows: int, rounds: int, request: Request
) -> Cost:
    """Cost of ``predict.predict_margins`` of so many rows, but for keys of CKKS."""
    steps = rounding_steps(request.decimals)
    if request.prediction == "ckks":
        steps = min(steps, STEPS_UNDER_CKKS)
    outputs = objective_of(params).outputs
    total = Cost.alike(1, _ASKED_WORDS, {})
    for count in row_ranges(params, rows, rounds):
        if rounds and request.prediction == "ckks":
            total += _under_ckks(params, layout, count, rounds)
        elif rounds:
            total += _of_batch(params, count, rounds)
        if steps != 1 << MARGIN_BITS:
            total += shift_cost(MARGIN_BITS, outputs * count)
        words = outputs * count
        to_label, to_feature = request.recipient != "feature", request.recipient != "label"
        total += Cost(1, to_feature * words, to_label * words)
    return total


def _of_batch(params: TrainingParams, rows: int, rounds: int) -> Cost:
    trees = rounds * objective_of(params).outputs
    if not params.is_hidden:
        marks = rows * trees << params.max_depth
        return multiplex_private_cost(marks, marks, (64,))
    return hidden_cost(trees, params.max_depth, rows, params.most_rate)


def _under_ckks(params: TrainingParams, layout: Layout, rows: int, rounds: int) -> Cost:
    numbers, leaves = layout.numbers(params), 1 << params.max_depth
    limbs = Limbs.of(rounds, params.max_depth, numbers.margin_bits, LEAF_WEIGHT_INTEGER_BITS)
    return scores_cost(leaves, rounds * rows, limbs).times(objective_of(params).outputs)
