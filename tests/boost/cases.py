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
    **params: Any,
) -> Case:
    """Bins and gradients of a random data set; hessians vary as with weights."""
    draw = np.random.default_rng(seed)
    settings = {"max_bin": bins, "max_depth": 3, "min_child_weight": 1.0, **params}
    terms = TrainingParams(**settings)
    shape = (rows, sum(columns))
    values = draw.integers(0, bins, shape)
    labels = (values[:, 0] + values[:, -1] + draw.normal(scale=3, size=rows)) > bins
    values[draw.random(shape) < holes] = bins
    empty = np.zeros(rows, np.int64)
    unit = 1 << Case(values, columns[0], empty, empty, terms).numbers.gradient_bits
    p = draw.uniform(0.05, 0.95, rows)
    gradient = np.rint((p - labels) * unit).astype(np.int64)
    hessian = np.maximum(np.rint(p * (1 - p) * unit).astype(np.int64), 1)
    return Case(values, columns[0], gradient, hessian, terms)
