"""A training between two trees: the model so far, what trees are grown from, all margins."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.prg import Prg
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.grower import TreeJob
from securexgb.boost.metrics.auc import EvaluationTargets
from securexgb.boost.row_side import ModelRows


@dataclass(eq=False)
class DataSet:
    """An evaluation set during a training; ``rows``: its place among those of the row side."""

    name: str
    rows: slice
    truth: EvaluationTargets


@dataclass(eq=False)
class State:
    """Everything that a training holds between two trees.

    ``trees``: what all trees are grown from; of its ``dummies`` each round takes a stream of
    its own. ``rows``: all rows. ``coins``: public. ``sets``: the evaluation sets.
    ``begin_tree`` is told before each round how many remain; ``keep`` is called after it, to
    write a checkpoint.
    """

    model: ModelHalf
    trees: TreeJob
    rows: ModelRows
    coins: Prg
    sets: list[DataSet]
    begin_tree: Callable[[int], None]
    keep: Callable[[State], None]

    def tree_job(self, number: int, used: NDArray[np.int64]) -> TreeJob:
        """What the trees of round ``number`` are grown from: their columns, their dummies."""
        dummies = self.trees.dummies
        if dummies is not None:
            dummies = dummies.derive(f"tree {number}")
        return dataclasses.replace(self.trees, used=used, dummies=dummies)
