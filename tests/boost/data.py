"""Small data sets in two parts, and both sides' training on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.params import TrainingParams
from securexgb.boost.tree import HiddenTree
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.mpc.shared import SharedBits
from securexgb.testing import run_parties
from securexgb.testing.harness import Backend

Floats = NDArray[np.float64]


def table(
    rows: int, columns: int = 5, missing: float = 0.0, seed: int = 0
) -> tuple[Floats, Floats]:
    """Features (rows, columns) on a coarse grid, and labels 0/1 that depend on them."""
    draw = np.random.default_rng(seed)
    features = np.round(draw.normal(size=(rows, columns)), 1)
    score = features[:, 0] - features[:, -1] * (features[:, columns // 2] > 0)
    labels = (score + draw.normal(scale=0.5, size=rows) > 0.3).astype(np.float64)
    features[draw.random(features.shape) < missing] = np.nan
    return features, labels


def sides(
    features: Floats, labels: Floats, label_columns: int, weights: Floats | None = None
) -> tuple[Rows, Rows]:
    """The same rows cut between two parties."""
    names = tuple(f"x{number}" for number in range(features.shape[1]))
    return (
        Rows(
            np.ascontiguousarray(features[:, :label_columns]),
            names[:label_columns],
            labels,
            weights,
        ),
        Rows(np.ascontiguousarray(features[:, label_columns:]), names[label_columns:]),
    )


def jobs(
    params: TrainingParams,
    data: tuple[Rows, Rows],
    evals: dict[str, tuple[Rows, Rows]] | None = None,
    **more: Any,
) -> tuple[TrainingJob, TrainingJob]:
    """Both parties' jobs; splits are owned where ``params`` do not say."""
    sets, params = evals or {}, params.decided(can_hide=False)
    first, second = (
        TrainingJob(params, data[rank], tuple((name, pair[rank]) for name, pair in sets.items()))
        for rank in (0, 1)
    )
    return replace(first, **more), replace(second, **more)


def train_both(
    params: TrainingParams,
    data: tuple[Rows, Rows],
    backend: Backend = "plaintext",
    evals: dict[str, tuple[Rows, Rows]] | None = None,
    seed: int = 0,
) -> tuple[ModelHalf, ModelHalf]:
    """Both halves of a model."""
    halves = run_parties(train, jobs(params, data, evals), backend=backend, seed=seed)
    return halves[0], halves[1]


def opened_leaves(halves: tuple[ModelHalf, ModelHalf]) -> list[list[int]]:
    """Leaf values of all trees in the clear."""
    pairs = zip(halves[0].trees, halves[1].trees, strict=True)
    return [(one.leaf_values + two.leaf_values).view(np.int64).tolist() for one, two in pairs]


def hidden_tables(halves: tuple[ModelHalf, ModelHalf]) -> list[Any]:
    """Which bins each node sends left, put together from both halves."""
    pairs = zip(halves[0].trees, halves[1].trees, strict=True)
    return [
        SharedBits(first.tables ^ second.tables, first.nodes).flags()
        for first, second in pairs
        if isinstance(first, HiddenTree) and isinstance(second, HiddenTree)
    ]


def same_model(one: tuple[ModelHalf, ModelHalf], two: tuple[ModelHalf, ModelHalf]) -> bool:
    """Equal opened leaves, equal splits (own ones, or what hidden tables hold), equal base."""
    if any(isinstance(tree, HiddenTree) for half in (*one, *two) for tree in half.trees):
        if not all(
            np.array_equal(*pair)
            for pair in zip(hidden_tables(one), hidden_tables(two), strict=True)
        ):
            return False
        return opened_leaves(one) == opened_leaves(two) and one[0].base == two[0].base
    for first, second in zip(one, two, strict=True):
        for tree, other in zip(first.trees, second.trees, strict=True):
            for name, array in tree.arrays().items():
                if name != "leaf_values" and not np.array_equal(
                    array, other.arrays()[name], equal_nan=array.dtype.kind == "f"
                ):
                    return False
    return opened_leaves(one) == opened_leaves(two) and one[0].base == two[0].base


def label_result(party: Party, value: Any) -> Any:
    """Keep a result at the label party only."""
    return value if party.rank == 0 else None
