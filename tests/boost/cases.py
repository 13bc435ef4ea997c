"""Random data sets for single trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from securexgb.boost.params import TrainingParams
from tests.boost.case import Case


def random_case(
    seed: int,
    rows: int = 120,
    columns: tuple[int, int] = (2, 3),
    holes: float = 0.0,
    bins: int = 8,
    fine: bool = False,
    **params: Any,
) -> Case:
    """Bins and gradients of a random data set; hessians vary as with weights.

    Gradients are whole units of sums, so that nothing is rounded off, or with ``fine`` any ones.
    """
    draw = np.random.default_rng(seed)
    settings = {"max_bin": bins, "max_depth": 3, "min_child_weight": 1.0, "splits": "owner"}
    settings |= params
    terms = TrainingParams(**settings)
    shape = (rows, sum(columns))
    values = draw.integers(0, bins, shape)
    labels = (values[:, 0] + values[:, -1] + draw.normal(scale=3, size=rows)) > bins
    values[draw.random(shape) < holes] = bins
    empty = np.zeros(rows, np.int64)
    numbers = Case(values, columns[0], empty, empty, terms).numbers
    no_g, no_h = (0, 0) if fine else numbers.dropped_bits
    p = draw.uniform(0.05, 0.95, rows)
    gradient = np.rint((p - labels) * 2.0 ** (numbers.row_gradient_bits - no_g))
    hessian = np.rint(p * (1 - p) * 2.0 ** (numbers.row_hessian_bits - no_h))
    return Case(
        values,
        columns[0],
        gradient.astype(np.int64) << no_g,
        np.maximum(hessian, 1).astype(np.int64) << no_h,
        terms,
    )
