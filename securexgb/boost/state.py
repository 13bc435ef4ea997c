"""A training between two trees: the model so far, what trees are grown from, all margins."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.arith.prg import Prg
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.evaluation import Truth
from securexgb.boost.grower import TreeJob
from securexgb.boost.loss import Labels, Objective
from securexgb.mpc.shared import Shared


@dataclass(eq=False)
class DataSet:
    """A data set during a training. ``values``: own columns (n, f). ``margins``: shared (n,),
    after the model's trees."""

    name: str
    values: NDArray[np.float64]
    truth: Truth
    margins: Shared


@dataclass(eq=False)
class State:
    """Everything that a training holds between two trees.

    ``trees``: what all trees are grown from; of its ``dummies`` each tree takes a stream of
    its own. ``coins``: public. ``sets``: the training data first, then the evaluation sets.
    ``keep`` is called after every tree, to write a checkpoint.
    """

    model: ModelHalf
    numbers: NumberFormat
    objective: Objective
    labels: Labels
    trees: TreeJob
    coins: Prg
    sets: list[DataSet]
    keep: Callable[[State], None]

    def tree_job(self, number: int, used: NDArray[np.int64]) -> TreeJob:
        """What tree ``number`` is grown from: its columns, its own dummies."""
        dummies = self.trees.dummies.derive(f"tree {number}")
        return dataclasses.replace(self.trees, used=used, dummies=dummies)
