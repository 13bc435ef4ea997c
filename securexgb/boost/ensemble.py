"""The distributed model as one party holds it: its half of every tree, and what belongs to it.

Neither half predicts anything alone. Both halves carry the same ``model_id``, drawn by both
parties when the training began; halves with different ones do not belong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.boost.layout import Layout
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.tree import Tree, TreeHalf
from securexgb.errors import NotAvailable, TermsDiffer
from securexgb.mpc.party import ROLES, Role

Round = tuple[Tree, ...]
"""The trees of one round, (outputs,)."""
History = dict[str, dict[str, list[float]]]
"""Metric values: evaluation set -> metric -> one value an evaluation (``metrics.schedule``).
Public."""


@dataclass(eq=False)
class ModelHalf:
    """One party's half of a model; ``trees`` grows while it is trained.

    Trees lie round after round, one for each output of the objective.

    ``rank``: of the party it belongs to. ``base``: this party's share of the margin before
    the first tree, one ring word with margin_bits fraction bits; a base_score that was
    fitted is in the label party's share alone. ``centre``: of a regression, what targets were
    centred at, in the user's unit; known to the label party, 0 at the other, and added where
    predictions are opened. ``columns``: names of the own columns, ``cuts``: of their
    bins (columns, bins), see ``binning``.
    ``categories``: names of the categories of own categorical columns, by column; each one's
    position is its number, which its cuts are.
    ``best_iteration``: of early stopping, else None. ``importance``: where the terms open it and
    have ended the training, the per cents of every column, label party's first, whatever its name.
    ``whole_auc``: by evaluation set, after the training, of all rows where auc_rows took a sample.
    """

    rank: int
    model_id: str
    job_digest: str
    params: TrainingParams
    layout: Layout
    columns: tuple[str, ...]
    cuts: NDArray[np.float64] = field(repr=False)
    base: int = field(repr=False)
    centre: float = field(default=0.0, repr=False)
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    trees: list[Tree] = field(default_factory=list)
    history: History = field(default_factory=dict)
    best_iteration: int | None = None
    importance: tuple[int, ...] | None = None
    whole_auc: dict[str, float] = field(default_factory=dict)

    @property
    def role(self) -> Role:
        return ROLES[self.rank]

    @property
    def numbers(self) -> NumberFormat:
        """The bit widths of the job; the same at both parties."""
        return self.layout.numbers(self.params)

    @property
    def categorical(self) -> tuple[int, ...]:
        """Numbers of the own categorical columns, ascending."""
        first = self.rank * self.layout.label_columns
        own = range(first, first + len(self.columns))
        return tuple(number - first for number in self.layout.categorical if number in own)

    @property
    def outputs(self) -> int:
        """Margins a row, and trees a round."""
        return objective_of(self.params).outputs

    @property
    def rounds(self) -> list[Round]:
        """All trees: (rounds, outputs)."""
        trees, outputs = self.trees, self.outputs
        return [tuple(trees[at : at + outputs]) for at in range(0, len(trees), outputs)]

    @property
    def best_rounds(self) -> list[Round]:
        """The rounds to predict with: up to the best iteration, where there is one."""
        best = self.best_iteration
        return self.rounds if best is None else self.rounds[: best + 1]

    @property
    def best_trees(self) -> list[Tree]:
        """The trees of these rounds."""
        return [tree for trees in self.best_rounds for tree in trees]


def owned(trees: Sequence[Tree]) -> list[TreeHalf]:
    """The same trees, whose splits their owners know; NotAvailable where nobody does."""
    found = [tree for tree in trees if isinstance(tree, TreeHalf)]
    if len(found) < len(trees):
        raise NotAvailable(
            "the splits of this model are hidden: no side knows its own ones, nor how many there "
            'are; train with splits = "owner" where each side may know its own'
        )
    return found


def check_pair(label: ModelHalf, feature: ModelHalf) -> None:
    """Refuse two halves that do not belong together (``TermsDiffer``)."""
    if label.rank != 0 or feature.rank != 1:
        raise TermsDiffer(
            f"a model has a label half and a feature half, these are of the {label.role} and the "
            f"{feature.role} party"
        )
    if label.model_id != feature.model_id or len(label.trees) != len(feature.trees):
        raise TermsDiffer(
            "the two halves do not belong together: they come from different trainings; use the "
            f"files of the same run (here {label.model_id[:8]} and {feature.model_id[:8]})"
        )
