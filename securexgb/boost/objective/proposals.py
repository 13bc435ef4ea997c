"""What scales a label party should write into the terms: proposed from its labels and weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from securexgb.boost.objective.registry import objective_of
from securexgb.boost.objective.start import needed_bound
from securexgb.boost.params import TrainingParams
from securexgb.boost.scales import (
    Outcomes,
    needed_target_exponent,
    needed_weight_exponent,
    within,
)

REMARKED_SPARE_BITS = 1
"""An exponent that is too large by more than this is worth a remark."""
_DIGITS = 4
"""Significant digits of the constant model's metric."""


def proposed_metric_exponent(
    train: Outcomes, measured: Sequence[Outcomes], params: TrainingParams
) -> int | None:
    """10^this is a unit in the fourth digit of the metric before the first tree.

    ``measured``: the evaluation sets; the last one counts, which early stopping looks at, or the
    training rows where there is none. None where the metric is 0 already.
    """
    objective = objective_of(params)
    for rows in (*reversed(measured), train):
        value = objective.constant_metric(train, rows)
        if value > 0.0:
            return within("metric_exponent", math.floor(math.log10(value)) - (_DIGITS - 1))
    return None


def with_scales(
    params: TrainingParams, train: Outcomes, measured: Sequence[Outcomes] = ()
) -> TrainingParams:
    """``params`` with every exponent that is not set, and a bound of base margins, from the data.

    For who has all labels and decides alone; two companies write them into their terms.
    """
    if train.base_margin is not None and not params.has_base_margin:
        own = [rows.base_margin for rows in (train, *measured) if rows.base_margin is not None]
        params = replace(params, base_margin_bound=needed_bound(np.concatenate(own)))
    if params.weight_exponent is None:
        needed = needed_weight_exponent(train, params)
        if needed is not None:
            params = replace(params, weight_exponent=within("weight_exponent", needed))
    if params.target_exponent is None and params.traits.is_scaled:
        needed = needed_target_exponent(train, params) or 0
        params = replace(params, target_exponent=within("target_exponent", needed))
    if params.metric_exponent is None:
        params = replace(params, metric_exponent=proposed_metric_exponent(train, measured, params))
    return params


def proposed_lines(
    params: TrainingParams, train: Outcomes, measured: Sequence[Outcomes] = ()
) -> dict[str, int]:
    """Exponents that the terms should have and do not have, by name, for the label party to see.

    Those that are missing, too small, or too large by more than REMARKED_SPARE_BITS; of metrics
    those that are missing.
    """
    lines: dict[str, int] = {}
    needed = needed_weight_exponent(train, params)
    if needed is not None and not _is_close("weight_exponent", params.weight_exponent or 0, needed):
        lines["weight_exponent"] = within("weight_exponent", needed)
        params = replace(params, weight_exponent=lines["weight_exponent"])
    if params.traits.is_scaled:
        needed, given = needed_target_exponent(train, params), params.target_exponent
        is_unfit = needed is not None and not _is_close("target_exponent", given or 0, needed)
        if given is None or is_unfit:
            lines["target_exponent"] = within("target_exponent", needed or 0)
    if params.metric_exponent is None:
        proposed = proposed_metric_exponent(train, measured, params)
        if proposed is not None:
            lines["metric_exponent"] = proposed
    return lines


def _is_close(name: str, given: int, needed: int) -> bool:
    least = within(name, needed)
    return least <= given <= least + REMARKED_SPARE_BITS
